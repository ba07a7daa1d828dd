//! The configurations that share a VM, each with its own state.

use std::cell::RefCell;
use std::rc::Rc;

use super::metrics::Metrics;
use super::outstanding::Callouts;
use super::signatures::HostAlgorithms;
use super::{Filter, Host};
use crate::log_limit::LogLimit;
use authgate::decision::state::State;
use authgate::policy::Policy;

/// An accepted configuration and its state.
pub struct PluginInstance {
    /// The policy.
    pub policy: Policy,
    /// Cached credentials and fetched data.
    pub state: RefCell<State>,
    /// Callouts without a response.
    pub callouts: RefCell<Callouts>,
    /// Counters since the last tick, and published metrics.
    pub metrics: RefCell<Metrics>,
    /// Limits log lines about requests in shadow.
    pub shadow_log: RefCell<LogLimit>,
    /// Limits log lines that clients can cause repeatedly.
    pub log: RefCell<LogLimit>,
    /// Signature algorithms that the host verifies.
    pub signatures: HostAlgorithms,
}

impl<H: Host> Filter<H> {
    /// Replaces the configuration of a root context; `None` if the new one was rejected.
    pub(super) fn put_instance(&self, root: u32, instance: Option<PluginInstance>) {
        if let Ok(mut instances) = self.instances.try_borrow_mut() {
            instances.put(root, instance);
        }
    }

    /// Returns all configurations.
    pub(super) fn all_instances(&self) -> Vec<Rc<PluginInstance>> {
        self.instances.try_borrow().map(|instances| instances.all().collect()).unwrap_or_default()
    }

    /// Counts a tick of a root context, and drops the metrics and cached credentials of replaced configurations.
    pub(super) fn retire_instances(&self, root: u32) {
        let Ok(mut instances) = self.instances.try_borrow_mut() else { return };
        let retired = instances.tick(root);
        let silent: Vec<_> = instances.silent().collect();
        drop(instances);
        for instance in retired {
            if let Ok(mut metrics) = instance.metrics.try_borrow_mut() {
                let in_force = self.all_instances();
                let publishes = |other: &Rc<PluginInstance>, name: &str| {
                    other.metrics.try_borrow().is_ok_and(|metrics| metrics.has_published(name))
                };
                metrics.retire(&self.host, |name| in_force.iter().any(|other| publishes(other, name)));
            }
        }
        // Otherwise a proxy that gets a new configuration every second would keep about 60 caches.
        for instance in silent {
            if let Ok(mut state) = instance.state.try_borrow_mut() {
                state.cache.forget_credentials();
            }
        }
    }
}
