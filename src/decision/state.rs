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
    pub remote_states: Vec<RemoteState>,
}

impl State {
    /// Creates a state in which nothing has been fetched.
    pub fn new(policy: &Policy, cache: CredentialCache) -> Self {
        let remote_states =
            policy.authenticators.iter().map(|authenticator| authenticator.scheme.remote_state());
        State { cache, remote_states: remote_states.collect() }
    }

    /// True if some authenticator fetches data, so that [`State::tick`] must be called.
    pub fn learns(&self) -> bool {
        self.remote_states.iter().any(|remote| !matches!(remote, RemoteState::Nothing))
    }

    /// Returns the number of requests that may wait for one fetch of an authenticator at a time.
    pub fn max_waiting(&self, authenticator: AuthenticatorId) -> usize {
        match self.remote_states.get(authenticator.index()) {
            // Any client can send unknown tokens, over and over.
            Some(RemoteState::Tokens(_)) => MAX_WAITING_OF_TOKEN,
            // All requests need the key set.
            _ => MAX_WAITING,
        }
    }

    /// Advances the time.
    pub fn tick(&mut self, tick: Tick) {
        self.remote_states.iter_mut().for_each(|remote| remote.tick(tick));
    }

    /// Handles the outcome of a call that an authenticator made.
    pub fn answered(
        &mut self,
        authenticator: AuthenticatorId,
        call: CallId,
        outcome: Result<HttpResponse<'_>, CalloutError>,
        tick: Tick,
    ) {
        if let Some(remote) = self.remote_states.get_mut(authenticator.index()) {
            remote.answered(call, outcome, tick);
        }
    }

    /// Returns the effects of the events since the last call, each with its authenticator.
    pub fn take_effects(&mut self) -> Vec<(AuthenticatorId, Effect)> {
        let remote_states = self.remote_states.iter_mut().enumerate();
        remote_states
            .flat_map(|(at, remote)| {
                remote.take_effects().into_iter().map(move |effect| (AuthenticatorId::new(at), effect))
            })
            .collect()
    }
}
