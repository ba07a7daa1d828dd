//! The ABI: what the host calls. No context object for each request, no copy of each field.
//!
//! The host calls `proxy_on_context_create(stream, root)` right before `proxy_on_request_headers(stream)`, so what the
//! first says is kept in one place for the second.

use std::cell::Cell;

use log::Level;
use proxy_wasm::types::{Action, MapType, Status};

use super::gates::{self, Gate};
use super::{host, root};
use crate::decision::{Decision, Verdict, decide};
use crate::denial::{Denial, Form, Manner, Reason};
use crate::filter_state;
use crate::header_map;
use crate::request::Request;
use crate::scheme::Surroundings;

thread_local! {
    /// The stream that was created last, and its root.
    static CREATED: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_vm_start(_root: u32, _configuration_size: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_configure(root: u32, _configuration_size: usize) -> bool {
    root::configure(root)
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_context_create(context: u32, root: u32) {
    // A root context has no root; there is nothing to be done for it before it is configured.
    if root != 0 {
        CREATED.set((context, root));
    }
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_request_headers(stream: u32, _count: usize, _end_of_stream: u32) -> Action {
    let (created, root) = CREATED.get();
    // A stream that is not the one created last has no policy that we know of.
    let gate = if created == stream { gates::of(root) } else { None };
    on_request_headers(gate.as_deref())
        .unwrap_or_else(|| refuse(&Denial::of(Reason::Unavailable), &Manner::default(), Form::Text))
}

/// Trailers can carry forged identity as well as a header section can. Which configuration a stream belongs to is not
/// kept, so what any of them reserves is taken out.
#[unsafe(no_mangle)]
extern "C" fn authgate_on_request_trailers(_stream: u32, _count: usize) -> Action {
    let Some(map) = host::map(MapType::HttpRequestTrailers) else { return Action::Pause };
    let Some(trailers) = header_map::pairs(&map) else { return Action::Pause };
    let gates = gates::all();
    for (name, _) in trailers {
        if gates.iter().any(|gate| gate.policy.identity.reserves(name))
            && host::remove(MapType::HttpRequestTrailers, name).is_err()
        {
            return Action::Pause;
        }
    }
    Action::Continue
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_tick(root: u32) {
    for gate in gates::tick(root) {
        if let Ok(mut metrics) = gate.metrics.try_borrow_mut() {
            metrics.retire(&gates::all());
        }
    }
    // The level can be changed while the proxy runs. What it drops is not even put together.
    if let Some(level) = host::log_level() {
        log::set_max_level(level);
    }
    let Some(gate) = gates::of(root) else { return };
    if gate.policy.metrics
        && let (Ok(mut metrics), Ok(memory)) = (gate.metrics.try_borrow_mut(), gate.memory.try_borrow())
    {
        metrics.publish(&gate.policy, &memory);
    }
    if let Ok(mut log) = gate.log.try_borrow_mut()
        && let Some(suppressed) = log.tick()
    {
        log::warn!("authgate: denied: {suppressed} more since the last second, not shown");
    }
}

/// `None` where the host gave nothing that can be decided on.
fn on_request_headers(gate: Option<&Gate>) -> Option<Action> {
    let map = host::map(MapType::HttpRequestHeaders)?;
    let pairs = header_map::pairs(&map)?;
    let Some(gate) = gate else {
        // A configuration that was refused lets nothing through.
        let manner = Manner::default();
        let form = manner.form(&Request::of(pairs, None));
        return Some(refuse(&Denial::of(Reason::Unavailable), &manner, form));
    };
    let peer = if gate.policy.index.wants_peer() { host::peer() } else { None };
    let request = Request::of(pairs, peer);
    let surroundings = Surroundings { now: host::now(), signatures: &gate.signatures };
    let mut memory = gate.memory.try_borrow_mut().ok()?;
    let mut decision = decide(&gate.policy, &request, &mut memory, surroundings);
    let is_allowed = matches!(decision.verdict, Verdict::Allow(_));
    if apply(&decision).is_err() && is_allowed {
        decision.verdict = Verdict::Deny(Denial::of(Reason::Unavailable));
    }
    if gate.policy.metrics
        && let Ok(mut metrics) = gate.metrics.try_borrow_mut()
    {
        metrics.counters.count(&decision);
    }
    for (name, value) in filter_state::properties(&gate.policy, &decision) {
        host::set_property(name, &value);
    }
    let refuse = |denial| refuse(denial, &gate.policy.denials, gate.policy.denials.form(&request));
    Some(match &decision.verdict {
        Verdict::Allow(_) => Action::Continue,
        Verdict::Answer(answer) => {
            host::answer(answer);
            Action::Pause
        }
        Verdict::Deny(denial) => {
            log_denial(gate, &decision, denial);
            refuse(denial)
        }
    })
}

fn apply(decision: &Decision<'_>) -> Result<(), Status> {
    for name in &decision.edits.remove {
        host::remove(MapType::HttpRequestHeaders, name)?;
    }
    for (name, value) in &decision.edits.set {
        host::replace(MapType::HttpRequestHeaders, name, value)?;
    }
    Ok(())
}

/// Answers in the upstream's place. This is the last thing that is done with a request.
fn refuse(denial: &Denial, manner: &Manner, form: Form) -> Action {
    host::respond(&denial.response(manner, form));
    Action::Pause
}

/// The full reason, for the operator; of the request only what the policy says of it. What an operator has to do
/// something about is a warning, at a bounded rate; all else is a caller's own affair, and shown by metrics.
fn log_denial(gate: &Gate, decision: &Decision<'_>, denial: &Denial) {
    let level = match denial.reason {
        Reason::Unavailable => Level::Warn,
        _ => Level::Debug,
    };
    if level > log::max_level()
        || level == Level::Warn && !gate.log.try_borrow_mut().is_ok_and(|mut log| log.admits())
    {
        return;
    }
    let detail = denial.reason.detail_code().unwrap_or("-");
    let rule = decision.rule.map_or("-", |rule| rule.name.as_str());
    let authenticator = denial.authenticator.and_then(|at| gate.policy.authenticators.get(at));
    let authenticator = authenticator.map_or("-", |authenticator| authenticator.name.as_str());
    log::log!(
        level,
        "authgate: denied: reason={} detail={detail} rule={rule} authenticator={authenticator}",
        denial.reason.code()
    );
}
