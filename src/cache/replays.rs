//! Seen proofs of possession ([RFC 9449 §11.1](https://www.rfc-editor.org/rfc/rfc9449#section-11.1)), so that each is
//! accepted once.
//!
//! The store is bounded, and proofs are evicted in order of use. After an eviction, proofs no newer than the newest
//! evicted one count as used. If proofs dated in the future were evicted too, a client could move that bound ahead of
//! the clock, and the proofs of all other clients would count as used. Therefore proofs dated in the future are stored
//! separately until the clock reaches them. They are never evicted; if there is no room for another, in total or for
//! one key, a proof dated in the future is rejected.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::later;
use crate::timestamp::NumericDate;

/// Maximum number of proofs in each of two generations: at most about 2 MiB for both, and enough for 1,900 proofs a
/// second over one minute.
const MAX_PROOFS: usize = 57_344;

/// Maximum number of proofs dated in the future, in total and for one key: at most about 3 MiB. One key has room for
/// 400 proofs a second from a clock that is 10 seconds ahead.
const MAX_AHEAD: usize = 28_672;
const MAX_AHEAD_OF_KEY: usize = 4_096;

/// Time by which a proof may be dated in the future and still count as present. Synchronized clocks differ by less.
const PRESENT: Duration = Duration::from_secs(1);

/// The use of a proof.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JtiUse {
    /// Unique identifier of the proof.
    pub id: u128,
    /// Unique identifier of the key that made the proof.
    pub key: u64,
    /// Time at which the proof was made, according to the proof.
    pub made: NumericDate,
    /// Time of use.
    pub used: NumericDate,
}

impl JtiUse {
    fn is_ahead(&self) -> bool {
        self.made.since(self.used) > PRESENT
    }
}

/// Reason why a proof cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// The proof has been used, or may have been.
    Used,
    /// The proof is dated in the future, and there is no room for more of those.
    TooManyAhead,
}

/// The store of seen proofs.
pub struct ReplayCache {
    young: Generation,
    old: Generation,
    max: usize,
    /// Creation time of the newest evicted proof.
    forgotten: Option<NumericDate>,
    ahead: Ahead,
}

#[derive(Default)]
struct Generation {
    seen: HashSet<u128>,
    /// Creation time of the newest proof of the generation.
    newest: Option<NumericDate>,
}

impl Default for ReplayCache {
    fn default() -> Self {
        ReplayCache::with_room_for(MAX_PROOFS, MAX_AHEAD, MAX_AHEAD_OF_KEY)
    }
}

impl ReplayCache {
    pub(crate) fn with_room_for(max: usize, max_ahead: usize, max_ahead_of_key: usize) -> Self {
        ReplayCache {
            young: Generation::default(),
            old: Generation::default(),
            max,
            forgotten: None,
            ahead: Ahead { max: max_ahead, max_of_key: max_ahead_of_key, ..Ahead::default() },
        }
    }

    /// Checks that the proof was not used before, without storing it. The decision stores it at its end, since it may
    /// check one proof several times.
    ///
    /// # Errors
    /// Fails if the proof has or may have been used, or if there is no room for it.
    pub fn check(&self, proof: &JtiUse) -> Result<(), Replay> {
        if self.young.seen.contains(&proof.id)
            || self.old.seen.contains(&proof.id)
            || self.ahead.seen.contains(&proof.id)
            || self.forgotten.is_some_and(|until| proof.made <= until)
        {
            return Err(Replay::Used);
        }
        if proof.is_ahead() && !self.ahead.has_room_for(proof.key) {
            return Err(Replay::TooManyAhead);
        }
        Ok(())
    }

    /// Stores the use of a proof that passed [`ReplayCache::check`].
    pub fn note(&mut self, proof: JtiUse) {
        while let Some((id, made)) = self.ahead.take_reached(proof.used) {
            self.insert(id, made);
        }
        if proof.is_ahead() {
            self.ahead.insert(proof);
        } else {
            self.insert(proof.id, proof.made);
        }
    }

    fn insert(&mut self, id: u128, made: NumericDate) {
        if self.young.seen.len() >= self.max {
            let dropped = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.forgotten = later(self.forgotten, dropped.newest);
        }
        self.young.newest = later(self.young.newest, Some(made));
        self.young.seen.insert(id);
    }
}

/// Proofs dated in the future.
#[derive(Default)]
struct Ahead {
    seen: HashSet<u128>,
    /// Grouped by the whole second in which they were made, the earliest first.
    seconds: VecDeque<(u64, Vec<Dated>)>,
    of_key: HashMap<u64, usize>,
    max: usize,
    max_of_key: usize,
}

struct Dated {
    id: u128,
    key: u64,
    made: NumericDate,
}

impl Ahead {
    fn has_room_for(&self, key: u64) -> bool {
        self.seen.len() < self.max && self.of_key.get(&key).is_none_or(|count| *count < self.max_of_key)
    }

    fn insert(&mut self, proof: JtiUse) {
        // One decision may store a proof twice.
        if !self.seen.insert(proof.id) {
            return;
        }
        *self.of_key.entry(proof.key).or_default() += 1;
        let second = proof.made.seconds() as u64; // saturates
        let at = self.seconds.partition_point(|(other, _)| *other < second);
        let JtiUse { id, key, made, .. } = proof;
        let proof = Dated { id, key, made };
        match self.seconds.get_mut(at) {
            Some((found, proofs)) if *found == second => proofs.push(proof),
            _ => self.seconds.insert(at, (second, vec![proof])),
        }
    }

    /// Removes one proof that the clock has reached.
    fn take_reached(&mut self, now: NumericDate) -> Option<(u128, NumericDate)> {
        let (second, proofs) = self.seconds.front_mut()?;
        // Only whole seconds are released, so that each proof is visited once.
        if *second as f64 + 1.0 > now.seconds() {
            return None;
        }
        let proof = proofs.pop();
        if proofs.is_empty() {
            self.seconds.pop_front();
        }
        let proof = proof?;
        self.seen.remove(&proof.id);
        if let Some(count) = self.of_key.get_mut(&proof.key) {
            *count -= 1;
            if *count == 0 {
                self.of_key.remove(&proof.key);
            }
        }
        Some((proof.id, proof.made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(seconds).unwrap()
    }

    /// A proof of key 1, used when it was made.
    fn proof(id: u32, made: f64) -> JtiUse {
        JtiUse { id: id.into(), key: 1, made: at(made), used: at(made) }
    }

    /// Checks and stores a proof.
    fn take(replays: &mut ReplayCache, proof: JtiUse) -> Result<(), Replay> {
        replays.check(&proof)?;
        replays.note(proof);
        Ok(())
    }

    #[test]
    fn a_proof_counts_once() {
        let mut replays = ReplayCache::default();
        for (proof, expected) in [
            (proof(1, 10.0), Ok(())),
            (proof(2, 10.0), Ok(())),
            (proof(1, 10.0), Err(Replay::Used)),
            (proof(1, 99.0), Err(Replay::Used)),
        ] {
            assert_eq!(replays.check(&proof), expected, "{proof:?}");
            replays.note(proof);
        }
    }

    #[test]
    fn what_is_forgotten_counts_as_seen() {
        let mut replays = ReplayCache::with_room_for(10, 10, 10);
        let made = |id: u32| proof(id, f64::from(id));
        for id in 0..100 {
            assert_eq!(take(&mut replays, made(id)), Ok(()), "{id}");
            assert!(replays.young.seen.len() + replays.old.seen.len() <= 20);
        }
        for id in 0..100 {
            assert_eq!(replays.check(&made(id)), Err(Replay::Used), "{id} again");
        }
        // Never seen, but as old as some evicted proofs; and newer than all of those.
        assert_eq!(replays.check(&proof(1000, 3.0)), Err(Replay::Used));
        assert_eq!(replays.check(&proof(1000, 95.0)), Ok(()));
    }

    /// The bound is the newest proof of an evicted generation, not the last, and never decreases.
    #[test]
    fn proofs_that_come_out_of_order_are_forgotten_by_the_newest() {
        let mut replays = ReplayCache::with_room_for(10, 10, 10);
        for id in 0..10 {
            assert_eq!(take(&mut replays, proof(id, 100.0 - f64::from(id))), Ok(()));
        }
        for id in 10..30 {
            replays.note(proof(id, 1.0));
        }
        for id in 0..10 {
            let made = 100.0 - f64::from(id);
            assert_eq!(replays.check(&proof(id, made)), Err(Replay::Used), "{id}");
        }
        for id in 30..60 {
            replays.note(proof(id, 1.0));
        }
        assert_eq!(replays.check(&proof(0, 100.0)), Err(Replay::Used));
        assert_eq!(replays.check(&proof(1000, 100.5)), Ok(()));
    }

    #[test]
    fn proofs_that_are_noted_twice_take_one_place() {
        for ahead in [0.0, 5.0] {
            let mut replays = ReplayCache::with_room_for(10, 10, 10);
            let used = |id: u32| JtiUse { made: at(100.0 + ahead), ..proof(id, 100.0) };
            for _ in 0..100 {
                replays.note(used(1));
            }
            assert_eq!(replays.check(&used(2)), Ok(()));
            assert_eq!(replays.check(&used(1)), Err(Replay::Used));
        }
    }

    #[test]
    fn proofs_that_are_dated_ahead_have_a_bounded_room_and_leave_it_in_time() {
        let mut replays = ReplayCache::with_room_for(1000, 30, 10);
        let ahead = |id: u32, key: u64, made: f64, used: f64| JtiUse {
            id: id.into(),
            key,
            made: at(made),
            used: at(used),
        };
        // Up to a second in the future, proofs count as present.
        for id in 0..100 {
            assert_eq!(take(&mut replays, ahead(id, 1, 101.0, 100.0)), Ok(()));
        }
        for id in 100..110 {
            assert_eq!(take(&mut replays, ahead(id, 1, 109.5, 100.0)), Ok(()));
        }
        assert_eq!(replays.check(&ahead(110, 1, 102.0, 100.0)), Err(Replay::TooManyAhead), "of one key");
        assert_eq!(replays.check(&ahead(110, 1, 100.0, 100.0)), Ok(()), "from now");
        for (key, id) in [(2, 120), (3, 140)] {
            for id in id..id + 10 {
                assert_eq!(take(&mut replays, ahead(id, key, 105.5, 100.0)), Ok(()));
            }
        }
        assert_eq!(replays.check(&ahead(110, 4, 102.0, 100.0)), Err(Replay::TooManyAhead), "of all");
        // Time passes: the proofs of keys 2 and 3 are not in the future any more, and still count as seen.
        replays.note(proof(200, 106.0));
        assert_eq!((replays.ahead.seen.len(), replays.ahead.of_key.len()), (10, 1));
        assert_eq!(replays.check(&ahead(110, 4, 109.0, 106.0)), Ok(()));
        assert_eq!(replays.check(&ahead(110, 1, 109.0, 106.0)), Err(Replay::TooManyAhead));
        for id in (100..110).chain(120..130).chain(140..150) {
            assert_eq!(replays.check(&ahead(id, 9, 105.5, 106.0)), Err(Replay::Used), "{id}");
        }
        replays.note(proof(201, 111.0));
        assert!(replays.ahead.seen.is_empty() && replays.ahead.of_key.is_empty());
        assert!(replays.ahead.seconds.is_empty());
        assert_eq!(replays.check(&ahead(105, 1, 109.5, 111.0)), Err(Replay::Used));
    }

    /// One key makes 5,734 proofs a second, dated in the future by the allowed maximum or less. Clients with correct,
    /// slow and fast clocks are not affected.
    #[test]
    fn a_flood_of_one_key_locks_nobody_else_out() {
        const RATE: u32 = 5_734;
        for ahead in [0.0, 0.999, 1.5, 10.0] {
            let mut replays = ReplayCache::default();
            let mut used: Vec<JtiUse> = Vec::new();
            let (mut id, mut own) = (0_u128, 0);
            for tick in 0..35 * RATE {
                let now = at(1e9 + f64::from(tick) / f64::from(RATE));
                let mut next = |key: u64, shift: f64| {
                    id += 1;
                    JtiUse { id, key, made: at(now.seconds() + shift), used: now }
                };
                let flood = next(0, ahead);
                if take(&mut replays, flood).is_ok() {
                    own += 1;
                    if tick % 997 == 0 {
                        used.push(flood);
                    }
                }
                if tick % 573 == 0 {
                    for (key, shift) in [(1, 0.0), (2, -5.0), (3, 0.9), (4, 5.0), (5, 9.9)] {
                        let honest = next(key, shift);
                        assert_eq!(take(&mut replays, honest), Ok(()), "{ahead} s ahead, clock {shift}");
                        used.push(honest);
                    }
                }
                if tick % 3001 == 0 {
                    let again = |proof: &JtiUse| replays.check(&JtiUse { used: now, ..*proof });
                    assert!(used.iter().all(|proof| again(proof) == Err(Replay::Used)));
                }
            }
            assert!(own > 4_000, "{own}");
            let kept = replays.young.seen.len() + replays.old.seen.len() + replays.ahead.seen.len();
            assert!(kept <= 2 * MAX_PROOFS + MAX_AHEAD);
        }
    }

    /// The same with many keys: clients with correct clocks are not affected.
    #[test]
    fn a_flood_of_many_keys_locks_out_clocks_that_are_ahead_at_the_most() {
        let mut replays = ReplayCache::default();
        let mut refused = 0;
        for tick in 0..300_000_u32 {
            let now = at(1e9 + f64::from(tick) / 5_734.0);
            let flood = JtiUse {
                id: u128::from(tick),
                key: u64::from(tick % 1000),
                made: now.plus(Duration::from_secs(10)),
                used: now,
            };
            let _ = take(&mut replays, flood);
            if tick % 573 == 0 {
                let honest = |shift: f64, key: u64| {
                    let id = (1 << 64) + (u128::from(tick) << 8) + u128::from(key);
                    JtiUse { id, key, made: at(now.seconds() + shift), used: now }
                };
                assert_eq!(take(&mut replays, honest(0.0, 2001)), Ok(()));
                assert_eq!(take(&mut replays, honest(-5.0, 2002)), Ok(()));
                refused += u32::from(take(&mut replays, honest(5.0, 2003)) == Err(Replay::TooManyAhead));
            }
        }
        assert!(refused > 0);
        assert!(replays.ahead.seen.len() <= MAX_AHEAD);
    }

    /// Proofs that seem far in the future after the clock was set back are kept until the clock reaches them again.
    #[test]
    fn a_clock_that_is_set_back_forgets_nothing() {
        let mut replays = ReplayCache::with_room_for(10, 10, 10);
        assert_eq!(take(&mut replays, proof(1, 5000.0)), Ok(()));
        assert_eq!(take(&mut replays, JtiUse { made: at(5005.0), ..proof(2, 5000.0) }), Ok(()));
        for id in 3..8 {
            assert_eq!(take(&mut replays, proof(id, 1000.0 + f64::from(id))), Ok(()), "{id}");
        }
        assert_eq!(replays.check(&proof(1, 5000.0)), Err(Replay::Used));
        assert_eq!(replays.check(&JtiUse { made: at(5005.0), ..proof(2, 5006.0) }), Err(Replay::Used));
    }
}
