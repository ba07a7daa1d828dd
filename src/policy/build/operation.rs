//! Builds the limits of a worker: `cache`, `throttle`, `slow_hashes` and `slow_signatures`.

use super::Builder;
use crate::cache::Limits;
use crate::cache::throttle::ThrottleLimits;
use crate::config::reader::member;
use crate::config::value::Fraction;
use crate::config::{Config, ConfigErrorKind, Throttle, ThrottleBy};

/// Maximum of `throttle.failures`. The time of each failure is stored.
const MAX_FAILURES: usize = 1000;

impl Builder<'_> {
    pub(super) fn limits(&mut self, config: &Config) -> Limits {
        let slow_hash_share = self.share("slow_hashes", config.slow_hashes.cpu_share);
        let slow_signature_share = self.share("slow_signatures", config.slow_signatures.cpu_share);
        Limits {
            max_entries: config.cache.max_entries,
            max_bytes: config.cache.max_bytes.bytes(),
            ttl: config.cache.ttl.as_seconds(),
            throttle: config.throttle.as_ref().map(|throttle| self.throttle(throttle)),
            slow_hash_share,
            slow_signature_share,
        }
    }

    fn share(&mut self, path: &str, share: Fraction) -> f64 {
        if !(share.0 > 0.0 && share.0 <= 1.0) {
            let expected = "a number above 0, up to 1 for no limit";
            self.error(member(path, "cpu_share"), ConfigErrorKind::Expected(expected));
        }
        share.0
    }

    fn throttle(&mut self, throttle: &Throttle) -> ThrottleLimits {
        if !(1..=MAX_FAILURES).contains(&throttle.failures) {
            let expected = "a number from 1 to 1000";
            self.error("throttle.failures", ConfigErrorKind::Expected(expected));
        }
        for (name, span) in [("window", throttle.window), ("block", throttle.block)] {
            if span.as_seconds() <= 0.0 {
                let expected = "a duration above 0";
                self.error(format!("throttle.{name}"), ConfigErrorKind::Expected(expected));
            }
        }
        let by = &throttle.by.0;
        if by.is_empty() {
            let expected = "at least one of source_address and source_and_user";
            self.error("throttle.by", ConfigErrorKind::Expected(expected));
        }
        for (at, one) in by.iter().enumerate() {
            if by.iter().take(at).any(|before| before == one) {
                let expected = "each value once";
                self.error(format!("throttle.by[{at}]"), ConfigErrorKind::Expected(expected));
            }
        }
        ThrottleLimits {
            failures: throttle.failures,
            window: throttle.window.as_seconds(),
            block: throttle.block.as_seconds(),
            by_source: by.contains(&ThrottleBy::SourceAddress),
            by_user: by.contains(&ThrottleBy::SourceAndUser),
        }
    }
}
