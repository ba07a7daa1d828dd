//! Clients with one connection each, which send without pause.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::policies::Policy;
use super::traffic::{Exchange, Traffic};
use super::{Changes, Outcome, Waits};
use crate::e2e::client::Connection;

/// Delay beyond which a process is considered suspended rather than waiting for its turn.
const STALL: Duration = Duration::from_millis(500);

/// Combined results of all clients.
#[derive(Default)]
pub struct Tally {
    requests: AtomicU64,
    allowed: AtomicU64,
    connections: AtomicU64,
    repeated: AtomicU64,
    /// Milliseconds for which this process was runnable but did not run.
    stood_still: AtomicU64,
    waits: Mutex<Waits>,
    /// Number of faults of each kind, and the first one.
    faults: Mutex<BTreeMap<String, (u64, String)>>,
}

impl Tally {
    /// Records a fault.
    pub fn fault(&self, kind: &str, fault: String) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.entry(kind.to_owned()).or_insert((0, fault)).0 += 1;
    }

    /// Measures, until the end, for how long the machine suspends this process. After a suspension timing guarantees do
    /// not apply: Envoy closes idle connections in the meantime.
    pub fn watch(&self, end: Instant) {
        const NAP: Duration = Duration::from_millis(50);
        while Instant::now() < end {
            let start = Instant::now();
            thread::sleep(NAP);
            let late = start.elapsed().saturating_sub(NAP);
            if late >= STALL {
                self.stood_still.fetch_add(late.as_millis() as u64, Ordering::Relaxed);
            }
        }
    }

    /// Returns the results.
    pub fn outcome(self, changes: Changes, lasted: Duration) -> Outcome {
        let faults = self.faults.into_inner().unwrap_or_else(PoisonError::into_inner);
        let text =
            |(kind, (count, first)): (String, (u64, String))| format!("{kind}, {count} times: {first}");
        Outcome {
            faults: faults.into_iter().map(text).collect(),
            requests: self.requests.into_inner(),
            allowed: self.allowed.into_inner(),
            connections: self.connections.into_inner(),
            repeated: self.repeated.into_inner(),
            stood_still: Duration::from_millis(self.stood_still.into_inner()),
            changes,
            waits: self.waits.into_inner().unwrap_or_else(PoisonError::into_inner),
            lasted,
        }
    }
}

/// A connection, and the policy that served it: Envoy serves a connection by one configuration until it closes.
pub struct Client<'t> {
    port: u16,
    tally: &'t Tally,
    open: Option<(Connection, Option<Policy>)>,
    /// Suspension time of the machine, in milliseconds, at the last response.
    stood_still: u64,
}

impl<'t> Client<'t> {
    /// Creates a client that is not connected yet.
    pub fn new(port: u16, tally: &'t Tally) -> Self {
        Self { port, tally, open: None, stood_still: 0 }
    }

    /// Sends a request, checks the response, and returns it with its duration; `None` if there was no response.
    pub fn exchange(
        &mut self,
        (kind, request, expectation): &Exchange,
    ) -> Option<(crate::e2e::wire::Message, Duration)> {
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
        // A missing response is a fault even during a configuration change, except if the machine was suspended; the
        // request is sent again then.
        let answer = match connection.send(request, "soak") {
            Ok(answer) => answer,
            Err(error) => {
                self.open = None;
                // The watcher may have been woken later than this thread.
                thread::sleep(STALL);
                let stood_still = tally.stood_still.load(Ordering::Relaxed);
                if stood_still == std::mem::replace(&mut self.stood_still, stood_still) {
                    tally.fault(kind, format!("no answer: {error}"));
                } else {
                    tally.repeated.fetch_add(1, Ordering::Relaxed);
                }
                return None;
            }
        };
        self.stood_still = tally.stood_still.load(Ordering::Relaxed);
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

    /// Closes the connection, and returns the policy that served it, if known. The next request uses a new connection.
    pub fn close(&mut self) -> Option<Policy> {
        self.open.take().and_then(|(_, policy)| policy)
    }
}

/// Sends requests until the end.
pub fn run(port: u16, seed: u64, end: Instant, tally: &Tally) {
    let mut traffic = Traffic::new(seed + 1);
    let mut client = Client::new(port, tally);
    let mut waits = Waits::default();
    let mut again = None;
    while Instant::now() < end {
        let exchange = again.take().unwrap_or_else(|| traffic.next());
        match client.exchange(&exchange) {
            Some((answer, wait)) => {
                waits.add(wait);
                traffic.answered(exchange.0, &answer);
            }
            None => again = Some(exchange),
        }
    }
    tally.waits.lock().unwrap_or_else(PoisonError::into_inner).merge(&waits);
}
