//! All configurations that share this VM, with their state.

use std::cell::RefCell;
use std::rc::Rc;

use super::calls::Calls;
use super::metrics::Metrics;
use super::signatures::Signatures;
use crate::log_limit::LogLimit;
use crate::policy::Policy;
use crate::roots::Roots;
use crate::state::State;

/// A configuration that was accepted, and its state.
pub struct Gate {
    /// What requests need.
    pub policy: Policy,
    /// What is remembered of credentials, and what was learnt.
    pub state: RefCell<State>,
    /// What was asked of others.
    pub calls: RefCell<Calls>,
    /// What is counted.
    pub metrics: RefCell<Metrics>,
    /// How much is logged of requests in shadow.
    pub shadow_log: RefCell<LogLimit>,
    /// How much is logged of what clients can bring about again and again.
    pub log: RefCell<LogLimit>,
    /// Who verifies signatures.
    pub signatures: Signatures,
}

thread_local! {
    static GATES: RefCell<Roots<Gate>> = const { RefCell::new(Roots::new()) };
}

/// Puts a configuration in the place of the root's last one; `None` where it was refused.
pub fn put(root: u32, gate: Option<Gate>) {
    GATES.with_borrow_mut(|gates| gates.put(root, gate));
}

/// The configuration of a root, if it was accepted.
pub fn of(root: u32) -> Option<Rc<Gate>> {
    GATES.with_borrow(|gates| gates.of(root))
}

/// All configurations.
pub fn all() -> Vec<Rc<Gate>> {
    GATES.with_borrow(|gates| gates.all().collect())
}

/// How many rules of all configurations are in shadow.
pub fn shadowed_rules() -> usize {
    GATES.with_borrow(|gates| gates.all().map(|gate| gate.policy.shadowed_rules()).sum())
}

/// Counts a tick of a root, and gives the configurations that are out of force since.
pub fn tick(root: u32) -> Vec<Rc<Gate>> {
    GATES.with_borrow_mut(|gates| gates.tick(root))
}

/// Configurations that are out of force, as good as certainly.
pub fn silent() -> Vec<Rc<Gate>> {
    GATES.with_borrow(|gates| gates.silent().collect())
}
