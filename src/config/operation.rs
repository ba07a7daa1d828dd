//! `cache`, `throttle`, `slow_hashes`, `slow_signatures` and `telemetry`: state and reports of each worker.

use serde::Deserialize;

use super::keyword::keyword;
use super::shape::List;
use super::value::{ByteSize, ConfigDuration, Fraction};

/// Cache of verified credentials in each worker.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// Maximum number of credentials; 0 disables the cache.
    pub max_entries: usize,
    /// Maximum size.
    pub max_bytes: ByteSize,
    /// Time for which a credential is cached.
    pub ttl: ConfigDuration,
}

impl Default for Cache {
    fn default() -> Self {
        Cache { max_entries: 4096, max_bytes: ByteSize::mebibytes(16), ttl: ConfigDuration::seconds(300) }
    }
}

/// Blocking of clients that fail too often.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Failures before blocking.
    pub failures: usize,
    /// Counting window.
    pub window: ConfigDuration,
    /// Block duration.
    pub block: ConfigDuration,
    /// Groups of failures that are counted together.
    pub by: List<ThrottleBy>,
}

impl Default for Throttle {
    fn default() -> Self {
        Throttle {
            failures: 10,
            window: ConfigDuration::seconds(60),
            block: ConfigDuration::seconds(300),
            by: List(vec![ThrottleBy::SourceAddress, ThrottleBy::SourceAndUser]),
        }
    }
}

/// Groups of failures that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleBy {
    /// Failures from an address.
    SourceAddress,
    /// Failures of a user from an address.
    SourceAndUser,
}

keyword!(ThrottleBy, "source_address or source_and_user", {
    "source_address" => SourceAddress,
    "source_and_user" => SourceAndUser,
});

/// Work budget for slow password hashes.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SlowHashes {
    /// Share of the time of a worker.
    pub cpu_share: Fraction,
}

impl Default for SlowHashes {
    fn default() -> Self {
        SlowHashes { cpu_share: Fraction(0.2) }
    }
}

/// Work budget for signatures that are verified in software.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SlowSignatures {
    /// Share of the time of a worker.
    pub cpu_share: Fraction,
}

impl Default for SlowSignatures {
    fn default() -> Self {
        SlowSignatures { cpu_share: Fraction(0.2) }
    }
}

/// Metrics and access log.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Counts decisions in the metrics of the proxy.
    pub metrics: bool,
    /// Parts of a decision that the access log can show.
    pub filter_state: List<FilterStateKey>,
}

/// Parts of a decision that the access log can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterStateKey {
    /// Subject of the caller.
    Subject,
    /// Authenticator of the presented credentials.
    Authenticator,
    /// Rule that decided.
    Rule,
    /// Reason of a denial.
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
