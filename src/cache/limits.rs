//! Limits of the state of a worker: `cache`, `throttle`, `slow_hashes` and `slow_signatures`.

use std::time::Duration;

use super::throttle::ThrottleLimits;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::value::Fraction;
use crate::config::{Config, Throttle, ThrottleBy};

/// Maximum of `throttle.failures`. The time of each failure is stored.
const MAX_FAILURES: usize = 1000;

/// Limits of a [`CredentialCache`](super::CredentialCache).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Maximum number of entries; 0 disables the cache.
    pub max_entries: usize,
    /// Estimated bytes that all entries may use.
    pub max_bytes: usize,
    /// Lifetime of an entry, in seconds.
    pub ttl: Duration,
    /// Limits on failed credentials; `None` disables throttling.
    pub throttle: Option<ThrottleLimits>,
    /// Share of a worker's time for slow hashes, above 0; 1 is unlimited.
    pub slow_hash_share: f64,
    /// Share of a worker's time for signatures that are verified in software, above 0; 1 is unlimited.
    pub slow_signature_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_entries: 4096,
            max_bytes: 16 << 20,
            ttl: Duration::from_secs(300),
            throttle: None,
            slow_hash_share: 0.2,
            slow_signature_share: 0.2,
        }
    }
}

impl Limits {
    /// Builds the limits of a worker.
    pub fn build(cx: &mut BuildContext<'_>, config: &Config) -> Limits {
        let root = &ConfigPath::Root;
        let slow_hash_share = share(cx, &root.member("slow_hashes"), config.slow_hashes.cpu_share);
        let slow_signature_share =
            share(cx, &root.member("slow_signatures"), config.slow_signatures.cpu_share);
        Limits {
            max_entries: config.cache.max_entries,
            max_bytes: config.cache.max_bytes.bytes(),
            ttl: config.cache.ttl.0,
            throttle: config.throttle.as_ref().map(|config| throttle(cx, &root.member("throttle"), config)),
            slow_hash_share,
            slow_signature_share,
        }
    }
}

fn share(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, share: Fraction) -> f64 {
    if !(share.0 > 0.0 && share.0 <= 1.0) {
        let expected = "a number above 0, up to 1 for no limit";
        cx.expected(&at.member("cpu_share"), expected);
    }
    share.0
}

fn throttle(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, throttle: &Throttle) -> ThrottleLimits {
    if !(1..=MAX_FAILURES).contains(&throttle.failures) {
        let expected = "a number from 1 to 1000";
        cx.expected(&at.member("failures"), expected);
    }
    for (name, duration) in [("window", throttle.window), ("block", throttle.block)] {
        if duration.0.is_zero() {
            let expected = "a duration above 0";
            cx.expected(&at.member(name), expected);
        }
    }
    let within = &at.member("by");
    let by = &throttle.by.0;
    if by.is_empty() {
        let expected = "at least one of source_address and source_and_user";
        cx.expected(within, expected);
    }
    for (index, one) in by.iter().enumerate() {
        if by.iter().take(index).any(|before| before == one) {
            let expected = "each value once";
            cx.expected(&within.index(index), expected);
        }
    }
    ThrottleLimits {
        failures: throttle.failures,
        window: throttle.window.0,
        block: throttle.block.0,
        by_source: by.contains(&ThrottleBy::SourceAddress),
        by_user: by.contains(&ThrottleBy::SourceAndUser),
    }
}
