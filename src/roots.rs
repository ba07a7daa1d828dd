//! Which configurations are alive. Several may share a VM, each under the id of its root context; none sees another's.
//!
//! A host says that it dropped a root through `proxy_on_delete`, but only if it also enters the VM at the end of every
//! request, which costs more than a request needs here. So roots are told dead by their silence: all tick alike.

use std::collections::BTreeMap;
use std::rc::Rc;

/// What belongs to each root.
pub struct Roots<T> {
    slots: BTreeMap<u32, Slot<T>>,
}

struct Slot<T> {
    /// Absent where the configuration was refused.
    value: Option<Rc<T>>,
    /// Ticks of any root since this one's last.
    missed_ticks: u32,
}

impl<T> Roots<T> {
    /// No roots.
    pub const fn new() -> Self {
        Roots { slots: BTreeMap::new() }
    }

    /// Puts a value in the place of the root's last one; `None` takes nothing for it.
    pub fn put(&mut self, root: u32, value: Option<T>) {
        self.slots.insert(root, Slot { value: value.map(Rc::new), missed_ticks: 0 });
    }

    /// What belongs to a root.
    pub fn of(&self, root: u32) -> Option<Rc<T>> {
        self.slots.get(&root)?.value.clone()
    }

    /// What belongs to any.
    pub fn all(&self) -> impl Iterator<Item = Rc<T>> {
        self.slots.values().filter_map(|slot| slot.value.clone())
    }

    /// Counts a tick of `root`, of which each has one a second or more, and forgets the roots that have missed what
    /// amounts to a minute of everybody's. Gives what belonged to them.
    pub fn tick(&mut self, root: u32) -> Vec<Rc<T>> {
        const MINUTE: u32 = 60;
        let limit = u32::try_from(self.slots.len()).unwrap_or(u32::MAX).saturating_mul(MINUTE);
        for (id, slot) in &mut self.slots {
            slot.missed_ticks = if *id == root { 0 } else { slot.missed_ticks.saturating_add(1) };
        }
        let mut forgotten = Vec::new();
        self.slots.retain(|_, slot| {
            let lives = slot.missed_ticks <= limit;
            if !lives {
                forgotten.extend(slot.value.take());
            }
            lives
        });
        forgotten
    }
}

impl<T> Default for Roots<T> {
    fn default() -> Self {
        Roots::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(roots: &Roots<u32>) -> Vec<u32> {
        roots.all().map(|value| *value).collect()
    }

    fn of(ids: &[u32]) -> Roots<u32> {
        let mut roots = Roots::new();
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
        let mut forgotten = Vec::new();
        for second in 0..200 {
            [1, 3].iter().for_each(|id| forgotten.extend(roots.tick(*id)));
            assert!(second > 60 || roots.of(2).is_some(), "{second}");
        }
        assert_eq!(forgotten, [Rc::new(2)]);
        assert_eq!(alive(&roots), [1, 3]);
        assert!(roots.of(2).is_none());
    }

    #[test]
    fn a_worker_that_was_blocked_drops_nobody() {
        // Behind a long pause every timer fires once, in any order.
        let mut roots = of(&[1, 2, 3, 4]);
        for _ in 0..50 {
            [4, 3, 2, 1].iter().for_each(|id| drop(roots.tick(*id)));
            [1, 2, 3, 4].iter().for_each(|id| drop(roots.tick(*id)));
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
