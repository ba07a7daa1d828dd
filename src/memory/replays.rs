//! Which proofs of possession were seen (RFC 9449 §11.1), so that each counts once.
//!
//! The room is bounded. What is forgotten for want of it counts as seen: a proof that is no younger than one that was
//! forgotten is taken for it.

use std::collections::HashSet;

use super::later;
use crate::numeric_date::NumericDate;

/// The most proofs in each of two generations: at most about 2 MiB for both, and enough for 1,900 proofs in each second
/// of a minute.
const MAX_PROOFS: usize = 57_344;

/// The use of a proof.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProofUse {
    /// What no two proofs have in common.
    pub id: u128,
    /// When the proof was made, as it says.
    pub made: NumericDate,
}

/// The proofs that were seen.
pub struct Replays {
    young: Generation,
    old: Generation,
    max: usize,
    /// Of the proofs that were made until then some have been forgotten.
    forgotten: Option<NumericDate>,
}

#[derive(Default)]
struct Generation {
    seen: HashSet<u128>,
    /// When the latest of them was made.
    latest: Option<NumericDate>,
}

impl Default for Replays {
    fn default() -> Self {
        Replays::with_room_for(MAX_PROOFS)
    }
}

impl Replays {
    fn with_room_for(max: usize) -> Self {
        Replays { young: Generation::default(), old: Generation::default(), max, forgotten: None }
    }

    /// Whether the proof was not seen before. It is not yet noted: that is for the end of a decision, since one decision
    /// may look at a proof several times.
    pub fn is_new(&self, proof: &ProofUse) -> bool {
        !self.young.seen.contains(&proof.id)
            && !self.old.seen.contains(&proof.id)
            && self.forgotten.is_none_or(|until| proof.made > until)
    }

    /// Notes the use of a proof.
    pub fn note(&mut self, proof: ProofUse) {
        if self.young.seen.len() >= self.max {
            let dropped = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.forgotten = later(self.forgotten, dropped.latest);
        }
        self.young.latest = later(self.young.latest, Some(proof.made));
        self.young.seen.insert(proof.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(id: u32, made: f64) -> ProofUse {
        ProofUse { id: id.into(), made: NumericDate::from_seconds(made).unwrap() }
    }

    #[test]
    fn a_proof_counts_once() {
        let mut replays = Replays::default();
        for (proof, expected) in
            [(proof(1, 10.0), true), (proof(2, 10.0), true), (proof(1, 10.0), false), (proof(1, 99.0), false)]
        {
            assert_eq!(replays.is_new(&proof), expected, "{proof:?}");
            replays.note(proof);
        }
    }

    #[test]
    fn what_is_forgotten_counts_as_seen() {
        let mut replays = Replays::with_room_for(10);
        let made = |id: u32| proof(id, f64::from(id));
        for id in 0..100 {
            assert!(replays.is_new(&made(id)), "{id}");
            replays.note(made(id));
            assert!(replays.young.seen.len() + replays.old.seen.len() <= 20);
        }
        for id in 0..100 {
            assert!(!replays.is_new(&made(id)), "{id} again");
        }
        // Never seen, but as old as some that are forgotten; and younger than all of those.
        assert!(!replays.is_new(&proof(1000, 3.0)));
        assert!(replays.is_new(&proof(1000, 95.0)));
    }

    #[test]
    fn proofs_that_are_noted_twice_take_one_place() {
        let mut replays = Replays::with_room_for(10);
        for _ in 0..100 {
            replays.note(proof(1, 1.0));
        }
        assert!(replays.is_new(&proof(2, 1.0)));
        assert!(!replays.is_new(&proof(1, 1.0)));
    }
}
