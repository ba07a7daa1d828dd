//! Properties that hold for any input: one module for each target, with a `check` that panics if a property is
//! violated.
//!
//! The binaries in `fuzz_targets` pass them to libFuzzer; `tests/fuzz.rs` replays the corpus on any toolchain.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a check may panic

pub mod challenge;
pub mod configuration;
pub mod credentials;
pub mod decide;
pub mod digest;
pub mod dpop;
pub mod fixture;
pub mod grammar;
pub mod header_map;
pub mod htpasswd;
pub mod json;
pub mod jwk_set;
pub mod jws;
pub mod lenient;
pub mod path;
pub mod structure;

/// The name of a target, which its binary and its corpus share, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("challenge", challenge::check),
    ("configuration", configuration::check),
    ("credentials", credentials::check),
    ("decide", decide::check),
    ("digest", digest::check),
    ("dpop", dpop::check),
    ("header_map", header_map::check),
    ("htpasswd", htpasswd::check),
    ("jwk_set", jwk_set::check),
    ("jws", jws::check),
    ("lenient", lenient::check),
    ("path", path::check),
    ("structure", structure::check),
];
