//! Policies: the authenticators, rules and limits of a configuration, ready to be applied to requests.
//!
//! [`build()`] turns a configuration into a [`Policy`], or returns all of its errors. A policy never changes. Its rules
//! are indexed, so the cost of a request does not grow with their number.
//!
//! - [`rules`]: the rule that a request selects
//! - [`requirement`]: the credentials that a rule requires
//! - [`authorization`]: the callers that a rule allows
//! - [`variables`]: parts of the request that are compared with the caller
//! - [`identity`]: the headers that tell the upstream who the caller is
//!
//! This room may use all others except [`decision`](crate::decision).

pub mod authorization;
mod build;
pub mod identity;
pub mod requirement;
pub mod rules;
pub mod variables;

use crate::authn::{Authenticator, Context};
use crate::cache::Limits;
use crate::cache::nonces::Nonces;
use crate::config::FilterStateKey;
use crate::http::header_name::HeaderNames;
use crate::http::location::Found;
use crate::http::origin::Origins;
use crate::http::request::{Request, is_tchar};
use crate::policy::identity::IdentityFields;
use crate::principal::AuthenticatorId;
use crate::response::protected_resource::ProtectedResources;
use crate::response::{ChallengeSet, DenialFormat, Wanted};

use authorization::Authorization;
pub use build::{Built, build, matches};
use requirement::Requirement;
use rules::RuleIndex;
use variables::Variables;

/// A policy.
pub struct Policy {
    /// All authenticators, by [`AuthenticatorId`].
    pub authenticators: Vec<Authenticator>,
    /// Index of the rules. Its results are positions in `rules`.
    pub index: RuleIndex,
    /// All rules, in the order of the configuration.
    pub rules: Vec<Rule>,
    /// Identity headers for the upstream.
    pub identity: IdentityFields,
    /// True if decisions are counted.
    pub metrics: bool,
    /// True if requests without a rule are in shadow mode.
    pub is_shadowed: bool,
    /// Data on decisions that the access log can show.
    pub filter_state: Vec<FilterStateKey>,
    /// Format of denials.
    pub denials: DenialFormat,
    /// Protected resource metadata.
    pub resources: ProtectedResources,
    /// True if CORS preflights to protected rules are allowed without credentials.
    pub allow_preflight: bool,
    /// Limits of the credential cache.
    pub limits: Limits,
    /// All query parameters that may contain tokens.
    pub token_parameters: Vec<String>,
    /// Headers that authenticators read, including those of proofs.
    pub credential_headers: HeaderNames,
    /// Headers that rules compare.
    pub compared_headers: HeaderNames,
}

impl Policy {
    /// Returns the authenticator with this identifier.
    pub fn authenticator(&self, id: AuthenticatorId) -> Option<&Authenticator> {
        self.authenticators.get(id.index())
    }

    /// Returns the identifiers of all authenticators, in order.
    pub fn authenticator_ids(&self) -> impl Iterator<Item = AuthenticatorId> {
        (0..self.authenticators.len()).map(AuthenticatorId::new)
    }

    /// Returns the challenges of the members of a rule, in order.
    pub fn challenge_sets(
        &self,
        protection: &Protection,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Vec<ChallengeSet> {
        let members = protection.members.iter().filter_map(|at| Some((*at, self.authenticator(*at)?)));
        let set_of = |(at, authenticator): (AuthenticatorId, &Authenticator)| {
            let scheme = &authenticator.scheme;
            let challenges = scheme.challenges(&authenticator.realm, context, nonces);
            ChallengeSet { authenticator: at, challenges, is_bearer: scheme.is_bearer() }
        };
        members.map(set_of).collect()
    }

    /// True if a trailer with this name must be removed from requests: identity, credentials and headers that rules
    /// compare, in every spelling. Trailers are not read, so a credential in one is unverified, even with
    /// `forward_credentials`.
    pub fn removes_trailer(&self, name: &[u8]) -> bool {
        self.identity.reserves(name)
            || self.credential_headers.contains(name)
            || self.compared_headers.contains(name)
    }

    /// True if a `Connection` header asks the next hop to remove identity or credentials
    /// ([RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)). Envoy forwards the header with an
    /// upgrade, so a conforming proxy behind it would remove the headers that this filter writes.
    pub fn has_bad_connection(&self, request: &Request<'_>) -> bool {
        ["connection", "proxy-connection"]
            .iter()
            .flat_map(|name| request.values(name))
            .flat_map(|value| value.split(|byte| !is_tchar(*byte)))
            .any(|option| !option.is_empty() && self.removes_trailer(option))
    }

    /// The unverified issuer of a rejected token and the issuers that the authenticator is configured with, as a sentence
    /// for operators; `None` if the authenticator knows the issuer or finds no token. Neither is secret.
    pub fn issuer_mismatch(&self, request: &Request<'_>, authenticator: AuthenticatorId) -> Option<String> {
        let scheme = &self.authenticator(authenticator)?.scheme;
        scheme.locations().iter().find_map(|location| match location.find(request) {
            Found::Value(credential) => scheme.issuer_mismatch(&credential),
            Found::Nothing | Found::Malformed | Found::Ambiguous => None,
        })
    }

    /// Returns the number of rules in shadow mode. Requests without a rule count as one more, if they are in shadow
    /// mode.
    pub fn shadowed_rules(&self) -> usize {
        usize::from(self.is_shadowed) + self.rules.iter().filter(|rule| rule.is_shadowed).count()
    }
}

/// A rule.
pub struct Rule {
    /// Position of the rule in the policy, from 0.
    pub number: usize,
    /// Name of the rule, for logs and metrics.
    pub name: String,
    /// True in shadow mode: the rule is evaluated, but not enforced.
    pub is_shadowed: bool,
    /// Origins of pages that may send requests; `None` for all.
    pub origins: Option<Origins>,
    /// Access that the rule grants.
    pub access: Access,
}

impl Rule {
    /// Names of the headers that the rule compares.
    pub fn compared_headers(&self) -> impl Iterator<Item = &str> {
        let variables = match &self.access {
            Access::Protected(protection) => Some(&protection.variables),
            Access::Public | Access::Denied => None,
        };
        variables.into_iter().flat_map(Variables::headers)
    }
}

/// Access that a rule grants.
pub enum Access {
    /// All requests are allowed.
    Public,
    /// All requests are denied.
    Denied,
    /// Requests of authenticated and authorized callers are allowed.
    Protected(Box<Protection>),
}

/// Conditions of a protected rule.
pub struct Protection {
    /// Credentials that a request needs.
    pub requirement: Requirement,
    /// All authenticators of the requirement, in its order.
    pub members: Vec<AuthenticatorId>,
    /// True if requests without any credentials are allowed as anonymous.
    pub optional: bool,
    /// Alternatives of which a caller has to meet one. If there are none, every authenticated caller is authorized.
    pub authorizations: Vec<Authorization>,
    /// Variables that the authorizations use.
    pub variables: Variables,
    /// True if the rule is in shadow mode.
    pub is_shadowed: bool,
}

impl Protection {
    /// Returns what unauthenticated clients need: the scopes of the first authorization that has any.
    pub fn wanted(&self) -> Wanted {
        let scope = self.authorizations.iter().map(Authorization::scope).find(|scope| !scope.is_empty());
        Wanted { scope, ..Wanted::default() }
    }
}
