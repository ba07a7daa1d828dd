//! authgate decides, inside Envoy, whether a request may pass.

pub mod json;
pub mod password;
