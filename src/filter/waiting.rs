//! Requests that wait, of all configurations of this VM: who waits for what, and who is decided when.
//!
//! A client that leaves is not announced, since that would cost every request an entry into the VM. It is found gone
//! when its turn comes, and with the next tick at the latest.

use std::cell::RefCell;
use std::rc::Rc;

use super::entry::{self, Course};
use super::gates::Gate;
use super::{calls, host};
use crate::callout::Awaited;
use crate::numeric_date::NumericDate;
use crate::waiting::{Waiting, WaitingRoom};

thread_local! {
    static ROOM: RefCell<WaitingRoom<Gate>> = const { RefCell::new(WaitingRoom::new()) };
}

/// Whether the stream's request waits: then nothing of it may go on.
pub fn holds(stream: u32) -> bool {
    // Whoever cannot look lets nothing pass.
    ROOM.with(|room| room.try_borrow().map_or(true, |room| room.holds(stream)))
}

/// How many requests of a configuration wait.
pub fn count(gate: &Rc<Gate>) -> usize {
    ROOM.with(|room| room.try_borrow().map_or(0, |room| room.count(gate)))
}

/// Lets the request of a stream wait; false where there is no room.
pub fn enter(gate: &Rc<Gate>, stream: u32, awaited: Awaited, until: NumericDate) -> bool {
    let waiting = Waiting { stream, owner: Rc::clone(gate), awaited, until };
    ROOM.with(|room| room.try_borrow_mut().is_ok_and(|mut room| room.enter(waiting)))
}

/// Sends what a configuration wants sent, and decides the requests whose wait is over by that. The root is in effect, and
/// no request: a host must not be told that one may go on while it waits for what becomes of its header section.
pub fn attend(gate: &Rc<Gate>, root: u32) {
    // Each turn decides requests; they seldom ask for anything more, and what is left has time until the next tick.
    for _ in 0..4 {
        calls::carry_out(gate);
        let settled = gate.calls.try_borrow_mut().map(|mut calls| calls.take_settled()).unwrap_or_default();
        if settled.is_empty() {
            return;
        }
        for (source, ticket) in settled {
            take(|room| room.take_settled(gate, source, ticket))
                .into_iter()
                .for_each(|waiting| go_on(waiting, true));
        }
        host::enter(root);
    }
}

/// Forgets clients that have left, and decides requests that have waited long enough.
pub fn tick(now: NumericDate) {
    let overdue = take(|room| {
        room.sweep(host::enter_live);
        room.take_overdue(now)
    });
    overdue.into_iter().for_each(|waiting| go_on(waiting, false));
}

/// Decides the request of a stream, from the start. One that `may_wait` waits on until its time is over.
fn go_on(waiting: Waiting<Gate>, may_wait: bool) {
    let Waiting { stream, owner, until, .. } = waiting;
    if !host::enter_live(stream) {
        return; // the client has left, or Envoy has answered
    }
    match entry::decide_one(Some(&owner), stream, may_wait, Some(until)) {
        Course::GoesOn if !host::resume() => entry::refuse_unavailable(),
        Course::GoesOn | Course::Answered | Course::Waits => {}
    }
}

/// What is done to the room leads to host calls and new visitors only when it is done.
fn take(from: impl FnOnce(&mut WaitingRoom<Gate>) -> Vec<Waiting<Gate>>) -> Vec<Waiting<Gate>> {
    ROOM.with(|room| room.try_borrow_mut().map(|mut room| from(&mut room)).unwrap_or_default())
}
