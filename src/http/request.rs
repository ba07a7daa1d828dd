//! Header section of a request, as bytes: the input of a decision.

use std::net::IpAddr;

/// Names and values of headers.
pub type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

/// A borrowed view of a request. Nothing in it is validated.
#[derive(Clone)]
pub struct Request<'a> {
    /// `:method`; empty if there is none.
    pub method: &'a [u8],
    /// `:scheme`.
    pub scheme: Option<&'a [u8]>,
    /// `:authority`, which also represents `Host`.
    pub authority: Option<&'a [u8]>,
    /// `:path` with its query; absent in a plain CONNECT request.
    pub path: Option<&'a [u8]>,
    /// All other headers, in order.
    pub fields: Fields<'a>,
    /// Address of the client, as determined by the proxy. Known only if the filter asked for it.
    pub peer: Option<IpAddr>,
}

impl<'a> Request<'a> {
    /// Builds a request from the pairs of a header map, including the pseudo-headers.
    pub fn new(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>, peer: Option<IpAddr>) -> Self {
        Request::of(pairs.collect(), peer)
    }

    /// Builds a request from pairs that are already in a vector.
    pub fn of(mut fields: Fields<'a>, peer: Option<IpAddr>) -> Self {
        let (mut method, mut scheme, mut authority, mut path) = (&b""[..], None, None, None);
        fields.retain(|&(name, value)| {
            match name {
                b":method" => method = value,
                b":scheme" => scheme = Some(value),
                b":authority" => authority = Some(value),
                b":path" => path = Some(value),
                _ => return true,
            }
            false
        });
        Request { method, scheme, authority, path, fields, peer }
    }

    /// Values of all headers with this name, which is compared case-insensitively.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }

    /// Value of a header that occurs exactly once.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        let first = values.next();
        first.filter(|_| values.next().is_none())
    }
}

/// Removes optional white space ([RFC 9110 §5.6.3](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.3)) from both
/// ends.
pub fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// True if the byte is a `tchar`, a character of tokens
/// ([RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
///
/// ```text
/// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
/// ```
pub fn is_tchar(byte: u8) -> bool {
    // Long cookies and `Connection` fields are read byte by byte: ranges, not a search.
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'|' | b'~')
        || matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z')
}

/// True if `text` is a `token`.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_tchar)
}
