//! Errors of key fetches. The texts say what was expected, and repeat nothing from the response.

use std::fmt;

use crate::jose::jwk::KeySetError;
use crate::json::JsonError;
use crate::remote::callout::{CalloutError, OtherStatus};

/// Error of a key fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// There is no response.
    NoAnswer(CalloutError),
    /// The status is not 200.
    Status(u16),
    /// The body is not strict JSON.
    Json(JsonError),
    /// The body is not a usable key set.
    Set(KeySetError),
    /// The metadata have another issuer, or none.
    OtherIssuer,
    /// The metadata have an issuer that differs from the configured one by a trailing slash only.
    IssuerSlash,
    /// The metadata have no valid `jwks_uri`.
    NoJwksUri,
    /// The metadata name a key set on another origin, and no cluster is configured for it.
    OtherOrigin,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::NoAnswer(error) => error.fmt(f),
            FetchError::Status(status) => OtherStatus(*status).fmt(f),
            FetchError::Json(error) => error.fmt(f),
            FetchError::Set(error) => error.fmt(f),
            FetchError::OtherIssuer => f.write_str("`issuer` does not match the configured issuer"),
            FetchError::IssuerSlash => f.write_str(
                "`issuer` and the configured issuer differ by a trailing slash only; configure it exactly as it is in the \
                 metadata",
            ),
            FetchError::NoJwksUri => f.write_str("expected `jwks_uri` to be an http or https URL"),
            FetchError::OtherOrigin => f.write_str(
                "`jwks_uri` has another origin than the issuer, which requires `jwks_cluster`",
            ),
        }
    }
}

impl std::error::Error for FetchError {}
