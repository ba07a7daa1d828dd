//! Settings that all tokens share: locations, CSRF check and revocation.

use serde::Deserialize;

use super::keyword::keyword;

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
