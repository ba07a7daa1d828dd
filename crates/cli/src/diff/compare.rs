//! The decisions of two policies on one request.

use std::collections::BTreeSet;

use authgate::authn::Context;
use authgate::cache::CredentialCache;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide_traced};
use authgate::http::location::CredentialLocation;
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::Access;
use authgate::policy::rules::{RuleId, Target};
use authgate::timestamp::NumericDate;
use serde_json::Value;

use super::credentials::Credentials;
use super::settings::renamed;
use super::side::{Values, may_know};
use crate::Failure;
use crate::explain::outcome::{self, Outcome};
use crate::input;
use crate::load::Loaded;
use crate::request::OwnRequest;
use crate::test_identity::TestIdentities;

/// A policy to compare.
pub struct Policy {
    pub loaded: Loaded,
}

/// The rule that a request selects.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selected {
    Rule(RuleId),
    Nothing,
    Ambiguous,
}

/// The parts of a decision that are compared.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    pub effect: Effect,
    /// The decision as readable text, without the caller.
    pub text: String,
    /// The identity that the upstream receives: subject, authenticator and identity headers.
    pub identity: Vec<(String, String)>,
    /// The decision that shadow mode does not carry out.
    pub shadowed: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allowed,
    Denied,
    /// The response is metadata of a protected resource.
    Answered,
}

impl Policy {
    /// Creates a policy from a loaded configuration.
    pub fn new(loaded: Loaded) -> Policy {
        Policy { loaded }
    }

    /// The rule that a request selects.
    pub fn select(&self, target: &Target<'_>) -> Selected {
        match self.loaded.policy.index.select(target) {
            Ok(Some(rule)) => Selected::Rule(rule),
            Ok(None) => Selected::Nothing,
            Err(_) => Selected::Ambiguous,
        }
    }

    /// The variables that a rule compares, with their values in the request; `None` if a value is ambiguous.
    pub fn values(&self, selected: Selected, request: &Request<'_>, target: &Target<'_>) -> Option<Values> {
        let rule = match selected {
            Selected::Rule(rule) => self.loaded.policy.rules.get(rule.index()),
            Selected::Nothing | Selected::Ambiguous => None,
        };
        let Some(Access::Protected(protection)) = rule.map(|rule| &rule.access) else {
            return Some(Values::new());
        };
        let values = protection.variables.values(request, target).ok()?;
        let value = |id| values.get(id).map(|value| String::from_utf8_lossy(value).into_owned());
        Some(protection.variables.iter().map(|(id, variable)| (variable.clone(), value(id))).collect())
    }

    /// The origins that a rule allows; `None` for all.
    pub fn origins(&self, selected: Selected) -> Option<&[String]> {
        let Selected::Rule(rule) = selected else { return None };
        self.loaded.config.rules.0.get(rule.index())?.origins.as_deref()
    }

    /// Returns true if the policy responds to the request with metadata.
    pub fn answers(&self, own: &OwnRequest) -> bool {
        self.loaded.policy.resources.answer(&own.borrowed()).is_some()
    }

    /// The name of a rule.
    pub fn rule_name(&self, selected: Selected) -> Option<&str> {
        match selected {
            Selected::Rule(rule) => self.loaded.policy.rules.get(rule.index()).map(|rule| rule.name.as_str()),
            Selected::Nothing | Selected::Ambiguous => None,
        }
    }

    /// Decides a request with these credentials. Authenticators with the same settings and another name in the `other`
    /// policy are treated as the same.
    ///
    /// # Errors
    /// If a principal cannot be created from the credentials.
    pub fn decide(
        &self,
        own: &OwnRequest,
        credentials: &Credentials,
        other: &Policy,
    ) -> Result<Seen, Failure> {
        let mut own = own.clone();
        let mut identities: Vec<(String, Value)> = Vec::new();
        let mut has_unknown = credentials.has_unknown;
        for (named, value) in &credentials.identities {
            let known = self.loaded.policy.authenticators.iter().any(|known| known.name == *named);
            let name = match known {
                true => Some(named.clone()),
                false => renamed(named, &other.loaded.value, &self.loaded.value),
            };
            match name {
                // Both names are the same authenticator: a request with two of its credentials is ambiguous.
                Some(name) if identities.iter().any(|(known, _)| *known == name) => {
                    return Ok(Seen::ambiguous());
                }
                Some(name) if may_know(&self.loaded.config, &name, value) => {
                    identities.push((name, value.clone()))
                }
                // The credential is unknown in this policy, which still notices it in `Authorization`.
                Some(name) => has_unknown |= self.reads_authorization(&name),
                None => has_unknown |= other.reads_authorization(named),
            }
        }
        if has_unknown {
            own.fields.push((b"authorization".to_vec(), b"Unknown credentials".to_vec()));
        }
        let policy = &self.loaded.policy;
        let mut identities = TestIdentities::read(&self.loaded.config, policy, &identities)?;
        let request = own.borrowed();
        let mut state = State::new(policy, CredentialCache::new(input::random()?, policy.limits));
        let context = Context { now: own.now, signatures: &SoftwareVerifier, host: &own, may_wait: false };
        let decision = decide_traced(policy, &request, &mut state, context, &mut identities);
        let outcome = outcome::of(policy, &request, &decision, &[]);
        let effect = match &decision.verdict {
            Verdict::Allow(_) => Effect::Allowed,
            Verdict::Reply(_) => Effect::Answered,
            Verdict::Deny(_) | Verdict::Pending(_) => Effect::Denied,
        };
        let identity = if effect == Effect::Allowed { identity(&outcome) } else { Vec::new() };
        // The decision is the same if shadow mode also allows the request.
        let shadowed = outcome.shadowed.clone().filter(|shadowed| shadowed != "allow");
        Ok(Seen { effect, text: text(&outcome), identity, shadowed })
    }

    fn reads_authorization(&self, name: &str) -> bool {
        let named = self.loaded.policy.authenticators.iter().find(|authenticator| authenticator.name == name);
        named.is_some_and(|authenticator| {
            let mut locations = authenticator.scheme.locations().iter();
            locations.any(
                |place| matches!(place, CredentialLocation::Field { name, .. } if name == "authorization"),
            )
        })
    }
}

/// The identity that the upstream receives with an allowed request.
fn identity(outcome: &Outcome) -> Vec<(String, String)> {
    let mut identity = BTreeSet::new();
    identity.extend(outcome.subject.clone().map(|subject| ("subject".to_owned(), subject)));
    identity.extend(outcome.authenticator.clone().map(|name| ("authenticator".to_owned(), name)));
    let headers = outcome.upstream.iter().flat_map(|upstream| &upstream.headers);
    let is_plain = |name: &str| !["authorization", "origin", "access-control-request-method"].contains(&name);
    identity.extend(headers.filter(|(name, _)| is_plain(name)).cloned());
    identity.into_iter().collect()
}

fn text(outcome: &Outcome) -> String {
    match (outcome.decision, &outcome.response) {
        ("allow", _) if outcome.shadowed.is_some() => "allowed in shadow mode".to_owned(),
        ("allow", _) if outcome.subject.is_none() => "allowed as anonymous".to_owned(),
        ("allow", _) => "allowed".to_owned(),
        ("answer", _) => "answered with metadata".to_owned(),
        (_, Some(response)) => format!("{} {}", response.status, outcome.coded()),
        _ => "not decided".to_owned(),
    }
}

impl Seen {
    /// The decision on a request with two credentials of one authenticator.
    fn ambiguous() -> Seen {
        let text = "400 ambiguous_credentials".to_owned();
        Seen { effect: Effect::Denied, text, identity: Vec::new(), shadowed: None }
    }

    /// Replaces the name of the authenticator by its name in the other policy, if only the name changed.
    pub fn rename(mut self, from: &Policy, to: &Policy) -> Seen {
        for (what, name) in &mut self.identity {
            if what == "authenticator"
                && let Some(other) = renamed(name, &from.loaded.value, &to.loaded.value)
            {
                *name = other;
            }
        }
        self
    }
}

/// A request to try.
pub fn request(method: &str, host: &str, path: &str, now: NumericDate) -> OwnRequest {
    let mut own = OwnRequest::new(method, now);
    own.scheme = "https".to_owned();
    own.authority = host.as_bytes().to_vec();
    own.path = path.to_owned();
    own
}
