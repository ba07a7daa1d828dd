//! Requests from arguments in the style of curl.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use authgate::authn::HostInfo;
use authgate::authn::sender_constraint::{CertificateDigest, certificate_digest};
use authgate::http::request::Request;
use authgate::http::url::split_authority;
use authgate::timestamp::NumericDate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Failure;

/// Options for a request, in the style of curl.
#[derive(clap::Args)]
pub struct Curl {
    /// The method. Default: GET.
    #[arg(short = 'X', long, value_name = "METHOD")]
    request: Option<String>,
    /// A header. May be given several times.
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<OsString>,
    /// The user and password for Basic.
    #[arg(short, long, value_name = "USER:PASSWORD")]
    user: Option<String>,
    /// The time of the request: RFC 3339, or seconds since 1970. Default: now, or the time of the recording.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<NumericDate>,
    /// The client address, as determined by Envoy, unless a recording has it.
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<IpAddr>,
    /// The SHA-256 of the client certificate, in hexadecimal digits.
    #[arg(long, value_name = "SHA256", value_parser = certificate)]
    certificate: Option<CertificateDigest>,
    /// The URL, with the path as sent in the request.
    #[arg(required_unless_present_any = ["access_log", "har"])]
    url: Option<String>,
}

/// A request that owns its data.
#[derive(Clone)]
pub struct OwnRequest {
    pub method: Vec<u8>,
    pub scheme: String,
    pub authority: Vec<u8>,
    /// The path with its query; empty if the request has none.
    pub path: String,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub peer: Option<IpAddr>,
    pub certificate: Option<CertificateDigest>,
    pub now: NumericDate,
}

impl Curl {
    /// Returns the request for the URL.
    ///
    /// # Errors
    /// If a header has no colon.
    pub fn own(&self) -> Result<OwnRequest, Failure> {
        let mut own = OwnRequest::new(self.request.as_deref().unwrap_or("GET"), now());
        own.set_url(self.url.as_deref().unwrap_or_default());
        self.complete(&mut own)?;
        Ok(own)
    }

    /// Adds the values of the arguments to a request: time, certificate, headers and credentials, and the address if it
    /// has none.
    ///
    /// # Errors
    /// If a header has no colon.
    pub fn complete(&self, own: &mut OwnRequest) -> Result<(), Failure> {
        own.now = self.at.unwrap_or(own.now);
        own.peer = own.peer.or(self.peer);
        own.certificate = self.certificate.or(own.certificate);
        own.fields.extend(self.user.as_deref().map(basic));
        self.header.iter().try_for_each(|field| own.add(field.as_encoded_bytes()))
    }
}

impl OwnRequest {
    /// A request for `/` without a host.
    pub fn new(method: &str, now: NumericDate) -> Self {
        OwnRequest {
            method: method.into(),
            scheme: "http".to_owned(),
            authority: Vec::new(),
            path: "/".to_owned(),
            fields: Vec::new(),
            peer: None,
            certificate: None,
            now,
        }
    }

    /// Sets scheme, authority and path from a URL, without its fragment.
    pub fn set_url(&mut self, url: &str) {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => {
                self.scheme = scheme.to_ascii_lowercase();
                rest
            }
            _ => url,
        };
        let (authority, path) = split_authority(rest);
        self.authority = authority.as_bytes().to_vec();
        self.path = match path.split('#').next().unwrap_or_default() {
            path if path.starts_with('/') => path.to_owned(),
            query => format!("/{query}"),
        };
    }

    /// Adds a header, as `name: value`; `Host` sets the authority. `name;` is a header without a value.
    fn add(&mut self, field: &[u8]) -> Result<(), Failure> {
        let (name, value) = match field.iter().position(|byte| *byte == b':') {
            Some(colon) => field.split_at_checked(colon).unwrap_or((field, b"")),
            None => match field {
                [name @ .., b';'] => (name, &b":"[..]),
                _ => return Err("expected a header as `Name: value`".to_owned()),
            },
        };
        let name = name.trim_ascii().to_ascii_lowercase();
        let value = value.get(1..).unwrap_or_default().trim_ascii().to_vec();
        if name == b"host" {
            self.authority = value
        } else {
            self.fields.push((name, value))
        }
        Ok(())
    }

    /// The request for the core.
    pub fn borrowed(&self) -> Request<'_> {
        Request {
            method: &self.method,
            scheme: Some(self.scheme.as_bytes()),
            authority: Some(self.authority.as_slice()).filter(|authority| !authority.is_empty()),
            path: Some(self.path.as_bytes()).filter(|path| !path.is_empty()),
            fields: self.fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect(),
            peer: self.peer,
        }
    }
}

/// All information is available at once.
impl HostInfo for OwnRequest {
    fn time(&self) -> NumericDate {
        self.now
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        self.certificate
    }
}

/// The `Authorization` header for Basic of `user:password`.
pub fn basic(user: &str) -> (Vec<u8>, Vec<u8>) {
    (b"authorization".to_vec(), format!("Basic {}", STANDARD.encode(user)).into_bytes())
}

/// Parses a time: RFC 3339, or seconds since 1970.
///
/// # Errors
/// If the text is neither.
pub fn time(text: &str) -> Result<NumericDate, String> {
    let seconds = || text.parse().ok().and_then(NumericDate::from_seconds);
    NumericDate::parse_rfc3339(text)
        .or_else(seconds)
        .ok_or_else(|| "expected a time such as 2026-01-01T00:00:00Z, or seconds since 1970".to_owned())
}

/// Parses the SHA-256 of a certificate, in hexadecimal digits.
///
/// # Errors
/// If the text is not 64 hexadecimal digits.
pub fn certificate(text: &str) -> Result<CertificateDigest, String> {
    certificate_digest(text.as_bytes()).ok_or_else(|| "expected 64 hexadecimal digits".to_owned())
}

/// The current time.
pub fn now() -> NumericDate {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    NumericDate::from_seconds(since.as_secs_f64()).unwrap_or(NumericDate::EPOCH)
}
