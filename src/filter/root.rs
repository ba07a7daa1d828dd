//! Takes a configuration.

use std::cell::RefCell;
use std::time::Duration;

use super::gates::{self, Gate};
use super::host;
use super::metrics::Metrics;
use super::signatures::Signatures;
use crate::config;
use crate::log_limit::LogLimit;
use crate::memory::Memory;
use crate::metrics;
use crate::policy;
use crate::state::State;

/// So many requests in shadow are logged in a second.
const SHADOW_LINES: u32 = 10;

/// So many refusals that are warnings are logged in a second.
const WARNING_LINES: u32 = 5;

/// Takes the configuration of a root context; false refuses it. Its state is in [`gates`], where requests find it.
pub fn configure(root: u32) -> bool {
    #[cfg(feature = "testing")]
    if let Some(right) = super::vectors::run(&host::configuration()) {
        return right;
    }
    let environment = |name: &str| std::env::var(name).ok();
    // What was read is given back before more is made of it: a VM never shrinks.
    let configuration = host::configuration();
    let value = config::value(&configuration);
    drop(configuration);
    let fingerprint = value.as_ref().map_or(0, config::fingerprint);
    let config = value.and_then(config::from_value);
    let built = config.and_then(|config| policy::build(&config, &environment));
    match built {
        Ok(built) => {
            for warning in built.warnings {
                log::warn!("authgate: {warning}");
            }
            let memory = match host::random_key() {
                Some(key) => Memory::new(key, built.policy.limits),
                None => Memory::without_key(built.policy.limits),
            };
            let state = State::new(&built.policy, memory);
            // What is on its way, and who waits for it, is looked at more often.
            let period = Duration::from_millis(if state.learns() { 250 } else { 1000 });
            let settled = metrics::settled(&built.policy, &host::plugin_name(), fingerprint, host::now());
            let signatures = Signatures::probe();
            log::info!("authgate: configured; the host verifies: {}", signatures.host_algorithms());
            gates::put(
                root,
                Some(Gate {
                    policy: built.policy,
                    state: RefCell::new(state),
                    calls: RefCell::default(),
                    metrics: RefCell::new(Metrics::new(settled)),
                    log: RefCell::new(LogLimit::new(WARNING_LINES)),
                    shadow_log: RefCell::new(LogLimit::new(SHADOW_LINES)),
                    signatures,
                }),
            );
            host::tick_every(period);
            true
        }
        Err(errors) => {
            for error in errors {
                log::error!("authgate: configuration refused: {error}");
            }
            gates::put(root, None);
            false
        }
    }
}
