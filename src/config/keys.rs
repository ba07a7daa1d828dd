//! `keys` of `jwt`: keys that verify signatures.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::keyword::keyword;
use super::shape::OneOrMany;
use super::value::{ConfigDuration, Secret};

/// Source of keys: exactly one of these.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// A JWK Set (RFC 7517), as an object or as JSON text.
    Jwks(Value),
    /// Public keys in PEM.
    Pem(OneOrMany<PemKey>),
    /// Shared secrets.
    Secret(OneOrMany<SecretKey>),
    /// A JWK Set at a fixed URL.
    Remote(Remote),
    /// A JWK Set whose URL is in the metadata of the issuer.
    Discovery(Discovery),
}

/// Shows nothing: a JWK Set may contain shared secrets, and a PEM text may be a private key.
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
    /// Text of the key, from BEGIN to END.
    // By mistake it might be a private key.
    #[cfg_attr(feature = "schema", schemars(extend("x-secret" = true)))]
    pub key: String,
    /// The only algorithm that the key is used for.
    pub algorithm: String,
    /// Key identifier (`kid`) in tokens.
    pub kid: Option<String>,
}

/// A shared secret.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// The secret.
    pub value: Secret,
    /// The only algorithm that the secret is used for.
    pub algorithm: String,
    /// Encoding of the secret.
    #[serde(default)]
    pub encoding: Encoding,
    /// Key identifier (`kid`) in tokens.
    pub kid: Option<String>,
}

/// A JWK Set that is fetched.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// URL of the JWK Set.
    pub uri: String,
    /// Cluster of the proxy that serves the JWK Set.
    pub cluster: String,
    /// Interval between fetches.
    #[serde(default = "default_refresh")]
    pub refresh: ConfigDuration,
    /// Timeout of a fetch.
    #[serde(default = "default_timeout")]
    pub timeout: ConfigDuration,
    /// Time for which keys are used that cannot be refreshed.
    #[serde(default = "default_max_stale")]
    pub max_stale: ConfigDuration,
    /// Maximum time that a request waits for keys.
    #[serde(default = "default_max_wait")]
    pub max_wait: ConfigDuration,
}

/// A JWK Set whose URL is in the metadata of the issuer (OpenID Connect Discovery, RFC 8414).
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// Cluster of the proxy that serves the metadata.
    pub cluster: String,
    /// Cluster of the proxy that serves the JWK Set; default: the same as for the metadata.
    pub jwks_cluster: Option<String>,
    /// Interval between fetches of both.
    #[serde(default = "default_refresh")]
    pub refresh: ConfigDuration,
    /// Timeout of each fetch.
    #[serde(default = "default_timeout")]
    pub timeout: ConfigDuration,
    /// Time for which keys are used that cannot be refreshed.
    #[serde(default = "default_max_stale")]
    pub max_stale: ConfigDuration,
    /// Maximum time that a request waits for keys.
    #[serde(default = "default_max_wait")]
    pub max_wait: ConfigDuration,
}

fn default_refresh() -> ConfigDuration {
    ConfigDuration::seconds(600)
}

fn default_timeout() -> ConfigDuration {
    ConfigDuration::seconds(5)
}

fn default_max_stale() -> ConfigDuration {
    ConfigDuration::seconds(3600)
}

fn default_max_wait() -> ConfigDuration {
    ConfigDuration::seconds(5)
}

/// Encodings of bytes as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// Base64 ([RFC 4648 §4](https://www.rfc-editor.org/rfc/rfc4648#section-4)), with or without padding.
    Base64,
    /// Base64url ([RFC 4648 §5](https://www.rfc-editor.org/rfc/rfc4648#section-5)), with or without padding.
    Base64Url,
}

keyword!(Encoding, "utf8, base64 or base64url", { "utf8" => Utf8, "base64" => Base64, "base64url" => Base64Url });
