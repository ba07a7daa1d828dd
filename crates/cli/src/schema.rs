//! `authgate schema`

use authgate::config;

use super::{CommandOutput, report};

/// Print the JSON Schema of the configuration, for completion and validation in editors.
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs `authgate schema`.
pub fn run(_: &Arguments) -> CommandOutput {
    CommandOutput::success(report::pretty(&config::schema()))
}
