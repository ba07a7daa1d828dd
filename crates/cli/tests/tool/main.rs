//! Tests of the `authgate` binary: its output and its exit codes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

mod agreement;
mod console;
mod diff;
mod diff_cases;
mod files;
mod policies;
mod replay;
mod run;
mod schema;
mod secrets;
mod shell;
