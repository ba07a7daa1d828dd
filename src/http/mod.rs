//! Parts of an HTTP request: headers, host, path interpretations, credential locations and authentication headers.
//!
//! Uses no other module of this crate. Everything here parses bytes that a client controls, so nothing here panics.

pub mod authorization;
pub mod challenge;
pub mod cidr;
pub mod codec;
pub mod cors;
pub mod header_name;
pub mod host;
pub mod location;
pub mod mcp;
pub mod origin;
pub mod path;
pub mod request;
pub mod request_id;
pub mod resource_uri;
pub mod url;
