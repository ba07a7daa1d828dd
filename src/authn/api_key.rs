//! API keys: secrets that a program sends as they are, in a header, a query parameter or a cookie.
//!
//! No auth-scheme is registered for API keys, so the challenge uses its own:
//!
//! ```text
//! ApiKey realm="…", in="header", name="x-api-key"
//! ```

use std::collections::{HashMap, HashSet};

use hmac_sha256::Hash;
use subtle::Choice;

use super::digest_map::{CtDigestMap, Digest};
use super::locations;
use super::{MatchRank, Verified};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, Csrf};
use crate::http::challenge::{Challenge, Realm};
use crate::http::codec::from_hex;
use crate::http::location::CredentialLocation;
use crate::jose::claims::Claims;
use crate::principal::Principal;
use crate::response::Reason;
use crate::timestamp::NumericDate;

/// Maximum length of a key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// SHA-256 of a key. A fast hash suffices, since keys are long and random, so they cannot be guessed.
pub type KeyDigest = Digest;

/// A key and its holder.
pub struct ApiKey {
    /// Digest of the key.
    pub digest: KeyDigest,
    /// Name of the holder.
    pub id: String,
    /// Scopes of the holder.
    pub scopes: Vec<String>,
    /// Other attributes of the holder.
    pub claims: Claims,
    /// Time from which the key is valid.
    pub not_before: Option<NumericDate>,
    /// Time from which the key is no longer valid.
    pub not_after: Option<NumericDate>,
}

/// The keys of one protection space.
pub struct ApiKeys {
    locations: Vec<CredentialLocation>,
    keys: CtDigestMap<ApiKey>,
    csrf_disabled: bool,
}

impl ApiKeys {
    /// Creates a scheme with these keys, which reads these locations. With `csrf_disabled`, a key in a cookie is
    /// accepted on unsafe methods without proof of the request's origin.
    pub fn new(locations: Vec<CredentialLocation>, keys: Vec<ApiKey>, csrf_disabled: bool) -> Self {
        let keys = CtDigestMap::new(keys.into_iter().map(|key| (key.digest, key)));
        ApiKeys { locations, keys, csrf_disabled }
    }
}

impl ApiKey {
    fn is_valid_at(&self, now: NumericDate) -> bool {
        self.not_before.is_none_or(|start| start <= now) && self.not_after.is_none_or(|end| now < end)
    }
}

impl ApiKeys {
    pub(super) fn locations(&self) -> &[CredentialLocation] {
        &self.locations
    }

    pub(super) fn challenge(&self, realm: &Realm) -> Challenge {
        const SCHEME: &str = "ApiKey";
        let (scheme, part, name) = match self.locations.first() {
            Some(CredentialLocation::Field { name, scheme }) => (scheme.as_deref(), "header", name.as_str()),
            Some(CredentialLocation::Query(name)) => (None, "query", name.as_str()),
            Some(CredentialLocation::Cookie(name)) => (None, "cookie", name.as_str()),
            None => return Challenge::new(SCHEME, realm),
        };
        Challenge::new(scheme.unwrap_or(SCHEME), realm).with("in", part).with("name", name)
    }

    /// Returns the rank of a key. An unknown key may belong to any authenticator.
    pub(super) fn match_rank(&self, credential: &[u8]) -> MatchRank {
        let is_known = credential.len() <= MAX_KEY_BYTES
            && self.keys.find(credential).is_some_and(|found| found.is_it.into());
        if is_known { MatchRank::Own } else { MatchRank::Unreadable }
    }

    pub(super) fn csrf_disabled(&self) -> bool {
        self.csrf_disabled
    }

    /// Returns the last expiry of each holder, since the keys of one holder overlap during rotation.
    pub(super) fn expiries(&self) -> Vec<(&str, NumericDate)> {
        let mut expiries: HashMap<&str, Option<NumericDate>> = HashMap::new();
        for key in self.keys.values() {
            let last = expiries.entry(&key.id).or_insert(key.not_after);
            *last = match (*last, key.not_after) {
                (Some(last), Some(end)) => Some(if last < end { end } else { last }),
                _ => None,
            };
        }
        expiries.into_iter().filter_map(|(id, end)| Some((id, end?))).collect()
    }

    pub(super) fn authenticate(&self, credential: &[u8], now: NumericDate) -> Result<Verified, Reason> {
        if credential.is_empty() || credential.len() > MAX_KEY_BYTES {
            return Err(Reason::MalformedCredentials);
        }
        let found = self.keys.find(credential).ok_or(Reason::InvalidCredentials)?;
        let key = self.keys.get(found.nearest).ok_or(Reason::InvalidCredentials)?;
        // Both conditions are evaluated, so that an expired key takes as long as an unknown one.
        let is_valid = Choice::from(u8::from(key.is_valid_at(now)));
        if !bool::from(found.is_it & is_valid) {
            return Err(Reason::InvalidCredentials);
        }
        let principal = Principal {
            subject: key.id.clone(),
            issuer: None,
            scopes: key.scopes.clone(),
            claims: key.claims.clone(),
        };
        Ok(Verified { principal, valid_until: key.not_after })
    }
}

impl ApiKeys {
    /// Builds the scheme from its configuration.
    pub(super) fn build(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, config: &config::ApiKeys) -> Self {
        let default = CredentialLocation::Field { name: "x-api-key".to_owned(), scheme: None };
        let locations = locations::build(cx, &at.member("from"), config.from.as_ref(), default);
        // A challenge names the first location, and consists of visible ASCII.
        if let Some(CredentialLocation::Query(name)) = locations.first()
            && !name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let expected =
                "the name of a query parameter in visible ASCII characters, since challenges contain it";
            let at = &at.member("from");
            let at = &at.index(0);
            cx.expected(&at.member("query"), expected);
        }
        let at = &at.member("keys");
        if config.keys.0.is_empty() {
            cx.expected(at, "at least one key");
        }
        let (mut keys, mut known) = (Vec::new(), HashSet::new());
        for (index, key) in config.keys.0.iter().enumerate() {
            let at = &at.index(index);
            let Some(key) = ApiKey::build(cx, at, key) else { continue };
            if !known.insert(key.digest) {
                let expected = "the digest of a key that is not in the list already";
                cx.expected(&at.member("sha256"), expected);
            }
            keys.push(key);
        }
        ApiKeys::new(locations, keys, config.csrf == Csrf::Off)
    }
}

impl ApiKey {
    fn build(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, config: &config::ApiKey) -> Option<Self> {
        if config.id.is_empty() {
            cx.expected(&at.member("id"), "an id that is not empty");
        }
        let digest = key_digest(cx, &at.member("sha256"), config);
        let scopes = if config.scopes.is_empty() { None } else { Some(config.scopes.as_slice()) };
        let scopes = cx.scopes(&at.member("scopes"), scopes);
        let not_before = cx.time(&at.member("not_before"), config.not_before.as_deref());
        let not_after = cx.time(&at.member("not_after"), config.not_after.as_deref());
        if let (Some(start), Some(end)) = (not_before, not_after)
            && start >= end
        {
            let expected = "a time that is later than `not_before`";
            cx.expected(&at.member("not_after"), expected);
        }
        let claims = Claims::from(config.claims.clone());
        Some(ApiKey { digest: digest?, id: config.id.clone(), scopes, claims, not_before, not_after })
    }
}

fn key_digest(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, config: &config::ApiKey) -> Option<KeyDigest> {
    let text = cx.secret(at, &config.sha256)?;
    let digest: Option<KeyDigest> = from_hex(text.as_bytes());
    let expected = match digest {
        None => "the SHA-256 of the key in 64 hexadecimal digits",
        // `sha256sum` prints this digest if the variable with the key is not set.
        Some(digest) if digest == Hash::hash(b"") => "the SHA-256 of a key that is not empty",
        Some(digest) => return Some(digest),
    };
    cx.expected(at, expected);
    None
}

#[cfg(test)]
mod tests {
    use hmac_sha256::Hash;

    use super::*;

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(seconds).unwrap()
    }

    #[test]
    fn a_key_holds_from_its_start_to_before_its_end_and_is_remembered_no_longer() {
        let key = ApiKey {
            digest: Hash::hash(b"key"),
            id: "ci".to_owned(),
            scopes: Vec::new(),
            claims: Claims::default(),
            not_before: Some(at(100.0)),
            not_after: Some(at(200.5)),
        };
        let keys = ApiKeys::new(Vec::new(), vec![key], false);
        let check = |now: f64, expected: bool| {
            let proof = keys.authenticate(b"key", at(now));
            let until = proof.map(|proof| proof.valid_until.map(NumericDate::seconds));
            assert_eq!(
                until,
                if expected { Ok(Some(200.5)) } else { Err(Reason::InvalidCredentials) },
                "{now}"
            );
        };
        check(0.0, false);
        check(99.75, false);
        check(100.0, true);
        check(200.25, true);
        check(200.5, false);
        check(1e9, false);
    }
}
