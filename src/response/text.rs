//! A denial as plain text.

use super::error_body::ErrorBody;
use super::messages::{phrase, status_line};

/// The media type.
pub const CONTENT_TYPE: &str = "text/plain; charset=utf-8";

/// Renders status and codes, the problem and the remedy.
pub fn body(error_body: &ErrorBody<'_>) -> String {
    let mut body = String::with_capacity(384);
    body.push_str(status_line(error_body.status));
    if let Some(detail) = &error_body.detail {
        body.push_str(": ");
        detail.push_codes(&mut body);
        for part in ["\n\n", detail.explanation.what, "\n", detail.explanation.next] {
            body.push_str(part);
        }
    }
    body.push('\n');
    let accepted =
        error_body.detail.as_ref().map(|detail| detail.accepted.join(", ")).filter(|text| !text.is_empty());
    let scope = error_body.detail.as_ref().and_then(|detail| detail.scope);
    let mut before = "\n";
    for (label, value) in [
        ("Accepted schemes: ", accepted.as_deref()),
        ("Required scope: ", scope),
        ("Help: ", error_body.help),
        ("Request ID: ", error_body.request_id),
    ] {
        let Some(value) = value else { continue };
        for part in [before, label, value, "\n"] {
            body.push_str(part);
        }
        before = "";
    }
    body
}

/// Renders one line for gRPC.
pub fn summary(error_body: &ErrorBody<'_>) -> String {
    let mut line = String::with_capacity(192);
    match &error_body.detail {
        Some(detail) => {
            detail.push_codes(&mut line);
            line.push_str(": ");
            line.push_str(detail.explanation.what);
        }
        None => line.push_str(phrase(error_body.status)),
    }
    if let Some(id) = error_body.request_id {
        line.push_str(" Request ID: ");
        line.push_str(id);
    }
    line
}
