//! Pending requests of all configurations of a VM.
//!
//! The host does not report that a client has disconnected, since that would cost every request a call into the VM. The
//! filter detects it when it resumes the request, at the latest with the next tick.

use std::rc::Rc;

use super::stream::{StreamAction, Wait};
use super::{Filter, Host, PluginInstance, Refused};
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

    /// True if the effective stream has neither ended nor been replied to. False if the host refuses access to its
    /// properties.
    ///
    /// Envoy keeps the context of a stream that has ended until the end of the event loop iteration, and an operation
    /// on it crashes the whole proxy (seen on 1.36.4 and 1.40.0: `tests/envoy/resets.rs`). A stream that has ended has
    /// a duration; one that Envoy has replied to itself has a response code. An interim response (1xx) does not count:
    /// Envoy sends 100 by itself, before it calls the filter (seen on 1.40.0: `tests/envoy/waiting.rs`).
    pub(super) fn is_live(&self) -> bool {
        let is_over = || self.host.property(&["request", "duration"]) != Ok(None);
        let is_answered = || match self.host.property(&["response", "code"]) {
            Ok(None) => false,
            Ok(Some(code)) => !is_interim(&code),
            Err(Refused) => true,
        };
        !is_over() && !is_answered()
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
            self.refuse_unavailable(pending.stream);
        }
    }

    /// Removes and returns pending requests. They are decided only afterwards, because a decision calls the host and
    /// can add pending requests.
    fn take_pending(
        &self,
        take: impl FnOnce(&mut PendingRequests<PluginInstance>) -> Vec<PendingRequest<PluginInstance>>,
    ) -> Vec<PendingRequest<PluginInstance>> {
        self.pending.try_borrow_mut().map(|mut pending| take(&mut pending)).unwrap_or_default()
    }
}

/// True if a response code is that of an interim response
/// ([RFC 9110 §15.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.2)). Hosts pass a 64-bit integer.
fn is_interim(code: &[u8]) -> bool {
    code.try_into().is_ok_and(|code| (100..200).contains(&i64::from_le_bytes(code)))
}
