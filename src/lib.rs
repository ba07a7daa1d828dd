//! authgate decides, inside Envoy, whether a request may pass.

pub mod claims;
pub mod json;
pub mod jwk;
pub mod jwt;
pub mod numeric_date;
