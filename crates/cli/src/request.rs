//! A request as curl's arguments say it.

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

/// A request, said as to curl.
#[derive(clap::Args)]
pub struct Curl {
    /// The method.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    request: String,
    /// A field; may be given several times.
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<OsString>,
    /// A user and a password, for Basic.
    #[arg(short, long, value_name = "USER:PASSWORD")]
    user: Option<String>,
    /// When the request comes: a time by RFC 3339, or seconds since 1970. Default: now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<NumericDate>,
    /// The address that the request comes from, as Envoy settles on it.
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<IpAddr>,
    /// The SHA-256 of the certificate that the client has shown, in hexadecimal digits.
    #[arg(long, value_name = "SHA256", value_parser = certificate)]
    certificate: Option<CertificateDigest>,
    /// What is asked for, with the path as it would stand in the request.
    url: String,
}

/// A request of one's own.
pub struct OwnRequest {
    pub method: Vec<u8>,
    pub scheme: String,
    pub authority: Vec<u8>,
    pub path: String,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub peer: Option<IpAddr>,
    pub certificate: Option<CertificateDigest>,
    pub now: NumericDate,
}

impl Curl {
    /// The request.
    pub fn own(&self) -> Result<OwnRequest, Failure> {
        let (scheme, rest) = match self.url.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => (scheme.to_ascii_lowercase(), rest),
            _ => ("http".to_owned(), self.url.as_str()),
        };
        let (authority, path) = split_authority(rest);
        let path = match path.split('#').next().unwrap_or_default() {
            path if path.starts_with('/') => path.to_owned(),
            query => format!("/{query}"),
        };
        let mut own = OwnRequest {
            method: self.request.clone().into_bytes(),
            scheme,
            authority: authority.as_bytes().to_vec(),
            path,
            fields: Vec::new(),
            peer: self.peer,
            certificate: self.certificate,
            now: self.at.unwrap_or_else(now),
        };
        if let Some(user) = &self.user {
            own.fields.push(basic(user));
        }
        for field in &self.header {
            own.add(field.as_encoded_bytes())?;
        }
        Ok(own)
    }
}

impl OwnRequest {
    /// Adds a field, as `name: value`; `Host` is the authority. `name;` is one without a value.
    fn add(&mut self, field: &[u8]) -> Result<(), Failure> {
        let (name, value) = match field.iter().position(|octet| *octet == b':') {
            Some(colon) => field.split_at_checked(colon).unwrap_or((field, b"")),
            None => match field {
                [name @ .., b';'] => (name, &b":"[..]),
                _ => return Err("expected a field as `Name: value`".to_owned()),
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

    /// As the core sees it.
    pub fn borrowed(&self) -> Request<'_> {
        Request {
            method: &self.method,
            scheme: Some(self.scheme.as_bytes()),
            authority: Some(self.authority.as_slice()).filter(|authority| !authority.is_empty()),
            path: Some(self.path.as_bytes()),
            fields: self.fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect(),
            peer: self.peer,
        }
    }
}

/// Here nothing takes any time.
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

/// The field for Basic of a user and a password.
pub fn basic(user: &str) -> (Vec<u8>, Vec<u8>) {
    (b"authorization".to_vec(), format!("Basic {}", STANDARD.encode(user)).into_bytes())
}

/// A time by RFC 3339, or seconds since 1970.
pub fn time(text: &str) -> Result<NumericDate, String> {
    let seconds = || text.parse().ok().and_then(NumericDate::from_seconds);
    NumericDate::parse_rfc3339(text)
        .or_else(seconds)
        .ok_or_else(|| "expected a time such as 2026-01-01T00:00:00Z, or seconds since 1970".to_owned())
}

/// The SHA-256 of a certificate, in hexadecimal digits.
pub fn certificate(text: &str) -> Result<CertificateDigest, String> {
    certificate_digest(text.as_bytes()).ok_or_else(|| "expected 64 hexadecimal digits".to_owned())
}

/// The time.
pub fn now() -> NumericDate {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    NumericDate::from_seconds(since.as_secs_f64()).unwrap_or(NumericDate::EPOCH)
}
