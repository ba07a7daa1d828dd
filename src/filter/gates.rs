//! All configurations that share this VM, by the id of their root context. None sees another's state.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::signatures::Signatures;
use crate::memory::Memory;
use crate::policy::Policy;

/// A configuration that was accepted, and its state.
pub struct Gate {
    /// What requests need.
    pub policy: Policy,
    /// What is remembered of credentials.
    pub memory: RefCell<Memory>,
    /// Who verifies signatures.
    pub signatures: Signatures,
}

struct Slot {
    /// Absent where the configuration was refused.
    gate: Option<Rc<Gate>>,
    /// Ticks of any root since this one's last.
    missed_ticks: u32,
}

thread_local! {
    static GATES: RefCell<BTreeMap<u32, Slot>> = const { RefCell::new(BTreeMap::new()) };
}

/// Puts a configuration in the place of the root's last one.
pub fn put(root: u32, gate: Option<Gate>) {
    let slot = Slot { gate: gate.map(Rc::new), missed_ticks: 0 };
    GATES.with(|gates| {
        if let Ok(mut gates) = gates.try_borrow_mut() {
            gates.insert(root, slot);
        }
    });
}

/// The configuration of a root, if it was accepted.
pub fn of(root: u32) -> Option<Rc<Gate>> {
    GATES.with(|gates| gates.try_borrow().ok()?.get(&root)?.gate.clone())
}

/// All configurations.
pub fn all() -> Vec<Rc<Gate>> {
    GATES.with(|gates| {
        let Ok(gates) = gates.try_borrow() else { return Vec::new() };
        gates.values().filter_map(|slot| slot.gate.clone()).collect()
    })
}

/// Counts a tick of `root`, and forgets the roots that the host has dropped: all tick alike, so one that has missed what
/// amounts to a minute of everybody's ticks has no timer any more.
///
/// The host would say so itself through `proxy_on_delete`, but only if it also entered the VM at the end of every
/// request, which costs more than all that a request needs here.
pub fn tick(root: u32) {
    const MINUTE: u32 = 60;
    GATES.with(|gates| {
        let Ok(mut gates) = gates.try_borrow_mut() else { return };
        let limit = u32::try_from(gates.len()).unwrap_or(u32::MAX).saturating_mul(MINUTE);
        for (id, slot) in gates.iter_mut() {
            slot.missed_ticks = if *id == root { 0 } else { slot.missed_ticks.saturating_add(1) };
        }
        gates.retain(|_, slot| slot.missed_ticks <= limit);
    });
}
