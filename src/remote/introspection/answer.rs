//! Introspection responses ([RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).

use serde_json::Value;

use crate::jose::claims::Claims;
use crate::json;
use crate::remote::callout::OtherStatus;

/// The longest response body that is accepted, in bytes.
pub const MAX_ANSWER_BYTES: usize = 1 << 18;

/// Response of the endpoint for one token.
#[derive(Debug, PartialEq)]
pub enum IntrospectionResponse {
    /// The token is active and has these claims.
    Active(Claims),
    /// The token is not active, for an unknown reason.
    Inactive,
}

/// Error in a response, for the operator's log. Contains no part of the response except its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The status is not 200.
    #[error("{}", OtherStatus(*.0))]
    Status(u16),
    /// The body is longer than [`MAX_ANSWER_BYTES`].
    #[error("expected at most 256 KiB")]
    TooLong,
    /// The body is not strict JSON.
    #[error("expected JSON without duplicate names")]
    NotJson,
    /// The body is not an object with a boolean `active`.
    #[error("expected `active` to be true or false")]
    NoActive,
}

impl IntrospectionResponse {
    /// Reads a response.
    ///
    /// A token that is not valid, or that the client may not introspect, is `{"active": false}`
    /// ([RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)). Some endpoints reject tokens of other
    /// issuers with 400 `unsupported_token_type`
    /// ([RFC 7009 §2.2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1)), which means the same.
    ///
    /// # Errors
    /// Fails if the body is too long or is not JSON with a boolean `active`, or if the status is not 200. The exception
    /// is the 400 above.
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
