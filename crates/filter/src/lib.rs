//! The filter: carries requests from a proxy to the core, and decisions back.
//!
//! [`Filter`] is generic over its [`Host`], so it runs in a proxy and, in tests, on a fake host. The filter decides
//! nothing itself. If the host cannot do something that a decision needs, the request gets 503 and does not pass.
//!
//! In a module, `abi` exports the callbacks of the host, and `proxy_wasm_host` calls the host. The SDK provides
//! allocation and logging. The build step `xtask trim` exports the callbacks of `abi` in place of the SDK's; a module
//! built without that step traps when it is loaded.

// The entry macro declares and calls the linker's constructors, which is unsafe code.
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
mod unanswered;
#[cfg(feature = "testing")]
mod vectors;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::root_contexts::RootContexts;
use authgate::remote::pending::PendingRequests;
pub use host::{HeaderMap, Host, LocalReply, MetricKind, Refused};
use instances::PluginInstance;
pub use stream::Action;
use unanswered::UnansweredStreams;

/// All configurations of one VM, their state, and their pending requests.
pub struct Filter<H> {
    host: H,
    instances: RefCell<RootContexts<PluginInstance>>,
    pending: RefCell<PendingRequests<PluginInstance>>,
    unanswered: RefCell<UnansweredStreams>,
    /// The stream that was created last, and its root context. A host calls `proxy_on_context_create(stream, root)`
    /// right before `proxy_on_request_headers(stream)`.
    created: Cell<(u32, u32)>,
}

impl<H: Host> Filter<H> {
    /// Creates a filter without configurations: every request gets 503.
    pub const fn new(host: H) -> Self {
        Filter {
            host,
            instances: RefCell::new(RootContexts::new()),
            pending: RefCell::new(PendingRequests::new()),
            unanswered: RefCell::new(UnansweredStreams::new()),
            created: Cell::new((0, 0)),
        }
    }

    /// Returns the host.
    pub fn host(&self) -> &H {
        &self.host
    }

    /// Handles the creation of a context. A root context has `root` 0 and needs no work before it is configured.
    pub fn on_context_create(&self, context: u32, root: u32) {
        if root != 0 {
            self.created.set((context, root));
            if let Ok(mut unanswered) = self.unanswered.try_borrow_mut() {
                unanswered.forget(context);
            }
        }
    }

    /// Handles the response to a callout. `headers` is the number of header fields, 0 if there is no response;
    /// `body_size` is the size of the body in bytes.
    pub fn on_http_call_response(&self, root: u32, number: u32, headers: usize, body_size: usize) {
        if let Some(instance) = self.instance(root) {
            self.take_answer(&instance, number, headers, body_size);
            self.drain_ready(&instance, root);
        }
    }

    /// Handles a tick of a root context.
    pub fn on_tick(&self, root: u32) {
        self.retire_instances(root);
        // The log level can change while the proxy runs. Lines below it are not formatted.
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

    /// Returns the configuration of a root context, if it was accepted.
    fn instance(&self, root: u32) -> Option<Rc<PluginInstance>> {
        self.instances.try_borrow().ok()?.of(root)
    }
}
