//! Publishes what was counted, from the tick: a counter costs a host call, so none is made for a request.

use std::collections::BTreeMap;

use super::host;
use crate::counters::{Counters, Labels};
use crate::policy::Policy;

/// What is counted, and the host's numbers of the counters that were published before.
#[derive(Default)]
pub struct Metrics {
    /// Since the last tick.
    pub counters: Counters,
    published: BTreeMap<Labels, u32>,
}

impl Metrics {
    /// Adds to the host's counters. A host that has none keeps nothing.
    pub fn publish(&mut self, policy: &Policy) {
        for (labels, count) in self.counters.take() {
            let known = self.published.get(&labels).copied();
            let Some(counter) = known.or_else(|| host::define_counter(&labels.name(policy))) else {
                continue;
            };
            self.published.insert(labels, counter);
            host::add_to_counter(counter, count);
        }
    }
}
