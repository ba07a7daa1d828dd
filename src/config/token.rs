//! Settings that all tokens share: locations, CSRF check and revocation.

use serde::Deserialize;
use serde_json::Value;

use super::bound::{Bound, Dpop};
use super::keyword::keyword;
use super::shape::{List, Named};
use super::value::ConfigDuration;

/// Location of a token or a key in a request.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenLocation {
    /// Name of a header.
    pub header: Option<String>,
    /// Auth-scheme before the token in the header.
    pub scheme: Option<String>,
    /// Name of a query parameter.
    pub query: Option<String>,
    /// Name of a cookie.
    pub cookie: Option<String>,
}

/// CSRF check for credentials in cookies on unsafe methods, for all schemes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Csrf {
    /// Requires `Sec-Fetch-Site` or `Origin` of the same origin.
    #[default]
    SameOrigin,
    /// No check.
    Off,
}

/// Tokens that are rejected before they expire.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Revoked {
    /// Identifiers (`jti`) of rejected tokens.
    pub jti: Vec<String>,
    /// Subjects of rejected tokens.
    pub subjects: Vec<String>,
    /// Rejects tokens issued before this date (RFC 3339).
    pub issued_before: Option<String>,
}

keyword!(Csrf, "same_origin or off", { "same_origin" => SameOrigin, "off" => Off }, { false => Off });

/// The fields that all token schemes share.
pub struct TokenFields<'a> {
    /// Accepted audiences.
    pub audiences: Option<&'a Vec<String>>,
    /// Accepts all audiences.
    pub any_audience: bool,
    /// Maximum difference of clocks.
    pub clock_skew: ConfigDuration,
    /// Rejects tokens without `exp`.
    pub require_exp: bool,
    /// Maximum time from `iat` to `exp`.
    pub max_lifetime: Option<ConfigDuration>,
    /// Maximum length of a token, in bytes.
    pub max_token_bytes: usize,
    /// Required claims.
    pub claims: &'a Named<Value>,
    /// Claim with the subject.
    pub subject_claim: &'a str,
    /// Claims with scopes.
    pub scope_claims: Option<&'a [String]>,
    /// Locations of tokens in a request.
    pub from: Option<&'a List<TokenLocation>>,
    /// CSRF check for tokens in cookies.
    pub csrf: Csrf,
    /// Tokens that must be bound to a key or a certificate.
    pub bound: Bound,
    /// Checks of DPoP proofs.
    pub dpop: Option<&'a Dpop>,
    /// Tokens that are rejected.
    pub revoked: &'a Revoked,
}
