//! Requests of our own: sends them, and brings what comes of them to whoever made them.

use proxy_wasm::types::MapType;

use super::gates::Gate;
use super::host;
use crate::callout::{Answer, CallId, CalloutError, Effect, Severity, Ticket};
use crate::header_map;
use crate::key_source::Moment;

/// What was asked and is not answered yet, and what is settled and nobody was told yet.
#[derive(Default)]
pub struct Calls {
    outstanding: Vec<Outstanding>,
    settled: Vec<(usize, Ticket)>,
}

struct Outstanding {
    /// The host's number of the call.
    number: u32,
    source: usize,
    call: CallId,
    max_body: usize,
}

impl Calls {
    /// What is settled, with whose it is, since this was last asked.
    pub fn take_settled(&mut self) -> Vec<(usize, Ticket)> {
        std::mem::take(&mut self.settled)
    }
}

/// The time and a random number.
pub fn moment() -> Moment {
    Moment { now: host::now(), chance: host::chance() }
}

/// Carries out what the events so far have led to. The root context has to be in effect: the host brings answers to the
/// context that asked, and that of a request may be gone by then.
pub fn carry_out(gate: &Gate) {
    loop {
        let Ok(effects) = gate.state.try_borrow_mut().map(|mut state| state.take_effects()) else { return };
        if effects.is_empty() {
            return;
        }
        for (source, effect) in effects {
            match effect {
                Effect::Call(call, callout) => match host::call(&callout) {
                    Ok(number) => {
                        let outstanding = Outstanding { number, source, call, max_body: callout.max_body };
                        if let Ok(mut calls) = gate.calls.try_borrow_mut() {
                            calls.outstanding.push(outstanding);
                        }
                    }
                    Err(error) => tell(gate, source, call, Err(error)),
                },
                Effect::Settled(ticket) => {
                    if let Ok(mut calls) = gate.calls.try_borrow_mut() {
                        calls.settled.push((source, ticket));
                    }
                }
                Effect::Report(severity, text) => report(gate, source, severity, &text),
            }
        }
    }
}

/// The host brings the answer to a call: so many fields and so many octets of content. No field at all means that there
/// is none.
pub fn answered(gate: &Gate, number: u32, fields: usize, body_size: usize) {
    let taken = gate.calls.try_borrow_mut().ok().and_then(|mut calls| {
        let at = calls.outstanding.iter().position(|outstanding| outstanding.number == number)?;
        Some(calls.outstanding.swap_remove(at))
    });
    let Some(Outstanding { source, call, max_body, .. }) = taken else { return };
    if body_size > max_body {
        return tell(gate, source, call, Err(CalloutError::TooLong { max: max_body }));
    }
    let map = if fields == 0 { None } else { host::map(MapType::HttpCallResponseHeaders) };
    let fields = map.as_deref().and_then(header_map::pairs).unwrap_or_default();
    let value = |name: &[u8]| {
        fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    };
    let status = value(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    let outcome = match (status, host::answer_body(body_size)) {
        (Some(status), Some(body)) => {
            let answer = Answer { status, cache_control: value(b"cache-control"), body: &body };
            return tell(gate, source, call, Ok(answer));
        }
        _ => Err(CalloutError::NoAnswer),
    };
    tell(gate, source, call, outcome);
}

fn tell(gate: &Gate, source: usize, call: CallId, outcome: Result<Answer<'_>, CalloutError>) {
    if let Ok(mut state) = gate.state.try_borrow_mut() {
        state.answered(source, call, outcome, moment());
    }
}

fn report(gate: &Gate, source: usize, severity: Severity, text: &str) {
    let level = match severity {
        Severity::Info => log::Level::Info,
        Severity::Warning => log::Level::Warn,
        Severity::Error => log::Level::Error,
    };
    let name =
        gate.policy.authenticators.get(source).map_or("-", |authenticator| authenticator.name.as_str());
    log::log!(level, "authgate: authenticator \"{name}\": {text}");
}
