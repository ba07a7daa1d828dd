//! Keys that verify the signatures of tokens: in the configuration, or fetched.

use std::rc::Rc;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::config::context::BuildContext;
use crate::config::error::suggestion;
use crate::config::path::ConfigPath;
use crate::config::{self, ConfigErrorKind, Encoding, Keys, WarningKind};
use crate::jose::jwk::{
    Algorithm, Algorithms, IgnoredKey, KeyError, KeySet, KeySetError, KeySetOrigin, VerifyingKey,
};
use crate::json;
use crate::remote::jwks::Plan;

/// Source of the keys that verify signatures.
pub enum KeyProvider {
    /// Keys in the configuration.
    Configuration(KeySet),
    /// Keys that are fetched from an identity provider.
    Provider(Rc<Plan>),
}

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    keys: &Keys,
    issuers: &[String],
) -> Option<KeyProvider> {
    let set = match keys {
        Keys::Jwks(jwks) => build_jwks(cx, &at.member("jwks"), jwks),
        Keys::Pem(keys) => {
            let at = &at.member("pem");
            let made = keys.0.iter().enumerate().filter_map(|(index, key)| {
                let at = &at.element(index, keys.0.len());
                let algorithm = algorithm(cx, &at.member("algorithm"), &key.algorithm)?;
                let made = VerifyingKey::from_pem(&key.key, algorithm, key.kid.clone());
                cx.checked(&at.member("key"), made)
            });
            let made = made.collect::<Vec<_>>();
            complete(cx, at, made, keys.0.len())
        }
        Keys::Secret(keys) => {
            let at = &at.member("secret");
            let made = keys.0.iter().enumerate().filter_map(|(index, key)| {
                let at = &at.element(index, keys.0.len());
                shared_secret(cx, at, key)
            });
            let made = made.collect::<Vec<_>>();
            complete(cx, at, made, keys.0.len())
        }
        Keys::Remote(remote) => {
            let plan = Plan::remote(cx, &at.member("remote"), remote)?;
            return Some(KeyProvider::Provider(Rc::new(plan)));
        }
        Keys::Discovery(discovery) => {
            let plan = Plan::discovery(cx, &at.member("discovery"), discovery, issuers)?;
            return Some(KeyProvider::Provider(Rc::new(plan)));
        }
    };
    set.map(KeyProvider::Configuration)
}

fn build_jwks(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, jwks: &serde_json::Value) -> Option<KeySet> {
    let parsed = match jwks {
        serde_json::Value::String(text) => Some(cx.checked(at, json::parse(text.as_bytes()))?),
        _ => None,
    };
    let read = KeySet::from_jwks(parsed.as_ref().unwrap_or(jwks), KeySetOrigin::Inline);
    if let Err(KeySetError::PrivateKey { index }) = read {
        cx.invalid(&at.member("keys").index(index), &KeyError::Private);
        return None;
    }
    let (keys, ignored) = cx.checked(at, read)?;
    for IgnoredKey { index, error } in ignored {
        cx.warn(&at.member("keys").index(index), WarningKind::IgnoredKey(error));
    }
    Some(keys)
}

fn shared_secret(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    key: &config::SecretKey,
) -> Option<VerifyingKey> {
    let algorithm = algorithm(cx, &at.member("algorithm"), &key.algorithm)?;
    let text = cx.secret(&at.member("value"), &key.value)?;
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
                cx.expected(&at.member("value"), expected);
                return None;
            };
            bytes
        }
    };
    cx.checked(&at.member("value"), VerifyingKey::from_secret(&bytes, algorithm, key.kid.clone()))
}

fn complete(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    made: Vec<VerifyingKey>,
    expected: usize,
) -> Option<KeySet> {
    if made.len() < expected {
        return None; // the errors have been recorded
    }
    cx.checked(at, KeySet::from_keys(made))
}

pub(super) fn algorithm(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, name: &str) -> Option<Algorithm> {
    let algorithm = Algorithm::from_name(name);
    if algorithm.is_none() {
        let suggestion = suggestion(name, Algorithm::ALL.iter().map(|known| known.name()));
        let kind = ConfigErrorKind::UnknownName { what: "algorithm", name: name.to_owned(), suggestion };
        cx.error(at, kind);
    }
    algorithm
}

pub(super) fn algorithms(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    names: Option<&[String]>,
    keys: Option<&KeyProvider>,
) -> Option<Algorithms> {
    let names = names?;
    cx.non_empty(at, names);
    let mut algorithms = Algorithms::NONE;
    for (index, name) in names.iter().enumerate() {
        if let Some(algorithm) = algorithm(cx, &at.index(index), name) {
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
        cx.expected(at, "at least one algorithm that the keys support");
    }
    Some(algorithms)
}
