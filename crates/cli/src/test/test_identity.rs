//! `as`: credentials that held, without any credentials.
//!
//! Each authenticator looks at one more place, where nothing but a word of this run can stand. Everything else, real
//! credentials too, it decides as always.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use authgate::authn::{AuthError, Context, MatchRank, OneTime, Presented, Scheme, ThrottleSubject, Verified};
use authgate::cache::CacheKey;
use authgate::cache::nonces::Nonces;
use authgate::cache::replays::{JtiUse, ReplayCache};
use authgate::config::{Authenticator, Config};
use authgate::http::location::CredentialLocation;
use authgate::http::request::Request;
use authgate::jose::claims::{ClaimSelector, Claims};
use authgate::principal::Principal;
use authgate::remote::state::RemoteState;
use authgate::response::Reason;
use serde_json::{Map, Value, json};

use super::OwnRequest;
use crate::load::Loaded;
use crate::wrapping::leaves_to_scheme;
use crate::{Failure, input};

/// The field that the word stands in; the authenticator's number follows.
pub const FIELD: &str = "authgate-test-as-";

/// Who is held to be known, by the authenticator's place in the policy.
type Held = Rc<RefCell<HashMap<usize, Rc<Said>>>>;

/// What a test says of somebody.
struct Said {
    subject: String,
    issuer: Option<String>,
    scopes: Vec<String>,
    claims: Map<String, Value>,
}

/// The stand-ins of one policy.
pub struct StandIns {
    held: Held,
    word: String,
}

impl StandIns {
    /// Puts one before each authenticator of a policy.
    pub fn put(loaded: &mut Loaded) -> Result<StandIns, Failure> {
        let word: [u8; 16] = input::random()?;
        let word: String = word.iter().map(|octet| format!("{octet:02x}")).collect();
        let held = Held::default();
        let authenticators = std::mem::take(&mut loaded.policy.authenticators).into_iter().enumerate();
        loaded.policy.authenticators = authenticators
            .map(|(at, mut authenticator)| {
                let field = CredentialLocation::Field { name: format!("{FIELD}{at}"), scheme: None };
                let locations =
                    std::iter::once(field).chain(authenticator.scheme.locations().iter().cloned());
                authenticator.scheme = Box::new(StandIn {
                    at,
                    locations: locations.collect(),
                    scheme: authenticator.scheme,
                    held: held.clone(),
                    word: word.clone(),
                });
                authenticator
            })
            .collect();
        Ok(StandIns { held, word })
    }

    /// From now on these are held to be known; `request` says so.
    pub fn hold(
        &self,
        loaded: &Loaded,
        said: &[(String, Value)],
        request: &mut OwnRequest,
    ) -> Result<(), String> {
        let mut held = HashMap::new();
        for (name, value) in said {
            let at = loaded.policy.authenticators.iter().position(|known| known.name == *name);
            let at = at.ok_or_else(|| format!("as.{name}: no authenticator is named \"{name}\""))?;
            let who = said_of(&loaded.config, name, value).ok_or_else(|| {
                format!(
                    "as.{name}: expected a subject, or claims with the one that the subject is taken from"
                )
            })?;
            held.insert(at, Rc::new(who));
            request.fields.push((format!("{FIELD}{at}").into_bytes(), self.word.clone().into_bytes()));
        }
        if let Ok(mut known) = self.held.try_borrow_mut() {
            *known = held;
        }
        Ok(())
    }
}

/// The principal that the authenticator would make of it.
fn said_of(config: &Config, name: &str, value: &Value) -> Option<Said> {
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
        // A subject alone stands for the claim that it is taken from.
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
        // Of others these are no claims.
        claims.retain(|name, _| !matches!(name.as_str(), "sub" | "scope" | "scp"));
    }
    Some(Said { subject, issuer, scopes: granted, claims })
}

/// What the configuration knows of a user or a key's holder.
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
    claims.entry("sub").or_insert_with(|| json!(subject));
    if !scopes.is_empty() {
        claims.entry("scope").or_insert_with(|| json!(scopes));
    }
    claims
}

struct StandIn {
    at: usize,
    locations: Vec<CredentialLocation>,
    scheme: Box<dyn Scheme>,
    held: Held,
    word: String,
}

impl StandIn {
    fn is_word(&self, credential: &[u8]) -> bool {
        credential == self.word.as_bytes()
    }

    fn principal(&self) -> Result<Principal, Reason> {
        let held = self.held.try_borrow().map_err(|_| Reason::Unavailable)?;
        let said = held.get(&self.at).ok_or(Reason::Unavailable)?;
        Ok(Principal {
            subject: said.subject.clone(),
            issuer: said.issuer.clone(),
            scopes: said.scopes.clone(),
            claims: Claims::from(said.claims.clone()),
        })
    }
}

impl Scheme for StandIn {
    leaves_to_scheme!();

    fn locations(&self) -> &[CredentialLocation] {
        &self.locations
    }

    fn match_rank(&self, credential: &[u8]) -> MatchRank {
        if self.is_word(credential) { MatchRank::Own } else { self.scheme.match_rank(credential) }
    }

    fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        if self.is_word(presented.credential) { Ok(()) } else { self.scheme.admit(presented, request) }
    }

    fn authenticate(
        &self,
        credential: &[u8],
        cache_key: CacheKey,
        context: Context<'_>,
        source: &mut RemoteState,
    ) -> Result<Verified, AuthError> {
        if self.is_word(credential) {
            return Ok(self.principal().map(|principal| Verified { principal, valid_until: None })?);
        }
        self.scheme.authenticate(credential, cache_key, context, source)
    }

    fn prove_possession(
        &self,
        principal: &Principal,
        presented: Presented<'_>,
        request: &Request<'_>,
        context: Context<'_>,
        replays: &ReplayCache,
    ) -> Result<Option<JtiUse>, Reason> {
        if self.is_word(presented.credential) {
            return Ok(None);
        }
        self.scheme.prove_possession(principal, presented, request, context, replays)
    }

    fn throttle_subject<'c>(&self, credential: &'c [u8]) -> ThrottleSubject<'c> {
        if self.is_word(credential) {
            return ThrottleSubject::Nothing;
        }
        self.scheme.throttle_subject(credential)
    }

    fn needs_slow_hash(&self, credential: &[u8]) -> bool {
        !self.is_word(credential) && self.scheme.needs_slow_hash(credential)
    }
}

impl OneTime for StandIn {
    fn authenticate(
        &self,
        credential: &[u8],
        request: &Request<'_>,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Result<Principal, Reason> {
        if self.is_word(credential) {
            return self.principal();
        }
        let scheme = self.scheme.one_time().ok_or(Reason::Unavailable)?;
        scheme.authenticate(credential, request, context, nonces)
    }
}
