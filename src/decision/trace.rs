//! Observation of a decision, for tools that explain and test policies.

use crate::principal::{AuthenticatorId, Principal};
use crate::response::Reason;

/// Observer of a decision. `()` observes nothing and costs nothing: the filter uses it.
pub trait Trace {
    /// Observes the check of the request around a credential.
    fn admitted(&mut self, _authenticator: AuthenticatorId, _result: Result<(), Reason>) {}

    /// Observes the check of a credential that is not cached.
    fn authenticated(&mut self, _authenticator: AuthenticatorId, _result: Result<&Principal, Reason>) {}

    /// Observes the check that a token is used by its holder.
    fn possession(&mut self, _authenticator: AuthenticatorId, _result: Result<(), Reason>) {}

    /// The principal that a test of a policy assumes to be authenticated, so that the test needs no credential.
    fn assumed(&self, _authenticator: AuthenticatorId) -> Option<Principal> {
        None
    }
}

impl Trace for () {}
