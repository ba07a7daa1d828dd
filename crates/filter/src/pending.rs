//! Pending requests of all configurations of a VM.
//!
//! The host does not report that a client has disconnected, since that would cost every request a call into the VM. The
//! filter detects it when it resumes the request, at the latest with the next tick.

use std::rc::Rc;

use super::stream::{StreamAction, Wait};
use super::{Filter, Host, PluginInstance};
use authgate::remote::pending::{PendingRequest, PendingRequests};
use authgate::timestamp::NumericDate;

impl<H: Host> Filter<H> {
    /// True if the stream's request is pending. If that cannot be determined, the result is also true, so that nothing
    /// passes.
    pub(super) fn is_pending(&self, stream: u32) -> bool {
        self.pending.try_borrow().map_or(true, |pending| pending.contains(stream))
    }

    /// Returns the number of pending requests of a configuration.
    pub(super) fn count_pending(&self, instance: &Rc<PluginInstance>) -> usize {
        self.pending.try_borrow().map_or(0, |pending| pending.count(instance))
    }

    /// True if the effective stream has neither ended nor been replied to. If the host refuses to tell, the result is
    /// false.
    ///
    /// Envoy keeps the context of an ended stream until the end of the event loop iteration, and an action on that
    /// context crashes the proxy (seen on 1.36.4 and 1.40.0: `tests/envoy/resets.rs`). An ended stream has a duration;
    /// a stream that Envoy has replied to has a response code.
    pub(super) fn is_live(&self) -> bool {
        let is_absent = |path: [&str; 2]| self.host.property(&path) == Ok(None);
        is_absent(["request", "duration"]) && is_absent(["response", "code"])
    }

    /// Sends the callouts that a configuration needs, and decides the requests whose wait ends because of them. The
    /// root context is effective before and after, never a stream: a host resumes a request if its stream is effective
    /// when a response arrives.
    pub(super) fn drain_ready(&self, instance: &Rc<PluginInstance>, root: u32) {
        // Each round decides requests. They seldom need another callout; the rest can wait until the next tick.
        for _ in 0..4 {
            self.carry_out(instance);
            let settled =
                instance.callouts.try_borrow_mut().map(|mut calls| calls.take_settled()).unwrap_or_default();
            if settled.is_empty() {
                return;
            }
            for (authenticator, fetch_id) in settled {
                self.take_pending(|pending| pending.take_settled(instance, authenticator, fetch_id))
                    .into_iter()
                    .for_each(|pending| self.resume(pending, true));
            }
            self.host.set_effective_context(root);
        }
    }

    /// Drops the requests of disconnected clients, and decides those whose deadline has passed.
    pub(super) fn expire_pending(&self, now: NumericDate) {
        let overdue = self.take_pending(|pending| {
            pending.sweep(|stream| self.host.set_effective_context(stream) && self.is_live());
            pending.take_overdue(now)
        });
        overdue.into_iter().for_each(|pending| self.resume(pending, false));
    }

    /// Decides a request again, from the start, after it has waited. With `may_wait` it can wait again, until its
    /// deadline.
    fn resume(&self, pending: PendingRequest<PluginInstance>, may_wait: bool) {
        if !self.host.set_effective_context(pending.stream) || !self.is_live() {
            return;
        }
        let instance = Rc::clone(&pending.owner);
        let wait = if may_wait { Wait::Again(&pending) } else { Wait::Over(&pending) };
        let action = self.decide(&instance, pending.stream, wait);
        if action == StreamAction::Continue && self.host.continue_request().is_err() {
            self.refuse_unavailable();
        }
    }

    /// Takes out pending requests. They are decided only afterwards, since that calls the host and can let other
    /// requests wait.
    fn take_pending(
        &self,
        take: impl FnOnce(&mut PendingRequests<PluginInstance>) -> Vec<PendingRequest<PluginInstance>>,
    ) -> Vec<PendingRequest<PluginInstance>> {
        self.pending.try_borrow_mut().map(|mut pending| take(&mut pending)).unwrap_or_default()
    }
}
