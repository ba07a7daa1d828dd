//! The authenticated caller, and the permit that allows a request. Uses [`jose`](crate::jose) for claims.

use std::rc::Rc;

use serde_json::Value;

use crate::jose::claims::Claims;

/// An authenticated caller.
#[derive(Clone)]
pub struct Principal {
    /// Name of the caller within its authenticator: a user name, or the subject of a token.
    pub subject: String,
    /// The `iss` of the token, if there is one.
    pub issuer: Option<String>,
    /// Scopes of the caller.
    pub scopes: Vec<String>,
    /// Other attributes of the caller.
    pub claims: Claims,
}

impl Principal {
    /// Estimated size in bytes.
    pub fn size(&self) -> usize {
        let texts =
            self.scopes.iter().map(String::len).sum::<usize>() + self.scopes.len() * size_of::<String>();
        let issuer = self.issuer.as_ref().map_or(0, String::len);
        size_of::<Principal>() + self.subject.len() + issuer + texts + members_size(self.claims.members())
    }
}

fn members_size(members: &serde_json::Map<String, Value>) -> usize {
    // A node of the map has space for eleven members and is at least half full.
    let member = |(name, value): (&String, &Value)| {
        2 * (size_of::<String>() + size_of::<Value>()) + name.len() + size(value)
    };
    members.iter().map(member).sum()
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(|element| size_of::<Value>() + size(element)).sum(),
        Value::Object(members) => members_size(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Identifier of an authenticator: its position in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthenticatorId(usize);

impl AuthenticatorId {
    /// The authenticator at this position.
    pub fn new(position: usize) -> Self {
        AuthenticatorId(position)
    }

    /// The position of the authenticator in the policy.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A principal and the authenticator that verified its credential.
#[derive(Clone)]
pub struct Authenticated {
    /// The authenticator that verified the credential.
    pub authenticator: AuthenticatorId,
    /// The caller.
    pub principal: Rc<Principal>,
}

/// Proof that authentication and authorization both succeeded. Only a permit writes identity.
pub struct Permit {
    first: Authenticated,
    others: Vec<Authenticated>,
}

impl Permit {
    /// Issues a permit. Called only by `decision`, after both checks.
    pub(crate) fn issue(first: Authenticated, others: Vec<Authenticated>) -> Self {
        Permit { first, others }
    }

    /// The principal that identifies the caller: the first that was verified.
    pub fn first(&self) -> &Authenticated {
        &self.first
    }

    /// The principal that this authenticator verified.
    pub fn by(&self, authenticator: AuthenticatorId) -> Option<&Principal> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|authenticated| authenticated.authenticator == authenticator)
            .map(|authenticated| authenticated.principal.as_ref())
    }
}
