//! A denial as problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).

use serde::Serialize;

use super::error_body::ErrorBody;
use super::messages::phrase;

/// The media type.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Renders one JSON object on one line.
pub fn body(error_body: &ErrorBody<'_>) -> String {
    let detail = error_body.detail.as_ref();
    let problem = Problem {
        // A reason that is not disclosed is described by its status alone, RFC 9457 §4.2.1.
        kind: detail
            .map_or("about:blank".to_owned(), |detail| format!("urn:authgate:reason:{}", detail.code)),
        title: detail.map_or(phrase(error_body.status), |detail| detail.title),
        status: error_body.status,
        detail: detail.map(|detail| format!("{} {}", detail.explanation.what, detail.explanation.next)),
        code: detail.map(|detail| detail.code),
        detail_code: detail.and_then(|detail| detail.detail_code),
        accepted: detail.map(|detail| detail.accepted.as_slice()).unwrap_or_default(),
        scope: detail.and_then(|detail| detail.scope),
        help: error_body.help,
        instance: error_body.request_id.map(|id| format!("urn:uuid:{id}")),
    };
    // Strings and a number always serialize.
    let mut body = serde_json::to_string(&problem).unwrap_or_default();
    body.push('\n');
    body
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail_code: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    accepted: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}
