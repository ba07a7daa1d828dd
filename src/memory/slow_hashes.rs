//! What part of the time slow hashes may take, by the time that they were seen to take.
//!
//! A flood of wrong passwords costs an attacker nothing and a worker a hash each. So time for hashes comes in at a share
//! of the time that passes, as much as comes in within `SAVED` at the most; each hash takes off what it took. Where nothing is left none is computed.
//! The last one may take more than was left, so that every hash is computed by a worker that is idle, however slow.

use super::throttle::whole_seconds;
use crate::numeric_date::NumericDate;

/// What comes in within so many seconds is saved up at the most: with a fifth of the time it is two seconds, or forty
/// hashes with bcrypt's cost 10. It is for people who log in at once, as they all do when a new configuration starts with
/// an empty memory. Once, when a flood begins, a worker may do nothing else for as long.
const SAVED: f64 = 10.0;

/// No hash that is allowed takes longer, in seconds. What seems to was measured with a clock that somebody has set.
const LONGEST: f64 = 5.0;

/// The time that is left for slow hashes.
pub struct SlowHashes {
    share: f64,
    /// The most that is saved up, in seconds.
    most: f64,
    /// In seconds; negative where the last one took more than was left.
    left: f64,
    /// When it was last looked at.
    seen: Option<NumericDate>,
}

impl SlowHashes {
    /// With a share of the time, above 0; with 1 there is no limit.
    pub fn new(share: f64) -> Self {
        let most = share * SAVED;
        SlowHashes { share, most, left: most, seen: None }
    }

    /// Whether a slow hash may be computed now.
    ///
    /// # Errors
    /// Not now; after so many seconds, if nobody else comes first.
    pub fn ask(&mut self, now: NumericDate) -> Result<(), u32> {
        let passed = self.seen.map_or(0.0, |seen| now.seconds_since(seen).max(0.0));
        self.seen = Some(now);
        self.left = (self.left + passed * self.share).min(self.most);
        if self.left > 0.0 || self.share >= 1.0 {
            Ok(())
        } else {
            Err(whole_seconds(-self.left / self.share))
        }
    }

    /// Takes off what a slow hash took, in seconds.
    pub fn spend(&mut self, seconds: f64) {
        self.left -= seconds.clamp(0.0, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(1_700_000_000.0 + seconds).unwrap()
    }

    /// How many hashes are computed where each takes so long and somebody asks for one each so many seconds.
    fn computed(share: f64, hash: f64, every: f64, seconds: f64) -> f64 {
        let mut slow_hashes = SlowHashes::new(share);
        let (mut now, mut computed) = (0.0, 0.0);
        while now < seconds {
            if slow_hashes.ask(at(now)).is_ok() {
                slow_hashes.spend(hash);
                now += hash;
                computed += 1.0;
            }
            now += every;
        }
        computed
    }

    #[test]
    fn a_flood_gets_its_share_and_what_was_saved_up() {
        for (share, hash) in [(0.2, 0.05), (0.2, 0.4), (0.5, 0.05), (0.01, 0.05), (0.9, 0.05)] {
            let found = computed(share, hash, 0.0005, 1000.0) * hash;
            let expected = (1000.0 + SAVED) * share;
            assert!((found - expected).abs() <= 2.0 * hash + 0.01 * expected, "{share} {hash}: {found}");
        }
    }

    #[test]
    fn all_of_the_time_is_no_limit() {
        let mut slow_hashes = SlowHashes::new(1.0);
        for _ in 0..1000 {
            assert_eq!(slow_hashes.ask(at(0.0)), Ok(()));
            slow_hashes.spend(1.0);
        }
    }

    #[test]
    fn an_idle_worker_computes_any_hash_and_a_few_at_once() {
        let mut slow_hashes = SlowHashes::new(0.001);
        assert_eq!(slow_hashes.ask(at(0.0)), Ok(()));
        slow_hashes.spend(4.5);
        // 4.49 seconds are missing, at 1 ms a second.
        assert_eq!(slow_hashes.ask(at(0.0)), Err(4490));
        assert_eq!(slow_hashes.ask(at(4489.5)), Err(1));
        assert_eq!(slow_hashes.ask(at(4490.5)), Ok(()));

        let mut slow_hashes = SlowHashes::new(0.2);
        for _ in 0..40 {
            assert_eq!(slow_hashes.ask(at(0.0)), Ok(()));
            slow_hashes.spend(0.051);
        }
        assert_eq!(slow_hashes.ask(at(0.0)), Err(1));
    }

    #[test]
    fn a_clock_that_is_set_does_little_harm() {
        let mut slow_hashes = SlowHashes::new(0.2);
        assert_eq!(slow_hashes.ask(at(0.0)), Ok(()));
        slow_hashes.spend(-100.0);
        assert_eq!(slow_hashes.ask(at(-100.0)), Ok(()));
        slow_hashes.spend(86_400.0);
        assert_eq!(slow_hashes.ask(at(-100.0)), Err(15));
        assert_eq!(slow_hashes.ask(at(86_400.0)), Ok(()));
        slow_hashes.spend(2.0);
        assert!(slow_hashes.ask(at(86_400.0)).is_err(), "time was saved up beyond what can be");
    }
}
