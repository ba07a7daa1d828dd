//! The filter: carries requests from a proxy to the core, and decisions back.
//!
//! [`Filter`] is generic over its [`Host`], so that it runs in a proxy as well as beside a fake host in tests. It decides
//! nothing itself. Where the host cannot do what a decision needs, the request gets 503; it is never let through.
//!
//! In a module, `abi` exports what the host calls, and `proxy_wasm_host` calls the host. The SDK allocates and logs; the
//! build step (`xtask trim`) exports our callbacks in place of the SDK's. A module without that step traps when loaded.

// The entry macro declares and calls the linker's constructors.
#![cfg_attr(target_arch = "wasm32", allow(unsafe_code))]

#[cfg(target_arch = "wasm32")]
mod abi;
mod callouts;
mod configure;
mod counters;
mod filter_state;
mod gauges;
pub mod header_map;
mod host;
mod instances;
pub mod known_answers;
mod log_limit;
mod metrics;
mod outstanding;
mod pending;
#[cfg(target_arch = "wasm32")]
mod proxy_wasm_host;
mod root_contexts;
mod signatures;
mod stream;
mod telemetry;
#[cfg(feature = "testing")]
mod trap;
#[cfg(feature = "testing")]
mod vectors;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::root_contexts::RootContexts;
use authgate::remote::pending::PendingRequests;
pub use host::{HeaderMap, Host, LocalReply, MetricKind, Refused};
use instances::PluginInstance;
pub use stream::Action;

/// All configurations of one VM, their state, and the requests that wait.
pub struct Filter<H> {
    host: H,
    instances: RefCell<RootContexts<PluginInstance>>,
    pending: RefCell<PendingRequests<PluginInstance>>,
    /// The stream that was created last, and its root context. A host calls `proxy_on_context_create(stream, root)`
    /// right before `proxy_on_request_headers(stream)`.
    created: Cell<(u32, u32)>,
}

impl<H: Host> Filter<H> {
    /// A filter without any configuration: every request gets 503.
    pub const fn new(host: H) -> Self {
        Filter {
            host,
            instances: RefCell::new(RootContexts::new()),
            pending: RefCell::new(PendingRequests::new()),
            created: Cell::new((0, 0)),
        }
    }

    /// The host.
    pub fn host(&self) -> &H {
        &self.host
    }

    /// A context was created. A root context has `root` 0, and nothing is to be done for it before it is configured.
    pub fn on_context_create(&self, context: u32, root: u32) {
        if root != 0 {
            self.created.set((context, root));
        }
    }

    /// The answer to a callout: so many header fields, none if there is no answer, and so many bytes of content.
    pub fn on_http_call_response(&self, root: u32, number: u32, headers: usize, body_size: usize) {
        if let Some(instance) = self.instance(root) {
            self.take_answer(&instance, number, headers, body_size);
            self.drain_ready(&instance, root);
        }
    }

    /// Time passes for a root context.
    pub fn on_tick(&self, root: u32) {
        self.retire_instances(root);
        // The level can change while the proxy runs. Lines below it are not even formatted.
        if let Some(level) = self.host.log_level() {
            log::set_max_level(level);
        }
        let Some(instance) = self.instance(root) else { return };
        let tick = self.tick();
        self.publish_metrics(&instance, tick.now);
        instance.log_suppressed(tick.now);
        if let Ok(mut state) = instance.state.try_borrow_mut() {
            state.tick(tick);
        }
        self.drain_ready(&instance, root);
        self.expire_pending(tick.now);
        self.host.set_effective_context(root);
    }

    /// The configuration of a root context, if it was accepted.
    fn instance(&self, root: u32) -> Option<Rc<PluginInstance>> {
        self.instances.try_borrow().ok()?.of(root)
    }
}
