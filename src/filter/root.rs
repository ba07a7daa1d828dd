//! One configuration of the filter. Its state is its own, though other configurations may share the VM.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::host;
use super::http::Http;
use crate::config;
use crate::policy::{self, Policy};

/// The root context.
#[derive(Default)]
pub struct Root {
    /// Absent until a configuration was accepted.
    policy: Option<Rc<Policy>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.policy = None;
        let environment = |name: &str| std::env::var(name).ok();
        let built =
            config::parse(&host::configuration()).and_then(|config| policy::build(&config, &environment));
        match built {
            Ok(built) => {
                for warning in built.warnings {
                    log::warn!("authgate: {warning}");
                }
                self.policy = Some(Rc::new(built.policy));
                true
            }
            Err(errors) => {
                for error in errors {
                    log::error!("authgate: configuration refused: {error}");
                }
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http::new(self.policy.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
