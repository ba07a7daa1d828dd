//! Authorization: the callers that a rule allows.

use std::time::Duration;

use serde_json::Value;

use super::variables::{VariableId, VariableValues};
use crate::jose::claims::{ClaimMatcher, ClaimSelector};
use crate::principal::{Authenticated, AuthenticatorId, Principal};
use crate::response::{Reason, Wanted};
use crate::timestamp::NumericDate;

/// Tolerance for the clock of the issuer in `auth_time`.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// An authorization. All of its conditions must be met.
pub struct Authorization {
    /// Authenticators to whose callers the authorization applies.
    pub(super) authenticators: Vec<AuthenticatorId>,
    pub(super) scopes: Vec<RequiredScope>,
    pub(super) any_scope: Vec<RequiredScope>,
    /// True if challenges name only the first of `any_scope`.
    pub(super) asks_for_first: bool,
    /// Allowed callers, by authenticator and subject.
    pub(super) subjects: Option<Vec<(AuthenticatorId, String)>>,
    /// Variable that must equal the subject.
    pub(super) subject: Option<VariableId>,
    pub(super) claims: Vec<(ClaimSelector, ClaimCondition)>,
    pub(super) authentication: RequiredAuthentication,
}

/// Condition on a claim.
pub enum ClaimCondition {
    /// The claim must match this.
    Matches(ClaimMatcher),
    /// The claim must equal this variable.
    Equals(VariableId),
}

/// A required scope.
pub struct RequiredScope {
    /// Name of the scope.
    pub(super) name: String,
    /// Scopes that imply it.
    pub(super) implied_by: Vec<String>,
}

/// Requirements on the caller's login at the issuer
/// ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)).
#[derive(Default)]
pub struct RequiredAuthentication {
    /// Authentication contexts, one of which is required; any if there are none.
    pub(super) acr: Vec<String>,
    /// The longest time since the caller authenticated.
    pub(super) max_age: Option<Duration>,
}

/// Result of an authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorized {
    /// The caller is authorized.
    Yes,
    /// The caller could be authorized with another token.
    Wants(Reason, Wanted),
    /// The caller is not authorized.
    No,
}

/// A comparison of a variable with the caller, for tools that explain a decision.
pub struct Comparison<'a> {
    /// The variable.
    pub variable: VariableId,
    /// The claim; `None` for the subject.
    pub claim: Option<&'a ClaimSelector>,
    /// Value of the claim, or the subject; `None` if the caller does not have the claim.
    pub actual: Option<Value>,
    /// True if both are equal.
    pub is_equal: bool,
}

/// Returns whether one of `authorizations` authorizes the caller, or what is missing. If there are none, every
/// authenticated caller is authorized.
pub fn authorize(
    authorizations: &[Authorization],
    authenticated: &Authenticated,
    values: &VariableValues,
    now: NumericDate,
) -> Authorized {
    if authorizations.is_empty() {
        return Authorized::Yes;
    }
    let mut result = Authorized::No;
    for authorization in authorizations.iter().filter(|authorization| authorization.applies_to(authenticated))
    {
        match authorization.check(authenticated, values, now) {
            Authorized::Yes => return Authorized::Yes,
            wants if result == Authorized::No => result = wants,
            _ => {}
        }
    }
    result
}

impl Authorization {
    /// True if the authorization applies to callers of this authenticator.
    pub fn applies_to(&self, authenticated: &Authenticated) -> bool {
        self.authenticators.contains(&authenticated.authenticator)
    }

    fn check(&self, authenticated: &Authenticated, values: &VariableValues, now: NumericDate) -> Authorized {
        let principal = &authenticated.principal;
        let is_owner = self.subject.is_none_or(|variable| values.equals_text(variable, &principal.subject));
        let has_claims = self.claims.iter().all(|(selector, condition)| {
            let claim = selector.find(&principal.claims);
            match condition {
                ClaimCondition::Matches(matcher) => matcher.matches(claim),
                ClaimCondition::Equals(variable) => values.equals_claim(*variable, claim),
            }
        });
        if !self.lists(authenticated) || !is_owner || !has_claims {
            return Authorized::No;
        }
        let has = |scope: &RequiredScope| scope.granted_by(&principal.scopes).is_some();
        let has_any = self.any_scope.is_empty() || self.any_scope.iter().any(has);
        if !self.accepts_login(principal, now) {
            Authorized::Wants(Reason::InsufficientUserAuthentication, self.wanted())
        } else if has_any && self.scopes.iter().all(has) {
            Authorized::Yes
        } else {
            Authorized::Wants(Reason::InsufficientScope, Wanted::scope(self.scope()))
        }
    }

    /// True if the caller is one of `subjects`, or if any is allowed.
    pub fn lists(&self, authenticated: &Authenticated) -> bool {
        let is_subject = |(authenticator, subject): &(AuthenticatorId, String)| {
            *authenticator == authenticated.authenticator && *subject == authenticated.principal.subject
        };
        self.subjects.as_ref().is_none_or(|subjects| subjects.iter().any(is_subject))
    }

    /// True if `acr` and `max_auth_age` are met.
    pub fn accepts_login(&self, principal: &Principal, now: NumericDate) -> bool {
        self.authentication.is_met_by(principal, now)
    }

    fn wanted(&self) -> Wanted {
        let acr = &self.authentication.acr;
        let scope = self.scope();
        Wanted {
            scope: (!scope.is_empty()).then_some(scope),
            acr_values: (!acr.is_empty()).then(|| acr.join(" ")),
            max_age: self.authentication.max_age,
        }
    }

    /// Returns the scopes that a client should request, in the format of
    /// [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    pub fn scope(&self) -> String {
        // An MCP client requests all scopes of a challenge, so it gets no more than it needs.
        let any = if self.asks_for_first { self.any_scope.get(..1) } else { self.any_scope.get(..) };
        let scopes: Vec<&str> =
            self.scopes.iter().chain(any.into_iter().flatten()).map(|scope| scope.name.as_str()).collect();
        scopes.join(" ")
    }

    /// Returns all scopes of `scopes` and `any_scope`.
    pub fn required_scopes(&self) -> impl Iterator<Item = &RequiredScope> {
        self.scopes.iter().chain(&self.any_scope)
    }

    /// Returns the claims that must match constants, and whether each does.
    pub fn matched_claims<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> impl Iterator<Item = (&'a ClaimSelector, bool)> {
        self.claims.iter().filter_map(|(selector, condition)| match condition {
            ClaimCondition::Matches(matcher) => {
                Some((selector, matcher.matches(selector.find(&principal.claims))))
            }
            ClaimCondition::Equals(_) => None,
        })
    }

    /// Returns the comparisons of variables with the caller.
    pub fn comparisons<'a>(
        &'a self,
        principal: &'a Principal,
        values: &'a VariableValues,
    ) -> impl Iterator<Item = Comparison<'a>> {
        let subject = self.subject.map(|variable| Comparison {
            variable,
            claim: None,
            actual: Some(Value::String(principal.subject.clone())),
            is_equal: values.equals_text(variable, &principal.subject),
        });
        let claims = self.claims.iter().filter_map(|(selector, condition)| {
            let ClaimCondition::Equals(variable) = condition else { return None };
            let actual = selector.find(&principal.claims);
            let is_equal = values.equals_claim(*variable, actual);
            Some(Comparison { variable: *variable, claim: Some(selector), actual: actual.cloned(), is_equal })
        });
        subject.into_iter().chain(claims)
    }
}

impl RequiredScope {
    /// Name of the scope.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Scopes that imply it, directly or through others.
    pub fn implied_by(&self) -> &[String] {
        &self.implied_by
    }

    /// Returns the scope of a caller that is this one or implies it.
    pub fn granted_by<'s>(&self, scopes: &'s [String]) -> Option<&'s str> {
        let implies = |scope: &&String| self.implied_by.contains(scope);
        let own = scopes.iter().find(|scope| **scope == self.name);
        own.or_else(|| scopes.iter().find(implies)).map(String::as_str)
    }
}

impl RequiredAuthentication {
    fn is_met_by(&self, principal: &Principal, now: NumericDate) -> bool {
        let claims = &principal.claims;
        let has_context = || {
            let acr = claims.find("acr").and_then(Value::as_str);
            acr.is_some_and(|acr| self.acr.iter().any(|accepted| accepted == acr))
        };
        let is_recent = |max_age: Duration| {
            let authenticated = claims.find("auth_time").and_then(NumericDate::from_json);
            authenticated.is_some_and(|authenticated| {
                now.since(authenticated) <= max_age && authenticated.since(now) <= CLOCK_SKEW
            })
        };
        (self.acr.is_empty() || has_context()) && self.max_age.is_none_or(is_recent)
    }
}
