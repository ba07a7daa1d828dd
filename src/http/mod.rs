//! HTTP as a request shows it: the header section, host, path, credential locations and authentication fields.
//!
//! Uses nothing of this crate. Everything here reads bytes that a client chose, so nothing here panics.

pub mod authorization;
pub mod challenge;
pub mod cidr;
pub mod cors;
pub mod host;
pub mod location;
pub mod path;
pub mod request;
pub mod url;
