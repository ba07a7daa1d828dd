//! What an authenticated caller must be allowed.

use crate::jose::claims::{ClaimMatcher, ClaimSelector};
use crate::principal::{Authenticated, AuthenticatorId};

/// One of the ways to be allowed; all that it holds must be met.
pub struct Authorization {
    /// For whom it speaks.
    pub(super) authenticators: Vec<AuthenticatorId>,
    pub(super) scopes: Vec<String>,
    pub(super) any_scope: Vec<String>,
    /// Authenticator and subject.
    pub(super) subjects: Option<Vec<(AuthenticatorId, String)>>,
    pub(super) claims: Vec<(ClaimSelector, ClaimMatcher)>,
}

/// How an authorisation came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorized {
    /// Allowed.
    Yes,
    /// Only scopes are missing: these are asked for.
    LacksScope(String),
    /// Not allowed.
    No,
}

/// Whether one of `ways` allows this; no ways at all ask for nothing.
pub fn authorize(ways: &[Authorization], authenticated: &Authenticated) -> Authorized {
    if ways.is_empty() {
        return Authorized::Yes;
    }
    let mut answer = Authorized::No;
    for way in ways.iter().filter(|way| way.authenticators.contains(&authenticated.authenticator)) {
        match way.check(authenticated) {
            Authorized::Yes => return Authorized::Yes,
            Authorized::LacksScope(scope) if answer == Authorized::No => {
                answer = Authorized::LacksScope(scope)
            }
            _ => {}
        }
    }
    answer
}

impl Authorization {
    fn check(&self, authenticated: &Authenticated) -> Authorized {
        let principal = &authenticated.principal;
        let is_subject = |(authenticator, subject): &(AuthenticatorId, String)| {
            *authenticator == authenticated.authenticator && *subject == principal.subject
        };
        let subject = self.subjects.as_ref().is_none_or(|subjects| subjects.iter().any(is_subject));
        let claims =
            self.claims.iter().all(|(selector, matcher)| matcher.matches(selector.find(&principal.claims)));
        if !subject || !claims {
            return Authorized::No;
        }
        let has = |scope: &String| principal.scopes.contains(scope);
        let any = self.any_scope.is_empty() || self.any_scope.iter().any(has);
        if any && self.scopes.iter().all(has) {
            Authorized::Yes
        } else {
            Authorized::LacksScope(self.scope())
        }
    }

    /// The scopes that it asks for, as RFC 6750 §3 writes them.
    pub fn scope(&self) -> String {
        let scopes: Vec<&str> = self.scopes.iter().chain(&self.any_scope).map(String::as_str).collect();
        scopes.join(" ")
    }
}
