//! Why an answer brings no keys. Says what was expected, and nothing of what the answer holds.

use std::fmt;

use crate::jose::jwk::KeySetError;
use crate::json::JsonError;
use crate::remote::callout::{CalloutError, OtherStatus};

/// Why an answer brings no keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// There is none.
    NoAnswer(CalloutError),
    /// Its status, which is not 200.
    Status(u16),
    /// Its content cannot be read.
    Json(JsonError),
    /// Its content is no set that can be used.
    Set(KeySetError),
    /// Its content is the metadata of another issuer, or of none.
    OtherIssuer,
    /// The metadata have no `jwks_uri` that can be asked.
    NoJwksUri,
    /// The metadata lead to an origin that no cluster was named for.
    OtherOrigin,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::NoAnswer(error) => error.fmt(f),
            FetchError::Status(status) => OtherStatus(*status).fmt(f),
            FetchError::Json(error) => error.fmt(f),
            FetchError::Set(error) => error.fmt(f),
            FetchError::OtherIssuer => {
                f.write_str("expected `issuer` to be exactly the one that is configured")
            }
            FetchError::NoJwksUri => f.write_str("expected `jwks_uri`, an http or https URL"),
            FetchError::OtherOrigin => f.write_str(
                "`jwks_uri` is on another origin than the issuer; expected a `jwks_cluster` for it",
            ),
        }
    }
}

impl std::error::Error for FetchError {}
