//! Origins of pages ([RFC 6454](https://www.rfc-editor.org/rfc/rfc6454)), as browsers send them in `Origin`.

use super::header_name::only_value;
use super::request::Request;
use super::url::{HttpUrl, default_port, split_port};

/// Allowed origins, compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// Reason why a text is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Neither `null`, nor scheme, host and optional port alone.
    #[error(
        "expected an origin without path, as in https://app.example.com, or null; `*` is not a wildcard here"
    )]
    Syntax,
    /// Browsers send hosts in lower case.
    #[error("expected a host in lower case, as browsers send it")]
    UpperCase,
    /// Browsers omit the default port.
    #[error("expected no port, since browsers omit the default port")]
    DefaultPort,
}

impl Origins {
    /// Creates a list of origins that [`parse`] has accepted.
    pub fn new(origins: Vec<String>) -> Self {
        Origins(origins)
    }

    /// True if the request has no `Origin`, or an allowed one. False if it has several, since each reader may pick
    /// another.
    pub fn allow(&self, request: &Request<'_>) -> bool {
        match only_value(request, "origin") {
            Ok(None) => true,
            Ok(Some(origin)) => self.0.iter().any(|allowed| allowed.as_bytes() == origin),
            Err(_) => false,
        }
    }
}

/// Checks an origin of a configuration, and returns it.
///
/// # Errors
/// Fails if no browser sends this text as an origin.
pub fn parse(text: &str) -> Result<String, OriginError> {
    if text == "null" {
        return Ok(text.to_owned());
    }
    let url = HttpUrl::parse(text).map_err(|_| OriginError::Syntax)?;
    let (host, port) = split_port(url.authority);
    if !url.path.is_empty() || url.has_more || host.ends_with('.') {
        Err(OriginError::Syntax)
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Err(OriginError::UpperCase)
    } else if port == default_port(url.is_secure) {
        Err(OriginError::DefaultPort)
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        use OriginError::*;
        for (text, expected) in [
            ("https://app.example.com", None),
            ("http://localhost:3000", None),
            ("https://[::1]:8443", None),
            ("null", None),
            ("https://app.example.com/", Some(Syntax)),
            ("https://app.example.com/x", Some(Syntax)),
            ("https://app.example.com?x", Some(Syntax)),
            ("app.example.com", Some(Syntax)),
            ("*", Some(Syntax)),
            ("https://*.example.com", Some(Syntax)),
            ("https://user@app.example.com", Some(Syntax)),
            ("Null", Some(Syntax)),
            ("", Some(Syntax)),
            ("https://App.example.com", Some(UpperCase)),
            ("https://app.example.com:443", Some(DefaultPort)),
            ("http://app.example.com:80", Some(DefaultPort)),
            ("http://app.example.com:443", None),
        ] {
            assert_eq!(parse(text).err(), expected, "{text}");
        }
    }

    #[test]
    fn only_listed_origins_are_allowed() {
        let origins = Origins::new(vec!["https://app.example.com".to_owned()]);
        let check = |fields: &[(&str, &str)], expected: bool| {
            let pairs = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(origins.allow(&Request::new(pairs, None)), expected, "{fields:?}");
        };
        check(&[], true);
        check(&[("origin", "https://app.example.com")], true);
        check(&[("Origin", "https://app.example.com")], true);
        for origin in [
            "",
            "null",
            "http://app.example.com",
            "https://app.example.com:443",
            "https://app.example.com.evil.example",
            "https://evil.example",
            "https://app.example.com, https://evil.example",
            "HTTPS://app.example.com",
        ] {
            check(&[("origin", origin)], false);
        }
        check(&[("origin", "https://app.example.com"), ("origin", "https://app.example.com")], false);
    }
}
