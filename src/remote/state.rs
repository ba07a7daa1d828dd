//! What an authenticator has to learn from elsewhere. Each worker learns it for itself.

use crate::remote::callout::{CallId, CalloutError, Effect, HttpResponse};
use crate::remote::introspection::Introspector;
use crate::remote::jwks::{JwksFetcher, Tick};

/// What one authenticator has learnt so far.
pub enum RemoteState {
    /// It knows all by itself.
    Nothing,
    /// Keys of an identity provider.
    Keys(JwksFetcher),
    /// What an endpoint says of tokens.
    Tokens(Introspector),
}

impl RemoteState {
    /// How often what it has learnt has changed, so that earlier outcomes do not count any more.
    pub fn generation(&self) -> u64 {
        match self {
            // An answer counts for its time, whatever comes later.
            RemoteState::Nothing | RemoteState::Tokens(_) => 0,
            RemoteState::Keys(keys) => keys.generation(),
        }
    }

    /// Time passes.
    pub fn tick(&mut self, tick: Tick) {
        match self {
            RemoteState::Nothing => {}
            RemoteState::Keys(keys) => keys.tick(tick),
            RemoteState::Tokens(introspector) => introspector.tick(tick.now),
        }
    }

    /// One of its calls was answered, or could not be.
    pub fn answered(&mut self, call: CallId, outcome: Result<HttpResponse<'_>, CalloutError>, tick: Tick) {
        match self {
            RemoteState::Nothing => {}
            RemoteState::Keys(keys) => keys.answered(call, outcome, tick),
            RemoteState::Tokens(introspector) => introspector.answered(call, outcome, tick.now),
        }
    }

    /// What the events so far lead to, since it was last asked for.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        match self {
            RemoteState::Nothing => Vec::new(),
            RemoteState::Keys(keys) => keys.take_effects(),
            RemoteState::Tokens(introspector) => introspector.take_effects(),
        }
    }
}
