//! Requests that wait, of all configurations of a VM.
//!
//! Nobody announces a client that leaves, since that would cost every request an entry into the VM. It is found to be
//! gone when its turn comes, and with the next tick at the latest.

use std::rc::Rc;

use super::stream::{StreamAction, Wait};
use super::{Filter, Host, PluginInstance};
use authgate::remote::pending::{PendingRequest, PendingRequests};
use authgate::timestamp::NumericDate;

impl<H: Host> Filter<H> {
    /// Whether the stream's request waits. If that cannot be told it does, so that nothing passes.
    pub(super) fn is_pending(&self, stream: u32) -> bool {
        self.pending.try_borrow().map_or(true, |pending| pending.contains(stream))
    }

    /// The number of requests of a configuration that wait.
    pub(super) fn count_pending(&self, instance: &Rc<PluginInstance>) -> usize {
        self.pending.try_borrow().map_or(0, |pending| pending.count(instance))
    }

    /// Whether the stream in effect is neither over nor answered. A host that cannot tell has no such stream.
    ///
    /// Envoy keeps the context of a stream that has ended until the end of the event loop's turn, and acting on it there
    /// brings the whole proxy down (seen on 1.36.4 and 1.40.0: `tests/envoy/resets.rs`). A stream that is over has a
    /// duration; one that Envoy has answered itself has a response code.
    pub(super) fn is_live(&self) -> bool {
        let is_absent = |path: [&str; 2]| self.host.property(&path) == Ok(None);
        is_absent(["request", "duration"]) && is_absent(["response", "code"])
    }

    /// Sends the callouts that a configuration needs, and decides the requests whose wait is over by that. The root
    /// context is in effect before and after, and no stream: a host resumes a request if its stream is in effect when an
    /// answer comes.
    pub(super) fn drain_ready(&self, instance: &Rc<PluginInstance>, root: u32) {
        // Each round decides requests. They seldom need anything more; the rest has time until the next tick.
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

    /// Forgets the requests of clients that have left, and decides those that have waited long enough.
    pub(super) fn expire_pending(&self, now: NumericDate) {
        let overdue = self.take_pending(|pending| {
            pending.sweep(|stream| self.host.set_effective_context(stream) && self.is_live());
            pending.take_overdue(now)
        });
        overdue.into_iter().for_each(|pending| self.resume(pending, false));
    }

    /// Decides a request that has waited, from the start. If it `may_wait` it waits on, until its deadline.
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

    /// Takes requests out. They are decided only afterwards, since that calls the host and may let others wait.
    fn take_pending(
        &self,
        take: impl FnOnce(&mut PendingRequests<PluginInstance>) -> Vec<PendingRequest<PluginInstance>>,
    ) -> Vec<PendingRequest<PluginInstance>> {
        self.pending.try_borrow_mut().map(|mut pending| take(&mut pending)).unwrap_or_default()
    }
}
