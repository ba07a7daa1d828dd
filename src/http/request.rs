//! A request's header section as octets: what a decision is made of.

use std::net::IpAddr;

/// Names and values.
pub type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

/// A borrowed view of a request. Nothing in it has been checked.
#[derive(Clone)]
pub struct Request<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:scheme`.
    pub scheme: Option<&'a [u8]>,
    /// `:authority`, which stands for `Host` as well.
    pub authority: Option<&'a [u8]>,
    /// `:path` with its query; absent in a plain CONNECT.
    pub path: Option<&'a [u8]>,
    /// All other fields, in their order.
    pub fields: Fields<'a>,
    /// The address that the proxy settled on as the client's; known only where it was asked for.
    pub peer: Option<IpAddr>,
}

impl<'a> Request<'a> {
    /// Sorts the pairs of a header map, pseudo fields among them, into a request.
    pub fn new(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>, peer: Option<IpAddr>) -> Self {
        Request::of(pairs.collect(), peer)
    }

    /// The same of pairs that were collected.
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

    /// The values of all fields with this name, which is compared without case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }

    /// The one value of a field that stands once.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        let first = values.next();
        first.filter(|_| values.next().is_none())
    }
}

/// Without the optional white space (RFC 9110 §5.6.3) around it.
pub fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// `tchar`, of which tokens are made (RFC 9110 §5.6.2).
///
/// ```text
/// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
/// ```
pub fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `text` is a `token`.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_tchar)
}
