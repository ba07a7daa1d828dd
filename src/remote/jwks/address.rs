//! URLs of fetched documents.

use crate::http::url::{HttpUrl, default_port, split_port};

/// An absolute `http` or `https` URL, split into the parts that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// True if the scheme is `https`.
    pub is_secure: bool,
    /// Host and optional port.
    pub authority: String,
    /// Path and query; at least `/`.
    pub path: String,
}

/// The text is not an absolute `http` or `https` URL without a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an http or https URL without a fragment, as in https://idp.example.com/jwks.json")]
pub struct AddressError;

impl Address {
    /// Parses a URL.
    ///
    /// # Errors
    /// Fails if the text is not an absolute `http` or `https` URL, or if it has a fragment.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let url = HttpUrl::parse(text).map_err(|_| AddressError)?;
        let target = text.split_once("://").and_then(|(_, rest)| rest.strip_prefix(url.authority));
        let target = target.filter(|target| !target.contains('#')).ok_or(AddressError)?;
        let path = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Address { is_secure: url.is_secure, authority: url.authority.to_owned(), path })
    }

    /// True if both have the same scheme, host and port
    /// ([RFC 6454 §5](https://www.rfc-editor.org/rfc/rfc6454#section-5)).
    pub fn has_origin_of(&self, other: &Address) -> bool {
        self.is_secure == other.is_secure && self.host_and_port() == other.host_and_port()
    }

    fn host_and_port(&self) -> (String, &str) {
        let (host, port) = split_port(&self.authority);
        (host.to_ascii_lowercase(), if port.is_empty() { default_port(self.is_secure) } else { port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_for_a_request() {
        for (text, expected) in [
            ("https://idp.example.com", Some((true, "idp.example.com", "/"))),
            ("https://idp.example.com/", Some((true, "idp.example.com", "/"))),
            ("http://idp:8080/a/keys?tenant=1", Some((false, "idp:8080", "/a/keys?tenant=1"))),
            ("https://idp?tenant=1", Some((true, "idp", "/?tenant=1"))),
            ("https://[::1]:8443/k", Some((true, "[::1]:8443", "/k"))),
            ("https://idp/keys#x", None),
            ("https://user@idp/keys", None),
            ("ftp://idp/keys", None),
            ("/keys", None),
            ("", None),
        ] {
            let found = Address::parse(text).ok();
            let found = found.as_ref().map(|a| (a.is_secure, a.authority.as_str(), a.path.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        for (a, b, same) in [
            ("https://idp", "https://idp/keys", true),
            ("https://idp", "https://IDP:443/keys", true),
            ("http://idp:80", "http://idp/", true),
            ("https://[::1]", "https://[::1]:443/", true),
            ("https://[::1]", "https://[::2]", false),
            ("https://idp", "http://idp", false),
            ("https://idp", "https://idp:8443", false),
            ("https://idp", "https://keys.idp", false),
            ("https://idp:80", "http://idp:80", false),
        ] {
            let [first, second] = [a, b].map(|text| Address::parse(text).unwrap());
            assert_eq!(first.has_origin_of(&second), same, "{a} {b}");
        }
    }
}
