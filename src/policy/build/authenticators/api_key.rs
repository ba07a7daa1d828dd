//! Builds `api_key`.

use std::collections::HashSet;

use hmac_sha256::Hash;

use super::super::Builder;
use crate::authn::api_key::{ApiKey, ApiKeys, KeyDigest};
use crate::authn::{Scheme, SecretScheme};
use crate::config::{self, ConfigErrorKind, Csrf};
use crate::http::challenge::Realm;
use crate::http::codec::from_hex;
use crate::http::location::CredentialLocation;
use crate::jose::claims::Claims;

impl Builder<'_> {
    pub(super) fn api_key(
        &mut self,
        path: &str,
        api_key: &config::ApiKeys,
        realm: &Realm,
    ) -> Option<(Scheme, Realm, bool)> {
        let realm = self.realm(path, api_key.realm.as_ref(), realm);
        let default = CredentialLocation::Field { name: "x-api-key".to_owned(), scheme: None };
        let locations = self.locations(&format!("{path}.from"), api_key.from.as_ref(), default);
        // A challenge names the first location, and consists of visible ASCII.
        if let Some(CredentialLocation::Query(name)) = locations.first()
            && !name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let expected =
                "the name of a query parameter in visible ASCII characters, since challenges contain it";
            self.error(format!("{path}.from[0].query"), ConfigErrorKind::Expected(expected));
        }
        let path = format!("{path}.keys");
        if api_key.keys.0.is_empty() {
            self.error(&path, ConfigErrorKind::Expected("at least one key"));
        }
        let (mut keys, mut known) = (Vec::new(), HashSet::new());
        for (at, key) in api_key.keys.0.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let Some(key) = self.one_key(&path, key) else { continue };
            if !known.insert(key.digest) {
                let expected = "the digest of a key that is not in the list already";
                self.error(format!("{path}.sha256"), ConfigErrorKind::Expected(expected));
            }
            keys.push(key);
        }
        let scheme = ApiKeys::new(locations, keys, api_key.csrf == Csrf::Off);
        Some((Scheme::Secret(SecretScheme::ApiKey(scheme)), realm, api_key.forward_credentials))
    }

    fn one_key(&mut self, path: &str, key: &config::ApiKey) -> Option<ApiKey> {
        if key.id.is_empty() {
            self.error(format!("{path}.id"), ConfigErrorKind::Expected("an id that is not empty"));
        }
        let digest = self.key_digest(&format!("{path}.sha256"), key);
        let scopes = if key.scopes.is_empty() { None } else { Some(key.scopes.as_slice()) };
        let scopes = self.scopes(&format!("{path}.scopes"), scopes);
        let not_before = self.time(&format!("{path}.not_before"), key.not_before.as_deref());
        let not_after = self.time(&format!("{path}.not_after"), key.not_after.as_deref());
        if let (Some(start), Some(end)) = (not_before, not_after)
            && start >= end
        {
            let expected = "a time that is later than `not_before`";
            self.error(format!("{path}.not_after"), ConfigErrorKind::Expected(expected));
        }
        let claims = Claims::from(key.claims.clone());
        Some(ApiKey { digest: digest?, id: key.id.clone(), scopes, claims, not_before, not_after })
    }

    fn key_digest(&mut self, path: &str, key: &config::ApiKey) -> Option<KeyDigest> {
        let text = self.secret(path, &key.sha256)?;
        let digest: Option<KeyDigest> = from_hex(text.as_bytes());
        let expected = match digest {
            None => "the SHA-256 of the key in 64 hexadecimal digits",
            // `sha256sum` prints this digest if the variable with the key is not set.
            Some(digest) if digest == Hash::hash(b"") => "the SHA-256 of a key that is not empty",
            Some(digest) => return Some(digest),
        };
        self.error(path, ConfigErrorKind::Expected(expected));
        None
    }
}
