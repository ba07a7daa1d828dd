//! Authorization: the callers that a rule allows.

use crate::jose::claims::{ClaimMatcher, ClaimSelector};
use crate::principal::{Authenticated, AuthenticatorId};

/// An authorization. All of its conditions must be met.
pub struct Authorization {
    /// Authenticators to whose callers the authorization applies.
    pub(super) authenticators: Vec<AuthenticatorId>,
    pub(super) scopes: Vec<String>,
    pub(super) any_scope: Vec<String>,
    /// Allowed callers, by authenticator and subject.
    pub(super) subjects: Option<Vec<(AuthenticatorId, String)>>,
    pub(super) claims: Vec<(ClaimSelector, ClaimMatcher)>,
}

/// Result of an authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorized {
    /// The caller is authorized.
    Yes,
    /// The caller lacks only scopes; these are required.
    LacksScope(String),
    /// The caller is not authorized.
    No,
}

/// Returns whether one of `authorizations` authorizes the caller, or which scopes are missing. If there are none, every
/// authenticated caller is authorized.
pub fn authorize(authorizations: &[Authorization], authenticated: &Authenticated) -> Authorized {
    if authorizations.is_empty() {
        return Authorized::Yes;
    }
    let mut answer = Authorized::No;
    let concerned = |one: &&Authorization| one.authenticators.contains(&authenticated.authenticator);
    for authorization in authorizations.iter().filter(concerned) {
        match authorization.check(authenticated) {
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

    /// Returns the required scopes, in the format of [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    pub fn scope(&self) -> String {
        let scopes: Vec<&str> = self.scopes.iter().chain(&self.any_scope).map(String::as_str).collect();
        scopes.join(" ")
    }
}
