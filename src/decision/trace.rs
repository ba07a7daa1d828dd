//! Observation of a decision, for tools that explain and test policies.

use crate::policy::Protection;
use crate::policy::variables::VariableValues;
use crate::principal::{Authenticated, AuthenticatorId, Principal};
use crate::response::Reason;

/// Observer of a decision. The filter uses `()`, which observes nothing and costs nothing.
pub trait Trace {
    /// Reports the check of the request around a credential, such as its origin.
    fn admitted(&mut self, _authenticator: AuthenticatorId, _result: Result<(), Reason>) {}

    /// Reports the check of a credential that is not cached.
    fn authenticated(&mut self, _authenticator: AuthenticatorId, _result: Result<&Principal, Reason>) {}

    /// Reports the check that the client possesses the key or certificate that a token is bound to.
    fn possession(&mut self, _authenticator: AuthenticatorId, _result: Result<(), Reason>) {}

    /// Reports the caller whose authorization is checked next, with the values that it is compared with.
    fn authorizing(&mut self, _protection: &Protection, _caller: &Authenticated, _values: &VariableValues) {}

    /// Returns the principal that a test assumes to be authenticated by this authenticator, so that it needs no
    /// credential.
    fn assumed(&self, _authenticator: AuthenticatorId) -> Option<Principal> {
        None
    }
}

impl Trace for () {}
