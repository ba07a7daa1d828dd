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
    /// The gauge of rules in shadow, and what it was last set to.
    shadowed_rules: Option<(u32, u64)>,
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

    /// Says how many rules of this VM's configurations are in shadow. Another VM may say the same of its own, under the
    /// same name: while there are any it is said again and again, and otherwise only once, so that shadow shows.
    pub fn publish_shadow(&mut self, rules: u64) {
        let gauge = match self.shadowed_rules {
            Some((_, 0)) if rules == 0 => return,
            Some((gauge, _)) => gauge,
            None => match host::define_gauge("authgate_shadow_rules") {
                Some(gauge) => gauge,
                None => return,
            },
        };
        self.shadowed_rules = Some((gauge, rules));
        host::set_gauge(gauge, rules);
    }
}
