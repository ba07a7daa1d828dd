//! Key sets ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde_json::Value;

use super::{Algorithms, KeyError, VerifyingKey};

/// Maximum number of members of a set. Providers publish a handful, and parsing each takes a point decompression or
/// similar work.
pub const MAX_KEYS: usize = 256;

/// Keys of one issuer, found by their `kid`. Never empty.
///
/// Several keys may have the same `kid` ([RFC 7517 §4.5](https://www.rfc-editor.org/rfc/rfc7517#section-4.5) only
/// recommends distinct values): all of them are tried.
#[derive(Debug)]
pub struct KeySet {
    /// Keys without a `kid` first, then by `kid`, so that keys with the same one are adjacent.
    keys: Vec<VerifyingKey>,
    unnamed: usize,
    named: HashMap<Box<str>, Range<usize>>,
    algorithms: Algorithms,
}

/// Origin of a set, which determines the keys that it may contain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeySetOrigin {
    /// The configuration. Shared secrets (`oct`) are accepted.
    Inline,
    /// The network. Shared secrets are ignored.
    Fetched,
}

/// A member of a set that is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IgnoredKey {
    /// Index in `keys`, from 0.
    pub index: usize,
    /// Reason why the member is not used.
    pub error: KeyError,
}

/// Reason why a set cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not an object with an array `keys`.
    #[error("expected a JWK Set: an object with an array `keys`")]
    NotAKeySet,
    /// More than [`MAX_KEYS`] members.
    #[error("expected at most {max} keys", max = MAX_KEYS)]
    TooManyKeys,
    /// A member has private parts, so anyone who can read the set can sign. No key in the set can be trusted.
    #[error("keys[{index}]: {error}", error = KeyError::Private)]
    PrivateKey {
        /// Index in `keys`, from 0.
        index: usize,
    },
    /// No member can be used.
    #[error(fmt = no_usable_key)]
    NoUsableKey(Vec<IgnoredKey>),
}

impl fmt::Display for IgnoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]: {}", self.index, self.error)
    }
}

fn no_usable_key(ignored: &[IgnoredKey], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("expected at least one key that can verify signatures")?;
    ignored.iter().take(8).try_for_each(|key| write!(f, "; {key}"))
}

impl KeySet {
    /// Parses a JWK Set. Members that cannot be used are omitted from the set and reported.
    ///
    /// # Errors
    /// Fails if the value is not a JWK Set, has too many members, has a private key, or has no usable key.
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

    /// Creates a set of these keys.
    ///
    /// # Errors
    /// Fails if there are no keys, or more than [`MAX_KEYS`].
    pub fn from_keys(mut keys: Vec<VerifyingKey>) -> Result<KeySet, KeySetError> {
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(Vec::new()));
        }
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        keys.sort_by(|a, b| a.kid().cmp(&b.kid())); // stable: keys with the same `kid` keep their order
        let unnamed = keys.iter().take_while(|key| key.kid().is_none()).count();
        let mut named: HashMap<Box<str>, Range<usize>> = HashMap::new();
        for (index, key) in keys.iter().enumerate().skip(unnamed) {
            let Some(kid) = key.kid() else { continue };
            named.entry(kid.into()).or_insert(index..index).end = index + 1;
        }
        let algorithms = keys.iter().map(VerifyingKey::algorithms).fold(Algorithms::NONE, Algorithms::or);
        Ok(KeySet { keys, unnamed, named, algorithms })
    }

    /// The algorithms of all keys together.
    pub fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// All keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The keys with this `kid`; `None` if there are none.
    pub fn named(&self, kid: &str) -> Option<&[VerifyingKey]> {
        self.keys.get(self.named.get(kid)?.clone())
    }

    /// The keys without a `kid`.
    pub fn unnamed(&self) -> &[VerifyingKey] {
        self.keys.get(..self.unnamed).unwrap_or_default()
    }
}
