//! `jwt`.

use serde::Deserialize;
use serde_json::Value;

use super::bound::{Bound, Dpop};
use super::keys::Keys;
use super::shape::{List, Named, OneOrMany};
use super::token::{Csrf, Revoked, TokenLocation};
use super::value::Span;

/// RFC 7519, carried as RFC 6750 says or otherwise.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Whose tokens are taken, exact.
    pub issuer: OneOrMany<String>,
    /// For whom a token must have been made.
    pub audiences: Option<Vec<String>>,
    /// Whether `aud` is not looked at.
    #[serde(default)]
    pub any_audience: bool,
    /// What signatures are verified with.
    pub keys: Keys,
    /// Allowed algorithms; absent: those of the keys, but RSASSA-PSS only for keys whose `alg` names it.
    pub algorithms: Option<Vec<String>>,
    /// Allowed media types.
    pub typ: Option<Vec<String>>,
    /// By how much clocks may differ.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// Whether a token without `exp` is refused.
    #[serde(default = "yes")]
    pub require_exp: bool,
    /// How far `exp` may lie behind `iat`.
    pub max_lifetime: Option<Span>,
    /// The longest token, in octets.
    #[serde(default = "default_max_token_bytes")]
    pub max_token_bytes: usize,
    /// Claims that a token must have.
    #[serde(default)]
    pub claims: Named<Value>,
    /// Where the subject stands.
    #[serde(default = "default_subject_claim")]
    pub subject_claim: String,
    /// Where scopes stand.
    pub scope_claims: Option<Vec<String>>,
    /// Where a token is looked for.
    pub from: Option<List<TokenLocation>>,
    /// What proves that a token in a cookie was sent by our own pages.
    #[serde(default)]
    pub csrf: Csrf,
    /// Which tokens must be bound to a key or a certificate.
    #[serde(default)]
    pub bound: Bound,
    /// How proofs of possession are checked.
    pub dpop: Option<Dpop>,
    /// Tokens that are refused before they expire.
    #[serde(default)]
    pub revoked: Revoked,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Whether the token goes on to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

fn yes() -> bool {
    true
}

fn default_clock_skew() -> Span {
    Span::seconds(60)
}

fn default_max_token_bytes() -> usize {
    16_384
}

fn default_subject_claim() -> String {
    "sub".to_owned()
}
