//! The request path: decides a request when its headers arrive, and again after it has waited.

use std::rc::Rc;

use super::host::{HostFacts, LocalReply, peer};
use super::{Filter, HeaderMap, Host, PluginInstance, Refused};
use crate::header_map;
use authgate::authn::Context;
use authgate::decision::mutations::HeaderMutations;
use authgate::decision::{Decision, Verdict, decide};
use authgate::http::cidr::source_network;
use authgate::http::request::{Fields, Request};
use authgate::remote::pending::{PendingRequest, body_bytes};
use authgate::response::{Denial, DenialFormat, Form, Reason, Response};

/// The host's next action for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The request continues.
    Continue,
    /// The request does not continue: it was replied to, or waits.
    Pause,
}

/// Result of a decision that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamAction {
    /// The request continues to the upstream.
    Continue,
    /// A local reply was sent, or the host refused to send it and the request stays paused.
    Replied,
    /// The request waits.
    Wait,
}

/// Waiting state of a request.
pub(super) enum Wait<'p> {
    /// The request has not waited yet, and may wait.
    New {
        /// True if a body or trailers follow the headers.
        has_body: bool,
    },
    /// The request has waited, and may wait again until the same deadline.
    Again(&'p PendingRequest<PluginInstance>),
    /// The request has waited, and may not wait any longer.
    Over(&'p PendingRequest<PluginInstance>),
}

impl<'p> Wait<'p> {
    /// Returns the pending request, if the request has waited.
    fn pending(&self) -> Option<&'p PendingRequest<PluginInstance>> {
        match self {
            Wait::New { .. } => None,
            Wait::Again(pending) | Wait::Over(pending) => Some(pending),
        }
    }
}

impl<H: Host> Filter<H> {
    /// Handles the headers of a request.
    pub fn on_request_headers(&self, stream: u32, end_of_stream: bool) -> Action {
        #[cfg(feature = "testing")]
        super::trap::if_asked(&self.host);
        // Only the most recently created stream is known; any other stream is denied.
        let (created, root) = self.created.get();
        let Some(instance) = Some(root).filter(|_| created == stream).and_then(|root| self.instance(root))
        else {
            self.refuse_unconfigured(stream);
            return Action::Pause;
        };
        match self.decide(&instance, stream, Wait::New { has_body: !end_of_stream }) {
            StreamAction::Continue => Action::Continue,
            StreamAction::Replied => Action::Pause,
            StreamAction::Wait => {
                // The root context sends the callout, since it receives the response.
                if self.host.set_effective_context(root) {
                    self.carry_out(&instance);
                }
                self.host.set_effective_context(stream);
                Action::Pause
            }
        }
    }

    /// Handles a part of the body of a request. A host may deliver it although the header section is paused; nothing of
    /// it passes before the decision, and nothing of a denied request.
    pub fn on_request_body(&self, stream: u32) -> Action {
        if self.is_held_back(stream) { Action::Pause } else { Action::Continue }
    }

    /// Handles the trailers of a request. Trailers can carry forged identity and credentials, as headers can. The
    /// filter does not keep the configuration of a stream, so it removes every name that any configuration removes.
    pub fn on_request_trailers(&self, stream: u32) -> Action {
        let map = HeaderMap::RequestTrailers;
        let Some(trailers) = self.host.header_map(map) else { return Action::Pause };
        let Some(trailers) = header_map::pairs(&trailers) else { return Action::Pause };
        let instances = self.all_instances();
        for (name, _) in trailers {
            if instances.iter().any(|instance| instance.policy.removes_trailer(name))
                && self.host.remove_header(map, name).is_err()
            {
                return Action::Pause;
            }
        }
        if self.is_held_back(stream) { Action::Pause } else { Action::Continue }
    }

    /// True if the request waits, or was denied and the host refused to reply. Also true if that cannot be determined,
    /// so that nothing passes.
    fn is_held_back(&self, stream: u32) -> bool {
        self.is_pending(stream)
            || self.unanswered.try_borrow().map_or(true, |unanswered| unanswered.contains(stream))
    }

    /// Decides the effective request and carries the decision out, except for resuming a paused request.
    pub(super) fn decide(&self, instance: &Rc<PluginInstance>, stream: u32, wait: Wait<'_>) -> StreamAction {
        self.try_decide(instance, stream, wait).unwrap_or_else(|| self.refuse_unavailable(stream))
    }

    /// Returns `None` if the host provided nothing to decide on.
    fn try_decide(&self, instance: &Rc<PluginInstance>, stream: u32, wait: Wait<'_>) -> Option<StreamAction> {
        let policy = &instance.policy;
        let map = self.host.header_map(HeaderMap::RequestHeaders)?;
        let original_path = wait.pending().and_then(|pending| pending.original_path.as_deref());
        let pairs = with_path(header_map::pairs(&map)?, original_path);
        let known_peer = if policy.index.wants_peer() { peer(&self.host) } else { None };
        let request = Request::of(pairs, known_peer);
        let mut state = instance.state.try_borrow_mut().ok()?;
        let context = Context {
            now: self.host.now(),
            signatures: &instance.signatures.verifier(&self.host),
            host: &HostFacts(&self.host),
            may_wait: !matches!(wait, Wait::Over(_)),
        };
        let mut decision = decide(policy, &request, &mut state, context);
        if let Verdict::Pending(pending_on) = decision.verdict {
            let pending = PendingRequest {
                stream,
                owner: Rc::clone(instance),
                pending_on,
                max_per_fetch: state.max_waiting(pending_on.authenticator),
                deadline: match wait.pending() {
                    Some(pending) => pending.deadline,
                    None => context.now.plus(pending_on.max_wait),
                },
                source: match wait.pending() {
                    Some(pending) => pending.source,
                    None => known_peer.or_else(|| peer(&self.host)).map(source_network),
                },
                body_bytes: match wait {
                    Wait::New { has_body } => body_bytes(has_body, &request),
                    Wait::Again(pending) | Wait::Over(pending) => pending.body_bytes,
                },
                original_path: original_path
                    .or_else(|| decision.mutations.replaced_path(&request))
                    .map(<[u8]>::to_vec),
            };
            if self.let_wait(pending, &decision.mutations) {
                return Some(StreamAction::Wait);
            }
            // No room to wait: decide with the data that is available.
            decision = decide(policy, &request, &mut state, Context { may_wait: false, ..context });
        }
        drop(state);
        Some(self.carry_out_decision(instance, stream, &request, decision, original_path))
    }

    /// Lets a request wait; false if it cannot. While the request waits, its query contains no credential: if the
    /// client disconnects or the proxy replies, the access log shows the path as it is at that time.
    fn let_wait(&self, pending: PendingRequest<PluginInstance>, mutations: &HeaderMutations<'_>) -> bool {
        let Ok(mut requests) = self.pending.try_borrow_mut() else { return false };
        // If the host refuses to make streams effective, the filter can later neither resume the request nor reply to
        // it.
        let can_be_resumed = || self.host.set_effective_context(pending.stream) && self.is_live();
        requests.has_room(&pending) && can_be_resumed() && self.apply(mutations).is_ok() && {
            requests.insert(pending);
            true
        }
    }

    fn carry_out_decision(
        &self,
        instance: &PluginInstance,
        stream: u32,
        request: &Request<'_>,
        mut decision: Decision<'_>,
        original_path: Option<&[u8]>,
    ) -> StreamAction {
        if matches!(decision.verdict, Verdict::Pending(_)) {
            // A decision with `may_wait: false` is never pending; deny if it is.
            decision.verdict = Verdict::Deny(Denial::of(Reason::Unavailable).for_request(request));
        }
        let is_allowed = matches!(decision.verdict, Verdict::Allow(_));
        // Restore the path that was cut while the request waited, unless a mutation sets it.
        let original_path = original_path.filter(|_| is_allowed && !decision.mutations.has_path());
        let restore = |path| self.host.replace_header(HeaderMap::RequestHeaders, ":path", path);
        let applied = self.apply(&decision.mutations).and_then(|()| original_path.map_or(Ok(()), restore));
        if applied.is_err() && is_allowed {
            // This applies to shadow rules too: forged identity must not reach the upstream.
            decision.verdict = Verdict::Deny(Denial::of(Reason::Unavailable).for_request(request));
            decision.shadowed = None;
        }
        self.record(instance, request, &decision);
        match &decision.verdict {
            Verdict::Allow(_) => StreamAction::Continue,
            Verdict::Reply(answer) => {
                let reply = LocalReply {
                    status: answer.status,
                    headers: answer.fields.to_vec(),
                    body: &answer.body,
                    grpc_status: None,
                    details: "authgate:metadata",
                };
                self.reply(stream, &reply)
            }
            Verdict::Deny(denial) => {
                let format = &instance.policy.denials;
                self.refuse(stream, denial, format, format.form(request))
            }
            Verdict::Pending(_) => self.refuse_unavailable(stream),
        }
    }

    /// Applies mutations to the request headers.
    ///
    /// # Errors
    /// Fails if the host refuses one of the mutations.
    fn apply(&self, mutations: &HeaderMutations<'_>) -> Result<(), Refused> {
        let map = HeaderMap::RequestHeaders;
        mutations.remove.iter().try_for_each(|name| self.host.remove_header(map, name))?;
        mutations.set.iter().try_for_each(|(name, value)| self.host.replace_header(map, name, value))
    }

    /// Denies a request whose configuration was rejected, or that has none.
    fn refuse_unconfigured(&self, stream: u32) {
        let format = DenialFormat::default();
        let map = self.host.header_map(HeaderMap::RequestHeaders);
        let request = map.as_deref().and_then(header_map::pairs).map(|pairs| Request::of(pairs, None));
        let denial = Denial::of(Reason::Unavailable);
        match request {
            Some(request) => {
                self.refuse(stream, &denial.for_request(&request), &format, format.form(&request))
            }
            None => self.refuse(stream, &denial, &format, Form::Text),
        };
    }

    /// Denies a request that could not be decided.
    pub(super) fn refuse_unavailable(&self, stream: u32) -> StreamAction {
        self.refuse(stream, &Denial::of(Reason::Unavailable), &DenialFormat::default(), Form::Text)
    }

    /// Sends a denial. No operation on the request is allowed afterwards.
    fn refuse(&self, stream: u32, denial: &Denial, format: &DenialFormat, form: Form) -> StreamAction {
        let Response { status, fields, body, grpc_status, details } = denial.response(format, form);
        let reply = LocalReply {
            // The status of a gRPC call is in a header.
            status: if grpc_status.is_some() { 200 } else { status },
            headers: fields.iter().map(|(name, value)| (*name, value.as_ref())).collect(),
            body: &body,
            grpc_status,
            details: &details,
        };
        self.reply(stream, &reply)
    }

    /// Replies to the request of the effective stream. If the host refuses, the content of the request is paused.
    fn reply(&self, stream: u32, reply: &LocalReply<'_>) -> StreamAction {
        if self.host.send_local_reply(reply).is_err()
            && let Ok(mut unanswered) = self.unanswered.try_borrow_mut()
        {
            unanswered.insert(stream);
        }
        StreamAction::Replied
    }
}

/// Replaces the value of `:path`, if a path is given.
fn with_path<'a>(mut pairs: Fields<'a>, path: Option<&'a [u8]>) -> Fields<'a> {
    if let Some(path) = path {
        pairs.iter_mut().filter(|(name, _)| *name == b":path").for_each(|(_, value)| *value = path);
    }
    pairs
}
