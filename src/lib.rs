//! authgate decides, inside Envoy, whether a request may pass.

pub mod authority;
pub mod cidr;
pub mod json;
pub mod path;
pub mod policy;
