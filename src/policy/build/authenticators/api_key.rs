//! Builds `api_key`.

use std::collections::HashSet;

use hmac_sha256::Hash;

use super::locations;
use crate::authn::api_key::{ApiKey, ApiKeys, KeyDigest};
use crate::authn::{Scheme, SecretScheme};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, Csrf};
use crate::http::challenge::Realm;
use crate::http::codec::from_hex;
use crate::http::location::CredentialLocation;
use crate::jose::claims::Claims;

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    api_key: &config::ApiKeys,
    realm: &Realm,
) -> Option<(Scheme, Realm, bool)> {
    let realm = cx.realm(at, api_key.realm.as_ref(), realm);
    let default = CredentialLocation::Field { name: "x-api-key".to_owned(), scheme: None };
    let locations = locations::build(cx, &at.member("from"), api_key.from.as_ref(), default);
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
    if api_key.keys.0.is_empty() {
        cx.expected(at, "at least one key");
    }
    let (mut keys, mut known) = (Vec::new(), HashSet::new());
    for (index, key) in api_key.keys.0.iter().enumerate() {
        let at = &at.index(index);
        let Some(key) = one_key(cx, at, key) else { continue };
        if !known.insert(key.digest) {
            let expected = "the digest of a key that is not in the list already";
            cx.expected(&at.member("sha256"), expected);
        }
        keys.push(key);
    }
    let scheme = ApiKeys::new(locations, keys, api_key.csrf == Csrf::Off);
    Some((Scheme::Secret(SecretScheme::ApiKey(scheme)), realm, api_key.forward_credentials))
}

fn one_key(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, key: &config::ApiKey) -> Option<ApiKey> {
    if key.id.is_empty() {
        cx.expected(&at.member("id"), "an id that is not empty");
    }
    let digest = key_digest(cx, &at.member("sha256"), key);
    let scopes = if key.scopes.is_empty() { None } else { Some(key.scopes.as_slice()) };
    let scopes = cx.scopes(&at.member("scopes"), scopes);
    let not_before = cx.time(&at.member("not_before"), key.not_before.as_deref());
    let not_after = cx.time(&at.member("not_after"), key.not_after.as_deref());
    if let (Some(start), Some(end)) = (not_before, not_after)
        && start >= end
    {
        let expected = "a time that is later than `not_before`";
        cx.expected(&at.member("not_after"), expected);
    }
    let claims = Claims::from(key.claims.clone());
    Some(ApiKey { digest: digest?, id: key.id.clone(), scopes, claims, not_before, not_after })
}

fn key_digest(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, key: &config::ApiKey) -> Option<KeyDigest> {
    let text = cx.secret(at, &key.sha256)?;
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
