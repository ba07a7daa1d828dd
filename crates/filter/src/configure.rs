//! Configuration of a root context.

use std::cell::RefCell;
use std::time::Duration;

use super::instances::PluginInstance;
use super::metrics::Metrics;
use super::signatures::HostAlgorithms;
use super::{Filter, Host};
use crate::gauges;
use crate::log_limit::LogLimit;
use authgate::cache::{CacheSecret, CredentialCache};
use authgate::config;
use authgate::decision::state::State;
use authgate::policy::{self, Built};

/// Log lines a second about requests in shadow.
const SHADOW_LINES: u32 = 10;

/// Log lines a second about denials at warning level.
const WARNING_LINES: u32 = 5;

impl<H: Host> Filter<H> {
    /// Handles the configuration of a root context. False rejects it, and requests get 503.
    pub fn on_configure(&self, root: u32) -> bool {
        #[cfg(feature = "testing")]
        if let Some(is_right) = super::vectors::run(&self.host, &self.host.configuration()) {
            return is_right;
        }
        let environment = |name: &str| self.host.environment(name);
        // Free the bytes before more memory is needed: the memory of a VM never shrinks.
        let configuration = self.host.configuration();
        let value = config::value(&configuration);
        drop(configuration);
        let fingerprint = value.as_ref().map_or(0, config::fingerprint);
        let config = value.and_then(config::from_value);
        match config.and_then(|config| policy::build(&config, &environment)) {
            Ok(built) => {
                self.install(root, built, fingerprint);
                true
            }
            Err(errors) => {
                for error in errors {
                    log::error!("configuration refused: {error}");
                }
                self.put_instance(root, None);
                false
            }
        }
    }

    fn install(&self, root: u32, Built { policy, warnings }: Built, fingerprint: u64) {
        for warning in warnings {
            log::warn!("{warning}");
        }
        let mut key = CacheSecret::default();
        let cache = match self.host.fill_random(&mut key) {
            true => CredentialCache::new(key, policy.limits),
            false => CredentialCache::without_key(policy.limits),
        };
        let state = State::new(&policy, cache);
        // Callouts and the requests that wait for them need more frequent ticks.
        let period = Duration::from_millis(if state.learns() { 250 } else { 1000 });
        let name = self.host.property(&["plugin_name"]).ok().flatten().unwrap_or_default();
        let name = String::from_utf8_lossy(&name);
        let settled = gauges::settled(&policy, &name, fingerprint, self.host.now());
        let signatures = HostAlgorithms::probe(&self.host);
        log::info!("configured; the host verifies: {signatures}");
        let instance = PluginInstance {
            policy,
            state: RefCell::new(state),
            callouts: RefCell::default(),
            metrics: RefCell::new(Metrics::new(settled)),
            log: RefCell::new(LogLimit::new(WARNING_LINES)),
            shadow_log: RefCell::new(LogLimit::new(SHADOW_LINES)),
            signatures,
        };
        self.put_instance(root, Some(instance));
        self.host.set_tick_period(period);
    }
}
