//! What each worker keeps and tells while it runs.

use serde::Deserialize;

use super::keyword::keyword;
use super::shape::List;
use super::value::{ByteSize, Fraction, Span};

/// What each worker remembers of verified credentials.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Who is blocked for failing too often.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// So many failures block.
    pub failures: usize,
    /// Within this time.
    pub window: Span,
    /// For this time.
    pub block: Span,
    /// Whose failures are counted together.
    pub by: List<ThrottleBy>,
}

impl Default for Throttle {
    fn default() -> Self {
        Throttle {
            failures: 10,
            window: Span::seconds(60),
            block: Span::seconds(300),
            by: List(vec![ThrottleBy::SourceAddress, ThrottleBy::SourceAndUser]),
        }
    }
}

/// Whose failures are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleBy {
    /// Those of an address.
    SourceAddress,
    /// Those of a user at an address.
    SourceAndUser,
}

keyword!(ThrottleBy, "source_address or source_and_user", {
    "source_address" => SourceAddress,
    "source_and_user" => SourceAndUser,
});

/// What slow password hashes may take.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SlowHashes {
    /// The part of a worker's time.
    pub cpu_share: Fraction,
}

impl Default for SlowHashes {
    fn default() -> Self {
        SlowHashes { cpu_share: Fraction(0.2) }
    }
}

/// What signatures may take that are verified in software.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SlowSignatures {
    /// The part of a worker's time.
    pub cpu_share: Fraction,
}

impl Default for SlowSignatures {
    fn default() -> Self {
        SlowSignatures { cpu_share: Fraction(0.2) }
    }
}

/// What is told to the operator.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Whether decisions are counted in the proxy's metrics.
    pub metrics: bool,
    /// What the access log can show.
    pub filter_state: List<FilterStateKey>,
}

/// What the access log can show of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterStateKey {
    /// Who the caller is.
    Subject,
    /// Whose credentials were presented.
    Authenticator,
    /// The rule that decided.
    Rule,
    /// Why the request was refused.
    Reason,
}

keyword!(FilterStateKey, "subject, authenticator, rule or reason", {
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
