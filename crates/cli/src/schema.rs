//! `authgate schema`

use authgate::config;

use super::{Said, report};

/// Print the JSON Schema of the configuration, with which editors complete and check it.
#[derive(clap::Args)]
pub struct Arguments {}

/// The schema.
pub fn run(_: &Arguments) -> Said {
    Said::well(report::pretty(&config::schema()))
}
