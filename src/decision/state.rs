//! State of a policy in one worker: cached credentials and fetched data.

use crate::cache::CredentialCache;
use crate::policy::Policy;
use crate::principal::AuthenticatorId;
use crate::remote::callout::{CallId, CalloutError, Effect, HttpResponse};
use crate::remote::jwks::Tick;
use crate::remote::pending::{MAX_WAITING, MAX_WAITING_OF_TOKEN};
use crate::remote::state::RemoteState;

/// The state of one policy in one worker. It must not be used with another policy.
pub struct State {
    /// Verified credentials, nonces, seen proofs, throttling and work budgets.
    pub cache: CredentialCache,
    /// Fetched data of each authenticator, in the order of the policy.
    pub sources: Vec<RemoteState>,
}

impl State {
    /// Creates a state in which nothing has been fetched.
    pub fn new(policy: &Policy, cache: CredentialCache) -> Self {
        let sources = policy.authenticators.iter().map(|authenticator| authenticator.scheme.remote_state());
        State { cache, sources: sources.collect() }
    }

    /// True if some authenticator fetches data, so that [`State::tick`] must be called.
    pub fn learns(&self) -> bool {
        self.sources.iter().any(|source| !matches!(source, RemoteState::Nothing))
    }

    /// Returns the number of requests that may wait for one fetch of an authenticator at a time.
    pub fn max_waiting(&self, authenticator: AuthenticatorId) -> usize {
        match self.sources.get(authenticator.index()) {
            // Any client can send unknown tokens, over and over.
            Some(RemoteState::Tokens(_)) => MAX_WAITING_OF_TOKEN,
            // All requests need the key set.
            _ => MAX_WAITING,
        }
    }

    /// Advances the time.
    pub fn tick(&mut self, tick: Tick) {
        self.sources.iter_mut().for_each(|source| source.tick(tick));
    }

    /// Handles the outcome of a call that an authenticator made.
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

    /// Returns the effects of the events since the last call, each with its authenticator.
    pub fn take_effects(&mut self) -> Vec<(AuthenticatorId, Effect)> {
        let sources = self.sources.iter_mut().enumerate();
        sources
            .flat_map(|(at, source)| {
                source.take_effects().into_iter().map(move |effect| (AuthenticatorId::new(at), effect))
            })
            .collect()
    }
}
