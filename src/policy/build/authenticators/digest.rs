//! Builds `digest`.

use std::collections::HashMap;

use super::super::{Builder, WarningKind};
use crate::authn::digest::htdigest::parse_htdigest;
use crate::authn::digest::{Digest, DigestAlgorithm, User};
use crate::authn::{OneTimeScheme, Scheme};
use crate::config::{self, ConfigErrorKind};
use crate::http::challenge::Realm;

/// Minimum length of a nonce key, in bytes. A shorter key could be found by brute force from one nonce.
const MIN_NONCE_KEY_BYTES: usize = 16;

impl Builder<'_> {
    pub(super) fn digest(&mut self, path: &str, digest: &config::Digest) -> Option<(Scheme, Realm, bool)> {
        if digest.nonce_lifetime.as_seconds() <= 0.0 {
            self.error(format!("{path}.nonce_lifetime"), ConfigErrorKind::Expected("more than 0s"));
        }
        let nonce_key = digest.nonce_key.as_ref().map(|key| {
            let path = format!("{path}.nonce_key");
            let key = self.secret(&path, key)?;
            if key.len() < MIN_NONCE_KEY_BYTES {
                self.error(path, ConfigErrorKind::Expected("a random key of at least 16 bytes"));
                return None;
            }
            Some(key.into_owned().into_bytes())
        });
        let users = self.digest_users(&format!("{path}.htdigest"), digest);
        let (realm, users) = users?;
        let realm = self.checked(path, Realm::new(&realm))?;
        let nonce_key = match nonce_key {
            Some(key) => Some(key?),
            None => None,
        };
        let scheme = Digest::new(realm.clone(), users, nonce_key, digest.nonce_lifetime.as_seconds());
        Some((Scheme::OneTime(OneTimeScheme::Digest(scheme)), realm, digest.forward_credentials))
    }

    /// Returns the users, and the realm of their secrets.
    fn digest_users(
        &mut self,
        path: &str,
        digest: &config::Digest,
    ) -> Option<(String, HashMap<String, User>)> {
        let text = self.secret(path, &digest.htdigest)?;
        let entries = match parse_htdigest(&text, digest.realm.as_deref()) {
            Ok(entries) => entries,
            Err(faults) => {
                faults.iter().for_each(|fault| self.invalid(path, fault));
                return None;
            }
        };
        let Some(realm) = entries.first().map(|entry| entry.realm.to_owned()) else {
            self.error(path, ConfigErrorKind::Expected("at least one user"));
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
            self.warn(
                path,
                if offers_sha256 {
                    WarningKind::UnreachableDigests(without_sha256)
                } else {
                    WarningKind::Md5Digests(without_sha256)
                },
            );
        }
        Some((realm, users))
    }
}
