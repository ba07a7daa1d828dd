//! Clients, each with a connection of its own, that send without a pause.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::policies::Policy;
use super::traffic::{Exchange, Traffic};
use super::{Changes, Outcome, Waits};
use crate::client::Connection;

/// What all clients have seen together.
#[derive(Default)]
pub struct Tally {
    requests: AtomicU64,
    allowed: AtomicU64,
    connections: AtomicU64,
    waits: Mutex<Waits>,
    /// How many of each kind, and the first.
    faults: Mutex<BTreeMap<String, (u64, String)>>,
}

impl Tally {
    /// Something was not as it had to be.
    pub fn fault(&self, kind: &str, fault: String) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.entry(kind.to_owned()).or_insert((0, fault)).0 += 1;
    }

    /// All of it.
    pub fn outcome(self, changes: Changes, lasted: Duration) -> Outcome {
        let faults = self.faults.into_inner().unwrap_or_else(PoisonError::into_inner);
        let text =
            |(kind, (count, first)): (String, (u64, String))| format!("{kind}, {count} times: {first}");
        Outcome {
            faults: faults.into_iter().map(text).collect(),
            requests: self.requests.into_inner(),
            allowed: self.allowed.into_inner(),
            connections: self.connections.into_inner(),
            changes,
            waits: self.waits.into_inner().unwrap_or_else(PoisonError::into_inner),
            lasted,
        }
    }
}

/// A connection, and the policy that it was answered by: Envoy serves a connection to its end by the configuration that
/// it began with.
pub struct Client<'t> {
    port: u16,
    tally: &'t Tally,
    open: Option<(Connection, Option<Policy>)>,
}

impl<'t> Client<'t> {
    /// A client that is not connected yet.
    pub fn new(port: u16, tally: &'t Tally) -> Self {
        Self { port, tally, open: None }
    }

    /// Sends a request and looks at its answer, which is given back with how long it took; `None` where none came.
    pub fn exchange(
        &mut self,
        (kind, request, expectation): &Exchange,
    ) -> Option<(crate::wire::Message, Duration)> {
        let tally = self.tally;
        if self.open.is_none() {
            match Connection::open(self.port) {
                Ok(connection) => self.open = Some((connection, None)),
                Err(error) => tally.fault("no connection", error.to_string()),
            }
            tally.connections.fetch_add(1, Ordering::Relaxed);
        }
        let (connection, policy) = self.open.as_mut()?;
        let start = Instant::now();
        // An answer that does not come is a fault, whatever was changed in the meantime.
        let answer = match connection.send(request, "soak") {
            Ok(answer) => answer,
            Err(error) => {
                tally.fault(kind, format!("no answer: {error}"));
                self.open = None;
                return None;
            }
        };
        let wait = start.elapsed();
        tally.requests.fetch_add(1, Ordering::Relaxed);
        if answer.second_word() == "200" {
            tally.allowed.fetch_add(1, Ordering::Relaxed);
        }
        match (expectation.policies(&answer), &policy) {
            (Err(fault), _) => tally.fault(kind, format!("{fault}\n  to {request}")),
            (Ok(found), Some(known)) if !found.contains(known) => {
                tally.fault(kind, format!("{found:?} answers over a connection of {known:?}"));
            }
            (Ok(found), None) if found.len() == 1 => *policy = found.first().copied(),
            _ => {}
        }
        if answer.all("connection").iter().any(|value| value.eq_ignore_ascii_case("close")) {
            self.open = None;
        }
        Some((answer, wait))
    }

    /// By which policy it was answered, as far as that can be told. The next request has a new connection.
    pub fn close(&mut self) -> Option<Policy> {
        self.open.take().and_then(|(_, policy)| policy)
    }
}

/// Sends until the end.
pub fn run(port: u16, seed: u64, end: Instant, tally: &Tally) {
    let mut traffic = Traffic::new(seed + 1);
    let mut client = Client::new(port, tally);
    let mut waits = Waits::default();
    while Instant::now() < end {
        let exchange = traffic.next();
        if let Some((answer, wait)) = client.exchange(&exchange) {
            waits.add(wait);
            traffic.answered(exchange.0, &answer);
        }
    }
    tally.waits.lock().unwrap_or_else(PoisonError::into_inner).merge(&waits);
}
