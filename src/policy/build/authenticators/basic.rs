//! Builds `basic`.

use std::collections::{BTreeSet, HashMap};

use hmac_sha256::Hash;

use super::super::{Builder, WarningKind};
use crate::authn::basic::{Basic, User};
use crate::authn::{Scheme, SecretScheme};
use crate::config::reader::member;
use crate::config::{self, ConfigErrorKind};
use crate::http::challenge::Realm;
use crate::jose::claims::Claims;
use crate::password::{PasswordHash, Plaintext, parse_htpasswd};

impl Builder<'_> {
    pub(super) fn basic(
        &mut self,
        path: &str,
        basic: &config::Basic,
        realm: &Realm,
    ) -> Option<(Scheme, Realm, bool)> {
        let plaintext = if basic.allow_plaintext { Plaintext::Allow } else { Plaintext::Refuse };
        let errors = self.errors.len();
        let realm = self.realm(path, basic.realm.as_ref(), realm);
        let mut users = HashMap::new();
        // Hash of data that clients do not know, and that every worker with this configuration has.
        let mut secrets = Hash::new();
        if let Some(htpasswd) = &basic.htpasswd {
            let path = format!("{path}.htpasswd");
            let text = self.secret(&path, htpasswd).unwrap_or_default();
            secrets.update(text.as_bytes());
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
            secrets.update(text.as_bytes());
            let Some(hash) = self.checked(&path, PasswordHash::parse(&text, plaintext)) else { continue };
            let user = User { hash, scopes, claims: Claims::from(user.claims.clone()) };
            if users.insert(name.clone(), user).is_some() {
                self.error(path, ConfigErrorKind::Expected("a user who is not in `htpasswd` already"));
            }
        }
        if users.is_empty() && self.errors.len() == errors {
            self.error(path, ConfigErrorKind::Expected("at least one user, in `htpasswd` or `users`"));
        }
        let weak = users.values().filter(|user| user.hash.is_weak()).count();
        if weak > 0 {
            self.warn(path, WarningKind::WeakHashes(weak));
        }
        self.slow_users += users.values().filter(|user| user.hash.is_slow()).count();
        let kinds: BTreeSet<_> = users.values().map(|user| (user.hash.scheme(), user.hash.cost())).collect();
        if kinds.len() > 1 {
            self.warn(path, WarningKind::MixedHashes(kinds.into_iter().collect()));
        }
        let decoy_key = secrets.finalize().first_chunk().copied().unwrap_or_default();
        Some((
            Scheme::Secret(SecretScheme::Basic(Basic::new(users, decoy_key))),
            realm,
            basic.forward_credentials,
        ))
    }
}
