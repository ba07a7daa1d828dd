//! What shows that a token is used by whom it was issued to: `bound` and `dpop`.

use serde::Deserialize;

use super::keyword::keyword;
use super::value::Span;

/// Which tokens must be bound to a key or a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bound {
    /// Those with `cnf`.
    #[default]
    Auto,
    /// All, to a key.
    Dpop,
    /// All, to a certificate.
    Mtls,
    /// All, to either.
    Any,
    /// None.
    Ignore,
}

keyword!(Bound, "auto, dpop, mtls, any or ignore", {
    "auto" => Auto, "dpop" => Dpop, "mtls" => Mtls, "any" => Any, "ignore" => Ignore,
});

/// How proofs of possession are checked, RFC 9449.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dpop {
    /// The origin that clients see.
    pub origin: String,
    /// For how long a proof counts.
    #[serde(default = "default_max_age")]
    pub max_age: Span,
    /// Algorithms that proofs may be signed with; absent: all public-key ones but PS256, PS384, PS512 and ES256K.
    pub algorithms: Option<Vec<String>>,
}

fn default_max_age() -> Span {
    Span::seconds(60)
}
