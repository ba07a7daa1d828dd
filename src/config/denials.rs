//! `denials`: responses to denied requests.

use serde::Deserialize;

use super::keyword;
use super::shape::Named;

/// Responses to denied requests.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Denials {
    /// Format of the body.
    pub body: Body,
    /// Tells the client the reason, not only the status.
    pub detail: bool,
    /// Additional headers of each response.
    pub headers: Named<String>,
    /// Reasons with another status.
    pub status: DenialStatus,
    /// URL of a page with help for the client.
    pub help_url: Option<String>,
}

impl Default for Denials {
    fn default() -> Self {
        Denials {
            body: Body::Auto,
            detail: true,
            headers: Named::default(),
            status: DenialStatus::default(),
            help_url: None,
        }
    }
}

/// Formats of the body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Body {
    /// The format that the client prefers, by `Accept`.
    #[default]
    Auto,
    /// Problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
    Problem,
    /// An HTML page.
    Html,
    /// Plain text.
    Text,
    /// No body.
    Empty,
}

keyword!(Body, "auto, problem, html, text or empty", {
    "auto" => Auto, "problem" => Problem, "html" => Html, "text" => Text, "empty" => Empty,
});

/// Status of a reason: 403, or 404 to hide what exists.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DenialStatus {
    /// The caller is authenticated, but lacks scopes.
    pub insufficient_scope: Option<u32>,
    /// The caller is authenticated, but otherwise not allowed.
    pub not_authorized: Option<u32>,
    /// The rule has `deny`.
    pub rule_denied: Option<u32>,
    /// No rule matches.
    pub no_rule: Option<u32>,
}
