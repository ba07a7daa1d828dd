//! JSON Object Signing and Encryption: keys (RFC 7517), signed tokens (RFC 7515, RFC 7519) and their claims.
//!
//! Uses [`json`](crate::json) and [`timestamp`](crate::timestamp). Knows nothing of HTTP.

pub mod claims;
pub mod jwk;
pub mod jwt;
