//! Who a caller was shown to be, and the permit that lets the request through.

use std::rc::Rc;

use serde_json::Value;

use crate::jose::claims::Claims;

/// A caller whose credentials held.
#[derive(Clone)]
pub struct Principal {
    /// Who it is, as the authenticator names callers: a user name, a token's subject.
    pub subject: String,
    /// Who vouches for it; with a token, its `iss`.
    pub issuer: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// What else is known of it.
    pub claims: Claims,
}

impl Principal {
    /// How many octets it takes, by estimate.
    pub fn size(&self) -> usize {
        let texts =
            self.scopes.iter().map(String::len).sum::<usize>() + self.scopes.len() * size_of::<String>();
        let issuer = self.issuer.as_ref().map_or(0, String::len);
        size_of::<Principal>() + self.subject.len() + issuer + texts + members_size(self.claims.members())
    }
}

fn members_size(members: &serde_json::Map<String, Value>) -> usize {
    // A node of the map has room for eleven members, and is half full at the least.
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

/// A principal and the authenticator that it came by.
#[derive(Clone)]
pub struct Authenticated {
    /// The authenticator that verified the credential.
    pub authenticator: AuthenticatorId,
    /// Who the caller is.
    pub principal: Rc<Principal>,
}

/// The proof that authentication and authorisation have both succeeded. Nothing else can write identity.
pub struct Permit {
    first: Authenticated,
    others: Vec<Authenticated>,
}

impl Permit {
    /// Issues a permit. `decision` is the only caller, after both checks.
    pub(crate) fn issue(first: Authenticated, others: Vec<Authenticated>) -> Self {
        Permit { first, others }
    }

    /// The one whose identity counts: the first that held.
    pub fn first(&self) -> &Authenticated {
        &self.first
    }

    /// Who came by this authenticator.
    pub fn by(&self, authenticator: AuthenticatorId) -> Option<&Principal> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|authenticated| authenticated.authenticator == authenticator)
            .map(|authenticated| authenticated.principal.as_ref())
    }
}
