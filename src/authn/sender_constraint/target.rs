//! The URL that a proof is for (`htu`), compared with the URL of a request
//! ([RFC 9449 §4.3](https://www.rfc-editor.org/rfc/rfc9449#section-4.3)).
//!
//! Both are compared after syntax-based and scheme-based normalization
//! ([RFC 3986 §6.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2),
//! [§6.2.3](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.3)), without query and fragment.

use crate::http::codec::{hex_byte, is_unreserved, percent_encode};
use crate::http::host::Host;
use crate::http::url::{HttpUrl, default_port, split_authority, split_port, split_query};

/// Scheme, host and port as clients see them. They are configured: the client chooses the host in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    is_secure: bool,
    host: Host<'static>,
    port: u16,
}

/// Error for a text that is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an http or https URL without a path, as in https://api.example.com")]
pub struct OriginError;

impl Origin {
    /// Parses an origin.
    ///
    /// # Errors
    /// Fails if the text is not an `http` or `https` URL, or has a path, query or fragment.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = HttpUrl::parse(text).map_err(|_| OriginError)?;
        if !url.path.is_empty() || url.has_more {
            return Err(OriginError);
        }
        Origin::of(url.is_secure, url.authority).ok_or(OriginError)
    }

    /// True if `uri` is the URL of `target` at this origin.
    pub fn is_address_of(&self, uri: &str, target: &[u8]) -> bool {
        let Some((scheme, rest)) = uri.split_once("://") else { return false };
        let is_secure = scheme.eq_ignore_ascii_case("https");
        if !is_secure && !scheme.eq_ignore_ascii_case("http") {
            return false;
        }
        let (authority, path) = split_authority(rest);
        // A target that is not a path (`*`, an authority) has no such URL.
        target.first() == Some(&b'/')
            && Origin::of(is_secure, authority).as_ref() == Some(self)
            && normal_path(path.as_bytes()) == normal_path(target)
    }

    fn of(is_secure: bool, authority: &str) -> Option<Self> {
        // An empty port is the default one (RFC 3986 §6.2.3).
        let authority = authority.strip_suffix(':').unwrap_or(authority);
        let host = Host::parse(authority.as_bytes()).ok()??.into_owned();
        let (_, port) = split_port(authority);
        let port = if port.is_empty() { default_port(is_secure) } else { port }.parse().ok()?;
        Some(Origin { is_secure, host, port })
    }
}

/// Normalizes a path without query and fragment: decodes escapes of unreserved characters, converts others to upper
/// case, and removes dot segments. An empty path becomes `/`.
fn normal_path(path: &[u8]) -> Vec<u8> {
    let (mut rest, _) = split_query(path);
    let mut decoded = Vec::with_capacity(rest.len());
    while let [byte, after @ ..] = rest {
        rest = after;
        if let (b'%', [high, low, after @ ..]) = (byte, after)
            && let Some(escaped) = hex_byte(*high, *low)
        {
            rest = after;
            percent_encode(&[escaped], is_unreserved, &mut decoded);
        } else {
            decoded.push(*byte);
        }
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = decoded.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push(b"");
        }
    }
    [b"/", kept.join(&b'/').as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: &str, uri: &str, target: &str, expected: bool) {
        let origin = Origin::parse(origin).unwrap();
        assert_eq!(origin.is_address_of(uri, target.as_bytes()), expected, "{uri} for {target}");
    }

    #[test]
    fn addresses_are_compared_after_normalisation() {
        let check =
            |uri: &str, target: &str, expected| check("https://api.example.com", uri, target, expected);
        check("https://api.example.com/a", "/a", true);
        check("https://api.example.com/a", "/a?b=c", true);
        check("https://api.example.com/a?d#e", "/a?b=c", true);
        check("https://api.example.com/a#e", "/a", true);
        check("https://api.example.com/a", "/a#e", true);
        check("https://api.example.com", "/", true);
        check("https://api.example.com/", "/", true);
        check("https://api.example.com?a", "/?b", true);
        check("HTTPS://API.Example.COM/a", "/a", true);
        check("https://api.example.com:443/a", "/a", true);
        check("https://api.example.com:/a", "/a", true);
        check("https://api.example.com/%61%7e%2D", "/a~-", true);
        check("https://api.example.com/a~-", "/%61%7E%2d", true);
        check("https://api.example.com/a%2fb%c3%a9", "/a%2Fb%C3%A9", true);
        check("https://api.example.com/./x/../a", "/a", true);
        check("https://api.example.com/a/", "/b/../a/.", true);
        check("https://api.example.com/a/", "/a/b/..", true);
        check("https://api.example.com/%2e%2E/a", "/a", true);
        check("https://api.example.com/../../a", "/a", true);
        check("https://api.example.com//a", "//a", true);
        check("https://api.example.com/%zz%", "/%zz%", true);

        check("https://api.example.com/a/", "/a", false);
        check("https://api.example.com/a", "/a/", false);
        check("https://api.example.com/A", "/a", false);
        check("https://api.example.com/a", "/b", false);
        check("https://api.example.com/a%2Fb", "/a/b", false);
        check("https://api.example.com//a", "/a", false);
        check("https://api.example.com/a;b", "/a", false);
        check("https://api.example.com/a%20b", "/a+b", false);
        check("http://api.example.com/a", "/a", false);
        check("https://api.example.com:8443/a", "/a", false);
        check("https://api.example.com:80/a", "/a", false);
        check("https://api.example.org/a", "/a", false);
        check("https://x.api.example.com/a", "/a", false);
        check("https://api.example.com.evil/a", "/a", false);
        check("https://api.example.com@evil/a", "/a", false);
        check("https://user@api.example.com/a", "/a", false);
        check("https://api.example.com\\/a", "/a", false);
        check("https:/api.example.com/a", "/a", false);
        check("//api.example.com/a", "/a", false);
        check("/a", "/a", false);
        check("", "", false);
        check("https://", "/", false);
        check("https://api.example.com/", "*", false);
        check("https://api.example.com/a", "a", false);
        check("https://api.example.com:x/a", "/a", false);
        check("https://api.example.com:443:443/a", "/a", false);
        check("ftp://api.example.com/a", "/a", false);
    }

    #[test]
    fn ports_and_addresses_too() {
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080/a", "/a", true);
        check("http://127.0.0.1:8080", "http://127.0.0.1/a", "/a", false);
        check("http://[::1]:8080", "http://[0:0::1]:8080/a", "/a", true);
        check("http://[::1]", "http://[::1]:80/a", "/a", true);
        check("http://[::1]", "http://[::1]:81/a", "/a", false);
        check("https://api.example.com:443", "https://api.example.com/a", "/a", true);
        check("http://api.example.com", "http://api.example.com:80/a", "/a", true);
    }

    #[test]
    fn an_origin_has_no_path() {
        for text in
            ["", "api.example.com", "https://a/", "https://a/b", "https://a?b", "https://a#b", "ftp://a"]
        {
            assert_eq!(Origin::parse(text), Err(OriginError), "{text}");
        }
    }
}
