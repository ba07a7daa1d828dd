//! The ABI: what the host calls. No context object for each request, no copy of each field.
//!
//! The host calls `proxy_on_context_create(stream, root)` right before `proxy_on_request_headers(stream)`, so what the
//! first says is kept in one place for the second.

use std::cell::Cell;
use std::rc::Rc;

use log::Level;
use proxy_wasm::types::{Action, MapType, Status};

use super::gates::{self, Gate};
use super::{calls, host, root, waiting};
use crate::decision::{Decision, Verdict, decide};
use crate::denial::{Denial, Form, Manner, Reason};
use crate::filter_state;
use crate::header_map;
use crate::numeric_date::NumericDate;
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
    #[cfg(feature = "testing")]
    super::trap::if_asked();
    // A stream that is not the one created last has no policy that we know of.
    let gate = if created == stream { gates::of(root) } else { None };
    match decide_one(gate.as_ref(), stream, true, None) {
        Course::GoesOn => Action::Continue,
        Course::Answered => Action::Pause,
        Course::Waits => {
            // What it waits for is asked for at once, and for all: the root gets the answer.
            if let Some(gate) = gate.filter(|_| host::enter(root)) {
                calls::carry_out(&gate);
            }
            host::enter(stream);
            Action::Pause
        }
    }
}

/// A host may bring content though the header section is held back: nothing of it may go on before the decision.
#[unsafe(no_mangle)]
extern "C" fn authgate_on_request_body(stream: u32, _size: usize, _end_of_stream: u32) -> Action {
    if waiting::holds(stream) { Action::Pause } else { Action::Continue }
}

/// Trailers can carry forged identity as well as a header section can. Which configuration a stream belongs to is not
/// kept, so what any of them reserves is taken out.
#[unsafe(no_mangle)]
extern "C" fn authgate_on_request_trailers(stream: u32, _count: usize) -> Action {
    let Some(map) = host::map(MapType::HttpRequestTrailers) else { return Action::Pause };
    let Some(trailers) = header_map::pairs(&map) else { return Action::Pause };
    let gates = gates::all();
    for (name, _) in trailers {
        if gates.iter().any(|gate| gate.policy.removes_trailer(name))
            && host::remove(MapType::HttpRequestTrailers, name).is_err()
        {
            return Action::Pause;
        }
    }
    if waiting::holds(stream) { Action::Pause } else { Action::Continue }
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_http_call_response(
    root: u32,
    number: u32,
    fields: usize,
    body_size: usize,
    _trailers: usize,
) {
    if let Some(gate) = gates::of(root) {
        calls::answered(&gate, number, fields, body_size);
        waiting::attend(&gate, root);
    }
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_tick(root: u32) {
    for gate in gates::tick(root) {
        if let Ok(mut metrics) = gate.metrics.try_borrow_mut() {
            metrics.retire(&gates::all());
        }
    }
    // A proxy that is given a configuration every second would else hold the memories of sixty.
    for gate in gates::silent() {
        if let Ok(mut state) = gate.state.try_borrow_mut() {
            state.memory.forget_credentials();
        }
    }
    // The level can be changed while the proxy runs. What it drops is not even put together.
    if let Some(level) = host::log_level() {
        log::set_max_level(level);
    }
    let Some(gate) = gates::of(root) else { return };
    let moment = calls::moment();
    if gate.policy.metrics
        && let (Ok(mut metrics), Ok(state)) = (gate.metrics.try_borrow_mut(), gate.state.try_borrow())
    {
        metrics.publish(&gate.policy, &state, waiting::count(&gate), moment.now);
        metrics.publish_shadow(gates::shadowed_rules() as u64);
    }
    if let Ok(mut log) = gate.log.try_borrow_mut()
        && let Some(suppressed) = log.tick(moment.now)
    {
        log::warn!("authgate: denied: {suppressed} more since the last second, not shown");
    }
    if let Ok(mut log) = gate.shadow_log.try_borrow_mut()
        && let Some(suppressed) = log.tick(moment.now)
    {
        log::info!("authgate: NOT ENFORCED: {suppressed} more since the last second, not shown");
    }
    if let Ok(mut state) = gate.state.try_borrow_mut() {
        state.tick(moment);
    }
    waiting::attend(&gate, root);
    waiting::tick(moment.now);
}

/// What becomes of a request.
pub enum Course {
    /// It goes on to the upstream.
    GoesOn,
    /// It was answered.
    Answered,
    /// It waits.
    Waits,
}

/// Decides the request of the stream in effect, and does all that follows but for letting it go on. A request that
/// `may_wait` does so until then, or, where that is not given, as long as what it waits for is worth.
pub fn decide_one(
    gate: Option<&Rc<Gate>>,
    stream: u32,
    may_wait: bool,
    until: Option<NumericDate>,
) -> Course {
    // Without anything to decide on it goes nowhere.
    try_to_decide(gate, stream, may_wait, until).unwrap_or_else(|| {
        refuse_unavailable();
        Course::Answered
    })
}

/// Answers the request of the stream in effect where nothing could be decided.
pub fn refuse_unavailable() {
    refuse(&Denial::of(Reason::Unavailable), &Manner::default(), Form::Text);
}

/// `None` where the host gave nothing that can be decided on.
fn try_to_decide(
    gate: Option<&Rc<Gate>>,
    stream: u32,
    may_wait: bool,
    until: Option<NumericDate>,
) -> Option<Course> {
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
    let surroundings =
        Surroundings { now: host::now(), signatures: &gate.signatures, on_demand: &host::OnDemand, may_wait };
    let mut state = gate.state.try_borrow_mut().ok()?;
    let mut decision = decide(&gate.policy, &request, &mut state, surroundings);
    if let Verdict::Await(awaited) = &decision.verdict {
        let until = until.unwrap_or_else(|| surroundings.now.plus(awaited.max_wait));
        if waiting::enter(gate, stream, *awaited, until) {
            return Some(Course::Waits);
        }
        // There is no room: it is decided by what is there.
        let surroundings = Surroundings { may_wait: false, ..surroundings };
        decision = decide(&gate.policy, &request, &mut state, surroundings);
    }
    drop(state);
    let is_allowed = matches!(decision.verdict, Verdict::Allow(_));
    if apply(&decision).is_err() && is_allowed {
        // In shadow too: forged identity does not go on.
        decision.verdict = Verdict::Deny(Denial::of(Reason::Unavailable));
        decision.shadowed = None;
    }
    if gate.policy.metrics
        && let Ok(mut metrics) = gate.metrics.try_borrow_mut()
    {
        metrics.counters.count(&decision);
    }
    for (name, value) in filter_state::properties(&gate.policy, &decision) {
        host::set_property(name, &value);
    }
    if let Some(shadowed) = &decision.shadowed {
        log_shadowed(gate, &decision, shadowed);
    }
    let refuse = |denial| refuse(denial, &gate.policy.denials, gate.policy.denials.form(&request));
    Some(match &decision.verdict {
        Verdict::Allow(_) => Course::GoesOn,
        Verdict::Answer(answer) => {
            host::answer(answer);
            Course::Answered
        }
        Verdict::Deny(denial) => {
            log_refused(gate, &decision, denial);
            refuse(denial)
        }
        // What cannot wait is never told to.
        Verdict::Await(_) => refuse(&Denial::of(Reason::Unavailable)),
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
fn refuse(denial: &Denial, manner: &Manner, form: Form) -> Course {
    host::respond(&denial.response(manner, form));
    Course::Answered
}

/// What would have become of a request that goes on.
fn log_shadowed(gate: &Gate, decision: &Decision<'_>, shadowed: &Verdict) {
    let admits = || gate.shadow_log.try_borrow_mut().is_ok_and(|mut log| log.admits());
    match shadowed {
        Verdict::Deny(denial) if admits() => {
            log_denial(gate, decision, denial, Level::Info, "NOT ENFORCED: would be denied");
        }
        Verdict::Answer(answer) if admits() => {
            log::info!("authgate: NOT ENFORCED: would be answered: status={}", answer.status);
        }
        _ => {}
    }
}

/// What an operator has to do something about is a warning, at a bounded rate; all else is a caller's own affair, and
/// shown by metrics.
fn log_refused(gate: &Gate, decision: &Decision<'_>, denial: &Denial) {
    let level = match denial.reason {
        Reason::Unavailable => Level::Warn,
        _ => Level::Debug,
    };
    if level > log::max_level()
        || level == Level::Warn && !gate.log.try_borrow_mut().is_ok_and(|mut log| log.admits())
    {
        return;
    }
    log_denial(gate, decision, denial, level, "denied");
}

/// The full reason, for the operator; of the request only what the policy says of it.
fn log_denial(gate: &Gate, decision: &Decision<'_>, denial: &Denial, level: Level, what: &str) {
    let detail = denial.reason.detail_code().unwrap_or("-");
    let rule = decision.rule.map_or("-", |rule| rule.name.as_str());
    let authenticator = denial.authenticator.and_then(|at| gate.policy.authenticators.get(at));
    let authenticator = authenticator.map_or("-", |authenticator| authenticator.name.as_str());
    let reason = denial.reason.code();
    log::log!(
        level,
        "authgate: {what}: reason={reason} detail={detail} rule={rule} authenticator={authenticator}"
    );
}
