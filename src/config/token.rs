//! What all tokens have in common: where they stand, and what is asked of them there.

use serde::Deserialize;

use super::keyword::keyword;

/// A place in a request where a token or a key may stand.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenLocation {
    /// The name of a field.
    pub header: Option<String>,
    /// The auth-scheme that the field's value starts with.
    pub scheme: Option<String>,
    /// The name of a query parameter.
    pub query: Option<String>,
    /// The name of a cookie.
    pub cookie: Option<String>,
}

/// What is asked of cookies on unsafe methods, of whatever scheme.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Csrf {
    /// `Sec-Fetch-Site` or `Origin` must say same origin.
    #[default]
    SameOrigin,
    /// Nothing.
    Off,
}

/// Tokens that are refused before they expire.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Revoked {
    /// By identifier.
    pub jti: Vec<String>,
    /// By subject.
    pub subjects: Vec<String>,
    /// By age, RFC 3339.
    pub issued_before: Option<String>,
}

keyword!(Csrf, "same_origin or off", { "same_origin" => SameOrigin, "off" => Off }, { false => Off });
