//! What the endpoint answers, RFC 7662 §2.2.

use std::fmt;

use serde_json::Value;

use crate::jose::claims::Claims;
use crate::json;
use crate::remote::callout::OtherStatus;

/// The longest answer that is read, in octets.
pub const MAX_ANSWER_BYTES: usize = 1 << 18;

/// What the endpoint says of a token.
#[derive(Debug, PartialEq)]
pub enum IntrospectionResponse {
    /// It is good, and this is known of it.
    Active(Claims),
    /// It is not, and nobody says why.
    Inactive,
}

/// Why an answer says nothing of the token. For the operator's log; holds no part of the answer but its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerError {
    /// Not 200.
    Status(u16),
    /// Longer than [`MAX_ANSWER_BYTES`].
    TooLong,
    /// Not JSON as we take it.
    NotJson,
    /// JSON, but no object with an `active` that is true or false.
    NoActive,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::Status(status) => OtherStatus(*status).fmt(f),
            AnswerError::TooLong => f.write_str("expected at most 256 KiB"),
            AnswerError::NotJson => f.write_str("expected JSON, with no name twice in an object"),
            AnswerError::NoActive => f.write_str("expected `active`, true or false"),
        }
    }
}

impl std::error::Error for AnswerError {}

impl IntrospectionResponse {
    /// Reads an answer.
    ///
    /// RFC 7662 §2.2: a token that is not good, or not the asker's business, is `{"active": false}`. Some endpoints
    /// refuse tokens that they did not make to be asked for with 400 `unsupported_token_type` (RFC 7009 §2.2.1),
    /// which says the same: it is none of theirs.
    pub fn read(status: u16, body: &[u8]) -> Result<IntrospectionResponse, AnswerError> {
        if body.len() > MAX_ANSWER_BYTES {
            return Err(AnswerError::TooLong);
        }
        if status != 200 && status != 400 {
            return Err(AnswerError::Status(status));
        }
        let claims = json::parse(body).ok();
        if status == 400 {
            let error = claims.as_ref().and_then(|answer| answer.get("error"));
            return match error.and_then(Value::as_str) {
                Some("unsupported_token_type") => Ok(IntrospectionResponse::Inactive),
                _ => Err(AnswerError::Status(status)),
            };
        }
        let claims = Claims::from_json(claims.ok_or(AnswerError::NotJson)?).ok_or(AnswerError::NoActive)?;
        match claims.find("active") {
            Some(Value::Bool(true)) => Ok(IntrospectionResponse::Active(claims)),
            Some(Value::Bool(false)) => Ok(IntrospectionResponse::Inactive),
            _ => Err(AnswerError::NoActive),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_boolean_counts() {
        use AnswerError::*;
        let check = |status: u16, body: &str, expected: Result<bool, AnswerError>| {
            let answer = IntrospectionResponse::read(status, body.as_bytes());
            let found = answer.map(|answer| matches!(answer, IntrospectionResponse::Active(_)));
            assert_eq!(found, expected, "{status} {body}");
        };
        check(200, r#"{"active":true}"#, Ok(true));
        check(200, r#" {"sub":"a","active":true} "#, Ok(true));
        check(200, r#"{"active":false,"sub":"a"}"#, Ok(false));
        for body in [
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"Active":true}"#,
            r#"{"active":[true]}"#,
            "{}",
            "[]",
            "true",
            r#"[{"active":true}]"#,
        ] {
            check(200, body, Err(NoActive));
        }
        for body in
            ["", "<html>", r#"{"active":true"#, r#"{"active":true} x"#, r#"{"active":false,"active":true}"#]
        {
            check(200, body, Err(NotJson));
        }
        for status in [0, 100, 201, 204, 302, 401, 403, 404, 500, 503] {
            check(status, r#"{"active":true}"#, Err(Status(status)));
        }
        check(400, r#"{"active":true}"#, Err(Status(400)));
        check(400, r#"{"error":"invalid_request","active":true}"#, Err(Status(400)));
        check(400, r#"{"error":"unsupported_token_type"}"#, Ok(false));
        check(400, "<html>", Err(Status(400)));
    }

    #[test]
    fn long_answers_are_not_read() {
        let long = format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
        assert_eq!(IntrospectionResponse::read(200, long.as_bytes()), Err(AnswerError::TooLong));
    }
}
