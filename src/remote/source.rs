//! What an authenticator has to learn from elsewhere. Each worker learns it for itself.

use crate::remote::callout::{Answer, CallId, CalloutError, Effect};
use crate::remote::introspection::Introspector;
use crate::remote::jwks::{KeySource, Moment};

/// What one authenticator has learnt so far.
pub enum Source {
    /// It knows all by itself.
    Nothing,
    /// Keys of an identity provider.
    Keys(KeySource),
    /// What an endpoint says of tokens.
    Tokens(Introspector),
}

impl Source {
    /// How often what it has learnt has changed, so that earlier outcomes do not count any more.
    pub fn generation(&self) -> u64 {
        match self {
            // An answer counts for its time, whatever comes later.
            Source::Nothing | Source::Tokens(_) => 0,
            Source::Keys(keys) => keys.generation(),
        }
    }

    /// Time passes.
    pub fn tick(&mut self, moment: Moment) {
        match self {
            Source::Nothing => {}
            Source::Keys(keys) => keys.tick(moment),
            Source::Tokens(introspector) => introspector.tick(moment.now),
        }
    }

    /// One of its calls was answered, or could not be.
    pub fn answered(&mut self, call: CallId, outcome: Result<Answer<'_>, CalloutError>, moment: Moment) {
        match self {
            Source::Nothing => {}
            Source::Keys(keys) => keys.answered(call, outcome, moment),
            Source::Tokens(introspector) => introspector.answered(call, outcome, moment.now),
        }
    }

    /// What the events so far lead to, since it was last asked for.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        match self {
            Source::Nothing => Vec::new(),
            Source::Keys(keys) => keys.take_effects(),
            Source::Tokens(introspector) => introspector.take_effects(),
        }
    }
}
