//! Headers of MCP requests over HTTP, as of revision 2026-07-28
//! ([MCP, Streamable HTTP](https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http)).
//!
//! They repeat the method and the name in the body, so that a proxy need not read it. The server, or a filter that reads
//! the body, must check that both agree.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::header_name::{AmbiguousHeader, only_value};
use super::request::{Request, trim_ows};
use super::resource_uri;

/// Names of the headers that a call is read from.
pub const HEADERS: [&str; 3] = ["mcp-method", "mcp-name", "mcp-protocol-version"];

/// The first revision that requires these headers.
pub const FIRST_REVISION: &str = "2026-07-28";

/// An MCP call, as described by the headers of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpCall<'a> {
    /// The JSON-RPC method, for example `tools/call`.
    pub method: &'a str,
    /// The name of the tool or prompt, or the URI of the resource.
    pub name: Option<Cow<'a, str>>,
}

/// Error for MCP headers that do not describe a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum McpError {
    /// This header is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// This header occurs more than once, or is spelled so that only some servers know it.
    #[error("{0} is repeated, or has another spelling")]
    Ambiguous(&'static str),
    /// This header has an invalid value.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The revision is earlier than [`FIRST_REVISION`].
    #[error("mcp-protocol-version is earlier than {FIRST_REVISION}")]
    EarlierRevision,
}

/// True if calls of this method have a name.
pub fn has_name(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

impl<'a> McpCall<'a> {
    /// Reads the call from the headers of a request.
    ///
    /// # Errors
    /// Fails if a header is missing, repeated or malformed, or if the revision is earlier than [`FIRST_REVISION`].
    pub fn of(request: &Request<'a>) -> Result<McpCall<'a>, McpError> {
        let [method_header, name_header, revision_header] = HEADERS;
        let header = |name| match only_value(request, name) {
            Ok(value) => Ok(value.map(trim_ows)),
            Err(AmbiguousHeader) => Err(McpError::Ambiguous(name)),
        };
        let revision = header(revision_header)?.ok_or(McpError::Missing(revision_header))?;
        if !is_date(revision) {
            return Err(McpError::Malformed(revision_header));
        }
        if revision < FIRST_REVISION.as_bytes() {
            return Err(McpError::EarlierRevision);
        }
        let method = header(method_header)?.ok_or(McpError::Missing(method_header))?;
        let method = std::str::from_utf8(method).ok().filter(|method| is_method(method));
        let method = method.ok_or(McpError::Malformed(method_header))?;
        let name = match header(name_header)? {
            Some(name) => Some(decode_name(name).ok_or(McpError::Malformed(name_header))?),
            None if has_name(method) => return Err(McpError::Missing(name_header)),
            None => None,
        };
        Ok(McpCall { method, name })
    }

    /// The call after a CORS preflight, which does not say what it will be. No list of methods or names has it.
    pub fn of_preflight() -> McpCall<'static> {
        McpCall { method: "", name: None }
    }

    /// True if the name is a URI that servers may take for the URI of another resource. They compare other names as they
    /// are.
    pub fn has_ambiguous_name(&self) -> bool {
        self.method == "resources/read" && !self.name.as_deref().is_some_and(resource_uri::is_normal)
    }
}

/// True for a text that can be a method: letters, digits, and some punctuation. A list with commas is not one.
pub fn is_method(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'.' | b'$');
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// True for `YYYY-MM-DD` in digits. Dates of this form are in the order of their bytes.
fn is_date(text: &[u8]) -> bool {
    text.len() == 10
        && text.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Decodes a name: visible ASCII and spaces as they are, everything else in base64 between `=?base64?` and `?=`. A server
/// may or may not take other spellings of these marks for marks, so they are errors.
fn decode_name(value: &[u8]) -> Option<Cow<'_, str>> {
    const START: &[u8] = b"=?base64?";
    let text = match value.split_at_checked(START.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(START) => {
            let encoded = rest.strip_suffix(b"?=").filter(|_| start == START)?;
            Cow::Owned(String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?)
        }
        _ if value.iter().all(|byte| matches!(byte, b' '..=b'~')) => {
            Cow::Borrowed(std::str::from_utf8(value).ok()?)
        }
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVISION: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
    const LIST: (&str, &str) = ("mcp-method", "tools/list");
    const CALL: (&str, &str) = ("mcp-method", "tools/call");

    fn check(fields: &[(&str, &str)], expected: Option<(&str, Option<&str>)>) {
        let pairs = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let call = McpCall::of(&Request::new(pairs, None));
        let expected = expected.map(|(method, name)| McpCall { method, name: name.map(Cow::Borrowed) });
        assert_eq!(call.ok(), expected, "{fields:?}");
    }

    #[test]
    fn errors_name_the_header() {
        for (fields, expected) in [
            (&[][..], "mcp-protocol-version is missing"),
            (&[("mcp-protocol-version", "2025-11-25")], "mcp-protocol-version is earlier than 2026-07-28"),
            (&[("mcp-protocol-version", "draft")], "mcp-protocol-version is malformed"),
            (&[REVISION], "mcp-method is missing"),
            (&[REVISION, LIST, LIST], "mcp-method is repeated, or has another spelling"),
            (&[REVISION, ("mcp-method", "a,b")], "mcp-method is malformed"),
            (&[REVISION, CALL], "mcp-name is missing"),
            (&[REVISION, CALL, ("mcp-name", "=?base64?%?=")], "mcp-name is malformed"),
        ] {
            let pairs = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            let error = McpCall::of(&Request::new(pairs, None)).unwrap_err();
            assert_eq!(error.to_string(), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_call_has_each_header_once() {
        check(&[REVISION, LIST], Some(("tools/list", None)));
        check(&[REVISION, LIST, ("mcp-name", "x")], Some(("tools/list", Some("x"))));
        for method in ["tools/call", "prompts/get", "resources/read"] {
            check(&[REVISION, ("mcp-method", method)], None);
            check(&[REVISION, ("mcp-method", method), ("Mcp-Name", "x y")], Some((method, Some("x y"))));
        }
        check(&[REVISION, ("mcp-method", "Tools/Call")], Some(("Tools/Call", None)));
        for fields in [
            &[][..],
            &[LIST],
            &[REVISION],
            &[REVISION, ("mcp-method", "")],
            &[REVISION, ("mcp-method", "tools/call, tools/list"), ("mcp-name", "x")],
            &[REVISION, ("mcp-method", "tools/list,tools/call"), ("mcp-name", "x")],
            &[REVISION, ("mcp-method", "tools/\u{e9}")],
            &[REVISION, LIST, LIST],
            &[REVISION, LIST, ("mcp_method", "tools/call")],
            &[REVISION, ("mcp_method", "tools/list")],
            &[REVISION, REVISION, LIST],
            &[REVISION, CALL, ("mcp-name", "x"), ("mcp-name", "x")],
            &[REVISION, LIST, ("mcp-name", "x"), ("mcp.name", "y")],
            &[REVISION, CALL, ("mcp-name", "")],
        ] {
            check(fields, None);
        }
    }

    #[test]
    fn a_revision_is_a_date_and_not_too_early() {
        for (revision, is_accepted) in [
            ("2026-07-28", true),
            (" 2026-07-28\t", true),
            ("2026-07-29", true),
            ("2027-01-01", true),
            ("2026-07-27", false),
            ("2025-11-25", false),
            ("2026-07-2", false),
            ("2026-07-281", false),
            ("2026-7-28x", false),
            ("DRAFT-2026", false),
            ("9999/99/99", false),
            ("", false),
        ] {
            check(&[("mcp-protocol-version", revision), LIST], is_accepted.then_some(("tools/list", None)));
        }
    }

    #[test]
    fn names_are_decoded_once() {
        for (value, expected) in [
            ("delete_all", Some("delete_all")),
            ("=?base64?ZGVsZXRlX2FsbA==?=", Some("delete_all")),
            ("=?base64?PT9iYXNlNjQ/WkE9PT89?=", Some("=?base64?ZA==?=")),
            ("=?base64?w6k=?=", Some("\u{e9}")),
            ("=?utf-8?q?x?=", Some("=?utf-8?q?x?=")),
            ("file:///a b", Some("file:///a b")),
            ("=?base64??=", None),
            ("=?base64?ZA?=", None),
            ("=?base64?ZB==?=", None),
            ("=?base64?ZA==", None),
            ("=?base64?ZA==?", None),
            ("=?BASE64?ZA==?=", None),
            ("=?base64?/w==?=", None),
            ("\u{e9}", None),
            ("a\tb", None),
            ("a\u{7f}", None),
        ] {
            check(&[REVISION, CALL, ("mcp-name", value)], expected.map(|name| ("tools/call", Some(name))));
        }
    }
}
