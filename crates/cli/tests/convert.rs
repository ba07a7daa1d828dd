//! `authgate convert`: published forms of configurations, their conversion, and tests that no output allows more.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice, missing_docs)] // a test may panic

#[path = "convert/claims.rs"]
mod claims;
#[path = "convert/corpus.rs"]
mod corpus;
#[path = "convert/model.rs"]
mod model;
#[path = "convert/mutation.rs"]
mod mutation;
#[path = "convert/random.rs"]
mod random;
#[path = "convert/run.rs"]
mod run;
