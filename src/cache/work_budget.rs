//! The share of a worker's time for one kind of expensive check (slow password hashes, signatures that are verified in
//! software), divided between sources.
//!
//! The budget grows with the time that passes, at the configured share, up to the growth of `SAVED` seconds. Each check
//! is charged the time that it took. A check is admitted while the budget is above its source's *floor*:
//!
//! | source | floor, as part of the maximum |
//! | --- | ---: |
//! | had a success within the last hour, and no failure within the last ten minutes | 0 |
//! | neither, or both | a quarter |
//! | had a failure within the last ten minutes, and no success within the last hour | two thirds |
//! | any, by the time that it has used and not yet paid back at the share's rate | that time, up to three quarters |
//!
//! A single source may use the whole share, but it always leaves a quarter of the maximum to sources without failures,
//! which also come first for new budget. Sources with failures, however many, cannot go below two thirds. An attacker with
//! so many fresh addresses that each fails once can use everything but the last quarter, which is reserved for sources
//! that have presented a valid credential before.
//!
//! The last check may take more than was left, so an idle worker does any check, however slow.

use std::time::Duration;

use super::SourceId;
use super::throttle::whole_seconds;
use super::two_generation::{Entry, OVERHEAD, TwoGenerationCache};
use crate::timestamp::NumericDate;

/// Time in which the budget grows to its maximum. With a share of a fifth the maximum is two seconds, or forty
/// hashes with bcrypt cost 10. Once, at the start of a flood, a worker may spend a part of that without interruption.
const SAVED: Duration = Duration::from_secs(10);

/// Maximum charge for one check. No allowed check takes longer; a longer measurement means that the clock was set.
const LONGEST: Duration = Duration::from_secs(5);

/// Floors, as parts of the maximum.
const NEWCOMER_FLOOR: f64 = 0.25;
const FAILED_FLOOR: f64 = 2.0 / 3.0;
const HIGHEST_FLOOR: f64 = 0.75;

/// Time for which a failure and a success count.
const FAILURE_COUNTS: Duration = Duration::from_secs(600);
const SUCCESS_COUNTS: Duration = Duration::from_secs(3600);

/// Maximum number of sources with used time, and of sources with a success.
const MAX_SOURCES: usize = 8_192;

/// The budget for one kind of check, and the time that each source has used. Amounts are seconds as numbers, since they
/// are parts of the passing time and may be negative.
pub struct WorkBudget {
    share: f64,
    /// The maximum.
    most: f64,
    /// The budget; negative if the last check took more than was left.
    left: f64,
    /// Time of the last refill.
    seen: Option<NumericDate>,
    accounts: TwoGenerationCache<Account>,
    /// Sources that succeeded. Stored separately, so that failures do not evict them.
    succeeded: TwoGenerationCache<()>,
}

/// Recent activity of one source.
#[derive(Clone, Copy)]
struct Account {
    /// Time used and not paid back, at `at`.
    used: f64,
    at: NumericDate,
    failed: Option<NumericDate>,
}

/// The budget above which a source's check is admitted. It has to exceed both parts.
struct Floor {
    /// The part for the source's successes and failures.
    base: f64,
    /// The time that the source has used and not paid back; at most [`HIGHEST_FLOOR`] counts.
    used: f64,
}

impl WorkBudget {
    /// Creates a budget with this share of the time, above 0; 1 is unlimited.
    pub fn new(share: f64) -> Self {
        let most = share * SAVED.as_secs_f64();
        let store = MAX_SOURCES * OVERHEAD;
        WorkBudget {
            share,
            most,
            left: most,
            seen: None,
            accounts: TwoGenerationCache::new(MAX_SOURCES, store),
            succeeded: TwoGenerationCache::new(MAX_SOURCES, store),
        }
    }

    /// True if no check is ever refused.
    pub fn is_unlimited(&self) -> bool {
        self.share >= 1.0
    }

    /// True if so little is left that some source could be refused.
    pub fn is_scarce(&mut self, now: NumericDate) -> bool {
        self.refill(now);
        !self.is_unlimited() && self.left <= HIGHEST_FLOOR * self.most
    }

    /// Admits or refuses a check for this source at this time, without changing anything.
    ///
    /// # Errors
    /// Returns the seconds after which it may run, if no other source comes first.
    pub fn try_acquire(&mut self, source: SourceId, now: NumericDate) -> Result<(), u32> {
        if self.is_unlimited() {
            return Ok(());
        }
        self.refill(now);
        let Floor { base, used } = self.floor(source, now);
        let highest = HIGHEST_FLOOR * self.most;
        if self.left > base.max(used.min(highest)) {
            return Ok(());
        }
        // The used time is paid back while the budget grows.
        let until_paid = (used - self.left) / (2.0 * self.share);
        let until_highest = (highest - self.left) / self.share;
        let until_base = (base - self.left) / self.share;
        Err(whole_seconds(until_base.max(until_paid.min(until_highest))))
    }

    /// Charges a source for a check that took this long.
    pub fn charge(&mut self, source: SourceId, duration: Duration, now: NumericDate) {
        if self.is_unlimited() {
            return;
        }
        let seconds = duration.min(LONGEST).as_secs_f64();
        self.left -= seconds;
        self.change(source, now, |account| account.used += seconds);
    }

    /// Records that a source presented a valid credential.
    pub fn note_success(&mut self, source: SourceId, now: NumericDate) {
        if !self.is_unlimited() {
            let until = now.plus(SUCCESS_COUNTS);
            self.succeeded.insert(source.0, Entry { value: (), since: NumericDate::EPOCH, until, bytes: 0 });
        }
    }

    /// Records that a check for this source found the credential invalid.
    pub fn note_failure(&mut self, source: SourceId, now: NumericDate) {
        if !self.is_unlimited() {
            self.change(source, now, |account| account.failed = Some(now));
        }
    }

    fn refill(&mut self, now: NumericDate) {
        let passed = self.seen.map_or(0.0, |seen| now.since(seen).as_secs_f64());
        self.seen = Some(now);
        self.left = (self.left + passed * self.share).min(self.most);
    }

    fn floor(&self, source: SourceId, now: NumericDate) -> Floor {
        let account = self.accounts.peek(source.0, now);
        let has_failed = account
            .and_then(|account| account.failed)
            .is_some_and(|failed| now.since(failed) < FAILURE_COUNTS);
        let has_succeeded = self.succeeded.peek(source.0, now).is_some();
        let floor = match (has_succeeded, has_failed) {
            (true, false) => 0.0,
            (false, false) | (true, true) => NEWCOMER_FLOOR,
            (false, true) => FAILED_FLOOR,
        };
        let used = account.map_or(0.0, |account| self.unpaid(account, now));
        Floor { base: floor * self.most, used }
    }

    fn unpaid(&self, account: &Account, now: NumericDate) -> f64 {
        let passed = now.since(account.at).as_secs_f64();
        (account.used - passed * self.share).max(0.0)
    }

    fn change(&mut self, source: SourceId, now: NumericDate, change: impl FnOnce(&mut Account)) {
        let account = self.accounts.take(source.0, now);
        let mut account = account.unwrap_or(Account { used: 0.0, at: now, failed: None });
        account.used = self.unpaid(&account, now);
        account.at = now;
        change(&mut account);
        account.used = account.used.min(self.most);
        // Until then a source has paid back what it used: the budget grows by as much in `SAVED`.
        let until = now.plus(FAILURE_COUNTS.max(SAVED));
        self.accounts.insert(source.0, Entry { value: account, since: NumericDate::EPOCH, until, bytes: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(1_700_000_000.0 + seconds).unwrap()
    }

    fn source(n: u32) -> SourceId {
        SourceId::of(&[7; 16], Some(IpAddr::V4(Ipv4Addr::from_bits(n))))
    }

    const ATTACKER: u32 = 1;
    const NEWCOMER: u32 = 2;

    /// Runs one check of `seconds` if it is admitted.
    fn check(budget: &mut WorkBudget, n: u32, now: f64, seconds: f64, is_valid: bool) -> Result<(), u32> {
        budget.try_acquire(source(n), at(now))?;
        budget.charge(source(n), Duration::from_secs_f64(seconds), at(now));
        if is_valid {
            budget.note_success(source(n), at(now));
        } else {
            budget.note_failure(source(n), at(now));
        }
        Ok(())
    }

    /// Makes wrong guesses from one source until it is refused. Returns the number of checks.
    fn exhaust(budget: &mut WorkBudget, n: u32, now: f64, seconds: f64) -> u32 {
        (0..10_000).take_while(|_| check(budget, n, now, seconds, false).is_ok()).count() as u32
    }

    /// Returns the seconds of checks that are done if each takes `hash` seconds and one is requested every `every`
    /// seconds.
    fn used(share: f64, hash: f64, every: f64, seconds: f64, who: impl Fn(u32) -> u32) -> f64 {
        let mut budget = WorkBudget::new(share);
        let (mut now, mut done, mut asked) = (0.0, 0.0, 0);
        while now < seconds {
            if check(&mut budget, who(asked), now, hash, false).is_ok() {
                now += hash;
                done += hash;
            }
            asked += 1;
            now += every;
        }
        done
    }

    #[test]
    fn a_flood_gets_the_share_and_what_was_saved_up_whether_of_one_source_or_of_many() {
        for (share, hash) in [(0.2, 0.05), (0.2, 0.4), (0.5, 0.05), (0.01, 0.05), (0.9, 0.05)] {
            for sources in [1, 1000, u32::MAX] {
                let found = used(share, hash, 0.002, 100.0, |asked| 10 + asked % sources);
                let expected = 100.0 * share;
                let most = expected + SAVED.as_secs_f64() * share + 2.0 * hash;
                assert!((0.95 * expected..=most).contains(&found), "{share} {hash} {sources}: {found}");
            }
        }
    }

    #[test]
    fn one_source_leaves_others_what_they_need() {
        let mut budget = WorkBudget::new(0.2);
        let first = exhaust(&mut budget, ATTACKER, 0.0, 0.05);
        assert!((10..=21).contains(&first), "{first}");
        // The flood lasts minutes; every half second another unknown source logs in, and none is refused.
        for n in 0..3_600 {
            let now = f64::from(n) * 0.1;
            let _ = exhaust(&mut budget, ATTACKER, now, 0.05);
            if n % 5 == 0 {
                assert_eq!(check(&mut budget, 1000 + n, now, 0.05, true), Ok(()), "{now}");
            }
        }
    }

    #[test]
    fn however_many_fail_who_has_not_failed_comes_first() {
        let mut budget = WorkBudget::new(0.2);
        // A hundred addresses with earlier failures.
        for n in 0..100 {
            budget.note_failure(source(100 + n), at(0.0));
        }
        let mut done = 0;
        for tenth in 0..900 {
            let now = f64::from(tenth) * 0.1;
            for n in 0..100 {
                done += u32::from(check(&mut budget, 100 + n, now, 0.05, false).is_ok());
            }
            if tenth % 10 == 0 {
                assert_eq!(check(&mut budget, 10_000 + tenth, now, 0.05, true), Ok(()), "{now}");
            }
        }
        assert!(done > 200, "{done}");
    }

    #[test]
    fn ten_thousand_fresh_addresses_leave_a_part_for_those_who_succeeded_before() {
        let mut budget = WorkBudget::new(0.2);
        budget.note_success(source(NEWCOMER), at(0.0));
        for n in 0..10_000 {
            let now = f64::from(n) * 0.05;
            let _ = check(&mut budget, 100 + n, now, 0.05, false);
            if n % 20 == 19 {
                assert_eq!(check(&mut budget, NEWCOMER, now, 0.05, true), Ok(()), "{now}");
            }
        }
        assert!(budget.try_acquire(source(50), at(500.0)).is_err(), "the flood was none");
        // A source that has failed since is treated like a newcomer.
        budget.note_failure(source(NEWCOMER), at(500.0));
        assert!(budget.try_acquire(source(NEWCOMER), at(500.0)).is_err());
        // A success counts for an hour.
        let mut budget = WorkBudget::new(0.2);
        budget.note_success(source(NEWCOMER), at(0.0));
        budget.charge(source(3), Duration::from_secs_f64(1.9), at(3599.0));
        assert_eq!(budget.try_acquire(source(NEWCOMER), at(3599.0)), Ok(()));
        assert!(budget.try_acquire(source(NEWCOMER), at(3600.0)).is_err());
    }

    #[test]
    fn a_failure_counts_for_ten_minutes() {
        for (later, expected) in [(0.0, false), (599.0, false), (600.0, true)] {
            let mut budget = WorkBudget::new(0.2);
            budget.note_failure(source(ATTACKER), at(0.0));
            budget.charge(source(3), Duration::from_secs_f64(1.2), at(later));
            assert_eq!(budget.try_acquire(source(ATTACKER), at(later)).is_ok(), expected, "{later}");
        }
    }

    #[test]
    fn success_does_not_undo_what_a_source_has_used() {
        let mut budget = WorkBudget::new(0.2);
        let mut done = 0;
        while check(&mut budget, ATTACKER, 0.0, 0.05, true).is_ok() {
            done += 1;
        }
        assert!((15..=21).contains(&done), "{done}");
        assert_eq!(budget.try_acquire(source(NEWCOMER), at(0.0)), Ok(()));
        // Of 2 seconds half a second is left. What is used, 1.5, is paid back while time comes in: both meet at 1.
        let mut budget = WorkBudget::new(0.2);
        budget.note_success(source(ATTACKER), at(0.0));
        budget.charge(source(ATTACKER), Duration::from_secs_f64(1.5), at(0.0));
        assert_eq!(budget.try_acquire(source(ATTACKER), at(0.0)), Err(3));
        assert!(budget.try_acquire(source(ATTACKER), at(2.4)).is_err());
        assert_eq!(budget.try_acquire(source(ATTACKER), at(2.6)), Ok(()));
    }

    #[test]
    fn all_of_the_time_is_no_limit() {
        let mut budget = WorkBudget::new(1.0);
        for _ in 0..1000 {
            assert_eq!(check(&mut budget, ATTACKER, 0.0, 1.0, false), Ok(()));
        }
        assert!(!budget.is_scarce(at(0.0)));
    }

    #[test]
    fn an_idle_worker_does_any_check_and_is_paid_back() {
        let mut budget = WorkBudget::new(0.001);
        assert_eq!(check(&mut budget, ATTACKER, 0.0, 4.5, false), Ok(()));
        // 4.49 seconds are missing, and the floors are 6.7 ms and 2.5 ms, at 1 ms a second.
        assert_eq!(budget.try_acquire(source(ATTACKER), at(0.0)), Err(4497));
        assert_eq!(budget.try_acquire(source(NEWCOMER), at(0.0)), Err(4493));
        assert_eq!(budget.try_acquire(source(NEWCOMER), at(4492.4)), Err(1));
        assert_eq!(budget.try_acquire(source(NEWCOMER), at(4492.6)), Ok(()));
        // The failure has expired by then.
        assert_eq!(budget.try_acquire(source(ATTACKER), at(4492.6)), Ok(()));
    }

    #[test]
    fn time_is_scarce_from_the_first_source_that_can_be_refused_on() {
        let mut budget = WorkBudget::new(0.2);
        assert!(!budget.is_scarce(at(0.0)));
        budget.charge(source(ATTACKER), Duration::from_secs_f64(0.49), at(0.0));
        assert!(!budget.is_scarce(at(0.0)));
        budget.charge(source(ATTACKER), Duration::from_secs_f64(0.02), at(0.0));
        assert!(budget.is_scarce(at(0.0)));
        assert!(!budget.is_scarce(at(0.1)));
    }

    #[test]
    fn a_clock_that_is_set_does_little_harm() {
        let mut budget = WorkBudget::new(0.2);
        budget.charge(source(ATTACKER), at(-100.0).since(at(0.0)), at(0.0));
        assert_eq!(budget.try_acquire(source(ATTACKER), at(-100.0)), Ok(()));
        budget.charge(source(ATTACKER), Duration::from_secs_f64(86_400.0), at(-100.0));
        // 3 seconds are missing, and a quarter of 2.
        assert_eq!(budget.try_acquire(source(NEWCOMER), at(-100.0)), Err(18));
        assert_eq!(budget.try_acquire(source(NEWCOMER), at(86_400.0)), Ok(()));
        budget.charge(source(ATTACKER), Duration::from_secs_f64(2.0), at(86_400.0));
        assert!(budget.try_acquire(source(NEWCOMER), at(86_400.0)).is_err(), "more was saved up than can be");
    }

    #[test]
    fn the_number_of_sources_is_bounded() {
        let mut budget = WorkBudget::new(0.2);
        for n in 0..100_000 {
            budget.note_failure(source(n), at(0.0));
            budget.note_success(source(n), at(0.0));
        }
        assert!(budget.accounts.count() <= MAX_SOURCES && budget.succeeded.count() <= MAX_SOURCES);
    }
}
