//! authgate decides, inside Envoy, whether a request may pass.
//!
//! ```text
//! filter → decision → policy → scheme → { jwt → jwk, password, credentials, challenge }
//! ```
//!
//! Imports point that one way. The core (all but `filter`) reads no clock, does no I/O, logs nothing and calls no host.
//! Start reading at [`decision`].

pub mod authority;
pub mod callout;
pub mod challenge;
pub mod cidr;
pub mod claims;
pub mod config;
pub mod counters;
pub mod credentials;
pub mod decision;
pub mod denial;
pub mod edits;
pub mod filter;
pub mod filter_state;
pub mod header_map;
pub mod http_url;
pub mod identity;
pub mod introspection;
pub mod json;
pub mod jwk;
pub mod jwt;
pub mod key_source;
pub mod known_answers;
pub mod log_limit;
pub mod memory;
pub mod metrics;
pub mod numeric_date;
pub mod password;
pub mod path;
pub mod place;
pub mod policy;
pub mod preflight;
pub mod principal;
pub mod protected_resource;
pub mod request;
pub mod roots;
pub mod scheme;
pub mod source;
pub mod state;
pub mod waiting;
