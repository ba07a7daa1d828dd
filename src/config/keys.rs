//! `keys` of tokens.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::keyword::keyword;
use super::shape::OneOrMany;
use super::value::{Secret, Span};

/// Where keys come from: exactly one of these.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// A JWK Set (RFC 7517), as an object or as its JSON text.
    Jwks(Value),
    /// Public keys in PEM.
    Pem(OneOrMany<PemKey>),
    /// Shared secrets.
    Secret(OneOrMany<SecretKey>),
    /// A JWK Set at a fixed place.
    Remote(Remote),
    /// A JWK Set that the issuer's metadata name.
    Discovery(Discovery),
}

/// Shows nothing: a set may hold shared secrets, and somebody's PEM a private key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// A public key in PEM.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// A JWK Set that is fetched.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Its URL.
    pub uri: String,
    /// The proxy's cluster that it is asked of.
    pub cluster: String,
    /// How often it is fetched.
    #[serde(default = "default_refresh")]
    pub refresh: Span,
    /// For how long an answer is waited for.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// For how long keys count that cannot be refreshed.
    #[serde(default = "default_max_stale")]
    pub max_stale: Span,
    /// For how long a request waits for keys.
    #[serde(default = "default_max_wait")]
    pub max_wait: Span,
}

/// A JWK Set that the issuer's metadata name, by OpenID Connect Discovery or RFC 8414.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The proxy's cluster that the metadata are asked of.
    pub cluster: String,
    /// The one that the set is asked of; absent: the same.
    pub jwks_cluster: Option<String>,
    /// How often both are fetched.
    #[serde(default = "default_refresh")]
    pub refresh: Span,
    /// For how long each answer is waited for.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// For how long keys count that cannot be refreshed.
    #[serde(default = "default_max_stale")]
    pub max_stale: Span,
    /// For how long a request waits for keys.
    #[serde(default = "default_max_wait")]
    pub max_wait: Span,
}

fn default_refresh() -> Span {
    Span::seconds(600)
}

fn default_timeout() -> Span {
    Span::seconds(5)
}

fn default_max_stale() -> Span {
    Span::seconds(3600)
}

fn default_max_wait() -> Span {
    Span::seconds(5)
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
