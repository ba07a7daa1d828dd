//! `api_key`: keys that programs present as they are.

use serde::Deserialize;
use serde_json::Value;

use super::shape::List;
use super::value::Secret;
use super::{Csrf, TokenLocation};

/// Keys, of which only digests are known here.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    /// Where a key is looked for.
    pub from: Option<List<TokenLocation>>,
    /// The keys.
    pub keys: List<ApiKey>,
    /// What proves that a key in a cookie was sent by our own pages.
    #[serde(default)]
    pub csrf: Csrf,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Whether the key goes on to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

/// One key.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Whose it is. Several keys may have one, so that they overlap while one takes the other's place.
    pub id: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: Secret,
    /// What its holder may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What else is known of its holder.
    #[serde(default)]
    pub claims: serde_json::Map<String, Value>,
    /// From when on it holds, RFC 3339.
    pub not_before: Option<String>,
    /// From when on it does not hold any more, RFC 3339.
    pub not_after: Option<String>,
}
