//! Callouts as values: the request, the outcome and the fetch that requests wait for. Independent of keys and tokens.
//! The filter sends the requests.

use std::fmt;
use std::time::Duration;

use crate::principal::AuthenticatorId;

/// A request to be sent through one of the proxy's clusters. May contain secrets, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Callout {
    /// The name of the proxy's cluster.
    pub cluster: String,
    /// The method.
    pub method: &'static str,
    /// True if the URL of the request is `https`. The cluster configuration determines how the endpoint is reached.
    pub is_secure: bool,
    /// `:authority`.
    pub authority: String,
    /// `:path`, with the query.
    pub path: String,
    /// The other headers, with lower-case names.
    pub fields: Vec<(&'static str, String)>,
    /// The body; may be empty.
    pub body: Vec<u8>,
    /// The timeout.
    pub timeout: Duration,
    /// The longest response body that is accepted, in bytes.
    pub max_body: usize,
}

/// A complete response.
#[derive(Clone, Copy)]
pub struct HttpResponse<'a> {
    /// The status.
    pub status: u16,
    /// The `Cache-Control` header, if present.
    pub cache_control: Option<&'a [u8]>,
    /// The body.
    pub body: &'a [u8],
}

/// Error text for a status that is not 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherStatus(pub u16);

impl fmt::Display for OtherStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected status 200, found {}", self.0)?;
        f.write_str(match self.0 {
            503 => " (the proxy sends it if no host is reachable)",
            504 => " (the proxy sends it on a timeout)",
            _ => "",
        })
    }
}

/// Error of a callout without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalloutError {
    /// The proxy has no cluster of this name.
    #[error(
        "unknown cluster; expected the name of one of the proxy's clusters: in plain Envoy a `name` in \
         `static_resources.clusters`, in Istio `outbound|443||idp.example.com`, in Envoy Gateway \
         `httproute/NAMESPACE/NAME/rule/0`"
    )]
    UnknownCluster,
    /// The proxy could not send the request.
    #[error("the request could not be sent: the cluster has no available host")]
    NotSent,
    /// The connection was reset, or the timeout expired.
    #[error("no response: the connection was reset, or the timeout expired")]
    NoAnswer,
    /// The response body is too long.
    #[error("expected at most {max} bytes")]
    TooLong {
        /// The longest body that is accepted, in bytes.
        max: usize,
    },
}

/// Number of a call, unique within its authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Number of a pending fetch, unique within its authenticator. Several requests may wait for one fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchId(pub u64);

/// The fetch that a request waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pending {
    /// The authenticator that fetches.
    pub authenticator: AuthenticatorId,
    /// The fetch.
    pub fetch_id: FetchId,
    /// The longest time that a request may wait in total.
    pub max_wait: Duration,
}

/// Effect of an event.
pub enum Effect {
    /// Send this callout, and report its outcome under this number.
    Call(CallId, Callout),
    /// The fetch succeeded or failed: decide the requests that wait for it.
    Settled(FetchId),
    /// Log this message for the operator.
    Report(Severity, String),
}

/// Severity of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Informational.
    Info,
    /// A failure without consequences for requests so far.
    Warning,
    /// Requests are denied because of it.
    Error,
}
