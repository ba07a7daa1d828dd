//! Builds `keys` and `algorithms` of tokens.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::{Builder, WarningKind};
use crate::authn::bearer::KeyProvider;
use crate::config::error::suggestion;
use crate::config::{self, ConfigErrorKind, Encoding, Keys};
use crate::jose::jwk::{
    Algorithm, Algorithms, IgnoredKey, KeyError, KeySet, KeySetError, KeySetOrigin, VerifyingKey,
};
use crate::json;

impl Builder<'_> {
    pub(super) fn keys(&mut self, path: &str, keys: &Keys, issuers: &[String]) -> Option<KeyProvider> {
        let set = match keys {
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
            Keys::Remote(remote) => return self.remote(&format!("{path}.remote"), remote),
            Keys::Discovery(discovery) => {
                return self.discovery(&format!("{path}.discovery"), discovery, issuers);
            }
        };
        set.map(KeyProvider::Configuration)
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
        let bytes = match alphabet {
            None => text.into_owned().into_bytes(),
            Some(alphabet) => {
                let padding =
                    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
                let Ok(bytes) = GeneralPurpose::new(&alphabet, padding).decode(text.as_bytes()) else {
                    let expected = "text in the encoding that `encoding` names";
                    self.error(format!("{path}.value"), ConfigErrorKind::Expected(expected));
                    return None;
                };
                bytes
            }
        };
        self.checked(&format!("{path}.value"), VerifyingKey::from_secret(&bytes, algorithm, key.kid.clone()))
    }

    fn complete(&mut self, path: &str, made: Vec<VerifyingKey>, expected: usize) -> Option<KeySet> {
        if made.len() < expected {
            return None; // the errors have been recorded
        }
        self.checked(path, KeySet::from_keys(made))
    }

    pub(super) fn algorithm(&mut self, path: &str, name: &str) -> Option<Algorithm> {
        let algorithm = Algorithm::from_name(name);
        if algorithm.is_none() {
            let suggestion = suggestion(name, Algorithm::ALL.iter().map(|known| known.name()));
            let kind = ConfigErrorKind::UnknownName { what: "algorithm", name: name.to_owned(), suggestion };
            self.error(path, kind);
        }
        algorithm
    }

    pub(super) fn algorithms(
        &mut self,
        path: &str,
        names: Option<&[String]>,
        keys: Option<&KeyProvider>,
    ) -> Option<Algorithms> {
        let names = names?;
        self.non_empty(path, names);
        let mut algorithms = Algorithms::NONE;
        for (at, name) in names.iter().enumerate() {
            if let Some(algorithm) = self.algorithm(&format!("{path}[{at}]"), name) {
                algorithms = algorithms.or(Algorithms::only(algorithm));
            }
        }
        let possible = match keys {
            Some(KeyProvider::Configuration(keys)) => keys.algorithms(),
            // Shared secrets are never fetched.
            Some(KeyProvider::Provider(_)) => Algorithms::ASYMMETRIC,
            None => Algorithms::ALL,
        };
        if !algorithms.is_empty() && possible.and(algorithms).is_empty() {
            self.error(path, ConfigErrorKind::Expected("at least one algorithm that the keys support"));
        }
        Some(algorithms)
    }
}
