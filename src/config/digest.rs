//! `digest`: Digest access authentication.

use serde::Deserialize;

use super::value::{ConfigDuration, Secret};

/// Digest access authentication (RFC 7616).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// Text of an htdigest file.
    pub htdigest: Secret,
    /// Lifetime of a nonce.
    #[serde(default = "default_nonce_lifetime")]
    pub nonce_lifetime: ConfigDuration,
    /// Key that makes nonces valid in all workers that have it; default: only in the worker that issued them.
    pub nonce_key: Option<Secret>,
    /// Realm, which must be that of the htdigest file.
    pub realm: Option<String>,
    /// Forwards verified credentials to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

fn default_nonce_lifetime() -> ConfigDuration {
    ConfigDuration::seconds(300)
}
