//! authgate in a real Envoy, over raw sockets. `make test` prepares what these tests need and runs them.
//!
//! Each test starts an Envoy with one listener for each configuration, sends cases from tables, and ends with
//! `Proxy::finish`. A missing Envoy or module is a failure; the test is not skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod answers;
mod api_keys;
mod arrival;
mod attacks;
mod authorities;
mod bodies;
mod bound;
mod browser;
mod converted;
mod differential;
mod digest;
mod failure;
mod forged;
mod grpc;
mod guessing;
mod guides;
mod hostile;
mod introspection;
mod lenient;
mod login;
mod mcp;
mod metadata;
mod objects;
mod oidc_provider;
mod origins;
mod pages;
mod passwords;
mod paths;
mod places;
mod preflights;
mod refused;
mod reload;
mod remote_keys;
mod remote_module;
mod requirements;
mod resets;
mod rotation;
mod routers;
mod sample;
mod secrets;
mod shadow;
mod start;
mod step_up;
mod telemetry;
mod throttle;
mod tokens;
mod vectors;
mod waiting;
