//! A record of a decision, for `explain`.

use authgate::decision::Trace;
use authgate::policy::Protection;
use authgate::policy::variables::VariableValues;
use authgate::principal::{Authenticated, AuthenticatorId, Principal};
use authgate::response::Reason;

use super::authorization::Authorizing;
use super::test_identity::TestIdentities;

/// The result of a check by an authenticator.
pub struct Event {
    pub authenticator: AuthenticatorId,
    pub check: Check,
}

/// A check and its result.
pub enum Check {
    /// A check of the request with the credential, such as same origin.
    Request(Result<(), Reason>),
    /// A check of the credential itself.
    Credential(Result<Identity, Reason>),
    /// A check of the proof of possession of a token.
    Possession(Result<(), Reason>),
}

/// The parts of a principal to show.
pub struct Identity {
    pub subject: String,
    pub scopes: Vec<String>,
}

/// The checks of one decision.
#[derive(Default)]
pub struct Record {
    /// The checks by authenticators, in order.
    pub events: Vec<Event>,
    /// The check of the authorization, if there was one.
    pub authorizing: Option<Authorizing>,
    /// The principals that the decision assumes.
    pub identities: TestIdentities,
}

impl Record {
    fn add(&mut self, authenticator: AuthenticatorId, check: Check) {
        self.events.push(Event { authenticator, check });
    }
}

impl Trace for Record {
    fn assumed(&self, authenticator: AuthenticatorId) -> Option<Principal> {
        self.identities.assumed(authenticator)
    }

    fn admitted(&mut self, authenticator: AuthenticatorId, result: Result<(), Reason>) {
        self.add(authenticator, Check::Request(result));
    }

    fn authenticated(&mut self, authenticator: AuthenticatorId, result: Result<&Principal, Reason>) {
        let shown = |principal: &Principal| Identity {
            subject: principal.subject.clone(),
            scopes: principal.scopes.clone(),
        };
        self.add(authenticator, Check::Credential(result.map(shown)));
    }

    fn authorizing(&mut self, protection: &Protection, caller: &Authenticated, values: &VariableValues) {
        self.authorizing = Some(Authorizing::of(protection, caller, values));
    }

    fn possession(&mut self, authenticator: AuthenticatorId, result: Result<(), Reason>) {
        self.add(authenticator, Check::Possession(result));
    }
}
