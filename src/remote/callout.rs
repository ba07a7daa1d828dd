//! Requests of our own to others, as values: what is asked, what came of it, and who waits for it. Knows neither keys
//! nor tokens, and sends nothing: that is for the filter.

use crate::principal::AuthenticatorId;
use std::fmt;

/// A request that is to be sent through one of the proxy's clusters. It may hold secrets, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Callout {
    /// The proxy's name for where it goes.
    pub cluster: String,
    /// Its method.
    pub method: &'static str,
    /// Whether the URL that is asked for is `https`. How the cluster is reached is the proxy's business.
    pub is_secure: bool,
    /// `:authority`.
    pub authority: String,
    /// `:path`, with the query.
    pub path: String,
    /// Its other fields, names in lower case.
    pub fields: Vec<(&'static str, String)>,
    /// Its content; empty for none.
    pub body: Vec<u8>,
    /// For how long an answer is waited for, in milliseconds.
    pub timeout_ms: u32,
    /// The longest content of an answer, in octets. A longer one is not read.
    pub max_body: usize,
}

/// An answer, whole.
#[derive(Clone, Copy)]
pub struct HttpResponse<'a> {
    /// Its status.
    pub status: u16,
    /// Its `Cache-Control`, if it has one.
    pub cache_control: Option<&'a [u8]>,
    /// Its content.
    pub body: &'a [u8],
}

/// A status that is not 200, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherStatus(pub u16);

impl fmt::Display for OtherStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected status 200, found {}", self.0)?;
        f.write_str(match self.0 {
            503 => " (the proxy's own if it reaches nobody there)",
            504 => " (the proxy's own if no answer comes in time)",
            _ => "",
        })
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalloutError {
    /// The proxy knows no cluster of this name.
    UnknownCluster,
    /// The proxy could not send it.
    NotSent,
    /// The connection was reset, or the time was over.
    NoAnswer,
    /// The content is longer than what is read.
    TooLong {
        /// The longest that is read, in octets.
        max: usize,
    },
}

impl fmt::Display for CalloutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CalloutError::UnknownCluster => f.write_str(
                "the proxy knows no cluster of this name; expected the name of one: in plain Envoy a `name` below \
                 `static_resources.clusters`, in Istio `outbound|443||idp.example.com`, in Envoy Gateway \
                 `httproute/NAMESPACE/NAME/rule/0`",
            ),
            CalloutError::NotSent => f.write_str("the request could not be sent: no host of the cluster is to be had"),
            CalloutError::NoAnswer => f.write_str("no answer: the connection was reset, or the time was over"),
            CalloutError::TooLong { max } => write!(f, "expected at most {max} octets"),
        }
    }
}

impl std::error::Error for CalloutError {}

/// One call, by its number within the source that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Something that is on its way, by its number within the source that fetches it. Several requests may wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchId(pub u64);

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pending {
    /// Whose: the place of the authenticator in the policy.
    pub authenticator: AuthenticatorId,
    /// What.
    pub fetch_id: FetchId,
    /// For how long a request may wait in all, in seconds.
    pub max_wait: f64,
}

/// What follows from an event.
pub enum Effect {
    /// This is to be sent, and what comes of it to be told under this number.
    Call(CallId, Callout),
    /// It is there, or not to be had: whoever waits for it is to be decided.
    Settled(FetchId),
    /// The operator is to be told.
    Report(Severity, String),
}

/// How much a report matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something does not work, and nobody suffers from it yet.
    Warning,
    /// Requests are refused because of it.
    Error,
}
