//! A host that a test controls: it delivers responses late, refuses operations, and has ended streams.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use authgate::remote::callout::{Callout, CalloutError};
use authgate::timestamp::NumericDate;
use authgate_filter::header_map::serialise;
use authgate_filter::{Action, Filter, HeaderMap, Host, LocalReply, MetricKind, Refused};
use log::LevelFilter;
use serde_json::{Value, json};

/// An operation that the host can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Remove(&'static str),
    Replace(&'static str),
    Property(&'static str),
    ReadHeaders,
    Continue,
    Call,
    Reply,
    /// Makes a stream effective. The host never refuses this for root contexts.
    SetEffective,
    Random,
}

/// The host's view of a stream.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    pub headers: Vec<(String, String)>,
    pub trailers: Vec<(String, String)>,
    pub source: Option<&'static str>,
    /// Status of each local reply. More than one is a fault of the filter.
    pub replies: Vec<u16>,
    pub is_continued: bool,
    /// True if the stream has ended and its context is not deleted yet.
    pub is_over: bool,
    /// The status of the host's own response, possibly an interim one.
    pub response_code: Option<u16>,
}

impl Stream {
    /// Returns the values of all headers with this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    fn map(&mut self, map: HeaderMap) -> &mut Vec<(String, String)> {
        let is_answered = self.response_code.is_some_and(|code| code >= 200);
        assert!(!self.is_over && !is_answered, "the filter touches a stream that is over");
        match map {
            HeaderMap::RequestTrailers => &mut self.trailers,
            _ => &mut self.headers,
        }
    }
}

/// A callout that was sent.
#[derive(Debug, Clone)]
pub struct Call {
    pub number: u32,
    pub context: u32,
    pub body: String,
}

#[derive(Default)]
pub struct State {
    pub effective: u32,
    pub now: f64,
    pub configurations: BTreeMap<u32, Value>,
    pub streams: BTreeMap<u32, Stream>,
    pub calls: Vec<Call>,
    pub refuses: BTreeSet<Operation>,
    /// Names and values of metrics; the index is the host's number of the metric.
    pub metrics: Vec<(String, i64)>,
    answer: Option<(Vec<u8>, Vec<u8>)>,
}

/// The host of a [`Fixture`].
#[derive(Default)]
pub struct FakeHost(RefCell<State>);

impl FakeHost {
    fn with_stream<T>(&self, run: impl FnOnce(&mut Stream) -> T) -> T {
        let mut state = self.0.borrow_mut();
        let effective = state.effective;
        run(state.streams.get_mut(&effective).unwrap_or_else(|| panic!("{effective} in effect is no stream")))
    }

    fn check(&self, operation: Operation) -> Result<(), Refused> {
        if self.0.borrow().refuses.contains(&operation) { Err(Refused) } else { Ok(()) }
    }

    fn refuses(&self, name: &str, is: fn(&Operation) -> Option<&'static str>) -> Result<(), Refused> {
        let refused = self.0.borrow().refuses.iter().filter_map(is).any(|refused| refused == name);
        if refused { Err(Refused) } else { Ok(()) }
    }
}

impl Host for FakeHost {
    fn configuration(&self) -> Vec<u8> {
        let state = self.0.borrow();
        state.configurations[&state.effective].to_string().into_bytes()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> NumericDate {
        NumericDate::from_seconds(1_700_000_000.0 + self.0.borrow().now).unwrap()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> bool {
        let can = self.check(Operation::Random).is_ok();
        if can {
            bytes.fill(7);
        }
        can
    }

    fn set_tick_period(&self, _: Duration) {}

    fn log_level(&self) -> Option<LevelFilter> {
        None
    }

    fn set_effective_context(&self, context: u32) -> bool {
        let mut state = self.0.borrow_mut();
        let can = !state.refuses.contains(&Operation::SetEffective);
        let is_stream = can && state.streams.contains_key(&context);
        let is_there = state.configurations.contains_key(&context) || is_stream;
        if is_there {
            state.effective = context;
        }
        is_there
    }

    fn header_map(&self, map: HeaderMap) -> Option<Vec<u8>> {
        if map == HeaderMap::CalloutHeaders {
            return Some(self.0.borrow().answer.as_ref()?.0.clone());
        }
        self.check(Operation::ReadHeaders).ok()?;
        self.with_stream(|stream| {
            let pairs = stream.map(map).iter();
            let pairs: Vec<_> = pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            Some(serialise(&pairs))
        })
    }

    fn remove_header(&self, map: HeaderMap, name: &[u8]) -> Result<(), Refused> {
        let name = std::str::from_utf8(name).map_err(|_| Refused)?;
        self.refuses(name, |operation| match operation {
            Operation::Remove(name) => Some(name),
            _ => None,
        })?;
        self.with_stream(|stream| stream.map(map).retain(|(known, _)| known != name));
        Ok(())
    }

    fn replace_header(&self, map: HeaderMap, name: &str, value: &[u8]) -> Result<(), Refused> {
        self.refuses(name, |operation| match operation {
            Operation::Replace(name) => Some(name),
            _ => None,
        })?;
        let value = String::from_utf8(value.to_vec()).unwrap();
        self.with_stream(|stream| {
            let map = stream.map(map);
            map.retain(|(known, _)| known != name);
            map.push((name.to_owned(), value));
        });
        Ok(())
    }

    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Refused> {
        self.refuses(&path.join("."), |operation| match operation {
            Operation::Property(name) => Some(name),
            _ => None,
        })?;
        if path == ["plugin_name"] {
            return Ok(None);
        }
        Ok(self.with_stream(|stream| match path {
            ["request", "duration"] => stream.is_over.then(|| vec![0; 8]),
            ["response", "code"] => stream.response_code.map(|code| i64::from(code).to_le_bytes().to_vec()),
            ["source", "address"] => stream.source.map(|source| format!("{source}:1234").into_bytes()),
            _ => None,
        }))
    }

    fn set_property(&self, _: &str, _: &str) {}

    fn call_foreign_function(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn call(&self, callout: &Callout) -> Result<u32, CalloutError> {
        self.check(Operation::Call).map_err(|_| CalloutError::NotSent)?;
        let mut state = self.0.borrow_mut();
        let context = state.effective;
        assert!(
            state.configurations.contains_key(&context),
            "a callout of a stream: its answer may find none"
        );
        let number = 100 + u32::try_from(state.calls.len()).unwrap();
        let body = String::from_utf8(callout.body.clone()).unwrap();
        state.calls.push(Call { number, context, body });
        Ok(number)
    }

    fn callout_body(&self, size: usize) -> Option<Vec<u8>> {
        self.0.borrow().answer.as_ref().map(|(_, body)| body.clone()).filter(|body| body.len() == size)
    }

    fn send_local_reply(&self, reply: &LocalReply<'_>) -> Result<(), Refused> {
        self.check(Operation::Reply)?;
        self.with_stream(|stream| {
            stream.map(HeaderMap::RequestHeaders);
            stream.replies.push(reply.status);
        });
        Ok(())
    }

    fn continue_request(&self) -> Result<(), Refused> {
        self.check(Operation::Continue)?;
        self.with_stream(|stream| {
            stream.map(HeaderMap::RequestHeaders);
            stream.is_continued = true;
        });
        Ok(())
    }

    fn define_metric(&self, _: MetricKind, name: &str) -> Option<u32> {
        let metrics = &mut self.0.borrow_mut().metrics;
        let known = metrics.iter().position(|(known, _)| known == name);
        let number = known.unwrap_or_else(|| {
            metrics.push((name.to_owned(), 0));
            metrics.len() - 1
        });
        u32::try_from(number).ok()
    }

    fn increment_metric(&self, metric: u32, by: i64) {
        self.0.borrow_mut().metrics[metric as usize].1 += by;
    }

    fn record_metric(&self, metric: u32, value: u64) {
        self.0.borrow_mut().metrics[metric as usize].1 = value.cast_signed();
    }
}

/// Result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Refused(u16),
    Waiting,
}

/// A filter on a fake host. Root contexts are numbered from 1, streams from 1000.
pub struct Fixture {
    filter: Filter<FakeHost>,
}

impl Fixture {
    /// Creates a root context for each configuration, all of which must be accepted.
    pub fn new(configurations: &[Value]) -> Self {
        let fixture = Fixture { filter: Filter::new(FakeHost::default()) };
        for (root, configuration) in (1..).zip(configurations) {
            assert!(fixture.configure(root, configuration.clone()), "{configuration}");
        }
        fixture
    }

    /// Configures a root context; false if the configuration is rejected.
    pub fn configure(&self, root: u32, configuration: Value) -> bool {
        self.state(|state| {
            state.configurations.insert(root, configuration);
            state.effective = root;
        });
        self.filter.on_context_create(root, 0);
        self.filter.on_configure(root)
    }

    /// Reads or changes the state of the host.
    pub fn state<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        run(&mut self.filter.host().0.borrow_mut())
    }

    /// Returns the filter.
    pub fn filter(&self) -> &Filter<FakeHost> {
        &self.filter
    }

    /// Makes the host refuse an operation from now on.
    pub fn refuse(&self, operation: Operation) {
        self.state(|state| state.refuses.insert(operation));
    }

    /// Sends `GET path` with these headers to a root context, and returns the stream.
    pub fn send(&self, root: u32, path: &str, fields: &[(&str, &str)]) -> u32 {
        self.send_from(Some("192.0.2.1"), root, path, fields)
    }

    /// Sends the same from another source address.
    pub fn send_from(
        &self,
        source: Option<&'static str>,
        root: u32,
        path: &str,
        fields: &[(&str, &str)],
    ) -> u32 {
        let stream = self.open(source, path, fields);
        self.filter.on_context_create(stream, root);
        self.headers(stream)
    }

    /// Opens a stream without reporting it to a root context.
    pub fn open(&self, source: Option<&'static str>, path: &str, fields: &[(&str, &str)]) -> u32 {
        let pseudo =
            [(":method", "GET"), (":scheme", "http"), (":authority", "api.example.com"), (":path", path)];
        let headers = pseudo.iter().chain(fields).map(|(name, value)| ((*name).into(), (*value).into()));
        let stream = Stream { headers: headers.collect(), source, ..Stream::default() };
        self.state(|state| {
            let number = state.streams.keys().last().map_or(1000, |last| last + 1);
            state.streams.insert(number, stream);
            state.effective = number;
            number
        })
    }

    /// Delivers the headers of an open stream.
    pub fn headers(&self, stream: u32) -> u32 {
        let action = self.filter.on_request_headers(stream, true);
        assert_eq!(self.state(|state| state.effective), stream, "another context is left in effect");
        self.state(|state| {
            let stream = state.streams.get_mut(&stream).unwrap();
            assert!(action == Action::Pause || stream.replies.is_empty(), "answered, and let through");
            stream.is_continued = action == Action::Continue;
        });
        stream
    }

    /// Delivers the trailers of a stream.
    pub fn trailers(&self, stream: u32) -> Action {
        self.state(|state| state.effective = stream);
        self.filter.on_request_trailers(stream)
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> i64 {
        let found = self
            .state(|state| state.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value));
        found.unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// A copy of the stream.
    pub fn stream(&self, stream: u32) -> Stream {
        self.state(|state| state.streams[&stream].clone())
    }

    /// Changes a stream.
    pub fn change(&self, stream: u32, change: impl FnOnce(&mut Stream)) {
        self.state(|state| change(state.streams.get_mut(&stream).unwrap()));
    }

    /// Returns the result of a request.
    pub fn outcome(&self, stream: u32) -> Outcome {
        let stream = self.stream(stream);
        match (stream.replies.as_slice(), stream.is_continued) {
            ([], true) => Outcome::Passed,
            ([status], false) => Outcome::Refused(*status),
            ([], false) => Outcome::Waiting,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the callout about a token.
    pub fn call(&self, token: &str) -> Call {
        let calls = self.state(|state| state.calls.clone());
        let question = format!("token={token}");
        let about = |call: &&Call| call.body.split('&').any(|pair| pair == question);
        calls.iter().rfind(about).unwrap_or_else(|| panic!("nobody asked about {token}: {calls:?}")).clone()
    }

    /// Responds to the callout about a token: active with this subject, or inactive.
    pub fn answer(&self, token: &str, subject: Option<&str>) {
        let Call { number, context, .. } = self.call(token);
        let body = match subject {
            Some(subject) => json!({"active": true, "sub": subject}),
            None => json!({"active": false}),
        };
        let body = body.to_string().into_bytes();
        let size = body.len();
        self.state(|state| {
            state.answer = Some((serialise(&[(b":status", b"200")]), body));
            state.effective = context;
        });
        self.filter.on_http_call_response(context, number, 1, size);
        assert_eq!(self.state(|state| state.effective), context, "another context is left in effect");
    }

    /// Advances the clock by this many seconds, and ticks the root contexts.
    pub fn pass(&self, seconds: f64) {
        let roots: Vec<u32> = self.state(|state| {
            state.now += seconds;
            state.configurations.keys().copied().collect()
        });
        for root in roots {
            self.state(|state| state.effective = root);
            self.filter.on_tick(root);
            assert_eq!(self.state(|state| state.effective), root, "another context is left in effect");
        }
    }
}
