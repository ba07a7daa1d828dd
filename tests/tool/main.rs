//! The tool as an operator runs it: the binary itself, its output and its exit codes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

mod agreement;
#[path = "../config_cases/mod.rs"]
mod config_cases;
mod console;
#[path = "../mint/mod.rs"]
mod mint;
#[path = "../placeholders/mod.rs"]
mod placeholders;
mod policies;
mod run;
mod schema;
mod secrets;
mod shell;
