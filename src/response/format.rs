//! How denials look: what the operator has a say in.

use std::fmt;

use super::accept::Form;
use super::{Reason, accept};
use crate::http::request::{Request, is_token};

/// How denials look. The default is that of a configuration without `denials`.
#[derive(Debug, Clone)]
pub struct DenialFormat {
    /// The form of every body; `None`: the one that the client likes best.
    pub form: Option<Form>,
    /// Whether the client is told the reason, or only the status.
    pub tells_reasons: bool,
    /// Fields of the operator's own, names in lower case.
    pub fields: Vec<(String, String)>,
    /// Which reasons look as if there were nothing.
    pub hidden: Hidden,
    /// Where there is more to read: an `http` or `https` URL.
    pub help: Option<String>,
}

/// Reasons that are answered with 404.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hidden {
    /// [`Reason::InsufficientScope`].
    pub insufficient_scope: bool,
    /// [`Reason::NotAuthorized`].
    pub not_authorized: bool,
    /// [`Reason::RuleDenied`].
    pub rule_denied: bool,
    /// [`Reason::NoRule`].
    pub no_rule: bool,
}

impl Default for DenialFormat {
    fn default() -> Self {
        DenialFormat {
            form: None,
            tells_reasons: true,
            fields: Vec::new(),
            hidden: Hidden::default(),
            help: None,
        }
    }
}

impl DenialFormat {
    /// The form of the answer to `request`.
    pub fn form(&self, request: &Request<'_>) -> Form {
        if is_grpc(request) {
            return Form::Grpc;
        }
        self.form.unwrap_or_else(|| accept::best(request.values("accept")))
    }

    /// The HTTP status for `reason`.
    pub(super) fn status(&self, reason: Reason) -> u16 {
        if self.hides(reason) { 404 } else { reason.status() }
    }

    /// Whether the client may know that there is something.
    pub(super) fn hides(&self, reason: Reason) -> bool {
        match reason {
            Reason::InsufficientScope => self.hidden.insufficient_scope,
            Reason::NotAuthorized => self.hidden.not_authorized,
            Reason::RuleDenied => self.hidden.rule_denied,
            Reason::NoRule => self.hidden.no_rule,
            _ => false,
        }
    }

    /// Whether the client is told `reason`.
    pub(super) fn tells(&self, reason: Reason) -> bool {
        self.tells_reasons && !self.hides(reason)
    }
}

/// Whether Envoy makes a gRPC answer of a local reply to this request: `application/grpc`, alone or with a `+` suffix, in
/// lower case and without parameters, as its `Grpc::Common::isGrpcRequestHeaders` has it in 1.36 to 1.40. To anything
/// else it sends the HTTP status; a refusal that leaves that to gRPC would be a plain 200.
fn is_grpc(request: &Request<'_>) -> bool {
    let mut values = request.values("content-type");
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let suffix = value.strip_prefix(b"application/grpc");
    request.path.is_some() && matches!(suffix, Some([] | [b'+', ..]))
}

/// What an operator cannot ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenialFormatError {
    /// A field name that is no `token` (RFC 9110 §5.1).
    NotAToken,
    /// A field that denials have anyway.
    Ours,
    /// A field that belongs to the connection or to the framing of a message.
    Connection,
    /// A value with other octets than visible ASCII and spaces.
    Value,
    /// Another status than the two.
    Status,
}

impl fmt::Display for DenialFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAToken => "expected a field name such as x-served-by",
            Self::Ours => "authgate itself says what stands in this field; expected another name",
            Self::Connection => "this field belongs to the connection or to the body; expected another name",
            Self::Value => "expected visible ASCII characters, perhaps with spaces between them",
            Self::Status => "expected 403, or 404 to hide what exists",
        })
    }
}

impl std::error::Error for DenialFormatError {}

/// Whether a reason with this status is hidden.
pub fn is_hidden_by(status: u32) -> Result<bool, DenialFormatError> {
    match status {
        403 => Ok(false),
        404 => Ok(true),
        _ => Err(DenialFormatError::Status),
    }
}

/// The name of a field of the operator's own, in lower case, as HTTP/2 wants it.
pub fn own_name(name: &str) -> Result<String, DenialFormatError> {
    const OURS: &[&str] = &[
        "cache-control",
        "content-security-policy",
        "content-type",
        "grpc-message",
        "grpc-status",
        "retry-after",
        "vary",
        "www-authenticate",
    ];
    // RFC 9110 §7.6.1, and what frames a message.
    const CONNECTION: &[&str] = &[
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        Err(DenialFormatError::NotAToken)
    } else if OURS.contains(&name.as_str()) {
        Err(DenialFormatError::Ours)
    } else if CONNECTION.contains(&name.as_str()) {
        Err(DenialFormatError::Connection)
    } else {
        Ok(name)
    }
}

/// The value of such a field: RFC 9110 §5.5, without what only some recipients read alike.
pub fn own_value(value: &str) -> Result<String, DenialFormatError> {
    let is_plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.trim() == value;
    if is_plain && !value.is_empty() { Ok(value.to_owned()) } else { Err(DenialFormatError::Value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_denials_and_connections_use_are_refused() {
        use DenialFormatError::{Connection, NotAToken, Ours};
        for (names, error) in [
            (
                "cache-control content-security-policy content-type grpc-message grpc-status retry-after vary",
                Ours,
            ),
            ("www-authenticate WWW-Authenticate", Ours),
            (
                "connection content-encoding content-length keep-alive proxy-authenticate proxy-connection",
                Connection,
            ),
            ("te trailer transfer-encoding upgrade Transfer-Encoding", Connection),
            (":status a:b é", NotAToken),
        ] {
            for name in names.split(' ') {
                assert_eq!(own_name(name), Err(error), "{name}");
            }
        }
        assert_eq!(own_name(""), Err(NotAToken));
        assert_eq!(own_name("X-Served-By"), Ok("x-served-by".to_owned()));
    }
}
