//! `digest`: RFC 7616.

use serde::Deserialize;

use super::value::{Secret, Span};

/// RFC 7616.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// The text of an htdigest file.
    pub htdigest: Secret,
    /// For how long a nonce counts.
    #[serde(default = "default_nonce_lifetime")]
    pub nonce_lifetime: Span,
    /// What makes a nonce known to all who have it; absent: known to the worker that issued it alone.
    pub nonce_key: Option<Secret>,
    /// The realm, which is that of the htdigest file.
    pub realm: Option<String>,
    /// Whether the credentials go on to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

fn default_nonce_lifetime() -> Span {
    Span::seconds(300)
}
