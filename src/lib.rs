//! authgate decides, inside Envoy, whether a request may pass.

pub mod config;
pub mod json;
