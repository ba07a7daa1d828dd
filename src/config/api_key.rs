//! `api_key`: secrets that programs present as they are.

use serde::Deserialize;
use serde_json::Value;

use super::shape::List;
use super::value::Secret;
use super::{Csrf, TokenLocation};

/// API keys. The configuration contains only their digests.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    /// Locations of keys in a request.
    pub from: Option<List<TokenLocation>>,
    /// Accepted keys.
    pub keys: List<ApiKey>,
    /// CSRF check for keys in cookies.
    #[serde(default)]
    pub csrf: Csrf,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Forwards verified keys to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

/// An API key.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Subject of the key. Several keys can have the same id, so that a new key overlaps with the old one.
    pub id: String,
    /// SHA-256 of the key, in hexadecimal digits.
    pub sha256: Secret,
    /// Scopes of the subject.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Claims of the subject.
    #[serde(default)]
    pub claims: serde_json::Map<String, Value>,
    /// Start of validity (RFC 3339).
    pub not_before: Option<String>,
    /// End of validity (RFC 3339).
    pub not_after: Option<String>,
}
