//! `http` and `https` URLs in a configuration ([RFC 9110 §4.2](https://www.rfc-editor.org/rfc/rfc9110#section-4.2)).

use std::fmt;

use crate::http::host::Host;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpUrlError;

impl fmt::Display for HttpUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an http or https URL, as in https://example.com/help")
    }
}

impl std::error::Error for HttpUrlError {}

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
        let is_url_octet =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
        if !rest.bytes().all(is_url_octet) {
            return Err(HttpUrlError);
        }
        let (before, has_more) = match rest.split_once(['?', '#']) {
            Some((before, _)) => (before, true),
            None => (rest, false),
        };
        let slash = before.find('/').unwrap_or(before.len());
        let (authority, path) = before.split_at_checked(slash).ok_or(HttpUrlError)?;
        match Host::parse(authority.as_bytes()) {
            Ok(Some(_)) => Ok(HttpUrl { is_secure, authority, path, has_more }),
            _ => Err(HttpUrlError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
