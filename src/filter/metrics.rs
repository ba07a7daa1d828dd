//! Publishes what was counted, from the tick: a counter costs a host call, so none is made for a request.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::gates::Gate;
use super::host;
use crate::counters::{Counters, Labels};
use crate::metrics::{self, Kind, Reading};
use crate::numeric_date::NumericDate;
use crate::policy::Policy;
use crate::state::State;

/// A metric that the host knows.
struct Published {
    name: Cow<'static, str>,
    number: u32,
    kind: Kind,
    last: u64,
}

/// What is counted, and the host's numbers of what was published before.
pub struct Metrics {
    /// Since the last tick.
    pub counters: Counters,
    counted: BTreeMap<Labels, u32>,
    /// What does not change, until it is published.
    settled: Vec<Reading>,
    /// The host's number of each other metric, and its last value. They are few.
    published: Vec<Published>,
    /// The gauge of rules in shadow, and what it was last set to.
    shadowed_rules: Option<(u32, u64)>,
}

impl Metrics {
    /// With what does not change.
    pub fn new(settled: Vec<Reading>) -> Self {
        Metrics {
            counters: Counters::default(),
            counted: BTreeMap::new(),
            settled,
            published: Vec::new(),
            shadowed_rules: None,
        }
    }

    /// Tells the host what has changed. A host that has no metrics keeps nothing.
    pub fn publish(&mut self, policy: &Policy, state: &State, waiting: usize, now: NumericDate) {
        for (labels, count) in self.counters.take() {
            let known = self.counted.get(&labels).copied();
            let Some(counter) = known.or_else(|| host::define_counter(&labels.name(policy))) else {
                continue;
            };
            self.counted.insert(labels, counter);
            host::add_to_counter(counter, count);
        }
        let readings = std::mem::take(&mut self.settled)
            .into_iter()
            .chain(metrics::current(policy, state, waiting, now));
        readings.for_each(|reading| self.publish_one(reading));
    }

    /// Takes back what holds no longer, unless one of those that are in force says it too.
    pub fn retire(&mut self, in_force: &[Rc<Gate>]) {
        for Published { name, number, kind, last } in self.published.drain(..) {
            let is_said = in_force.iter().any(|gate| {
                gate.metrics
                    .try_borrow()
                    .is_ok_and(|other| other.published.iter().any(|said| said.name == name))
            });
            match kind {
                Kind::Counter => {}
                Kind::Sum => tell(number, kind, last, 0),
                Kind::Gauge if is_said => {}
                Kind::Gauge => host::set_gauge(number, 0),
            }
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
    fn publish_one(&mut self, Reading { name, kind, value }: Reading) {
        let Some(known) = self.published.iter_mut().find(|known| known.name == name) else {
            let number = match kind {
                Kind::Counter => host::define_counter(&name),
                Kind::Sum | Kind::Gauge => host::define_gauge(&name),
            };
            if let Some(number) = number {
                // A new metric is 0.
                tell(number, kind, 0, value);
                self.published.push(Published { name, number, kind, last: value });
            }
            return;
        };
        tell(known.number, kind, known.last, value);
        known.last = value;
    }
}

fn tell(number: u32, kind: Kind, last: u64, value: u64) {
    match kind {
        _ if value == last => {}
        Kind::Counter => host::add_to_counter(number, value.saturating_sub(last)),
        Kind::Sum => host::change(number, value.cast_signed().wrapping_sub(last.cast_signed())),
        Kind::Gauge => host::set_gauge(number, value),
    }
}
