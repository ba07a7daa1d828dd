//! The core of authgate: decides whether a request may pass.
//!
//! ```text
//! decision → policy → authn → response → remote → cache → principal → jose → http, json, timestamp
//!               └──→ config, password
//! ```
//!
//! Imports point that one way. The core reads no clock, does no I/O, logs nothing and calls no host: the filter and the
//! tool are crates of their own. Start reading at [`decision`].

pub mod authn;
pub mod cache;
pub mod config;
pub mod decision;
pub mod http;
pub mod jose;
pub mod json;
pub mod password;
pub mod policy;
pub mod principal;
pub mod remote;
pub mod response;
pub mod timestamp;
