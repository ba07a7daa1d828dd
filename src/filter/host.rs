//! Calls to the host. Octets come and go as octets: the SDK's getters for text trap on what is not UTF-8.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use log::LevelFilter;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, Bytes, MapType, Status};

use crate::callout::{Callout, CalloutError};
use crate::denial::Response;
use crate::header_map;
use crate::memory::MemoryKey;
use crate::numeric_date::NumericDate;
use crate::protected_resource::Answer;
use crate::scheme;
use crate::scheme::bound::{CertificateDigest, certificate_digest};

/// The configuration; empty where there is none.
pub fn configuration() -> Bytes {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX).ok().flatten().unwrap_or_default()
}

/// The time. A host that has none gives the epoch, when no token is valid yet.
pub fn now() -> NumericDate {
    let since = hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| NumericDate::from_seconds(since.as_secs_f64())).unwrap_or(NumericDate::EPOCH)
}

/// Has the root's tick called; a host without timers keeps nothing up to date that needs one.
pub fn tick_every(period: Duration) {
    let _ = hostcalls::set_tick_period(period);
}

/// What the core asks of the host where it needs it.
pub struct OnDemand;

impl scheme::OnDemand for OnDemand {
    fn time(&self) -> NumericDate {
        now()
    }

    fn peer(&self) -> Option<IpAddr> {
        peer()
    }

    /// What a field says of a certificate does not count.
    fn certificate(&self) -> Option<CertificateDigest> {
        let digest = hostcalls::get_property(vec!["connection", "sha256_peer_certificate_digest"]);
        certificate_digest(&digest.ok().flatten()?)
    }
}

/// A key that nobody can guess; `None` where the host has no randomness.
pub fn random_key() -> Option<MemoryKey> {
    let mut key = MemoryKey::default();
    getrandom::fill(&mut key).ok().map(|()| key)
}

/// A number from 0 up to 1 that nobody can foresee; where the host has no randomness, always the same.
pub fn chance() -> f64 {
    let mut octets = [0; 4];
    match getrandom::fill(&mut octets) {
        Ok(()) => f64::from(u32::from_le_bytes(octets)) / (f64::from(u32::MAX) + 1.0),
        Err(_) => 0.5,
    }
}

/// The address that the proxy settled on as the client's.
pub fn peer() -> Option<IpAddr> {
    let address = hostcalls::get_property(vec!["source", "address"]).ok().flatten()?;
    let address = std::str::from_utf8(&address).ok()?;
    address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse()).ok()
}

/// A map as the ABI serialises it, for [`header_map`](crate::header_map); `None` where the host has none.
pub fn map(map: MapType) -> Option<Vec<u8>> {
    let (mut data, mut size) = (std::ptr::null_mut::<u8>(), 0_usize);
    // SAFETY: both pointers are valid for the call; the host writes where it put the map and how long it is.
    let status = unsafe { proxy_get_header_map_pairs(map as u32, &mut data, &mut size) };
    match (status, data.is_null()) {
        (0, true) => Some(Vec::new()),
        // SAFETY: the host put the map into memory that it got from `proxy_on_memory_allocate`, which gives out a
        // `Vec<u8>` of exactly this length and leaves it to us.
        (0, false) => Some(unsafe { Vec::from_raw_parts(data, size, size) }),
        _ => None,
    }
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

/// Calls a function that this host has beyond the ABI; `None` where it has none of this name, or cannot answer.
///
/// The SDK's own call traps on any status that it does not expect.
pub fn call_foreign_function(name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    let (mut data, mut size) = (std::ptr::null_mut::<u8>(), 0_usize);
    // SAFETY: all pointers are valid for the call; the host writes where it put its answer and how long it is.
    let status = unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            &mut data,
            &mut size,
        )
    };
    // SAFETY: as for `map`.
    (status == 0 && !data.is_null()).then(|| unsafe { Vec::from_raw_parts(data, size, size) })
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
}

/// Sends a request of our own, on behalf of the context in effect, which gets the answer. Gives the host's number of it.
///
/// The SDK's own call keeps a list of those that are outstanding, and traps on any status that it does not expect.
pub fn call(callout: &Callout) -> Result<u32, CalloutError> {
    let scheme: &str = if callout.is_secure { "https" } else { "http" };
    let pseudo = [
        (":method", callout.method),
        (":scheme", scheme),
        (":authority", callout.authority.as_str()),
        (":path", callout.path.as_str()),
    ];
    let fields = callout.fields.iter().map(|(name, value)| (*name, value.as_str()));
    let fields: Vec<_> =
        pseudo.into_iter().chain(fields).map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let (fields, trailers) = (header_map::serialise(&fields), header_map::serialise(&[]));
    let mut number = 0;
    // SAFETY: all texts and the place for the number are valid for the call; the host copies what it keeps.
    let status = unsafe {
        proxy_http_call(
            callout.cluster.as_ptr(),
            callout.cluster.len(),
            fields.as_ptr(),
            fields.len(),
            callout.body.as_ptr(),
            callout.body.len(),
            trailers.as_ptr(),
            trailers.len(),
            callout.timeout_ms,
            &mut number,
        )
    };
    match status {
        0 => Ok(number),
        BAD_ARGUMENT => Err(CalloutError::UnknownCluster),
        _ => Err(CalloutError::NotSent),
    }
}

/// The content of the answer that the host has just brought, of so many octets.
pub fn answer_body(size: usize) -> Option<Bytes> {
    if size == 0 {
        return Some(Bytes::new());
    }
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size).ok().flatten()
}

/// Puts another context in effect, a root's or a stream's: what the host is asked from now on is about this one. False
/// where it is gone.
pub fn enter(context: u32) -> bool {
    // SAFETY: takes a number.
    unsafe { proxy_set_effective_context(context) == 0 }
}

/// Puts a stream in effect whose request waited; false where nothing may be done with it any more.
///
/// Envoy keeps the context of a stream that has ended until the end of the event loop's turn, and acting on it there
/// brings the whole proxy down (seen on 1.36.4 and 1.40.0: `tests/envoy/resets.rs`). A stream that has ended has a
/// duration; one that Envoy has answered itself has a response code.
pub fn enter_live(stream: u32) -> bool {
    let has = |property: [&str; 2]| !matches!(hostcalls::get_property(property.to_vec()), Ok(None));
    enter(stream) && !has(["request", "duration"]) && !has(["response", "code"])
}

/// Lets the request of the stream in effect go on; false where the host does not.
pub fn resume() -> bool {
    const REQUEST: u32 = 0;
    // SAFETY: takes a number.
    unsafe { proxy_continue_stream(REQUEST) == 0 }
}

const BAD_ARGUMENT: u32 = 2;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        fields: *const u8,
        fields_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        number: *mut u32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
}

/// A new counter, or the one of this name; `None` where the host has none.
pub fn define_counter(name: &str) -> Option<u32> {
    define_metric(COUNTER, name)
}

/// A new gauge, or the one of this name; `None` where the host has none.
pub fn define_gauge(name: &str) -> Option<u32> {
    define_metric(GAUGE, name)
}

fn define_metric(kind: u32, name: &str) -> Option<u32> {
    let mut metric = 0;
    // SAFETY: the text and the place for the metric are valid for the call.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut metric) };
    (status == 0).then_some(metric)
}

/// Adds to a counter. What a host refuses is lost, as there is nobody to tell.
pub fn add_to_counter(counter: u32, count: u64) {
    change(counter, i64::try_from(count).unwrap_or(i64::MAX));
}

/// Adds to a gauge, or takes from it.
pub fn change(metric: u32, by: i64) {
    // SAFETY: takes two numbers.
    let _ = unsafe { proxy_increment_metric(metric, by) };
}

/// Sets a gauge. What a host refuses is lost, as there is nobody to tell.
pub fn set_gauge(gauge: u32, value: u64) {
    // SAFETY: takes two numbers.
    let _ = unsafe { proxy_record_metric(gauge, value) };
}

const COUNTER: u32 = 0;
const GAUGE: u32 = 1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
}

/// What the proxy calls this configuration; empty where it has no name for it.
pub fn plugin_name() -> String {
    let name = hostcalls::get_property(vec!["plugin_name"]).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&name).into_owned()
}

/// Puts a value where the access log finds it. A host that cannot has no such log.
pub fn set_property(name: &str, value: &str) {
    // SAFETY: both texts are valid for the call; the host copies them.
    let _ = unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
}

/// The least that the host logs; what it drops need not be put together. `None` where it does not say.
pub fn log_level() -> Option<LevelFilter> {
    let mut level = 0;
    // SAFETY: the place for the level is valid for the call.
    let status = unsafe { proxy_get_log_level(&mut level) };
    (status == 0).then_some(match level {
        0 => LevelFilter::Trace,
        1 => LevelFilter::Debug,
        2 => LevelFilter::Info,
        3 => LevelFilter::Warn,
        _ => LevelFilter::Error,
    })
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_log_level(level: *mut u32) -> u32;
}

/// Takes all fields of a name out.
pub fn remove(map: MapType, name: &[u8]) -> Result<(), Status> {
    // Names of fields are tokens, hence ASCII.
    let name = std::str::from_utf8(name).map_err(|_| Status::BadArgument)?;
    hostcalls::remove_map_value(map, name)
}

/// Writes a field in place of all of its name.
pub fn replace(map: MapType, name: &str, value: &[u8]) -> Result<(), Status> {
    hostcalls::set_map_value_bytes(map, name, Some(value))
}

/// Answers the request with what we know ourselves. A host that cannot keeps it paused, so nothing passes.
pub fn answer(answer: &Answer) {
    let fields: Vec<_> =
        answer.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    send(answer.status, &fields, &answer.body, None, "authgate:metadata");
}

/// Answers the request with a refusal.
pub fn respond(response: &Response<'_>) {
    let fields: Vec<_> =
        response.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    // A gRPC call has its status in a field.
    let status = if response.grpc_status.is_some() { 200 } else { response.status };
    send(status, &fields, &response.body, response.grpc_status, &response.details);
}

/// `details` are for the access log. The SDK's own call has none, and traps on any status that it does not expect.
fn send(status: u16, fields: &[(&[u8], &[u8])], body: &str, grpc_status: Option<u8>, details: &str) {
    let fields = header_map::serialise(fields);
    // SAFETY: all texts are valid for the call; the host copies them.
    let _ = unsafe {
        proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            fields.as_ptr(),
            fields.len(),
            grpc_status.map_or(-1, i32::from),
        )
    };
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        fields: *const u8,
        fields_size: usize,
        grpc_status: i32,
    ) -> u32;
}
