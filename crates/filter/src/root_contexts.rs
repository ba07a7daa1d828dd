//! Values of the live root contexts. Several root contexts may share a VM; each has an id, and no root context sees
//! another's value.
//!
//! A host reports a dropped root context through `proxy_on_delete`, but only if it also calls into the VM at the end of
//! every request. That costs more than the rest of a request. Instead, a root context that no longer ticks is
//! considered dropped, since all root contexts tick at similar intervals.

use std::collections::BTreeMap;
use std::rc::Rc;

/// One value for each root context.
pub struct RootContexts<T> {
    slots: BTreeMap<u32, Slot<T>>,
    /// Number of rounds so far. A round ends when a root context ticks for the second time in it. By then every live
    /// root context has ticked too, or does so within a few rounds if others tick more often. Dropped root contexts do
    /// not make a round longer.
    round: u64,
}

struct Slot<T> {
    /// Absent if the configuration was rejected.
    value: Option<Rc<T>>,
    /// Round of the last tick.
    ticked: u64,
}

impl<T> RootContexts<T> {
    /// Creates an empty set.
    pub const fn new() -> Self {
        RootContexts { slots: BTreeMap::new(), round: 0 }
    }

    /// Replaces the value of a root context; `None` clears it.
    pub fn put(&mut self, root: u32, value: Option<T>) {
        self.slots.insert(root, Slot { value: value.map(Rc::new), ticked: self.round });
    }

    /// Returns the value of a root context.
    pub fn of(&self, root: u32) -> Option<Rc<T>> {
        self.slots.get(&root)?.value.clone()
    }

    /// Returns the values of all root contexts.
    pub fn all(&self) -> impl Iterator<Item = Rc<T>> {
        self.slots.values().filter_map(|slot| slot.value.clone())
    }

    /// Returns the values of root contexts that have missed several ticks. Live root contexts do not miss so many, so
    /// these will be dropped soon.
    pub fn silent(&self) -> impl Iterator<Item = Rc<T>> {
        const ROUNDS: u64 = 8;
        let is_silent = |slot: &&Slot<T>| self.round - slot.ticked > ROUNDS;
        self.slots.values().filter(is_silent).filter_map(|slot| slot.value.clone())
    }

    /// Counts a tick of `root`, and drops root contexts that have not ticked for 60 rounds. Each root context ticks at
    /// least once a second, so that is at most a minute, and 15 seconds if a root context ticks four times a second.
    /// Returns the values of the dropped root contexts.
    pub fn tick(&mut self, root: u32) -> Vec<Rc<T>> {
        const ROUNDS: u64 = 60;
        if let Some(slot) = self.slots.get_mut(&root) {
            if slot.ticked == self.round {
                self.round += 1;
            }
            slot.ticked = self.round;
        }
        let mut forgotten = Vec::new();
        self.slots.retain(|_, slot| {
            let lives = self.round - slot.ticked <= ROUNDS;
            if !lives {
                forgotten.extend(slot.value.take());
            }
            lives
        });
        forgotten
    }
}

impl<T> Default for RootContexts<T> {
    fn default() -> Self {
        RootContexts::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(roots: &RootContexts<u32>) -> Vec<u32> {
        roots.all().map(|value| *value).collect()
    }

    fn of(ids: &[u32]) -> RootContexts<u32> {
        let mut roots = RootContexts::new();
        ids.iter().for_each(|id| roots.put(*id, Some(*id)));
        roots
    }

    #[test]
    fn who_ticks_lives_and_who_does_not_is_forgotten_after_a_minute() {
        let mut roots = of(&[1, 2, 3]);
        for _ in 0..1000 {
            [1, 2, 3].iter().for_each(|id| drop(roots.tick(*id)));
        }
        assert_eq!(alive(&roots), [1, 2, 3]);
        assert_eq!(roots.silent().count(), 0);
        let mut forgotten = Vec::new();
        for second in 0..200 {
            assert_eq!(roots.silent().count(), usize::from((9..=60).contains(&second)), "{second}");
            [1, 3].iter().for_each(|id| forgotten.extend(roots.tick(*id)));
            assert!(second >= 60 || roots.of(2).is_some(), "{second}");
        }
        assert_eq!(forgotten, [Rc::new(2)]);
        assert_eq!(alive(&roots), [1, 3]);
        assert!(roots.of(2).is_none());
    }

    #[test]
    fn configurations_that_follow_each_other_fast_do_not_pile_up() {
        let mut roots = of(&[0]);
        for id in 1..5000 {
            roots.put(id, Some(id));
            // The last root context still serves for a moment, and root 0 is never replaced.
            [0, id - 1, id].iter().for_each(|id| drop(roots.tick(*id)));
            assert!(roots.of(0).is_some() && roots.of(id).is_some());
            assert!(alive(&roots).len() < 70, "{} after {id}", alive(&roots).len());
        }
    }

    #[test]
    fn who_ticks_more_seldom_than_others_lives() {
        let mut roots = of(&[1, 2, 3]);
        for quarter in 0..10_000 {
            drop(roots.tick(1));
            drop(roots.tick(3));
            if quarter % 4 == 0 {
                drop(roots.tick(2));
            }
            assert_eq!(roots.silent().count(), 0);
        }
        assert_eq!(alive(&roots), [1, 2, 3]);
    }

    #[test]
    fn a_worker_that_was_blocked_drops_nobody() {
        // After a long pause every timer fires once, in any order.
        let mut roots = of(&[1, 2, 3, 4]);
        for _ in 0..50 {
            [4, 3, 2, 1].iter().for_each(|id| drop(roots.tick(*id)));
            [1, 2, 3, 4].iter().for_each(|id| drop(roots.tick(*id)));
            assert_eq!(roots.silent().count(), 0);
        }
        assert_eq!(alive(&roots), [1, 2, 3, 4]);
    }

    #[test]
    fn a_host_without_timers_drops_nobody_and_a_lone_root_lives() {
        assert_eq!(alive(&of(&[1, 2])), [1, 2]);
        let mut roots = of(&[7]);
        (0..10_000).for_each(|_| drop(roots.tick(7)));
        assert_eq!(alive(&roots), [7]);
    }

    #[test]
    fn a_refused_configuration_takes_the_place_of_the_last() {
        let mut roots = of(&[1]);
        roots.put(1, None);
        assert!(roots.of(1).is_none());
        roots.put(1, Some(5));
        assert_eq!(roots.of(1).as_deref(), Some(&5));
    }
}
