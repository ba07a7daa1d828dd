//! How refusals look, as an operator writes it.

use serde::Deserialize;

use super::keyword;
use super::shape::Named;

/// How refusals look.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Denials {
    /// The form of their bodies.
    pub body: Body,
    /// Whether the client is told the reason, or only the status.
    pub detail: bool,
    /// Fields that go out with each.
    pub headers: Named<String>,
    /// Reasons with another status.
    pub status: DenialStatus,
    /// Where there is more to read.
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

/// The form of bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Body {
    /// What the client likes best, by `Accept`.
    #[default]
    Auto,
    /// Problem details, RFC 9457.
    Problem,
    /// A page.
    Html,
    /// Plain text.
    Text,
    /// None.
    Empty,
}

keyword!(Body, "auto, problem, html, text or empty", {
    "auto" => Auto, "problem" => Problem, "html" => Html, "text" => Text, "empty" => Empty,
});

/// Reason → 403, or 404 to hide what exists.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DenialStatus {
    /// Authenticated, but scopes are missing.
    pub insufficient_scope: Option<u32>,
    /// Authenticated, but otherwise not allowed.
    pub not_authorized: Option<u32>,
    /// The rule says `deny`.
    pub rule_denied: Option<u32>,
    /// No rule matches.
    pub no_rule: Option<u32>,
}
