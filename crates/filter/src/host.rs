//! The contract with the proxy around the filter. Values come and go as bytes, and nothing in it panics.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use log::LevelFilter;

use authgate::authn::HostInfo;
use authgate::authn::sender_constraint::{CertificateDigest, certificate_digest};
use authgate::remote::callout::{Callout, CalloutError};
use authgate::timestamp::NumericDate;

/// A proxy that runs the filter. What it is asked concerns the context in effect, where it concerns one at all.
pub trait Host {
    /// The configuration of the root context in effect; empty if there is none.
    fn configuration(&self) -> Vec<u8>;

    /// A variable of the environment that the proxy gives to the filter.
    fn environment(&self, name: &str) -> Option<String>;

    /// The time; the epoch, when no token is valid, if the host has none.
    fn now(&self) -> NumericDate;

    /// Fills `bytes` with random ones; false if the host has no randomness.
    fn fill_random(&self, bytes: &mut [u8]) -> bool;

    /// Has `on_tick` called for the root context in effect from now on. A host without timers keeps nothing up to date
    /// that needs one.
    fn set_tick_period(&self, period: Duration);

    /// The lowest level that the host logs, if it says so.
    fn log_level(&self) -> Option<LevelFilter>;

    /// Puts another context in effect; false if it is gone.
    fn set_effective_context(&self, context: u32) -> bool;

    /// The header map in the form of [`header_map`](crate::header_map); `None` if the host has none.
    fn header_map(&self, map: HeaderMap) -> Option<Vec<u8>>;

    /// Removes all fields with this name.
    ///
    /// # Errors
    /// The host refuses, so the field may still be there.
    fn remove_header(&self, map: HeaderMap, name: &[u8]) -> Result<(), Refused>;

    /// Replaces all fields with this name by one.
    ///
    /// # Errors
    /// The host refuses, so the field may still be as it was.
    fn replace_header(&self, map: HeaderMap, name: &str, value: &[u8]) -> Result<(), Refused>;

    /// A property of the context in effect; `None` if there is no such property.
    ///
    /// # Errors
    /// The host refuses to say.
    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Refused>;

    /// Sets a property that access logs can show. A host that cannot has no such log.
    fn set_property(&self, name: &str, value: &str);

    /// Calls a function that this host has beyond the ABI; `None` if it has none of this name, or cannot answer.
    fn call_foreign_function(&self, name: &str, arguments: &[u8]) -> Option<Vec<u8>>;

    /// Sends a request on behalf of the root context in effect, which gets the answer. Gives the host's number of it.
    ///
    /// # Errors
    /// The request is not sent.
    fn call(&self, callout: &Callout) -> Result<u32, CalloutError>;

    /// The content, of this size, of the answer that the host has just brought.
    fn callout_body(&self, size: usize) -> Option<Vec<u8>>;

    /// Answers the request in effect. A host that cannot keeps it paused, so nothing passes.
    fn send_local_reply(&self, reply: &LocalReply<'_>);

    /// Lets the paused request in effect continue.
    ///
    /// # Errors
    /// The host refuses, so the request is still paused.
    fn continue_request(&self) -> Result<(), Refused>;

    /// Defines a metric, or finds the one with this name; `None` if the host has none.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32>;

    /// Adds to a counter or a gauge.
    fn increment_metric(&self, metric: u32, by: i64);

    /// Sets a gauge.
    fn record_metric(&self, metric: u32, value: u64);
}

/// The host has refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// The header maps that the filter reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderMap {
    /// The header section of the request.
    RequestHeaders,
    /// Its trailer section.
    RequestTrailers,
    /// The header section of the answer to a callout.
    CalloutHeaders,
}

/// The kinds of metrics that a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A response that does not come from the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Header fields, in order.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The content.
    pub body: &'a str,
    /// The gRPC status code, for gRPC calls.
    pub grpc_status: Option<u8>,
    /// Shown in access logs as the response code details.
    pub details: &'a str,
}

/// The facts that the core asks the host for only where it needs them.
pub struct HostFacts<'h, H>(pub &'h H);

impl<H: Host> HostInfo for HostFacts<'_, H> {
    fn time(&self) -> NumericDate {
        self.0.now()
    }

    fn peer(&self) -> Option<IpAddr> {
        peer(self.0)
    }

    /// From the connection only, never from a header.
    fn certificate(&self) -> Option<CertificateDigest> {
        let digest = self.0.property(&["connection", "sha256_peer_certificate_digest"]);
        certificate_digest(&digest.ok().flatten()?)
    }
}

/// The address that the proxy settled on as the client's.
pub fn peer(host: &impl Host) -> Option<IpAddr> {
    let address = host.property(&["source", "address"]).ok().flatten()?;
    let address = std::str::from_utf8(&address).ok()?;
    address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse()).ok()
}
