//! Data that an authenticator fetches. Each worker has its own.

use crate::remote::callout::{CallId, CalloutError, Effect, HttpResponse};
use crate::remote::introspection::Introspector;
use crate::remote::jwks::{JwksFetcher, Tick};

/// Data that one authenticator has fetched.
pub enum RemoteState {
    /// The authenticator fetches nothing.
    Nothing,
    /// Keys of an identity provider.
    Keys(JwksFetcher),
    /// Introspection responses for tokens.
    Tokens(Introspector),
}

impl RemoteState {
    /// Returns the number of changes that invalidate cached results.
    pub fn generation(&self) -> u64 {
        match self {
            // A response is valid for its lifetime, independent of later ones.
            RemoteState::Nothing | RemoteState::Tokens(_) => 0,
            RemoteState::Keys(keys) => keys.generation(),
        }
    }

    /// Advances the time.
    pub fn tick(&mut self, tick: Tick) {
        match self {
            RemoteState::Nothing => {}
            RemoteState::Keys(keys) => keys.tick(tick),
            RemoteState::Tokens(introspector) => introspector.tick(tick.now),
        }
    }

    /// Handles the outcome of a call.
    pub fn answered(&mut self, call: CallId, outcome: Result<HttpResponse<'_>, CalloutError>, tick: Tick) {
        match self {
            RemoteState::Nothing => {}
            RemoteState::Keys(keys) => keys.answered(call, outcome, tick),
            RemoteState::Tokens(introspector) => introspector.answered(call, outcome, tick.now),
        }
    }

    /// Returns the effects of the events since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        match self {
            RemoteState::Nothing => Vec::new(),
            RemoteState::Keys(keys) => keys.take_effects(),
            RemoteState::Tokens(introspector) => introspector.take_effects(),
        }
    }
}
