//! The root context: takes a configuration.

use std::cell::RefCell;
use std::time::Duration;

use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::ContextType;

use super::gates::{self, Gate};
use super::host;
use super::signatures::Signatures;
use crate::config;
use crate::memory::Memory;
use crate::policy;

/// One configuration of the filter. Its state is in [`gates`], where requests find it.
pub struct Root {
    id: u32,
}

impl Root {
    pub fn new(id: u32) -> Self {
        Root { id }
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        #[cfg(feature = "vectors")]
        if let Some(right) = super::vectors::run(&host::configuration()) {
            return right;
        }
        let environment = |name: &str| std::env::var(name).ok();
        // What was read is given back before more is made of it: a VM never shrinks.
        let configuration = host::configuration();
        let config = config::parse(&configuration);
        drop(configuration);
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
                let memory = RefCell::new(memory);
                let signatures = Signatures::probe();
                log::info!("authgate: configured; the host verifies: {}", signatures.host_algorithms());
                gates::put(self.id, Some(Gate { policy: built.policy, memory, signatures }));
                host::tick_every(Duration::from_secs(1));
                true
            }
            Err(errors) => {
                for error in errors {
                    log::error!("authgate: configuration refused: {error}");
                }
                gates::put(self.id, None);
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
