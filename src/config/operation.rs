//! What each worker keeps and tells while it runs.

use serde::Deserialize;

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
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry { metrics: true }
    }
}
