//! Throttling of failed credentials by source address, and by user at an address, in a sliding window.
//!
//! The times of failures are stored, at most the last `failures` of each subject, so that the window slides exactly;
//! most subjects have one. A blocked subject moves to a separate store, so that a flood of other addresses, which fills
//! the first, does not evict it. To evict it, thousands of other subjects have to be blocked while it makes no attempt.
//! Names and addresses are stored only as keyed digests.

use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher24};
use smallvec::SmallVec;

use super::two_generation::{Entry, OVERHEAD, TwoGenerationCache};
use super::{CacheKey, CacheSecret, later, source_id};
use crate::timestamp::NumericDate;

/// Maximum number of subjects that have failed, and of the bytes that they use.
const MAX_FAILING: usize = 16_384;
const MAX_FAILING_BYTES: usize = 4 << 20;
/// Maximum number of blocked subjects.
const MAX_BLOCKED: usize = 8_192;
/// Maximum number of guesses of pending requests. An evicted guess counts twice.
const MAX_WAITING: usize = 4_096;
/// Time for which a guess of a pending request is stored; longer than any request may be pending.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Limits on failed credentials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThrottleLimits {
    /// Failures before blocking; not 0.
    pub failures: usize,
    /// Counting window.
    pub window: Duration,
    /// Block duration.
    pub block: Duration,
    /// True if failures are counted by address.
    pub by_source: bool,
    /// True if failures are counted by user at an address.
    pub by_user: bool,
}

/// The subject of an attempt.
#[derive(Clone, Copy)]
pub struct ThrottleKey<'a> {
    /// The client's address. All unknown addresses are one.
    pub source: Option<IpAddr>,
    /// The claimed user; empty if there is none.
    pub user: &'a [u8],
    /// True in shadow mode, where nothing is denied. Such failures are counted separately.
    pub is_shadowed: bool,
}

/// A wrong credential of a subject, as digests.
#[derive(PartialEq, Eq)]
pub struct FailedGuess {
    /// Digest of the subject and the credential.
    id: CacheKey,
    /// Counters to which the failure is added.
    counted_in: SmallVec<[CacheKey; 2]>,
}

/// Counts failures and tracks blocked subjects.
pub struct Throttle {
    key: CacheSecret,
    limits: ThrottleLimits,
    failing: TwoGenerationCache<Vec<NumericDate>>,
    blocked: TwoGenerationCache<NumericDate>,
    /// End of the last block so far.
    last_block_ends: Option<NumericDate>,
    /// Guesses that were counted when their requests became pending.
    waiting: TwoGenerationCache<()>,
}

impl Throttle {
    /// Creates a throttle without failures.
    pub fn new(key: CacheSecret, limits: ThrottleLimits) -> Self {
        let failing = TwoGenerationCache::new(MAX_FAILING, MAX_FAILING_BYTES);
        let blocked = TwoGenerationCache::new(MAX_BLOCKED, MAX_BLOCKED * OVERHEAD);
        let waiting = TwoGenerationCache::new(MAX_WAITING, MAX_WAITING * OVERHEAD);
        Throttle { key, limits, failing, blocked, last_block_ends: None, waiting }
    }

    /// Returns the seconds, rounded up, after which the subject may try again; `None` if it is not blocked.
    pub fn blocked_for(&mut self, key: ThrottleKey<'_>, now: NumericDate) -> Option<u32> {
        let slots = self.slots(key);
        let until = slots.into_iter().filter_map(|cache_key| self.blocked.find(cache_key, now));
        until.map(|until| whole_seconds(until.since(now).as_secs_f64())).max()
    }

    /// True if some subject may be blocked.
    pub fn is_blocking(&self, now: NumericDate) -> bool {
        self.last_block_ends.is_some_and(|end| now < end)
    }

    /// Returns the guess of a wrong credential that a subject presented.
    pub fn guess(&self, key: ThrottleKey<'_>, credential: &[u8]) -> FailedGuess {
        let mut hasher = self.hasher(3, key);
        hasher.write_usize(key.user.len());
        hasher.write(key.user);
        hasher.write(credential);
        FailedGuess { id: CacheKey(hasher.finish128().as_u128()), counted_in: self.slots(key) }
    }

    /// Counts a wrong guess of a denied request, unless it was counted when the request became pending. Blocks the
    /// subject if it reaches the limit.
    pub fn refused(&mut self, guess: &FailedGuess, now: NumericDate) {
        if self.waiting.take(guess.id, now).is_none() {
            self.count(guess, now);
        }
    }

    /// Counts a wrong guess of a pending request that will be decided again. It counts now, since the client may
    /// disconnect before the decision: the wait alone tells it that the guess was wrong.
    pub fn waits(&mut self, guess: &FailedGuess, now: NumericDate) {
        if self.waiting.find(guess.id, now).is_none() {
            self.count(guess, now);
            let until = now.plus(LONGEST_WAIT);
            self.waiting.insert(guess.id, Entry { value: (), since: NumericDate::EPOCH, until, bytes: 0 });
        }
    }

    /// Removes a wrong guess of a pending request that other credentials allow.
    pub fn allowed(&mut self, guess: &FailedGuess, now: NumericDate) {
        if self.waiting.take(guess.id, now).is_none() {
            return;
        }
        for cache_key in &guess.counted_in {
            if let Some(entry) = self.failing.find_mut(*cache_key, now) {
                entry.value.pop();
            }
        }
    }

    /// True if a request with this guess is pending, so that the guess was counted and checked.
    pub fn is_waiting(&self, guess: &FailedGuess, now: NumericDate) -> bool {
        self.waiting.peek(guess.id, now).is_some()
    }

    fn count(&mut self, guess: &FailedGuess, now: NumericDate) {
        let ThrottleLimits { failures, window, block, .. } = self.limits;
        for cache_key in &guess.counted_in {
            let mut times = self.failing.take(*cache_key, now).unwrap_or_default();
            times.retain(|time| now.since(*time) < window);
            times.push(now);
            if times.len() >= failures {
                let until = now.plus(block);
                // A clock that is set back does not end a block.
                let since = NumericDate::EPOCH;
                self.blocked.insert(*cache_key, Entry { value: until, since, until, bytes: 0 });
                self.last_block_ends = later(self.last_block_ends, Some(until));
            } else {
                let bytes = times.capacity().saturating_mul(size_of::<NumericDate>());
                let (since, until) = (NumericDate::EPOCH, now.plus(window));
                self.failing.insert(*cache_key, Entry { value: times, since, until, bytes });
            }
        }
    }

    /// Starts a digest of this kind with the subject's address.
    fn hasher(&self, kind: u8, key: ThrottleKey<'_>) -> SipHasher24 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&[kind, u8::from(key.is_shadowed)]);
        source_id::write(&mut hasher, key.source);
        hasher
    }

    /// Returns the counters of the subject.
    fn slots(&self, key: ThrottleKey<'_>) -> SmallVec<[CacheKey; 2]> {
        let hasher = |kind| self.hasher(kind, key);
        let mut slots = SmallVec::new();
        if self.limits.by_source {
            slots.push(CacheKey(hasher(1).finish128().as_u128()));
        }
        if self.limits.by_user {
            let mut hasher = hasher(2);
            hasher.write(key.user);
            slots.push(CacheKey(hasher.finish128().as_u128()));
        }
        slots
    }
}

/// Rounds up to at least 1, for `Retry-After`. Less than a microsecond is rounding error of sums of times.
pub(super) fn whole_seconds(seconds: f64) -> u32 {
    (seconds - 1e-6).ceil().clamp(1.0, f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const LIMITS: ThrottleLimits = ThrottleLimits {
        failures: 3,
        window: Duration::from_secs(60),
        block: Duration::from_secs(300),
        by_source: true,
        by_user: false,
    };

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(1_700_000_000.0 + seconds).unwrap()
    }

    fn throttle(limits: ThrottleLimits) -> Throttle {
        Throttle::new([7; 16], limits)
    }

    fn key<'a>(source: &str, user: &'a str) -> ThrottleKey<'a> {
        ThrottleKey { source: source.parse().ok(), user: user.as_bytes(), is_shadowed: false }
    }

    impl Throttle {
        fn failed(&mut self, key: ThrottleKey<'_>, now: NumericDate) {
            let guess = self.guess(key, b"wrong");
            self.refused(&guess, now);
        }
    }

    #[test]
    fn the_window_slides() {
        let check = |failures: &[f64], asked: f64, expected: Option<u32>| {
            let mut throttle = throttle(LIMITS);
            for time in failures {
                throttle.failed(key("192.0.2.1", ""), at(*time));
            }
            let found = throttle.blocked_for(key("192.0.2.1", ""), at(asked));
            assert_eq!(found, expected, "{failures:?} at {asked}");
        };
        check(&[], 0.0, None);
        check(&[0.0, 1.0], 1.0, None);
        check(&[0.0, 1.0, 2.0], 2.0, Some(300));
        check(&[0.0, 1.0, 59.9], 60.0, Some(300));
        // The first has left the window.
        check(&[0.0, 1.0, 60.0], 60.0, None);
        check(&[0.0, 30.0, 60.0, 80.0], 80.0, Some(300));
        check(&[0.0, 30.0, 61.0, 91.0, 121.5], 121.5, None);
        // The remaining time is rounded up; at the end of the block all failures are cleared.
        check(&[0.0, 0.0, 0.0], 0.5, Some(300));
        check(&[0.0, 0.0, 0.0], 299.0, Some(1));
        check(&[0.0, 0.0, 0.0], 299.9, Some(1));
        check(&[0.0, 0.0, 0.0], 300.0, None);
        check(&[0.0, 0.0, 0.0, 300.0, 301.0], 301.0, None);
        check(&[0.0, 0.0, 0.0, 300.0, 301.0, 302.0], 302.0, Some(300));
        // A clock that is set back blocks no subject with too few failures.
        check(&[100.0, 0.0], 0.0, None);
    }

    #[test]
    fn failures_count_for_the_window_however_short_the_block() {
        let check = |window: u64, block: u64, last: f64, expected: Option<u32>| {
            let mut throttle = throttle(ThrottleLimits {
                window: Duration::from_secs(window),
                block: Duration::from_secs(block),
                ..LIMITS
            });
            for time in [0.0, 10.0, last] {
                throttle.failed(key("192.0.2.1", ""), at(time));
            }
            let found = throttle.blocked_for(key("192.0.2.1", ""), at(last));
            assert_eq!(found, expected, "{window} {block} {last}");
        };
        check(60, 5, 59.0, Some(5));
        check(60, 5, 61.0, None);
        check(5, 300, 10.5, None);
    }

    #[test]
    fn the_longer_of_two_blocks_counts() {
        let mut throttle = throttle(ThrottleLimits { by_user: true, ..LIMITS });
        let [alice, bob] = ["alice", "bob"].map(|user| key("192.0.2.1", user));
        // The address is blocked at 252, and bob at this address at 300.
        for (who, time) in [(bob, 250.0), (bob, 251.0), (alice, 252.0), (bob, 300.0)] {
            throttle.failed(who, at(time));
        }
        assert_eq!(throttle.blocked_for(bob, at(301.0)), Some(299));
        assert_eq!(throttle.blocked_for(alice, at(301.0)), Some(251));
    }

    #[test]
    fn it_is_blocking_until_the_last_block_ends() {
        let mut throttle = throttle(LIMITS);
        assert!(!throttle.is_blocking(at(0.0)));
        for (source, time) in [("192.0.2.1", 0.0), ("192.0.2.2", 100.0)] {
            for _ in 0..3 {
                throttle.failed(key(source, ""), at(time));
            }
        }
        assert!(throttle.is_blocking(at(399.0)));
        assert!(!throttle.is_blocking(at(400.0)));
    }

    #[test]
    fn a_guess_of_a_request_that_waits_counts_once() {
        let mut throttle = throttle(ThrottleLimits { failures: 4, ..LIMITS });
        let alice = key("192.0.2.1", "alice");
        let guesses = ["a", "b", "c", "d", "e"].map(|password| throttle.guess(alice, password.as_bytes()));
        for guess in &guesses[..2] {
            throttle.waits(guess, at(0.0));
            throttle.waits(guess, at(1.0));
            throttle.refused(guess, at(2.0));
        }
        assert_eq!(throttle.blocked_for(alice, at(2.0)), None);
        // Removed once.
        throttle.waits(&guesses[2], at(3.0));
        assert!(throttle.is_waiting(&guesses[2], at(3.0)) && !throttle.is_waiting(&guesses[0], at(3.0)));
        throttle.allowed(&guesses[2], at(4.0));
        throttle.allowed(&guesses[2], at(4.0));
        throttle.refused(&guesses[3], at(5.0));
        assert_eq!(throttle.blocked_for(alice, at(5.0)), None);
        throttle.refused(&guesses[4], at(5.0));
        assert_eq!(throttle.blocked_for(alice, at(5.0)), Some(300));
    }

    #[test]
    fn whose_failures_are_counted_together() {
        let check = |by_source, by_user, failed: (&str, &str), other: (&str, &str), expected: bool| {
            let mut throttle = throttle(ThrottleLimits { by_source, by_user, ..LIMITS });
            for _ in 0..3 {
                throttle.failed(key(failed.0, failed.1), at(0.0));
            }
            assert!(throttle.blocked_for(key(failed.0, failed.1), at(0.0)).is_some());
            let found = throttle.blocked_for(key(other.0, other.1), at(0.0)).is_some();
            assert_eq!(found, expected, "{by_source} {by_user}: {failed:?} and {other:?}");
        };
        let alice = ("192.0.2.1", "alice");
        check(true, false, alice, ("192.0.2.1", "bob"), true);
        check(true, false, alice, ("192.0.2.2", "alice"), false);
        check(true, false, alice, ("unknown", "alice"), false);
        check(false, true, alice, ("192.0.2.1", "bob"), false);
        check(false, true, alice, ("192.0.2.1", ""), false);
        check(false, true, alice, ("192.0.2.2", "alice"), false);
        check(true, true, alice, ("192.0.2.1", "bob"), true);
        check(true, false, alice, ("::ffff:192.0.2.1", ""), true);
        let six = ("2001:db8:1:2::1", "");
        check(true, false, six, ("2001:db8:1:2:ffff::", ""), true);
        check(true, false, six, ("2001:db8:1:3::1", ""), false);
        check(true, false, ("unknown", ""), ("unknown", ""), true);
        // Bytes of the address are not confused with bytes of the user.
        check(false, true, ("192.0.2.1", "2"), ("192.0.2.12", ""), false);
    }

    #[test]
    fn failures_in_shadow_block_nobody_else() {
        let mut throttle = throttle(LIMITS);
        let shadowed = ThrottleKey { is_shadowed: true, ..key("192.0.2.1", "") };
        for _ in 0..3 {
            throttle.failed(shadowed, at(0.0));
        }
        assert_eq!(throttle.blocked_for(shadowed, at(0.0)), Some(300));
        assert_eq!(throttle.blocked_for(key("192.0.2.1", ""), at(0.0)), None);
    }

    #[test]
    fn a_hundred_thousand_addresses_are_bounded_and_free_nobody() {
        let mut throttle = throttle(ThrottleLimits {
            failures: 10,
            block: Duration::from_secs(1_000_000),
            by_user: true,
            ..LIMITS
        });
        let blocked = key("192.0.2.1", "alice");
        for _ in 0..10 {
            throttle.failed(blocked, at(0.0));
        }
        for n in 0..100_000_u32 {
            let four = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n));
            let six = IpAddr::V6(Ipv6Addr::from_bits(u128::from(n) << 64));
            for source in [four, six] {
                throttle
                    .failed(ThrottleKey { source: Some(source), ..key("", "bob") }, at(f64::from(n) * 1e-3));
            }
        }
        assert!(throttle.failing.count() <= MAX_FAILING, "{}", throttle.failing.count());
        assert!(throttle.failing.bytes() <= MAX_FAILING_BYTES, "{}", throttle.failing.bytes());
        assert!(throttle.blocked_for(blocked, at(100.0)).is_some());

        // The number of blocked subjects is bounded.
        for n in 0..100_000_u32 {
            let source = Some(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)));
            for _ in 0..10 {
                throttle.failed(ThrottleKey { source, ..key("", "bob") }, at(200.0));
            }
        }
        assert!(throttle.blocked.count() <= MAX_BLOCKED, "{}", throttle.blocked.count());
        assert!(throttle.failing.bytes() <= MAX_FAILING_BYTES);
    }

    #[test]
    fn who_keeps_trying_stays_blocked_whatever_others_do() {
        let mut throttle = throttle(ThrottleLimits { failures: 1, ..LIMITS });
        throttle.failed(key("192.0.2.1", ""), at(0.0));
        for n in 0..100_000_u32 {
            let source = Some(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)));
            throttle.failed(ThrottleKey { source, ..key("", "") }, at(0.0));
            if n % 1_000 == 0 {
                assert!(throttle.blocked_for(key("192.0.2.1", ""), at(1.0)).is_some(), "after {n}");
            }
        }
    }

    #[test]
    fn many_failures_of_one_take_a_bounded_room() {
        let mut throttle = throttle(ThrottleLimits { failures: 1_000, ..LIMITS });
        for n in 0..999_u32 {
            throttle.failed(key("192.0.2.1", ""), at(f64::from(n) * 0.01));
        }
        assert!(throttle.failing.bytes() <= 1024 * size_of::<NumericDate>() + OVERHEAD);
        assert_eq!(throttle.blocked_for(key("192.0.2.1", ""), at(10.0)), None);
        throttle.failed(key("192.0.2.1", ""), at(10.0));
        assert_eq!(throttle.blocked_for(key("192.0.2.1", ""), at(10.0)), Some(300));
    }
}
