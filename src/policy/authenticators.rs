//! Makes each authenticator of the configuration ready to check credentials.

mod api_key;
mod digest;

use std::collections::HashMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::build::{Builder, WarningKind, is_label};
use crate::challenge::Realm;
use crate::claims::{ClaimSelector, Claims};
use crate::config::error::suggestion;
use crate::config::reader::member;
use crate::config::shape::{List, Named};
use crate::config::{self, ConfigErrorKind, Csrf, Encoding, Keys, TokenLocation};
use crate::json;
use crate::jwk::{
    Algorithm, Algorithms, IgnoredKey, KeyError, KeySet, KeySetError, KeySetOrigin, VerifyingKey,
};
use crate::jwt::{Audiences, ClaimRules, Revoked, Validation};
use crate::numeric_date::NumericDate;
use crate::password::{PasswordHash, Plaintext, parse_htpasswd};
use crate::place::Place;
use crate::request::is_token;
use crate::scheme::basic::{Basic, User};
use crate::scheme::bearer::Bearer;
use crate::scheme::{Authenticator, Scheme};

impl Builder<'_> {
    /// All authenticators that can be made, in their order.
    pub(super) fn authenticators(
        &mut self,
        authenticators: &Named<config::Authenticator>,
        realm: &Realm,
    ) -> Vec<Authenticator> {
        let mut made = Vec::new();
        for (name, authenticator) in &authenticators.0 {
            let path = member("authenticators", name);
            // A dot separates it from the attribute in a template, and `/` from the subject in `subjects`.
            if !is_label(name) || name.contains('.') {
                self.error(&path, ConfigErrorKind::Expected("a name of letters, digits, `-` and `_`"));
            }
            // One line for each scheme.
            let scheme = match authenticator {
                config::Authenticator::Basic(basic) => self.basic(&format!("{path}.basic"), basic, realm),
                config::Authenticator::Jwt(jwt) => self.jwt(&format!("{path}.jwt"), jwt, realm),
                config::Authenticator::ApiKey(api_key) => {
                    self.api_key(&format!("{path}.api_key"), api_key, realm)
                }
                config::Authenticator::Digest(digest) => self.digest(&format!("{path}.digest"), digest),
            };
            made.extend(scheme.map(|(scheme, realm, forward_credentials)| Authenticator {
                name: name.clone(),
                realm,
                forward_credentials,
                scheme,
            }));
        }
        made
    }

    fn basic(
        &mut self,
        path: &str,
        basic: &config::Basic,
        realm: &Realm,
    ) -> Option<(Box<dyn Scheme>, Realm, bool)> {
        let plaintext = if basic.allow_plaintext { Plaintext::Allow } else { Plaintext::Refuse };
        let errors = self.errors.len();
        let realm = self.realm(path, basic.realm.as_ref(), realm);
        let mut users = HashMap::new();
        if let Some(htpasswd) = &basic.htpasswd {
            let path = format!("{path}.htpasswd");
            let text = self.secret(&path, htpasswd).unwrap_or_default();
            match parse_htpasswd(&text, plaintext) {
                Ok(entries) => users.extend(entries.into_iter().map(|entry| {
                    (entry.user, User { hash: entry.hash, scopes: Vec::new(), claims: Claims::default() })
                })),
                Err(faults) => faults.iter().for_each(|fault| self.invalid(&path, fault)),
            }
        }
        for (name, user) in &basic.users.0 {
            let path = member(&format!("{path}.users"), name);
            if name.is_empty() || name.contains(':') || name.chars().any(char::is_control) {
                let expected = "a user name that is not empty, without colons and control characters (RFC 7617 section 2)";
                self.error(&path, ConfigErrorKind::Expected(expected));
            }
            let scopes = if user.scopes.is_empty() { None } else { Some(user.scopes.as_slice()) };
            let scopes = self.scopes(&format!("{path}.scopes"), scopes);
            let Some(text) = self.secret(&path, &user.hash) else { continue };
            let Some(hash) = self.checked(&path, PasswordHash::parse(&text, plaintext)) else { continue };
            let user = User { hash, scopes, claims: Claims::from(user.claims.clone()) };
            if users.insert(name.clone(), user).is_some() {
                self.error(path, ConfigErrorKind::Expected("a user who does not stand in `htpasswd` too"));
            }
        }
        if users.is_empty() && self.errors.len() == errors {
            self.error(path, ConfigErrorKind::Expected("at least one user, in `htpasswd` or `users`"));
        }
        let weak = users.values().filter(|user| user.hash.is_weak()).count();
        if weak > 0 {
            self.warn(path, WarningKind::WeakHashes(weak));
        }
        Some((Box::new(Basic::new(users)), realm, basic.forward_credentials))
    }

    fn jwt(
        &mut self,
        path: &str,
        jwt: &config::Jwt,
        realm: &Realm,
    ) -> Option<(Box<dyn Scheme>, Realm, bool)> {
        let realm = self.realm(path, jwt.realm.as_ref(), realm);
        self.texts(&format!("{path}.issuer"), &jwt.issuer.0);
        let keys = self.keys(&format!("{path}.keys"), &jwt.keys);
        let algorithms =
            self.algorithms(&format!("{path}.algorithms"), jwt.algorithms.as_deref(), keys.as_ref());
        if let Some(types) = &jwt.typ {
            self.texts(&format!("{path}.typ"), types);
        }
        if jwt.max_token_bytes == 0 {
            self.error(format!("{path}.max_token_bytes"), ConfigErrorKind::Expected("more than 0"));
        }
        let rules = self.claim_rules(path, jwt);
        let places = self.places(&format!("{path}.from"), jwt.from.as_ref(), Place::authorization("Bearer"));
        let default_scopes = ["scope".to_owned(), "scp".to_owned()];
        let scope_claims = jwt.scope_claims.as_deref().unwrap_or(&default_scopes);
        let scope_claims = scope_claims.iter().enumerate().filter_map(|(at, claim)| {
            self.checked(&format!("{path}.scope_claims[{at}]"), ClaimSelector::parse(claim))
        });
        let scope_claims = scope_claims.collect();
        let scheme = Bearer {
            challenge_scheme: challenge_scheme(&places).to_owned(),
            places,
            keys: keys?,
            validation: Validation {
                issuers: jwt.issuer.0.clone(),
                algorithms,
                types: jwt.typ.clone(),
                rules: rules?,
            },
            max_token_bytes: jwt.max_token_bytes,
            scope_claims,
            trusts_cookies: jwt.csrf == Csrf::Off,
        };
        Some((Box::new(scheme), realm, jwt.forward_credentials))
    }

    fn claim_rules(&mut self, path: &str, jwt: &config::Jwt) -> Option<ClaimRules> {
        let audiences = match (&jwt.audiences, jwt.any_audience) {
            (Some(audiences), false) => {
                self.texts(&format!("{path}.audiences"), audiences);
                Audiences::OneOf(audiences.clone())
            }
            (None, true) => Audiences::Any,
            _ => {
                let expected = "either `audiences: […]` or `any_audience: true`";
                self.error(path, ConfigErrorKind::Expected(expected));
                Audiences::OneOf(Vec::new())
            }
        };
        let issued_before =
            self.time(&format!("{path}.revoked.issued_before"), jwt.revoked.issued_before.as_deref());
        let revoked = Revoked {
            jti: jwt.revoked.jti.iter().cloned().collect(),
            subjects: jwt.revoked.subjects.iter().cloned().collect(),
            issued_before,
        };
        let claims = self.claim_matchers(&format!("{path}.claims"), &jwt.claims.0);
        let subject =
            self.checked(&format!("{path}.subject_claim"), ClaimSelector::parse(&jwt.subject_claim));
        Some(ClaimRules {
            audiences,
            clock_skew: jwt.clock_skew.as_seconds(),
            require_exp: jwt.require_exp,
            max_lifetime: jwt.max_lifetime.map(config::value::Span::as_seconds),
            subject: subject?,
            claims,
            revoked,
        })
    }

    fn keys(&mut self, path: &str, keys: &Keys) -> Option<KeySet> {
        match keys {
            Keys::Jwks(jwks) => self.jwks(&format!("{path}.jwks"), jwks),
            Keys::Pem(keys) => {
                let path = format!("{path}.pem");
                let many = keys.0.len() != 1;
                let made = keys.0.iter().enumerate().filter_map(|(at, key)| {
                    let path = if many { format!("{path}[{at}]") } else { path.clone() };
                    let algorithm = self.algorithm(&format!("{path}.algorithm"), &key.algorithm)?;
                    let made = VerifyingKey::from_pem(&key.key, algorithm, key.kid.clone());
                    self.checked(&format!("{path}.key"), made)
                });
                let made = made.collect::<Vec<_>>();
                self.complete(&path, made, keys.0.len())
            }
            Keys::Secret(keys) => {
                let path = format!("{path}.secret");
                let many = keys.0.len() != 1;
                let made = keys.0.iter().enumerate().filter_map(|(at, key)| {
                    let path = if many { format!("{path}[{at}]") } else { path.clone() };
                    self.shared_secret(&path, key)
                });
                let made = made.collect::<Vec<_>>();
                self.complete(&path, made, keys.0.len())
            }
        }
    }

    fn jwks(&mut self, path: &str, jwks: &serde_json::Value) -> Option<KeySet> {
        let parsed = match jwks {
            serde_json::Value::String(text) => Some(self.checked(path, json::parse(text.as_bytes()))?),
            _ => None,
        };
        let read = KeySet::from_jwks(parsed.as_ref().unwrap_or(jwks), KeySetOrigin::Inline);
        if let Err(KeySetError::PrivateKey { index }) = read {
            self.invalid(format!("{path}.keys[{index}]"), &KeyError::Private);
            return None;
        }
        let (keys, ignored) = self.checked(path, read)?;
        for IgnoredKey { index, error } in ignored {
            self.warn(format!("{path}.keys[{index}]"), WarningKind::IgnoredKey(error));
        }
        Some(keys)
    }

    fn shared_secret(&mut self, path: &str, key: &config::SecretKey) -> Option<VerifyingKey> {
        let algorithm = self.algorithm(&format!("{path}.algorithm"), &key.algorithm)?;
        let text = self.secret(&format!("{path}.value"), &key.value)?;
        let alphabet = match key.encoding {
            Encoding::Utf8 => None,
            Encoding::Base64 => Some(alphabet::STANDARD),
            Encoding::Base64Url => Some(alphabet::URL_SAFE),
        };
        let octets = match alphabet {
            None => text.into_owned().into_bytes(),
            Some(alphabet) => {
                let padding =
                    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
                let Ok(octets) = GeneralPurpose::new(&alphabet, padding).decode(text.as_bytes()) else {
                    let expected = "text in the encoding that `encoding` names";
                    self.error(format!("{path}.value"), ConfigErrorKind::Expected(expected));
                    return None;
                };
                octets
            }
        };
        self.checked(&format!("{path}.value"), VerifyingKey::from_secret(&octets, algorithm, key.kid.clone()))
    }

    fn complete(&mut self, path: &str, made: Vec<VerifyingKey>, expected: usize) -> Option<KeySet> {
        if made.len() < expected {
            return None; // what is wrong has been said
        }
        self.checked(path, KeySet::from_keys(made))
    }

    fn algorithm(&mut self, path: &str, name: &str) -> Option<Algorithm> {
        let algorithm = Algorithm::from_name(name);
        if algorithm.is_none() {
            let suggestion = suggestion(name, Algorithm::ALL.iter().map(|known| known.name()));
            let kind = ConfigErrorKind::UnknownName { what: "algorithm", name: name.to_owned(), suggestion };
            self.error(path, kind);
        }
        algorithm
    }

    fn algorithms(
        &mut self,
        path: &str,
        names: Option<&[String]>,
        keys: Option<&KeySet>,
    ) -> Option<Algorithms> {
        let names = names?;
        self.non_empty(path, names);
        let mut algorithms = Algorithms::NONE;
        for (at, name) in names.iter().enumerate() {
            if let Some(algorithm) = self.algorithm(&format!("{path}[{at}]"), name) {
                algorithms = algorithms.or(Algorithms::only(algorithm));
            }
        }
        if !algorithms.is_empty() && keys.is_some_and(|keys| keys.algorithms().and(algorithms).is_empty()) {
            self.error(path, ConfigErrorKind::Expected("at least one algorithm that the keys can do"));
        }
        Some(algorithms)
    }

    /// A time by RFC 3339.
    fn time(&mut self, path: &str, text: Option<&str>) -> Option<NumericDate> {
        let date = NumericDate::parse_rfc3339(text?);
        if date.is_none() {
            let expected = "a time by RFC 3339, such as 2026-01-01T00:00:00Z";
            self.error(path, ConfigErrorKind::Expected(expected));
        }
        date
    }

    fn places(&mut self, path: &str, from: Option<&List<TokenLocation>>, default: Place) -> Vec<Place> {
        let Some(from) = from else { return vec![default] };
        if from.0.is_empty() {
            self.error(path, ConfigErrorKind::Expected("at least one place"));
        }
        let mut places: Vec<Place> = Vec::new();
        for (at, location) in from.0.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let Some(place) = self.place(&path, location) else { continue };
            if places.iter().any(|known| known.overlaps(&place)) {
                self.error(path, ConfigErrorKind::Expected("a place that does not stand in the list yet"));
            } else {
                places.push(place);
            }
        }
        places
    }

    fn place(&mut self, path: &str, location: &TokenLocation) -> Option<Place> {
        const NO_TOKENS_THERE: &[&str] =
            &["host", "cookie", "connection", "content-length", "transfer-encoding"];
        if location.scheme.is_some() && location.header.is_none() {
            self.error(format!("{path}.scheme"), ConfigErrorKind::Expected("`header` beside it"));
        }
        match (&location.header, &location.query, &location.cookie) {
            (Some(name), None, None) => {
                let lower = name.to_ascii_lowercase();
                if !is_token(name) || NO_TOKENS_THERE.contains(&lower.as_str()) {
                    let expected = "the name of a field that can hold a token, such as x-jwt";
                    self.error(format!("{path}.header"), ConfigErrorKind::Expected(expected));
                    return None;
                }
                if location.scheme.as_ref().is_some_and(|scheme| !is_token(scheme)) {
                    self.error(
                        format!("{path}.scheme"),
                        ConfigErrorKind::Expected("an auth-scheme, such as Bearer"),
                    );
                    return None;
                }
                Some(Place::Field { name: lower, scheme: location.scheme.clone() })
            }
            (None, Some(name), None) if !name.is_empty() => Some(Place::Query(name.clone())),
            (None, None, Some(name)) if is_token(name) => Some(Place::Cookie(name.clone())),
            (None, Some(_), None) => {
                self.error(
                    format!("{path}.query"),
                    ConfigErrorKind::Expected("the name of a query parameter"),
                );
                None
            }
            (None, None, Some(_)) => {
                let expected = "the name of a cookie, such as session";
                self.error(format!("{path}.cookie"), ConfigErrorKind::Expected(expected));
                None
            }
            _ => {
                self.error(path, ConfigErrorKind::ExactlyOne(&["header", "query", "cookie"]));
                None
            }
        }
    }
}

/// RFC 6750 names the scheme `Bearer`; a configuration may have tokens under another.
fn challenge_scheme(places: &[Place]) -> &str {
    let schemes = places.iter().filter_map(|place| match place {
        Place::Field { scheme, .. } => scheme.as_deref(),
        _ => None,
    });
    schemes.into_iter().next().unwrap_or("Bearer")
}
