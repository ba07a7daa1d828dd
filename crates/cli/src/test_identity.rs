//! `as`: principals that `test`, `explain` and `diff` assume to be authenticated, without credentials.
//!
//! The decision uses these principals in place of credentials. Everything else, including real credentials, is decided
//! as usual.

use std::collections::HashMap;

use authgate::config::{Authenticator, Config};
use authgate::decision::Trace;
use authgate::jose::claims::{ClaimSelector, Claims};
use authgate::json;
use authgate::policy::variables::VariableValues;
use authgate::policy::{Policy, Protection};
use authgate::principal::{Authenticated, AuthenticatorId, Principal};
use serde_json::{Map, Value};

use crate::authorization::{Authorizing, ClaimValues};

/// The principals that one test assumes, and a record of the authorization.
#[derive(Default)]
pub struct TestIdentities {
    assumed: HashMap<AuthenticatorId, Principal>,
    /// The check of the authorization, if there was one.
    pub authorizing: Option<Authorizing>,
}

impl Trace for TestIdentities {
    fn authorizing(&mut self, protection: &Protection, caller: &Authenticated, values: &VariableValues) {
        self.authorizing = Some(Authorizing::of(protection, caller, values));
    }

    fn assumed(&self, authenticator: AuthenticatorId) -> Option<Principal> {
        self.assumed.get(&authenticator).cloned()
    }
}

impl TestIdentities {
    /// Returns whether the claims of the caller are shown: those of a real credential are not.
    pub fn claims(&self) -> ClaimValues {
        let caller = self.authorizing.as_ref().map(Authorizing::authenticator);
        if caller.is_some_and(|caller| self.assumed.contains_key(&caller)) {
            ClaimValues::Shown
        } else {
            ClaimValues::Hidden
        }
    }

    /// Reads the `as` of a test: for each authenticator a subject, or claims.
    ///
    /// # Errors
    /// If an authenticator does not exist, or a principal has no subject.
    pub fn read(config: &Config, policy: &Policy, identities: &[(String, Value)]) -> Result<Self, String> {
        let mut assumed = HashMap::new();
        for (name, value) in identities {
            let id = policy.authenticator_ids().find(|id| {
                policy.authenticator(*id).is_some_and(|authenticator| authenticator.name == *name)
            });
            let id = id.ok_or_else(|| format!("as.{name}: no authenticator is named \"{name}\""))?;
            let principal = principal(config, name, value)
                .ok_or_else(|| format!("as.{name}: expected a subject, or claims with the subject claim"))?;
            assumed.insert(id, principal);
        }
        Ok(TestIdentities { assumed, authorizing: None })
    }
}

/// Parses the argument of `--as`: the name of an authenticator, and a subject or claims.
///
/// # Errors
/// If the text has no `=`, or begins like an object and is not valid JSON.
pub fn argument(text: &str) -> Result<(String, Value), String> {
    let (name, identity) = text.split_once('=').ok_or("expected NAME=SUBJECT or NAME=CLAIMS")?;
    let identity = match identity.trim_start().starts_with('{') {
        true => json::parse(identity.trim().as_bytes()).map_err(|error| format!("claims: {error}"))?,
        false => Value::from(identity),
    };
    Ok((name.to_owned(), identity))
}

/// The principal that the authenticator creates from a subject or claims.
fn principal(config: &Config, name: &str, value: &Value) -> Option<Principal> {
    let (_, authenticator) = config.authenticators.0.iter().find(|(known, _)| known == name)?;
    let claims = match value {
        Value::String(subject) => known_by(authenticator, subject),
        Value::Object(claims) => claims.clone(),
        _ => return None,
    };
    let default_scopes = ["scope".to_owned(), "scp".to_owned()];
    let (subject, scopes, issuer) = match authenticator {
        Authenticator::Jwt(jwt) => (
            jwt.subject_claim.as_str(),
            jwt.scope_claims.as_deref().unwrap_or(&default_scopes),
            jwt.issuer.0.first().cloned(),
        ),
        Authenticator::Introspection(asked) => (
            asked.subject_claim.as_str(),
            asked.scope_claims.as_deref().unwrap_or(&default_scopes),
            asked.issuer.as_ref().and_then(|issuers| issuers.0.first()).cloned(),
        ),
        _ => ("sub", default_scopes.as_slice(), None),
    };
    let claims = Claims::from(claims);
    let find =
        |name: &str| ClaimSelector::parse(name).ok().and_then(|selector| selector.find(&claims).cloned());
    let subject = match find(subject) {
        Some(subject) => subject.as_str()?.to_owned(),
        // A subject alone replaces the subject claim.
        None => value.as_str()?.to_owned(),
    };
    let issuer = find("iss").and_then(|issuer| issuer.as_str().map(str::to_owned)).or(issuer);
    let mut granted = Vec::new();
    for scope in scopes.iter().filter_map(|name| find(name)) {
        match scope {
            Value::String(text) => granted.extend(text.split(' ').map(str::to_owned)),
            Value::Array(scopes) => {
                granted.extend(scopes.iter().filter_map(Value::as_str).map(str::to_owned))
            }
            _ => {}
        }
    }
    granted.retain(|scope| !scope.is_empty());
    let mut claims = claims.members().clone();
    if !matches!(authenticator, Authenticator::Jwt(_) | Authenticator::Introspection(_)) {
        // For other schemes these are not claims.
        claims.retain(|name, _| !matches!(name.as_str(), "sub" | "scope" | "scp"));
    }
    Some(Principal { subject, issuer, scopes: granted, claims: Claims::from(claims) })
}

/// The scopes and claims that the configuration has for a user or the owner of a key, with the subject.
fn known_by(authenticator: &Authenticator, subject: &str) -> Map<String, Value> {
    let known = match authenticator {
        Authenticator::Basic(basic) => {
            let user = basic.users.0.iter().find(|(name, _)| name == subject);
            user.map(|(_, user)| (&user.scopes, &user.claims))
        }
        Authenticator::ApiKey(keys) => {
            let key = keys.keys.0.iter().find(|key| key.id == subject);
            key.map(|key| (&key.scopes, &key.claims))
        }
        _ => None,
    };
    let mut claims = known.map(|(_, claims)| claims.clone()).unwrap_or_default();
    let scopes = known.map(|(scopes, _)| scopes.as_slice()).unwrap_or_default();
    claims.entry("sub").or_insert_with(|| Value::from(subject));
    if !scopes.is_empty() {
        claims.entry("scope").or_insert_with(|| Value::from(scopes));
    }
    claims
}
