//! authgate decides, inside Envoy, whether a request may pass.

pub mod challenge;
pub mod config;
pub mod credentials;
pub mod json;
pub mod place;
pub mod request;
pub mod password;
pub mod authority;
pub mod cidr;
pub mod json;
pub mod path;
pub mod policy;
pub mod claims;
pub mod json;
pub mod jwk;
pub mod jwt;
pub mod numeric_date;
