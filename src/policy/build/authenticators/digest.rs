//! Builds `digest`.

use std::collections::HashMap;

use crate::authn::digest::htdigest::parse_htdigest;
use crate::authn::digest::{Digest, DigestAlgorithm, User};
use crate::authn::{OneTimeScheme, Scheme};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, WarningKind};
use crate::http::challenge::Realm;

/// Minimum length of a nonce key, in bytes. A shorter key could be found by brute force from one nonce.
const MIN_NONCE_KEY_BYTES: usize = 16;

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    digest: &config::Digest,
) -> Option<(Scheme, Realm, bool)> {
    if digest.nonce_lifetime.as_seconds() <= 0.0 {
        cx.expected(&at.member("nonce_lifetime"), "more than 0s");
    }
    let nonce_key = digest.nonce_key.as_ref().map(|key| {
        let at = &at.member("nonce_key");
        let key = cx.secret(at, key)?;
        if key.len() < MIN_NONCE_KEY_BYTES {
            cx.expected(at, "a random key of at least 16 bytes");
            return None;
        }
        Some(key.into_owned().into_bytes())
    });
    let users = digest_users(cx, &at.member("htdigest"), digest);
    let (realm, users) = users?;
    let realm = cx.checked(at, Realm::new(&realm))?;
    let nonce_key = match nonce_key {
        Some(key) => Some(key?),
        None => None,
    };
    let scheme = Digest::new(realm.clone(), users, nonce_key, digest.nonce_lifetime.as_seconds());
    Some((Scheme::OneTime(OneTimeScheme::Digest(scheme)), realm, digest.forward_credentials))
}

/// Returns the users, and the realm of their secrets.
fn digest_users(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    digest: &config::Digest,
) -> Option<(String, HashMap<String, User>)> {
    let text = cx.secret(at, &digest.htdigest)?;
    let entries = match parse_htdigest(&text, digest.realm.as_deref()) {
        Ok(entries) => entries,
        Err(faults) => {
            faults.iter().for_each(|fault| cx.invalid(at, fault));
            return None;
        }
    };
    let Some(realm) = entries.first().map(|entry| entry.realm.to_owned()) else {
        cx.expected(at, "at least one user");
        return None;
    };
    let mut users: HashMap<String, User> = HashMap::new();
    for entry in entries {
        let user = users.entry(entry.user.to_owned()).or_default();
        match entry.algorithm {
            DigestAlgorithm::Sha256 => user.sha256 = Some(entry.ha1),
            DigestAlgorithm::Md5 => user.md5 = Some(entry.ha1),
        }
    }
    let offers_sha256 = users.values().any(|user| user.sha256.is_some());
    let without_sha256 = users.values().filter(|user| user.sha256.is_none()).count();
    if without_sha256 > 0 {
        cx.warn(
            at,
            if offers_sha256 {
                WarningKind::UnreachableDigests(without_sha256)
            } else {
                WarningKind::Md5Digests(without_sha256)
            },
        );
    }
    Some((realm, users))
}
