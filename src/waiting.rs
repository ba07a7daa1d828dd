//! Requests that wait for something, bounded in number and time. Which request it is the host knows by the number of
//! its stream.

use std::rc::Rc;

use crate::callout::{Awaited, Ticket};
use crate::numeric_date::NumericDate;

/// The most requests of one owner that wait at a time.
pub const MAX_WAITING: usize = 1024;

/// A request that waits.
pub struct Waiting<T> {
    /// The number of its stream.
    pub stream: u32,
    /// Whose request it is.
    pub owner: Rc<T>,
    /// What it waits for.
    pub awaited: Awaited,
    /// From then on it does not wait any more.
    pub until: NumericDate,
}

/// All requests that wait, in the order in which they came.
pub struct WaitingRoom<T> {
    waiting: Vec<Waiting<T>>,
}

impl<T> WaitingRoom<T> {
    /// Nobody waits.
    pub const fn new() -> Self {
        WaitingRoom { waiting: Vec::new() }
    }

    /// Lets a request wait; false where there is no room for one more of its owner.
    pub fn enter(&mut self, waiting: Waiting<T>) -> bool {
        let has_room = self.count(&waiting.owner) < MAX_WAITING;
        if has_room {
            self.waiting.push(waiting);
        }
        has_room
    }

    /// Whether this stream's request waits.
    pub fn holds(&self, stream: u32) -> bool {
        self.waiting.iter().any(|waiting| waiting.stream == stream)
    }

    /// Forgets the requests whose streams are not `alive`.
    pub fn sweep(&mut self, mut alive: impl FnMut(u32) -> bool) {
        self.waiting.retain(|waiting| alive(waiting.stream));
    }

    /// Takes out those that `leaves` says, in their order.
    pub fn take(&mut self, leaves: impl FnMut(&mut Waiting<T>) -> bool) -> Vec<Waiting<T>> {
        self.waiting.extract_if(.., leaves).collect()
    }

    /// Takes out those of an owner that wait for this.
    pub fn take_settled(&mut self, owner: &Rc<T>, source: usize, ticket: Ticket) -> Vec<Waiting<T>> {
        self.take(|waiting| {
            let awaited = waiting.awaited;
            awaited.source == source && awaited.ticket == ticket && Rc::ptr_eq(&waiting.owner, owner)
        })
    }

    /// Takes out those that have waited long enough.
    pub fn take_overdue(&mut self, now: NumericDate) -> Vec<Waiting<T>> {
        self.take(|waiting| now >= waiting.until)
    }

    /// How many of an owner wait.
    pub fn count(&self, owner: &Rc<T>) -> usize {
        self.waiting.iter().filter(|waiting| Rc::ptr_eq(&waiting.owner, owner)).count()
    }
}

impl<T> Default for WaitingRoom<T> {
    fn default() -> Self {
        WaitingRoom::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(owner: &Rc<u8>, stream: u32, source: usize, ticket: u64, until: f64) -> Waiting<u8> {
        let awaited = Awaited { source, ticket: Ticket(ticket), max_wait: 5.0 };
        Waiting { stream, owner: Rc::clone(owner), awaited, until: NumericDate::from_seconds(until).unwrap() }
    }

    fn streams(waiting: Vec<Waiting<u8>>) -> Vec<u32> {
        waiting.iter().map(|waiting| waiting.stream).collect()
    }

    #[test]
    fn who_waits_leaves_for_what_was_awaited_or_when_the_time_is_over() {
        let (a, b) = (Rc::new(1), Rc::new(2));
        let mut room = WaitingRoom::new();
        for (owner, stream, source, ticket, until) in [
            (&a, 1, 0, 1, 10.0),
            (&a, 2, 0, 2, 20.0),
            (&b, 3, 0, 1, 30.0),
            (&a, 4, 1, 1, 10.0),
            (&a, 5, 0, 1, 40.0),
        ] {
            room.enter(waiting(owner, stream, source, ticket, until));
        }
        assert_eq!(streams(room.take_settled(&a, 0, Ticket(1))), [1, 5]);
        assert!(!room.holds(1) && room.holds(2) && room.holds(3) && !room.holds(6));
        let at = |seconds| NumericDate::from_seconds(seconds).unwrap();
        assert!(room.take_overdue(at(9.75)).is_empty());
        assert_eq!(streams(room.take_overdue(at(20.0))), [2, 4]);
        assert_eq!(streams(room.take_settled(&b, 0, Ticket(1))), [3]);
    }

    #[test]
    fn the_room_of_each_owner_is_bounded_and_who_has_left_makes_room() {
        let (a, b) = (Rc::new(1), Rc::new(2));
        let mut room = WaitingRoom::new();
        let visitor = |owner, stream| waiting(owner, stream, 0, 1, 10.0);
        for stream in 0..MAX_WAITING as u32 {
            assert!(room.enter(visitor(&a, stream)));
        }
        assert!(!room.enter(visitor(&a, 5000)));
        assert!(!room.holds(5000));
        assert!(room.enter(visitor(&b, 5001)));
        room.sweep(|stream| stream != 7);
        assert!(!room.holds(7) && room.holds(8) && room.holds(5001));
        assert!(room.enter(visitor(&a, 5002)));
        assert!(!room.enter(visitor(&a, 5003)));
    }
}
