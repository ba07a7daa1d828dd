//! API keys: secrets that a program presents as they are, in a field, the query or a cookie. There is no registered
//! scheme for them, so the challenge is one of our own.
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

/// The longest key, in octets.
pub const MAX_KEY_BYTES: usize = 1024;

/// The SHA-256 of a key. A key is random and long, so a fast hash does: there is nothing to guess.
pub type KeyDigest = Digest;

/// One key and its holder.
pub struct ApiKey {
    /// What the key's digest has to be.
    pub digest: KeyDigest,
    /// The holder.
    pub id: String,
    /// What the holder may do.
    pub scopes: Vec<String>,
    /// What else is known of the holder.
    pub claims: Claims,
    /// From when on the key holds.
    pub not_before: Option<NumericDate>,
    /// From when on it does not hold any more.
    pub not_after: Option<NumericDate>,
}

/// The keys of one protection space.
pub struct ApiKeys {
    locations: Vec<CredentialLocation>,
    keys: CtDigestMap<ApiKey>,
    csrf_disabled: bool,
}

impl ApiKeys {
    /// A scheme with these keys, which looks at these places; `trusts_cookies` says whether a cookie counts on its own on
    /// unsafe methods.
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

    /// A key that we do not know may be anybody's.
    pub(super) fn match_rank(&self, credential: &[u8]) -> MatchRank {
        let is_known = credential.len() <= MAX_KEY_BYTES
            && self.keys.find(credential).is_some_and(|found| found.is_it.into());
        if is_known { MatchRank::Own } else { MatchRank::Unreadable }
    }

    pub(super) fn csrf_disabled(&self) -> bool {
        self.csrf_disabled
    }

    /// Of several keys of one holder the last counts: keys overlap while one takes the other's place.
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
        // Both are looked at, so that a key that has ended takes as long as one that never was.
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
