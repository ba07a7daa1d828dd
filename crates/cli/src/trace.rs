//! A record of a decision, for `explain`.

use authgate::decision::Trace;
use authgate::principal::{AuthenticatorId, Principal};
use authgate::response::Reason;

use crate::test_identity::TestIdentities;

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

/// The checks of one decision, in order, and the principals that it assumes.
#[derive(Default)]
pub struct Record {
    pub events: Vec<Event>,
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

    fn possession(&mut self, authenticator: AuthenticatorId, result: Result<(), Reason>) {
        self.add(authenticator, Check::Possession(result));
    }
}
