//! Who a caller was shown to be, and the permit that lets the request through.

use crate::claims::Claims;

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

/// A principal and the authenticator that it came by.
#[derive(Clone)]
pub struct Authenticated {
    /// The authenticator's place in the policy.
    pub authenticator: usize,
    /// Who the caller is.
    pub principal: Principal,
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
    pub fn by(&self, authenticator: usize) -> Option<&Principal> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|authenticated| authenticated.authenticator == authenticator)
            .map(|authenticated| &authenticated.principal)
    }
}
