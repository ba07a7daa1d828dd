//! What each worker keeps and tells while it runs.

use serde::Deserialize;

use super::keyword::keyword;
use super::shape::List;
use super::value::{ByteSize, Span};

/// What each worker remembers of verified credentials.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// The most credentials; 0: none.
    pub max_entries: usize,
    /// The most octets.
    pub max_bytes: ByteSize,
    /// For how long.
    pub ttl: Span,
}

impl Default for Cache {
    fn default() -> Self {
        Cache { max_entries: 4096, max_bytes: ByteSize::mebibytes(16), ttl: Span::seconds(300) }
    }
}

/// What is told to the operator.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Whether decisions are counted in the proxy's metrics.
    pub metrics: bool,
    /// What the access log can show.
    pub filter_state: List<Fact>,
}

/// What the access log can show of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Who the caller is.
    Subject,
    /// Whose credentials were presented.
    Authenticator,
    /// The rule that decided.
    Rule,
    /// Why the request was refused.
    Reason,
}

keyword!(Fact, "subject, authenticator, rule or reason", {
    "subject" => Subject,
    "authenticator" => Authenticator,
    "rule" => Rule,
    "reason" => Reason,
});

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry { metrics: true, filter_state: List(Vec::new()) }
    }
}
