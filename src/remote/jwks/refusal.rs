//! Why an answer brings no keys. Says what was expected, and nothing of what the answer holds.

use std::fmt;

use crate::jose::jwk::KeySetError;
use crate::json::JsonError;
use crate::remote::callout::{CalloutError, OtherStatus};

/// Why an answer brings no keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoAnswer(error) => error.fmt(f),
            Refusal::Status(status) => OtherStatus(*status).fmt(f),
            Refusal::Json(error) => error.fmt(f),
            Refusal::Set(error) => error.fmt(f),
            Refusal::OtherIssuer => f.write_str("expected `issuer` to be exactly the one that is configured"),
            Refusal::NoJwksUri => f.write_str("expected `jwks_uri`, an http or https URL"),
            Refusal::OtherOrigin => f.write_str(
                "`jwks_uri` is on another origin than the issuer; expected a `jwks_cluster` for it",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
