//! Configurable format of denials.

use super::accept::Form;
use super::{Reason, accept};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::shape::Named;
use crate::config::{self, Body, ConfigErrorKind};
use crate::http::request::{Request, is_token};
use crate::http::url::HttpUrl;

/// Format of denials. The default is that of a configuration without `denials`.
#[derive(Debug, Clone)]
pub struct DenialFormat {
    /// The form of every body; `None` negotiates it by `Accept`.
    pub form: Option<Form>,
    /// True if the client sees the reason, false if it sees only the status.
    pub tells_reasons: bool,
    /// Configured headers, with lower-case names.
    pub fields: Vec<(String, String)>,
    /// Reasons that get status 404.
    pub hidden: Hidden,
    /// URL of further help, `http` or `https`.
    pub help: Option<String>,
}

/// Reasons that get status 404, so that the client cannot tell that the resource exists.
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
    /// Returns the form of the response to `request`.
    pub fn form(&self, request: &Request<'_>) -> Form {
        if is_grpc(request) {
            return Form::Grpc;
        }
        self.form.unwrap_or_else(|| accept::best(request.values("accept")))
    }

    /// True if a refusal for this reason is answered with 404, as if the resource did not exist.
    pub fn hides(&self, reason: Reason) -> bool {
        match reason {
            Reason::InsufficientScope => self.hidden.insufficient_scope,
            Reason::NotAuthorized => self.hidden.not_authorized,
            Reason::RuleDenied => self.hidden.rule_denied,
            Reason::NoRule => self.hidden.no_rule,
            _ => false,
        }
    }
}

/// True if Envoy converts a local reply to this request to a gRPC response: the content type is `application/grpc`,
/// alone or with a `+` suffix, in lower case and without parameters, as in `Grpc::Common::isGrpcRequestHeaders` of
/// Envoy 1.36 to 1.40. Envoy sends any other reply with its HTTP status; a denial that relied on gRPC there would be a
/// plain 200.
fn is_grpc(request: &Request<'_>) -> bool {
    let mut values = request.values("content-type");
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let suffix = value.strip_prefix(b"application/grpc");
    request.path.is_some() && matches!(suffix, Some([] | [b'+', ..]))
}

/// Error in the configured format of denials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DenialFormatError {
    /// A header name that is not a `token` ([RFC 9110 §5.1](https://www.rfc-editor.org/rfc/rfc9110#section-5.1)).
    #[error("expected a header name such as x-served-by")]
    NotAToken,
    /// A header that authgate sets itself.
    #[error("authgate sets this header itself; expected another name")]
    Ours,
    /// A header of the connection or of message framing.
    #[error("this header belongs to the connection or to the body; expected another name")]
    Connection,
    /// A value with bytes other than visible ASCII and spaces.
    #[error("expected visible ASCII characters, optionally with spaces between them")]
    Value,
    /// A status other than 403 and 404.
    #[error("expected 403, or 404 to hide what exists")]
    Status,
}

/// True if a reason with this status is hidden.
///
/// # Errors
/// Fails if the status is neither 403 nor 404.
pub fn is_hidden_by(status: u32) -> Result<bool, DenialFormatError> {
    match status {
        403 => Ok(false),
        404 => Ok(true),
        _ => Err(DenialFormatError::Status),
    }
}

/// Validates the name of a configured header and returns it in lower case, as HTTP/2 requires.
///
/// # Errors
/// Fails if the name is not a `token`, or if the header is one of denials, of the connection or of message framing.
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
    // RFC 9110 §7.6.1, and headers of message framing.
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

/// Validates the value of a configured header
/// ([RFC 9110 §5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)), without bytes that recipients interpret
/// differently.
///
/// # Errors
/// Fails if the value is empty, has bytes other than visible ASCII and spaces, or starts or ends with a space.
pub fn own_value(value: &str) -> Result<String, DenialFormatError> {
    let is_plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.trim() == value;
    if is_plain && !value.is_empty() { Ok(value.to_owned()) } else { Err(DenialFormatError::Value) }
}

impl DenialFormat {
    /// Builds the format from its configuration.
    pub fn build(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, denials: &config::Denials) -> Self {
        let form = match denials.body {
            Body::Auto => None,
            Body::Problem => Some(Form::Problem),
            Body::Html => Some(Form::Html),
            Body::Text => Some(Form::Text),
            Body::Empty => Some(Form::Empty),
        };
        let status = &denials.status;
        let within = &at.member("status");
        let hidden = Hidden {
            insufficient_scope: hides_with(cx, within, "insufficient_scope", status.insufficient_scope),
            not_authorized: hides_with(cx, within, "not_authorized", status.not_authorized),
            rule_denied: hides_with(cx, within, "rule_denied", status.rule_denied),
            no_rule: hides_with(cx, within, "no_rule", status.no_rule),
        };
        let help = denials.help_url.as_ref();
        let help =
            help.filter(|url| cx.checked(&at.member("help_url"), HttpUrl::parse(url)).is_some()).cloned();
        DenialFormat {
            form,
            tells_reasons: denials.detail,
            fields: own_fields(cx, &at.member("headers"), &denials.headers),
            hidden,
            help,
        }
    }
}

fn hides_with(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, reason: &str, status: Option<u32>) -> bool {
    let Some(status) = status else { return false };
    cx.checked(&at.member(reason), is_hidden_by(status)).unwrap_or_default()
}

fn own_fields(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    headers: &Named<String>,
) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::with_capacity(headers.0.len());
    for (name, value) in &headers.0 {
        let at = &at.member(name);
        let name = cx.checked(at, own_name(name));
        let value = cx.checked(at, own_value(value));
        let (Some(name), Some(value)) = (name, value) else { continue };
        if fields.iter().any(|(known, _)| *known == name) {
            cx.error(at, ConfigErrorKind::DuplicateName(name));
            continue;
        }
        fields.push((name, value));
    }
    fields
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
