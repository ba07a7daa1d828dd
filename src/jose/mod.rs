//! JSON Object Signing and Encryption: keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), signed tokens
//! ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515), [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)) and their
//! claims.
//!
//! Uses [`json`](crate::json) and [`timestamp`](crate::timestamp). Independent of HTTP.

pub mod claims;
pub mod jwk;
pub mod jwt;
