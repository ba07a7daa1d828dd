//! The contract between the filter and its proxy. Values are passed as bytes, and no function panics.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use log::LevelFilter;

use authgate::authn::HostInfo;
use authgate::authn::sender_constraint::{CertificateDigest, certificate_digest};
use authgate::remote::callout::{Callout, CalloutError};
use authgate::timestamp::NumericDate;

/// A proxy that runs the filter. Functions that depend on a context use the effective context.
pub trait Host {
    /// Returns the configuration of the effective root context; empty if there is none.
    fn configuration(&self) -> Vec<u8>;

    /// Returns an environment variable that the proxy passes to the filter.
    fn environment(&self, name: &str) -> Option<String>;

    /// Returns the current time. A host without a clock returns the epoch, at which no token is valid.
    fn now(&self) -> NumericDate;

    /// Fills `bytes` with random bytes; false if the host has no randomness.
    fn fill_random(&self, bytes: &mut [u8]) -> bool;

    /// Sets the interval at which `on_tick` is called for the effective root context. Without timers, work that depends
    /// on ticks is not done.
    fn set_tick_period(&self, period: Duration);

    /// Returns the lowest level that the host logs, if known.
    fn log_level(&self) -> Option<LevelFilter>;

    /// Sets the effective context; false if that context no longer exists.
    fn set_effective_context(&self, context: u32) -> bool;

    /// Returns a header map in the serialized form of [`header_map`](crate::header_map); `None` if the host has none.
    fn header_map(&self, map: HeaderMap) -> Option<Vec<u8>>;

    /// Removes all headers with this name.
    ///
    /// # Errors
    /// If the host refuses. The header may still be present.
    fn remove_header(&self, map: HeaderMap, name: &[u8]) -> Result<(), Refused>;

    /// Replaces all headers with this name by a single one.
    ///
    /// # Errors
    /// If the host refuses. The header may be unchanged.
    fn replace_header(&self, map: HeaderMap, name: &str, value: &[u8]) -> Result<(), Refused>;

    /// Returns a property of the effective context; `None` if there is no such property.
    ///
    /// # Errors
    /// If the host refuses to read the property.
    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Refused>;

    /// Sets a property that access logs can show. Failures are ignored: such a host has no access log that shows it.
    fn set_property(&self, name: &str, value: &str);

    /// Calls a foreign function, an extension of this host to the ABI; `None` if there is no such function or it fails.
    fn call_foreign_function(&self, name: &str, arguments: &[u8]) -> Option<Vec<u8>>;

    /// Sends a callout on behalf of the effective root context, which receives the response. Returns the host's number
    /// of the callout.
    ///
    /// # Errors
    /// If the callout was not sent.
    fn call(&self, callout: &Callout) -> Result<u32, CalloutError>;

    /// Returns the body of the callout response that is being delivered; `size` is its length in bytes.
    fn callout_body(&self, size: usize) -> Option<Vec<u8>>;

    /// Answers the request in effect.
    ///
    /// # Errors
    /// The host refuses, so the request is still paused.
    fn send_local_reply(&self, reply: &LocalReply<'_>) -> Result<(), Refused>;

    /// Resumes the paused effective request.
    ///
    /// # Errors
    /// If the host refuses. The request is still paused.
    fn continue_request(&self) -> Result<(), Refused>;

    /// Defines a metric, or returns the existing one with this name; `None` if the host has no metrics.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32>;

    /// Adds to a counter or gauge.
    fn increment_metric(&self, metric: u32, by: i64);

    /// Sets a gauge.
    fn record_metric(&self, metric: u32, value: u64);
}

/// Error of a host call that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// Header maps that the filter reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderMap {
    /// Headers of the request.
    RequestHeaders,
    /// Trailers of the request.
    RequestTrailers,
    /// Headers of a callout response.
    CalloutHeaders,
}

/// Kinds of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A value that never decreases.
    Counter,
    /// A value that can increase and decrease.
    Gauge,
}

/// A response that does not come from the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body.
    pub body: &'a str,
    /// The gRPC status code, if the request is a gRPC call.
    pub grpc_status: Option<u8>,
    /// The response code details, shown in access logs.
    pub details: &'a str,
}

/// Facts that the core requests from the host only when it needs them.
pub struct HostFacts<'h, H>(pub &'h H);

impl<H: Host> HostInfo for HostFacts<'_, H> {
    fn time(&self) -> NumericDate {
        self.0.now()
    }

    fn peer(&self) -> Option<IpAddr> {
        peer(self.0)
    }

    /// Returns the digest of the connection's client certificate, never of one in a header.
    fn certificate(&self) -> Option<CertificateDigest> {
        let digest = self.0.property(&["connection", "sha256_peer_certificate_digest"]);
        certificate_digest(&digest.ok().flatten()?)
    }
}

/// Returns the client address that the proxy determined.
pub fn peer(host: &impl Host) -> Option<IpAddr> {
    let address = host.property(&["source", "address"]).ok().flatten()?;
    let address = std::str::from_utf8(&address).ok()?;
    address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse()).ok()
}
