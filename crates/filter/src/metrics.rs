//! Publishes what was counted, from the tick: a counter costs a host call, so none is made for a request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Host, MetricKind};
use crate::counters::{Counters, Labels};
use crate::gauges::{self, Kind, Reading};
use authgate::decision::state::State;
use authgate::policy::Policy;
use authgate::timestamp::NumericDate;

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
    pub fn publish(
        &mut self,
        host: &impl Host,
        policy: &Policy,
        state: &State,
        waiting: usize,
        now: NumericDate,
    ) {
        for (labels, count) in self.counters.take() {
            let known = self.counted.get(&labels).copied();
            let Some(counter) =
                known.or_else(|| host.define_metric(MetricKind::Counter, &labels.name(policy)))
            else {
                continue;
            };
            self.counted.insert(labels, counter);
            add(host, counter, count);
        }
        let readings =
            std::mem::take(&mut self.settled).into_iter().chain(gauges::current(policy, state, waiting, now));
        readings.for_each(|reading| self.publish_one(host, reading));
    }

    /// Withdraws the gauges of a configuration that was replaced, except for those that a configuration in force
    /// publishes too.
    pub fn retire(&mut self, host: &impl Host, is_in_force: impl Fn(&str) -> bool) {
        for Published { name, number, kind, last } in self.published.drain(..) {
            match kind {
                Kind::Counter => {}
                Kind::Sum => tell(host, number, kind, last, 0),
                Kind::Gauge if is_in_force(&name) => {}
                Kind::Gauge => host.record_metric(number, 0),
            }
        }
    }

    /// Whether a gauge or sum with this name was published.
    pub fn has_published(&self, name: &str) -> bool {
        self.published.iter().any(|known| known.name == name)
    }

    /// Says how many rules of this VM's configurations are in shadow. Another VM may say the same of its own, under the
    /// same name: while there are any it is said again and again, and otherwise only once, so that shadow shows.
    pub fn publish_shadow(&mut self, host: &impl Host, rules: u64) {
        let gauge = match self.shadowed_rules {
            Some((_, 0)) if rules == 0 => return,
            Some((gauge, _)) => gauge,
            None => match host.define_metric(MetricKind::Gauge, "authgate_shadow_rules") {
                Some(gauge) => gauge,
                None => return,
            },
        };
        self.shadowed_rules = Some((gauge, rules));
        host.record_metric(gauge, rules);
    }

    fn publish_one(&mut self, host: &impl Host, Reading { name, kind, value }: Reading) {
        let Some(known) = self.published.iter_mut().find(|known| known.name == name) else {
            let metric = match kind {
                Kind::Counter => MetricKind::Counter,
                Kind::Sum | Kind::Gauge => MetricKind::Gauge,
            };
            if let Some(number) = host.define_metric(metric, &name) {
                // A new metric is 0.
                tell(host, number, kind, 0, value);
                self.published.push(Published { name, number, kind, last: value });
            }
            return;
        };
        tell(host, known.number, kind, known.last, value);
        known.last = value;
    }
}

fn tell(host: &impl Host, number: u32, kind: Kind, last: u64, value: u64) {
    match kind {
        _ if value == last => {}
        Kind::Counter => add(host, number, value.saturating_sub(last)),
        Kind::Sum => host.increment_metric(number, value.cast_signed().wrapping_sub(last.cast_signed())),
        Kind::Gauge => host.record_metric(number, value),
    }
}

fn add(host: &impl Host, counter: u32, count: u64) {
    host.increment_metric(counter, i64::try_from(count).unwrap_or(i64::MAX));
}
