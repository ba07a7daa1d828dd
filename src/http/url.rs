//! Parts of URLs and of request targets, and `http` and `https` URLs in a configuration
//! ([RFC 9110 §4.2](https://www.rfc-editor.org/rfc/rfc9110#section-4.2)).

use crate::http::codec::is_pchar;
use crate::http::host::Host;

/// The default port of `https` or `http`, in digits.
pub fn default_port(is_secure: bool) -> &'static str {
    if is_secure { "443" } else { "80" }
}

/// Splits an authority without user information into host and port. The port is empty if there is none.
pub fn split_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address are inside brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    }
}

/// Splits a URL after its `://` into the authority, and what follows it.
pub fn split_authority(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or((rest, ""))
}

/// Splits a request target at the first `?` or `#`, where its query or fragment starts. That character stays with the
/// second part.
pub fn split_query(target: &[u8]) -> (&[u8], &[u8]) {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
    target.split_at_checked(end).unwrap_or((target, &[]))
}

/// An absolute URL without user information. It has only the characters of
/// [RFC 3986 §2](https://www.rfc-editor.org/rfc/rfc3986#section-2), all of which are safe in headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpUrl<'a> {
    /// True if the scheme is `https`.
    pub is_secure: bool,
    /// Host and optional port.
    pub authority: &'a str,
    /// The path from the first `/`; empty if there is none.
    pub path: &'a str,
    /// True if a query or a fragment follows the path.
    pub has_more: bool,
}

/// A text that is not an [`HttpUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an http or https URL, as in https://example.com/help")]
pub struct HttpUrlError;

impl<'a> HttpUrl<'a> {
    /// Parses a URL.
    ///
    /// # Errors
    /// Fails if the text is not an absolute `http` or `https` URL, has user information, or has a character that URLs
    /// do not have.
    pub fn parse(text: &'a str) -> Result<Self, HttpUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(HttpUrlError)?;
        let is_secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(HttpUrlError),
        };
        if !rest.bytes().all(|byte| is_pchar(byte) || b"/?#[]%".contains(&byte)) {
            return Err(HttpUrlError);
        }
        let (authority, tail) = split_authority(rest);
        let path = tail.split(['?', '#']).next().unwrap_or_default();
        match Host::parse(authority.as_bytes()) {
            Ok(Some(_)) => Ok(HttpUrl { is_secure, authority, path, has_more: path.len() < tail.len() }),
            _ => Err(HttpUrlError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_split_off() {
        for (authority, host, port) in [
            ("a", "a", ""),
            ("a:443", "a", "443"),
            ("a:", "a", ""),
            ("[::1]", "[::1]", ""),
            ("[::1]:80", "[::1]", "80"),
            ("[::1]:", "[::1]", ""),
            ("", "", ""),
        ] {
            assert_eq!(split_port(authority), (host, port), "{authority}");
        }
    }

    #[test]
    fn authorities_are_split_off() {
        for (rest, authority, tail) in [
            ("a", "a", ""),
            ("a:1/b?c", "a:1", "/b?c"),
            ("a?b/c", "a", "?b/c"),
            ("a#b?", "a", "#b?"),
            ("/", "", "/"),
        ] {
            assert_eq!(split_authority(rest), (authority, tail), "{rest}");
        }
    }

    #[test]
    fn queries_are_split_off() {
        for (target, path, rest) in [
            ("/a", "/a", ""),
            ("/a?b?c", "/a", "?b?c"),
            ("/a#b?c", "/a", "#b?c"),
            ("?", "", "?"),
            ("", "", ""),
        ] {
            assert_eq!(split_query(target.as_bytes()), (path.as_bytes(), rest.as_bytes()), "{target}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        let check = |text: &str, is_secure: bool, authority: &str, path: &str, has_more: bool| {
            let expected = HttpUrl { is_secure, authority, path, has_more };
            assert_eq!(HttpUrl::parse(text), Ok(expected), "{text}");
        };
        check("https://example.com", true, "example.com", "", false);
        check("http://example.com:8080/", false, "example.com:8080", "/", false);
        check("https://[::1]/a/b?c=d#e", true, "[::1]", "/a/b", true);
        check("https://example.com?a/b", true, "example.com", "", true);
        check("https://example.com/#a", true, "example.com", "/", true);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "example.com",
            "//example.com",
            "ftp://example.com",
            "javascript://example.com/%0aalert(1)",
            "HTTPS//example.com",
            "https://",
            "https:///path",
            "https://user@example.com",
            "https://a b",
            "https://example.com/a b",
            "https://example.com/\"",
            "https://example.com/<",
            "https://example.com/é",
            "https://example.com\\@b",
            "https://example.com:99999",
        ] {
            assert_eq!(HttpUrl::parse(text), Err(HttpUrlError), "{text}");
        }
    }
}
