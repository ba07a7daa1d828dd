//! Errors of key fetches. The texts say what was expected, and repeat nothing from the response.

use crate::jose::jwk::KeySetError;
use crate::json::JsonError;
use crate::remote::callout::{CalloutError, OtherStatus};

/// Error of a key fetch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// There is no response.
    #[error("{0}")]
    NoAnswer(CalloutError),
    /// The status is not 200.
    #[error("{}", OtherStatus(*.0))]
    Status(u16),
    /// The body is not strict JSON.
    #[error("{0}")]
    Json(JsonError),
    /// The body is not a usable key set.
    #[error("{0}")]
    Set(KeySetError),
    /// The metadata have another issuer, or none.
    #[error("`issuer` does not match the configured issuer")]
    OtherIssuer,
    /// The metadata have an issuer that differs from the configured one by a trailing slash only.
    #[error(
        "`issuer` and the configured issuer differ by a trailing slash only; configure it exactly as it is in the \
         metadata"
    )]
    IssuerSlash,
    /// The metadata have no valid `jwks_uri`.
    #[error("expected `jwks_uri` to be an http or https URL")]
    NoJwksUri,
    /// The metadata name a key set on another origin, and no cluster is configured for it.
    #[error("`jwks_uri` has another origin than the issuer, which requires `jwks_cluster`")]
    OtherOrigin,
}
