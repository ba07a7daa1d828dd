//! Envoy with listeners, the service behind it, and the final checks of both.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::e2e::bootstrap::{Listener, bootstrap};
use crate::e2e::client::{Connection, Request};
use crate::e2e::process::{Envoy, directory};
use crate::e2e::upstream::Upstream;
use crate::e2e::wire::Message;

/// A running proxy and the service behind it.
#[derive(Debug)]
pub struct Proxy {
    envoy: Envoy,
    upstream: Upstream,
    listeners: Vec<Listener>,
    access_log: PathBuf,
    cases: AtomicUsize,
    secrets: Mutex<BTreeSet<String>>,
    faults: Mutex<Vec<String>>,
    finished: bool,
}

/// A response, and the requests that reached the upstream.
#[derive(Debug)]
pub struct Exchange {
    /// The status of the response.
    pub status: u16,
    /// The response.
    pub answer: Message,
    /// The requests that the service received; empty if the request was rejected.
    pub upstream: Vec<Message>,
    /// The value of `x-case`, the first word of the request's access log line.
    pub mark: String,
}

impl Proxy {
    /// Starts an Envoy for a test.
    pub fn start(name: &str, listeners: Vec<Listener>) -> Self {
        Self::start_with(name, listeners, &[])
    }

    /// Starts an Envoy with two workers.
    pub fn start_with_two_workers(name: &str, listeners: Vec<Listener>) -> Self {
        Self::start_all(2, name, listeners, &[])
    }

    /// Starts an Envoy with several workers.
    pub fn start_with_workers(workers: usize, name: &str, listeners: Vec<Listener>) -> Self {
        Self::start_all(workers, name, listeners, &[])
    }

    /// Starts an Envoy with environment variables.
    pub fn start_with(name: &str, listeners: Vec<Listener>, environment: &[(&str, &str)]) -> Self {
        Self::start_all(1, name, listeners, environment)
    }

    fn start_all(workers: usize, name: &str, listeners: Vec<Listener>, environment: &[(&str, &str)]) -> Self {
        let directory = directory(name);
        let access_log = directory.join("access.log");
        let upstream = Upstream::start();
        let bootstrap = bootstrap(&listeners, upstream.port, &access_log.to_string_lossy());
        let envoy = Envoy::start_with_workers(workers, &directory, &bootstrap, environment);
        Self {
            envoy,
            upstream,
            listeners,
            access_log,
            cases: AtomicUsize::new(0),
            secrets: Mutex::default(),
            faults: Mutex::default(),
            finished: false,
        }
    }

    /// Returns the process id of Envoy.
    pub fn pid(&self) -> u32 {
        self.envoy.pid()
    }

    /// Returns the port of a listener, for other clients.
    pub fn port(&self, listener: &str) -> u16 {
        *self.envoy.ports.get(listener).unwrap_or_else(|| panic!("no listener {listener}"))
    }

    /// Returns the requests of another client that the service received, by the value of `x-case`.
    pub fn arrived(&self, mark: &str) -> Vec<Message> {
        self.upstream.seen(mark)
    }

    /// Returns the number of connections that were opened to the service.
    pub fn upstream_connections(&self) -> usize {
        self.upstream.connections()
    }

    /// Opens a connection to a listener.
    pub fn connect(&self, listener: &str) -> Connection {
        let port = self.port(listener);
        let client = self.listeners.iter().find(|l| l.name == listener).and_then(Listener::client);
        match client {
            None => Connection::open(port),
            Some(client) => client.connect(port).map(|(connection, _)| connection),
        }
        .expect("a connection to envoy")
    }

    /// Sends a request over a new connection.
    pub fn send(&self, listener: &str, request: &Request) -> Exchange {
        self.send_over(&mut self.connect(listener), request)
    }

    /// Sends a request over an existing connection.
    pub fn send_over(&self, connection: &mut Connection, request: &Request) -> Exchange {
        let mark = format!("case-{}", self.cases.fetch_add(1, Ordering::Relaxed));
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).extend(request.secrets());
        let answer = connection.send(request, &mark).unwrap_or_else(|error| {
            // A codec that closes without a response has rejected the request as well; status 0 distinguishes it.
            Message { start: format!("none 0 {error}"), ..Message::default() }
        });
        let status = answer.second_word().parse().unwrap_or(0);
        Exchange { status, answer, upstream: self.upstream.seen(&mark), mark }
    }

    /// Checks that the listener's good request still gets 200.
    pub fn still_serves(&self, listener: &str) -> Result<(), String> {
        let known = self.listeners.iter().find(|known| known.name == listener).expect("a listener");
        match self.send(listener, &known.good) {
            exchange if exchange.status == known.status => Ok(()),
            exchange => Err(format!("the good request got {} {:?}", exchange.status, exchange.answer.body)),
        }
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        self.envoy.log()
    }

    /// Returns the admin interface's response to GET `path`.
    pub fn admin(&self, path: &str) -> String {
        self.envoy.admin(path)
    }

    /// Returns the admin interface's response to POST `path`, which changes something.
    pub fn admin_post(&self, path: &str) -> String {
        self.envoy.admin_post(path)
    }

    /// Returns the access log, as far as it is written.
    pub fn access_log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.access_log).unwrap_or_default()).into_owned()
    }

    /// Returns the access log line of an exchange.
    pub fn access_log_line(&self, exchange: &Exchange) -> String {
        let mark = format!("{} ", exchange.mark);
        for _ in 0..250 {
            let log = self.access_log();
            if let Some(line) = log.lines().find(|line| line.starts_with(&mark)) {
                return line.to_owned();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{} is not in the access log", exchange.mark);
    }

    /// Replaces the good request of a listener, and the expected status.
    pub fn expect(&mut self, listener: &str, request: &Request, status: u16) {
        let listener = self.listeners.iter_mut().find(|known| known.name == listener).expect("a listener");
        listener.good = request.clone();
        listener.status = status;
    }

    /// Records a fault, which fails the test at its end.
    pub fn fault(&self, fault: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Ends the test: no case failed, every listener still serves, nothing trapped, and no log line contains a
    /// credential.
    pub fn finish(mut self) {
        self.finished = true;
        for listener in &self.listeners {
            if let Err(fault) = self.still_serves(listener.name) {
                self.fault(format!("{}: at the end {fault}", listener.name));
            }
        }
        for sign in self.envoy.signs_of_a_trap() {
            self.fault(format!("a trap: {sign}"));
        }
        let log = self.envoy.log();
        for secret in self.secrets.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if log.contains(secret.as_str()) {
                self.fault(format!("the log shows a credential: {secret}"));
            }
        }
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        assert!(self.finished || thread::panicking(), "a test that does not finish has looked at nothing");
    }
}

/// A connection to a listener that is reused until it is closed.
#[derive(Debug)]
pub struct Kept<'p> {
    proxy: &'p Proxy,
    listener: &'p str,
    connection: Connection,
}

impl<'p> Kept<'p> {
    /// Connects to a listener.
    pub fn new(proxy: &'p Proxy, listener: &'p str) -> Self {
        Self { proxy, listener, connection: proxy.connect(listener) }
    }

    /// Sends a request. If the connection is closed after it, the next request uses another one.
    pub fn send(&mut self, request: &Request) -> Exchange {
        let exchange = self.proxy.send_over(&mut self.connection, request);
        if exchange.status == 0 || exchange.answer.all("connection").contains(&"close") {
            self.connection = self.proxy.connect(self.listener);
        }
        exchange
    }
}
