//! URIs of MCP resources that every server takes for the same resource.
//!
//! A server may parse a URI before it looks the resource up, with the URL standard of browsers
//! ([WHATWG](https://url.spec.whatwg.org/)) or without, and may decode escapes or read a file by its path. Rules
//! compare bytes, so they can compare only URIs that such steps leave as they are.

use std::net::Ipv4Addr;

use super::url::{split_authority, split_port};

/// Schemes whose hosts are normalized, and their default ports. `file` has no host.
const SPECIAL: [(&str, &str); 6] =
    [("http", "80"), ("https", "443"), ("ws", "80"), ("wss", "443"), ("ftp", "21"), ("file", "")];

/// True if the URI is in a normal form ([RFC 3986 §6.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2)) that all
/// readers share: scheme in lower case, no dot segments, no empty segments, no fragment, and only escapes that are
/// necessary, in upper case.
pub fn is_normal(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = split_authority(rest);
            (Some(authority), path)
        }
        None => (None, rest),
    };
    is_scheme(scheme)
        && has_plain_bytes(rest)
        && is_normal_authority(scheme, authority)
        && has_plain_segments(path.split('?').next().unwrap_or_default())
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.')
        })
}

/// True if the text has only bytes that no reader escapes or removes, and escapes of others.
fn has_plain_bytes(text: &str) -> bool {
    let mut parts = text.split('%');
    let is_plain = |part: &str| part.bytes().all(|byte| is_plain_byte(byte) || b"/?[]".contains(&byte));
    parts.next().is_some_and(is_plain)
        && parts.all(|part| {
            part.split_at_checked(2).is_some_and(|(digits, rest)| is_necessary(digits) && is_plain(rest))
        })
}

/// True for the bytes of [RFC 3986 §3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3) that a segment may have.
fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// True for the digits of an escape in upper case, of a byte that must be escaped and is no separator or control.
fn is_necessary(digits: &str) -> bool {
    if digits.bytes().any(|digit| !digit.is_ascii_digit() && !(b'A'..=b'F').contains(&digit)) {
        return false;
    }
    u8::from_str_radix(digits, 16)
        .is_ok_and(|byte| !is_plain_byte(byte) && !byte.is_ascii_control() && !matches!(byte, b'/' | b'\\'))
}

/// True if the authority is written as every reader writes it.
fn is_normal_authority(scheme: &str, authority: Option<&str>) -> bool {
    let Some((_, default_port)) = SPECIAL.iter().find(|(special, _)| *special == scheme) else { return true };
    let Some(authority) = authority else { return false };
    if scheme == "file" {
        return authority.is_empty();
    }
    let (host, port) = split_port(authority);
    let is_lower_case =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.[]:".contains(&byte);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_address = last.starts_with(|c: char| c.is_ascii_digit());
    !last.is_empty()
        && host.bytes().all(is_lower_case)
        && (!is_address || host.parse::<Ipv4Addr>().is_ok())
        && !authority.ends_with(':')
        && port != *default_port
        && !port.starts_with('0')
}

/// True if no segment is `.` or `..`, and none is empty but the last.
fn has_plain_segments(path: &str) -> bool {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        if matches!(segment, "." | "..") || (segment.is_empty() && segments.peek().is_some()) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uris_that_all_readers_share_are_normal() {
        for uri in [
            "note://first",
            "note://First/Second",
            "note://notes/",
            "note:first",
            "urn:isbn:9780306406157",
            "file:///srv/data.txt",
            "file:///srv/a%20b",
            "file:///srv/%C3%A9",
            "https://example.com",
            "https://example.com/x?y=/../z",
            "https://example.com:8443/x",
            "https://192.0.2.7/x",
            "https://[2001:db8::1]/x",
            "git+ssh://git@Example.com/repo",
            "db://x/100%25",
            "db://x/a:b@c",
        ] {
            assert!(is_normal(uri), "{uri}");
        }
        for uri in [
            "",
            "first",
            ":first",
            "NOTE://first",
            "Note:first",
            "n\tote://first",
            " note://first",
            "note://first ",
            "note://fi rst",
            "note://f\u{e9}",
            "note://first\n",
            "note://x/../first",
            "note://x/./first",
            "note://x/..",
            "note://x/%2e%2e/first",
            "note://x/%2E/first",
            "note:../first",
            "note://x//first",
            "file:////srv/x",
            "file:/srv/x",
            "file:srv/x",
            "file://localhost/srv/x",
            "file:///srv/%64ata.txt",
            "file:///srv%2Fdata.txt",
            "file:///srv%5Cdata.txt",
            "file:\\\\\\srv",
            "file:///srv\\x",
            "file:///C|/x",
            "file:///srv/%c3%a9",
            "file:///srv/%3A",
            "file:///srv/%00",
            "file:///srv/%0A",
            "file:///srv/%",
            "file:///srv/%4",
            "file:///srv/%zz",
            "file:///srv/x#y",
            "file:///srv/{x}",
            "file:///srv/\"x\"",
            "https:example.com/x",
            "https:/example.com/x",
            "https:///example.com/x",
            "https://Example.com/x",
            "https://example.com./x",
            "https://example.com:443/x",
            "https://example.com:/x",
            "https://example.com:08443/x",
            "https://user@example.com/x",
            "https://192.0.519/x",
            "https://0x7f.1/x",
            "https://127.1/x",
        ] {
            assert!(!is_normal(uri), "{uri}");
        }
    }
}
