//! Key sets (RFC 7517 §5).

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde_json::Value;

use super::{Algorithms, KeyError, VerifyingKey};

/// How many members a set may have. Providers publish a handful; each costs a point decompression or the like.
pub const MAX_KEYS: usize = 256;

/// Keys of one issuer, found by their `kid`. Never empty.
///
/// A `kid` may stand twice (RFC 7517 §4.5 only asks that it should not): both keys are then tried.
#[derive(Debug)]
pub struct KeySet {
    /// Those without a `kid` first, then by `kid`, so that keys that share one lie side by side.
    keys: Vec<VerifyingKey>,
    unnamed: usize,
    named: HashMap<Box<str>, Range<usize>>,
    algorithms: Algorithms,
}

/// Where a set came from, and so what may be in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeySetOrigin {
    /// The operator's configuration. Shared secrets (`oct`) are taken.
    Inline,
    /// The network. Shared secrets are ignored.
    Fetched,
}

/// A member of a set that is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IgnoredKey {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Why.
    pub error: KeyError,
}

/// Why a set cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySetError {
    /// Not an object with an array `keys`.
    NotAKeySet,
    /// More than [`MAX_KEYS`] members.
    TooManyKeys,
    /// A member holds private parts, so whoever could read the set can sign. Nothing in it is to be trusted.
    PrivateKey {
        /// Its place in `keys`, from 0.
        index: usize,
    },
    /// No member can be used.
    NoUsableKey(Vec<IgnoredKey>),
}

impl fmt::Display for IgnoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]: {}", self.index, self.error)
    }
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySetError::NotAKeySet => f.write_str("expected a JWK Set: an object with an array `keys`"),
            KeySetError::TooManyKeys => write!(f, "expected at most {MAX_KEYS} keys"),
            KeySetError::PrivateKey { index } => write!(f, "keys[{index}]: {}", KeyError::Private),
            KeySetError::NoUsableKey(ignored) => {
                f.write_str("expected at least one key that can verify signatures")?;
                ignored.iter().take(8).try_for_each(|key| write!(f, "; {key}"))
            }
        }
    }
}

impl std::error::Error for KeySetError {}

impl KeySet {
    /// Reads a JWK Set. Members that cannot be used are left out and reported.
    pub fn from_jwks(jwks: &Value, origin: KeySetOrigin) -> Result<(KeySet, Vec<IgnoredKey>), KeySetError> {
        let members = jwks.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotAKeySet)?;
        if members.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let (mut keys, mut ignored) = (Vec::new(), Vec::new());
        for (index, member) in members.iter().enumerate() {
            let read = match (origin, member.get("kty").and_then(Value::as_str)) {
                (KeySetOrigin::Fetched, Some("oct")) => Err(KeyError::SharedSecret),
                _ => VerifyingKey::from_jwk(member),
            };
            match read {
                Ok(key) => keys.push(key),
                Err(KeyError::Private) => return Err(KeySetError::PrivateKey { index }),
                Err(error) => ignored.push(IgnoredKey { index, error }),
            }
        }
        match KeySet::from_keys(keys) {
            Err(KeySetError::NoUsableKey(_)) => Err(KeySetError::NoUsableKey(ignored)),
            set => Ok((set?, ignored)),
        }
    }

    /// Makes a set of these keys.
    pub fn from_keys(mut keys: Vec<VerifyingKey>) -> Result<KeySet, KeySetError> {
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(Vec::new()));
        }
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        keys.sort_by(|a, b| a.kid().cmp(&b.kid())); // stable: namesakes keep their order
        let unnamed = keys.iter().take_while(|key| key.kid().is_none()).count();
        let mut named: HashMap<Box<str>, Range<usize>> = HashMap::new();
        for (index, key) in keys.iter().enumerate().skip(unnamed) {
            let Some(kid) = key.kid() else { continue };
            named.entry(kid.into()).or_insert(index..index).end = index + 1;
        }
        let algorithms = keys.iter().map(VerifyingKey::algorithms).fold(Algorithms::NONE, Algorithms::or);
        Ok(KeySet { keys, unnamed, named, algorithms })
    }

    /// What the keys can do together.
    pub fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// All keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The keys with this `kid`; None where there is none.
    pub fn named(&self, kid: &str) -> Option<&[VerifyingKey]> {
        self.keys.get(self.named.get(kid)?.clone())
    }

    /// The keys without a `kid`.
    pub fn unnamed(&self) -> &[VerifyingKey] {
        self.keys.get(..self.unnamed).unwrap_or_default()
    }
}
