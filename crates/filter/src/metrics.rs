//! Publishes counters and gauges on each tick: incrementing a metric is a host call, so requests do not make any.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Host, MetricKind};
use crate::counters::{Counters, Labels};
use crate::gauges::{self, Kind, Reading};
use authgate::decision::state::State;
use authgate::policy::Policy;
use authgate::timestamp::NumericDate;

/// A metric that is defined on the host.
struct Published {
    name: Cow<'static, str>,
    number: u32,
    kind: Kind,
    last: u64,
}

/// Current counts, and the host's numbers of published metrics.
pub struct Metrics {
    /// Counters since the last tick.
    pub counters: Counters,
    counted: BTreeMap<Labels, u32>,
    /// Metrics that do not change; empty once they are published.
    settled: Vec<Reading>,
    /// Host number and last value of each other metric. There are few of them.
    published: Vec<Published>,
    /// Host number and last value of the gauge of rules in shadow.
    shadowed_rules: Option<(u32, u64)>,
}

impl Metrics {
    /// Creates metrics with the ones that do not change.
    pub fn new(settled: Vec<Reading>) -> Self {
        Metrics {
            counters: Counters::default(),
            counted: BTreeMap::new(),
            settled,
            published: Vec::new(),
            shadowed_rules: None,
        }
    }

    /// Publishes all changes since the last call. A host without metrics ignores them.
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

    /// Withdraws the gauges of a replaced configuration, except those that another active configuration also publishes.
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

    /// True if a gauge or sum with this name was published.
    pub fn has_published(&self, name: &str) -> bool {
        self.published.iter().any(|known| known.name == name)
    }

    /// Publishes the number of rules in shadow over all configurations of this VM. Another VM may publish its own
    /// number under the same name. A nonzero number is therefore published on every tick and zero only once, so that
    /// shadow rules stay visible.
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
                // A new metric starts at 0.
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
