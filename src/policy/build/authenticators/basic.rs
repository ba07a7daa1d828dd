//! Builds `basic`.

use std::collections::{BTreeSet, HashMap};

use hmac_sha256::Hash;

use crate::authn::basic::{Basic, User};
use crate::authn::{Scheme, SecretScheme};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, WarningKind};
use crate::http::challenge::Realm;
use crate::jose::claims::Claims;
use crate::password::{PasswordHash, Plaintext, parse_htpasswd};

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    basic: &config::Basic,
    realm: &Realm,
) -> Option<(Scheme, Realm, bool)> {
    let plaintext = if basic.allow_plaintext { Plaintext::Allow } else { Plaintext::Refuse };
    let errors = cx.errors.len();
    let realm = cx.realm(at, basic.realm.as_ref(), realm);
    let mut users = HashMap::new();
    // Hash of data that clients do not know, and that every worker with this configuration has.
    let mut secrets = Hash::new();
    if let Some(htpasswd) = &basic.htpasswd {
        let at = &at.member("htpasswd");
        let text = cx.secret(at, htpasswd).unwrap_or_default();
        secrets.update(text.as_bytes());
        match parse_htpasswd(&text, plaintext) {
            Ok(entries) => users.extend(entries.into_iter().map(|entry| {
                (entry.user, User { hash: entry.hash, scopes: Vec::new(), claims: Claims::default() })
            })),
            Err(faults) => faults.iter().for_each(|fault| cx.invalid(at, fault)),
        }
    }
    for (name, user) in &basic.users.0 {
        let at = &at.member("users");
        let at = &at.member(name);
        if name.is_empty() || name.contains(':') || name.chars().any(char::is_control) {
            let expected =
                "a user name that is not empty, without colons and control characters (RFC 7617 section 2)";
            cx.expected(at, expected);
        }
        let scopes = if user.scopes.is_empty() { None } else { Some(user.scopes.as_slice()) };
        let scopes = cx.scopes(&at.member("scopes"), scopes);
        let Some(text) = cx.secret(at, &user.hash) else { continue };
        secrets.update(text.as_bytes());
        let Some(hash) = cx.checked(at, PasswordHash::parse(&text, plaintext)) else { continue };
        let user = User { hash, scopes, claims: Claims::from(user.claims.clone()) };
        if users.insert(name.clone(), user).is_some() {
            cx.expected(at, "a user who is not in `htpasswd` already");
        }
    }
    if users.is_empty() && cx.errors.len() == errors {
        cx.expected(at, "at least one user, in `htpasswd` or `users`");
    }
    let weak = users.values().filter(|user| user.hash.is_weak()).count();
    if weak > 0 {
        cx.warn(at, WarningKind::WeakHashes(weak));
    }
    let kinds: BTreeSet<_> = users.values().map(|user| (user.hash.scheme(), user.hash.cost())).collect();
    if kinds.len() > 1 {
        cx.warn(at, WarningKind::MixedHashes(kinds.into_iter().collect()));
    }
    let decoy_key = secrets.finalize().first_chunk().copied().unwrap_or_default();
    Some((
        Scheme::Secret(SecretScheme::Basic(Basic::new(users, decoy_key))),
        realm,
        basic.forward_credentials,
    ))
}
