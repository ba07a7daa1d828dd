//! Configuration → what a request needs.
//!
//! A policy is made once and never changes. It knows authenticators by their place in a list; rules are indexed, so that
//! a request costs the same with one or with a thousand.

pub mod authorization;
mod build;
pub mod identity;
pub mod requirement;
pub mod rules;

use crate::authn::{Authenticator, Context};
use crate::cache::Limits;
use crate::cache::nonces::Nonces;
use crate::config::FilterStateKey;
use crate::http::location::Found;
use crate::http::request::{Request, is_tchar};
use crate::policy::identity::{HeaderNames, IdentityFields};
use crate::principal::AuthenticatorId;
use crate::response::protected_resource::ProtectedResources;
use crate::response::{ChallengeSet, DenialFormat};

use authorization::Authorization;
pub use build::{Built, Warning, WarningKind, build, matches};
use requirement::Requirement;
use rules::RuleIndex;

/// What requests need, ready to be asked.
pub struct Policy {
    /// All authenticators.
    pub authenticators: Vec<Authenticator>,
    /// Which rule a request selects; the number is a place in `rules`.
    pub index: RuleIndex,
    /// All rules, in their order.
    pub rules: Vec<Rule>,
    /// What the upstream is told.
    pub identity: IdentityFields,
    /// Whether decisions are counted.
    pub metrics: bool,
    /// Whether nothing is enforced where no rule is known.
    pub is_shadowed: bool,
    /// What the access log can show of decisions.
    pub filter_state: Vec<FilterStateKey>,
    /// How denials look.
    pub denials: DenialFormat,
    /// What metadata says of this service.
    pub resources: ProtectedResources,
    /// Whether CORS preflights pass where credentials are required.
    pub allow_preflight: bool,
    /// How much is remembered of verified credentials.
    pub limits: Limits,
    /// All query parameters that tokens may stand in.
    pub token_parameters: Vec<String>,
    /// The headers that authenticators read, those of proofs included.
    pub credential_headers: HeaderNames,
}

impl Policy {
    /// The authenticator with this identifier.
    pub fn authenticator(&self, id: AuthenticatorId) -> Option<&Authenticator> {
        self.authenticators.get(id.index())
    }

    /// The identifiers of all authenticators, in their order.
    pub fn authenticator_ids(&self) -> impl Iterator<Item = AuthenticatorId> {
        (0..self.authenticators.len()).map(AuthenticatorId::new)
    }

    /// What the members of a rule ask for, in their order.
    pub fn challenge_sets(
        &self,
        protection: &Protection,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Vec<ChallengeSet> {
        let members = protection.members.iter().filter_map(|at| Some((*at, self.authenticator(*at)?)));
        let offer = |(at, authenticator): (AuthenticatorId, &Authenticator)| {
            let scheme = &authenticator.scheme;
            let challenges = scheme.challenges(&authenticator.realm, context, nonces);
            ChallengeSet { authenticator: at, challenges, is_bearer: scheme.is_bearer() }
        };
        members.map(offer).collect()
    }

    /// Whether a trailer with this name is removed from a request: identity and credentials, in every spelling. No
    /// authenticator reads trailers, so a credential in one is unverified, even where `forward_credentials` is set.
    pub fn removes_trailer(&self, name: &[u8]) -> bool {
        self.identity.reserves(name) || self.credential_headers.contains(name)
    }

    /// Whether a `Connection` field asks the next hop to remove identity or credentials (RFC 9110 §7.6.1). Envoy forwards
    /// the field with an upgrade, so a conforming proxy behind it would remove what this filter has written.
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

    /// How many rules are in shadow. What no rule matches counts as one more.
    pub fn shadowed_rules(&self) -> usize {
        usize::from(self.is_shadowed) + self.rules.iter().filter(|rule| rule.is_shadowed).count()
    }
}

/// A rule.
pub struct Rule {
    /// Its place in the policy, from 0.
    pub number: usize,
    /// For logs and metrics.
    pub name: String,
    /// Whether it is decided, and nothing is done about it.
    pub is_shadowed: bool,
    /// What it says.
    pub access: Access,
}

/// What a rule says.
pub enum Access {
    /// Anyone may pass.
    Public,
    /// Nobody may pass.
    Denied,
    /// Whoever is authenticated and authorised may pass.
    Protected(Box<Protection>),
}

/// What whoever wants to pass needs.
pub struct Protection {
    /// Which authenticators must hold.
    pub requirement: Requirement,
    /// All that the requirement names, in its order.
    pub members: Vec<AuthenticatorId>,
    /// Whether no credentials at all pass as anonymous.
    pub optional: bool,
    /// The ways to be allowed; none: whoever is authenticated is.
    pub ways: Vec<Authorization>,
    /// As its rule.
    pub is_shadowed: bool,
}

impl Protection {
    /// The scopes that a challenge names before anybody is known: those of the first way that has any.
    pub fn scope(&self) -> Option<String> {
        self.ways.iter().map(Authorization::scope).find(|scope| !scope.is_empty())
    }
}
