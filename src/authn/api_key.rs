//! API keys: secrets that a program sends as they are, in a header, a query parameter or a cookie.
//!
//! No auth-scheme is registered for API keys, so the challenge uses its own:
//!
//! ```text
//! ApiKey realm="…", in="header", name="x-api-key"
//! ```

use std::collections::HashMap;

use subtle::Choice;

use super::digest_map::{CtDigestMap, Digest};
use super::{MatchRank, Verified};
use crate::http::challenge::{Challenge, Realm};
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
    fn holds_at(&self, now: NumericDate) -> bool {
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
        let holds = Choice::from(u8::from(key.holds_at(now)));
        if !bool::from(found.is_it & holds) {
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
