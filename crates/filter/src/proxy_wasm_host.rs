//! The host of a proxy-wasm module, directly on the ABI. The SDK's own calls panic on any unexpected status, and its
//! text getters panic on bytes that are not UTF-8.

use std::time::{Duration, UNIX_EPOCH};

use log::LevelFilter;
use proxy_wasm::hostcalls;
use proxy_wasm::types::BufferType;

use super::{HeaderMap, Host, LocalReply, MetricKind, Refused};
use crate::header_map;
use authgate::remote::callout::{Callout, CalloutError};
use authgate::timestamp::NumericDate;

/// The proxy that loaded this module.
pub struct ProxyWasmHost;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;

impl Host for ProxyWasmHost {
    fn configuration(&self) -> Vec<u8> {
        buffer(BufferType::PluginConfiguration, usize::MAX).unwrap_or_default()
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn now(&self) -> NumericDate {
        let since = hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        since.and_then(|since| NumericDate::from_seconds(since.as_secs_f64())).unwrap_or(NumericDate::EPOCH)
    }

    fn fill_random(&self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }

    fn set_tick_period(&self, period: Duration) {
        let _ = hostcalls::set_tick_period(period);
    }

    fn log_level(&self) -> Option<LevelFilter> {
        let mut level = 0;
        // SAFETY: the pointer to the level is valid for the call.
        let status = unsafe { proxy_get_log_level(&mut level) };
        (status == OK).then_some(match level {
            0 => LevelFilter::Trace,
            1 => LevelFilter::Debug,
            2 => LevelFilter::Info,
            3 => LevelFilter::Warn,
            _ => LevelFilter::Error,
        })
    }

    fn set_effective_context(&self, context: u32) -> bool {
        // SAFETY: passes only a number.
        unsafe { proxy_set_effective_context(context) == OK }
    }

    fn header_map(&self, map: HeaderMap) -> Option<Vec<u8>> {
        // SAFETY: both pointers are valid for the call, and the host writes to them if it succeeds.
        returned(|data, size| unsafe { proxy_get_header_map_pairs(number(map), data, size) }).ok()
    }

    fn remove_header(&self, map: HeaderMap, name: &[u8]) -> Result<(), Refused> {
        // SAFETY: the name is valid for the call.
        refused_unless_ok(unsafe { proxy_remove_header_map_value(number(map), name.as_ptr(), name.len()) })
    }

    fn replace_header(&self, map: HeaderMap, name: &str, value: &[u8]) -> Result<(), Refused> {
        // SAFETY: both texts are valid for the call, and the host copies them.
        refused_unless_ok(unsafe {
            proxy_replace_header_map_value(
                number(map),
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        })
    }

    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Refused> {
        let path = path.join("\0");
        // SAFETY: the path and both pointers are valid for the call, and the host writes to the pointers if it
        // succeeds.
        let value =
            returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) });
        match value {
            Ok(value) => Ok(Some(value)),
            Err(NOT_FOUND) => Ok(None),
            Err(_) => Err(Refused),
        }
    }

    fn set_property(&self, name: &str, value: &str) {
        // SAFETY: both texts are valid for the call, and the host copies them.
        let _ = unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    }

    fn call_foreign_function(&self, name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
        // SAFETY: all texts and pointers are valid for the call, and the host writes to the pointers if it succeeds.
        let answer = returned(|data, size| unsafe {
            proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                arguments.as_ptr(),
                arguments.len(),
                data,
                size,
            )
        });
        answer.ok().filter(|answer| !answer.is_empty())
    }

    fn call(&self, callout: &Callout) -> Result<u32, CalloutError> {
        let scheme: &str = if callout.is_secure { "https" } else { "http" };
        let pseudo = [
            (":method", callout.method),
            (":scheme", scheme),
            (":authority", callout.authority.as_str()),
            (":path", callout.path.as_str()),
        ];
        let headers = callout.fields.iter().map(|(name, value)| (*name, value.as_str()));
        let headers = serialised(pseudo.into_iter().chain(headers));
        let trailers = header_map::serialise(&[]);
        let mut number = 0;
        let timeout_ms = u32::try_from(callout.timeout.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: all texts and the pointer to the number are valid for the call, and the host copies what it keeps.
        let status = unsafe {
            proxy_http_call(
                callout.cluster.as_ptr(),
                callout.cluster.len(),
                headers.as_ptr(),
                headers.len(),
                callout.body.as_ptr(),
                callout.body.len(),
                trailers.as_ptr(),
                trailers.len(),
                timeout_ms,
                &mut number,
            )
        };
        match status {
            OK => Ok(number),
            BAD_ARGUMENT => Err(CalloutError::UnknownCluster),
            _ => Err(CalloutError::NotSent),
        }
    }

    fn callout_body(&self, size: usize) -> Option<Vec<u8>> {
        buffer(BufferType::HttpCallResponseBody, size)
    }

    fn send_local_reply(&self, reply: &LocalReply<'_>) -> Result<(), Refused> {
        let headers = serialised(reply.headers.iter().copied());
        let LocalReply { status, body, grpc_status, details, .. } = reply;
        // SAFETY: all texts are valid for the call; the host copies them.
        refused_unless_ok(unsafe {
            proxy_send_local_response(
                u32::from(*status),
                details.as_ptr(),
                details.len(),
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                grpc_status.map_or(-1, i32::from),
            )
        })
    }

    fn continue_request(&self) -> Result<(), Refused> {
        const REQUEST: u32 = 0;
        // SAFETY: passes only a number.
        refused_unless_ok(unsafe { proxy_continue_stream(REQUEST) })
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32> {
        let kind = match kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
        };
        let mut metric = 0;
        // SAFETY: the text and the pointer to the metric are valid for the call.
        let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut metric) };
        (status == OK).then_some(metric)
    }

    fn increment_metric(&self, metric: u32, by: i64) {
        // SAFETY: passes only two numbers.
        let _ = unsafe { proxy_increment_metric(metric, by) };
    }

    fn record_metric(&self, metric: u32, value: u64) {
        // SAFETY: passes only two numbers.
        let _ = unsafe { proxy_record_metric(metric, value) };
    }
}

/// Returns the ABI's number of a header map.
fn number(map: HeaderMap) -> u32 {
    match map {
        HeaderMap::RequestHeaders => 0,
        HeaderMap::RequestTrailers => 1,
        HeaderMap::CalloutHeaders => 6,
    }
}

fn refused_unless_ok(status: u32) -> Result<(), Refused> {
    if status == OK { Ok(()) } else { Err(Refused) }
}

fn serialised<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let headers: Vec<_> = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    header_map::serialise(&headers)
}

/// Returns the bytes that a host call returns.
///
/// # Errors
/// The host's status, if it is not `OK`.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, u32> {
    let (mut data, mut size) = (std::ptr::null_mut::<u8>(), 0_usize);
    match (call(&mut data, &mut size), data.is_null()) {
        (OK, true) => Ok(Vec::new()),
        // SAFETY: the host wrote the bytes to memory from `proxy_on_memory_allocate`, which returns a `Vec<u8>` of
        // exactly this length and passes its ownership on.
        (OK, false) => Ok(unsafe { Vec::from_raw_parts(data, size, size) }),
        (status, _) => Err(status),
    }
}

fn buffer(buffer: BufferType, size: usize) -> Option<Vec<u8>> {
    // SAFETY: both pointers are valid for the call, and the host writes to them if it succeeds.
    returned(|data, length| unsafe { proxy_get_buffer_bytes(buffer as u32, 0, size, data, length) }).ok()
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        number: *mut u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
    fn proxy_get_log_level(level: *mut u32) -> u32;
}
