//! Which configurations are alive. Several may share a VM, each under the id of its root context; none sees another's.
//!
//! A host says that it dropped a root through `proxy_on_delete`, but only if it also enters the VM at the end of every
//! request, which costs more than a request needs here. So roots are told dead by their silence: all tick alike.

use std::collections::BTreeMap;
use std::rc::Rc;

/// What belongs to each root.
pub struct RootContexts<T> {
    slots: BTreeMap<u32, Slot<T>>,
    /// A round ends when a root ticks that has ticked in it already; who lives has by then ticked too, or will in one of
    /// the next few, where others tick more often. However many have died, a round takes no longer.
    round: u64,
}

struct Slot<T> {
    /// Absent where the configuration was refused.
    value: Option<Rc<T>>,
    /// The round in which it ticked last.
    ticked: u64,
}

impl<T> RootContexts<T> {
    /// No roots.
    pub const fn new() -> Self {
        RootContexts { slots: BTreeMap::new(), round: 0 }
    }

    /// Puts a value in the place of the root's last one; `None` takes nothing for it.
    pub fn put(&mut self, root: u32, value: Option<T>) {
        self.slots.insert(root, Slot { value: value.map(Rc::new), ticked: self.round });
    }

    /// What belongs to a root.
    pub fn of(&self, root: u32) -> Option<Rc<T>> {
        self.slots.get(&root)?.value.clone()
    }

    /// What belongs to any.
    pub fn all(&self) -> impl Iterator<Item = Rc<T>> {
        self.slots.values().filter_map(|slot| slot.value.clone())
    }

    /// What belongs to roots that have missed several ticks, as those that live do not: to be forgotten soon.
    pub fn silent(&self) -> impl Iterator<Item = Rc<T>> {
        const ROUNDS: u64 = 8;
        let is_silent = |slot: &&Slot<T>| self.round - slot.ticked > ROUNDS;
        self.slots.values().filter(is_silent).filter_map(|slot| slot.value.clone())
    }

    /// Counts a tick of `root`, of which each has one a second or more, and forgets the roots that have not ticked for so
    /// many rounds: a minute, or a quarter of one where a root ticks four times a second. Gives what belonged to them.
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
            // The last one still serves for a moment, and one is never replaced.
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
        // Behind a long pause every timer fires once, in any order.
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
