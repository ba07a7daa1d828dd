//! `keys` of tokens.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::keyword::keyword;
use super::shape::OneOrMany;
use super::value::Secret;

/// Where keys come from: exactly one of these.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// A JWK Set (RFC 7517), as an object or as its JSON text.
    Jwks(Value),
    /// Public keys in PEM.
    Pem(OneOrMany<PemKey>),
    /// Shared secrets.
    Secret(OneOrMany<SecretKey>),
}

/// Shows nothing: a set may hold shared secrets, and somebody's PEM a private key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// A public key in PEM.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PemKey {
    /// The text, from BEGIN to END.
    pub key: String,
    /// The one algorithm that the key is for.
    pub algorithm: String,
    /// The name that tokens give it.
    pub kid: Option<String>,
}

/// A shared secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// The secret.
    pub value: Secret,
    /// The one algorithm that it is for.
    pub algorithm: String,
    /// How it is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// The name that tokens give it.
    pub kid: Option<String>,
}

/// How a text stands for octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As its UTF-8.
    #[default]
    Utf8,
    /// RFC 4648 §4.
    Base64,
    /// RFC 4648 §5, without padding.
    Base64Url,
}

keyword!(Encoding, "utf8, base64 or base64url", { "utf8" => Utf8, "base64" => Base64, "base64url" => Base64Url });
