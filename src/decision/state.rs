//! What a worker has learnt and remembers under one policy.

use crate::cache::CredentialCache;
use crate::policy::Policy;
use crate::principal::AuthenticatorId;
use crate::remote::callout::{CallId, CalloutError, Effect, HttpResponse};
use crate::remote::jwks::Tick;
use crate::remote::pending::{MAX_WAITING, MAX_WAITING_OF_TOKEN};
use crate::remote::state::RemoteState;

/// The state of one policy in one worker. Nothing in it counts under another.
pub struct State {
    /// What is remembered of credentials.
    pub memory: CredentialCache,
    /// What each authenticator has learnt, by its place in the policy.
    pub sources: Vec<RemoteState>,
}

impl State {
    /// Nothing learnt yet.
    pub fn new(policy: &Policy, memory: CredentialCache) -> Self {
        let sources = policy.authenticators.iter().map(|authenticator| authenticator.scheme.remote_state());
        State { memory, sources: sources.collect() }
    }

    /// Whether anything is to be learnt, so that time matters.
    pub fn learns(&self) -> bool {
        self.sources.iter().any(|source| !matches!(source, RemoteState::Nothing))
    }

    /// The number of requests that can wait for one fetch of an authenticator at a time.
    pub fn max_waiting(&self, authenticator: AuthenticatorId) -> usize {
        match self.sources.get(authenticator.index()) {
            // A token that nobody knows can be sent by anybody, over and over.
            Some(RemoteState::Tokens(_)) => MAX_WAITING_OF_TOKEN,
            // A key set is for all.
            _ => MAX_WAITING,
        }
    }

    /// Time passes.
    pub fn tick(&mut self, tick: Tick) {
        self.sources.iter_mut().for_each(|source| source.tick(tick));
    }

    /// A call of this source was answered, or could not be.
    pub fn answered(
        &mut self,
        authenticator: AuthenticatorId,
        call: CallId,
        outcome: Result<HttpResponse<'_>, CalloutError>,
        tick: Tick,
    ) {
        if let Some(source) = self.sources.get_mut(authenticator.index()) {
            source.answered(call, outcome, tick);
        }
    }

    /// What the events so far lead to, with whose it is.
    pub fn take_effects(&mut self) -> Vec<(AuthenticatorId, Effect)> {
        let sources = self.sources.iter_mut().enumerate();
        sources
            .flat_map(|(at, source)| {
                source.take_effects().into_iter().map(move |effect| (AuthenticatorId::new(at), effect))
            })
            .collect()
    }
}
