//! One request.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType, Status};

use super::host;
use crate::decision::{Decision, Verdict, decide};
use crate::denial::{Denial, Reason};
use crate::jwt::SoftwareVerifier;
use crate::policy::Policy;
use crate::request::Request;
use crate::scheme::Surroundings;

/// The stream context of a request.
pub struct Http {
    policy: Option<Rc<Policy>>,
}

impl Http {
    pub fn new(policy: Option<Rc<Policy>>) -> Self {
        Http { policy }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Ok(map) = host::map(MapType::HttpRequestHeaders) else {
            return refuse(&Denial::of(Reason::Unavailable), false);
        };
        let pairs = map.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let Some(policy) = &self.policy else {
            // A configuration that was refused lets nothing through.
            return refuse(&Denial::of(Reason::Unavailable), is_grpc(&Request::new(pairs, None)));
        };
        let peer = if policy.index.wants_peer() { host::peer() } else { None };
        let request = Request::new(pairs, peer);
        let surroundings = Surroundings { now: host::now(), signatures: &SoftwareVerifier };
        let decision = decide(policy, &request, surroundings);
        let edited = apply(&decision);
        match &decision.verdict {
            Verdict::Allow(_) if edited.is_ok() => Action::Continue,
            Verdict::Allow(_) => refuse(&Denial::of(Reason::Unavailable), is_grpc(&request)),
            Verdict::Deny(denial) => {
                log_denial(policy, &decision, denial);
                refuse(denial, is_grpc(&request))
            }
        }
    }

    /// Trailers can carry forged identity as well as a header section can.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        let Some(policy) = &self.policy else { return Action::Pause };
        let Ok(map) = host::map(MapType::HttpRequestTrailers) else { return Action::Pause };
        for (name, _) in map.iter().filter(|(name, _)| policy.identity.reserves(name.as_bytes())) {
            if host::remove(MapType::HttpRequestTrailers, name).is_err() {
                return Action::Pause;
            }
        }
        Action::Continue
    }
}

fn apply(decision: &Decision<'_>) -> Result<(), Status> {
    for name in &decision.edits.remove {
        // Names of fields are tokens, hence ASCII.
        let name = std::str::from_utf8(name).map_err(|_| Status::BadArgument)?;
        host::remove(MapType::HttpRequestHeaders, name)?;
    }
    for (name, value) in &decision.edits.set {
        host::replace(MapType::HttpRequestHeaders, name, value)?;
    }
    Ok(())
}

/// Answers in the upstream's place. This is the last thing that is done with a request.
fn refuse(denial: &Denial, is_grpc: bool) -> Action {
    let response = denial.response();
    if is_grpc {
        host::respond_grpc(&response)
    } else {
        host::respond(&response)
    }
    Action::Pause
}

fn is_grpc(request: &Request<'_>) -> bool {
    let is_grpc_type = |value: &[u8]| match value.strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest, [] | [b'+' | b';', ..]),
        None => false,
    };
    request.values("content-type").any(is_grpc_type)
}

/// The full reason, for the operator; of the request only what the policy says of it.
fn log_denial(policy: &Policy, decision: &Decision<'_>, denial: &Denial) {
    let detail = denial.reason.detail_code().unwrap_or("-");
    let rule = decision.rule.map_or("-", |rule| rule.name.as_str());
    let authenticator = denial.authenticator.and_then(|at| policy.authenticators.get(at));
    let authenticator = authenticator.map_or("-", |authenticator| authenticator.name.as_str());
    log::debug!(
        "authgate: denied: reason={} detail={detail} rule={rule} authenticator={authenticator}",
        denial.reason.code()
    );
}
