//! `bound` and `dpop`: sender constraints of tokens.

use serde::Deserialize;

use super::keyword::keyword;
use super::value::ConfigDuration;

/// Tokens that must be bound to a key or a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bound {
    /// Tokens with `cnf`.
    #[default]
    Auto,
    /// All tokens, to a key.
    Dpop,
    /// All tokens, to a certificate.
    Mtls,
    /// All tokens, to a key or a certificate.
    Any,
    /// No tokens; `cnf` is ignored.
    Ignore,
}

keyword!(Bound, "auto, dpop, mtls, any or ignore", {
    "auto" => Auto, "dpop" => Dpop, "mtls" => Mtls, "any" => Any, "ignore" => Ignore,
});

/// Checks of DPoP proofs (RFC 9449).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dpop {
    /// Origin of the service, as clients see it.
    pub origin: String,
    /// Maximum age of a proof.
    #[serde(default = "default_max_age")]
    pub max_age: ConfigDuration,
    /// Allowed algorithms of proofs; default: all public-key algorithms but PS256, PS384, PS512 and ES256K.
    pub algorithms: Option<Vec<String>>,
}

fn default_max_age() -> ConfigDuration {
    ConfigDuration::seconds(60)
}
