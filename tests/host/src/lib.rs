//! The module in a host other than Envoy: wasmtime through the crate `proxy-wasm-host`, without a proxy around it.
//! Optional capabilities of a host can be left out one by one, to test requests without them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use proxy_wasm_host::abi::v0_2_1::types::{Action, LogLevel, MapType, MetricType, Status};
use proxy_wasm_host::abi::v0_2_1::{
    Access, ContextId, Guest, Host, InMemoryStore, Invocation, LocalResponse, LogContext, LogSink, MetricId,
    PluginConfig, SharedServices, Started, StreamKind, StreamState, VmServices,
};
use proxy_wasm_host::{Engine, HeaderMap, Limits, Module, VecHeaderMap};

/// Compiled once, since that takes most of the time.
static MODULE: LazyLock<(Host, Module)> = LazyLock::new(|| {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/authgate.wasm");
    let path = std::env::var_os("AUTHGATE_WASM").map_or(default, PathBuf::from);
    let bytes =
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make build`", path.display()));
    let engine = Engine::new().expect("an engine");
    let module = Module::new(&engine, &bytes).expect("the module compiles");
    (Host::new(&engine).expect("the host functions"), module)
});

/// Capabilities of the host beside header maps, the clock, randomness and the log.
#[derive(Debug, Clone, Copy)]
pub struct Has {
    /// True for `proxy_get_property`, with the client's address.
    pub properties: bool,
    /// True for `proxy_define_metric` and the other metric functions.
    pub metrics: bool,
}

/// The module with a configuration.
pub struct Instance {
    guest: Guest,
    root: ContextId,
    log: Arc<Log>,
    metrics: Arc<Metrics>,
    has: Has,
}

/// Result of a request.
pub struct Outcome {
    /// Status of the module's local reply; `None` if the request continues.
    pub status: Option<u32>,
    /// Headers of the local reply.
    pub fields: Vec<(String, String)>,
    /// Body of the local reply.
    pub body: String,
    headers: VecHeaderMap,
}

impl Instance {
    /// Starts the module.
    ///
    /// # Errors
    /// If the module rejects its configuration: the errors that it logged.
    pub fn start(configuration: &[u8], environment: &[(&str, &str)], has: Has) -> Result<Instance, String> {
        let (host, module) = &*MODULE;
        let log = Arc::new(Log::default());
        let metrics =
            Arc::new(Metrics { store: InMemoryStore::new(), has: has.metrics, counted: Mutex::default() });
        let variables =
            environment.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let services =
            VmServices::new(log.clone()).with_environment(variables.collect()).with_shared(metrics.clone());
        let mut guest = Guest::new(host, module, services, &Limits::default()).expect("an instance");
        match guest.start(PluginConfig::new().with_configuration(configuration)).expect("no trap") {
            Started::Serving(root) => Ok(Instance { guest, root, log, metrics, has }),
            Started::Refused { .. } => Err(log.text()),
        }
    }

    /// Sends a request of a client at 192.0.2.7. `headers` includes pseudo-headers.
    pub fn send(&mut self, headers: &[(&str, &[u8])]) -> Outcome {
        let headers: VecHeaderMap =
            headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
        let count = headers.len().try_into().expect("few fields");
        let (root, stream) = (self.root, Stream { headers, answer: None, properties: self.has.properties });
        let (action, stream) = self.guest.with(stream, |scope| {
            let stream = scope.on_context_create(Some(root)).expect("a stream");
            scope.expect_stream_kind(stream, StreamKind::Http).expect("a new stream");
            let action = scope.on_request_headers(stream, count, true).expect("no trap");
            scope.on_done(stream).expect("no trap");
            scope.on_delete(stream).expect("no trap");
            action
        });
        assert_eq!(
            action == Action::Pause,
            stream.answer.is_some(),
            "paused for good, or answered and let through"
        );
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let Some(answer) = stream.answer else {
            return Outcome {
                status: None,
                fields: Vec::new(),
                body: String::new(),
                headers: stream.headers,
            };
        };
        Outcome {
            status: Some(answer.status_code),
            fields: answer.headers.iter().map(|(name, value)| (text(name), text(value))).collect(),
            body: text(&answer.body),
            headers: stream.headers,
        }
    }

    /// Runs the tick that a host calls once a second.
    pub fn tick(&mut self) {
        assert!(self.guest.tick_period(self.root).is_some(), "the module asked for no tick");
        self.guest.enter_root().on_tick(self.root).expect("no trap");
    }

    /// Returns everything that the module has logged.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Returns the names of the defined metrics, each with its total.
    pub fn counted(&self) -> Vec<(String, i64)> {
        self.metrics
            .counted
            .lock()
            .expect("a list")
            .iter()
            .map(|(name, _, count)| (name.clone(), *count))
            .collect()
    }
}

impl Outcome {
    /// Returns a header that the service would receive.
    pub fn upstream(&self, name: &str) -> Option<String> {
        self.headers.get(name.as_bytes()).map(|value| String::from_utf8(value.to_vec()).expect("text"))
    }

    /// Returns the `WWW-Authenticate` headers of the local reply.
    pub fn challenges(&self) -> Vec<&str> {
        let challenges = self.fields.iter().filter(|(name, _)| name == "www-authenticate");
        challenges.map(|(_, value)| value.as_str()).collect()
    }
}

struct Stream {
    headers: VecHeaderMap,
    answer: Option<LocalResponse<'static>>,
    properties: bool,
}

impl StreamState for Stream {
    fn header_map(&mut self, _: Invocation, _: Access, map: MapType) -> Result<&mut dyn HeaderMap, Status> {
        match map {
            MapType::HttpRequestHeaders => Ok(&mut self.headers),
            _ => Err(Status::NotFound),
        }
    }

    fn send_local_response(&mut self, _: Invocation, response: LocalResponse<'_>) -> Result<(), Status> {
        assert!(self.answer.is_none(), "answered twice");
        self.answer = Some(response.into_owned());
        Ok(())
    }

    fn property(&mut self, _: Invocation, path: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Status> {
        if !self.properties || path != [&b"source"[..], b"address"] {
            return Err(Status::NotFound);
        }
        out.extend(b"192.0.2.7:50000");
        Ok(())
    }
}

#[derive(Default)]
struct Log(Mutex<String>);

impl Log {
    fn text(&self) -> String {
        self.0.lock().expect("the log").clone()
    }
}

impl LogSink for Log {
    fn log(&self, _: LogContext<'_>, level: LogLevel, message: &[u8]) {
        let line = format!("{level:?} {}\n", String::from_utf8_lossy(message));
        self.0.lock().expect("the log").push_str(&line);
    }
}

/// Counters, if the host has metrics. The host has neither shared data nor queues.
struct Metrics {
    store: InMemoryStore,
    has: bool,
    counted: Mutex<Vec<(String, MetricId, i64)>>,
}

impl SharedServices for Metrics {
    fn define_metric(
        &self,
        call: Invocation,
        vm: &[u8],
        kind: MetricType,
        name: &[u8],
    ) -> Result<MetricId, Status> {
        if !self.has {
            return Err(Status::Unimplemented);
        }
        let metric = self.store.define_metric(call, vm, kind, name)?;
        let name = String::from_utf8(name.to_vec()).expect("text");
        self.counted.lock().expect("a list").push((name, metric, 0));
        Ok(metric)
    }

    fn increment_metric(&self, _: Invocation, metric: MetricId, delta: i64) -> Result<(), Status> {
        let mut counted = self.counted.lock().expect("a list");
        let (_, _, count) =
            counted.iter_mut().find(|(_, known, _)| *known == metric).ok_or(Status::NotFound)?;
        *count += delta;
        Ok(())
    }
}
