//! `authgate completions` and `authgate man`

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use super::{CommandOutput, Failure};

/// Print completions for a shell.
#[derive(clap::Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Write the man pages, one for each subcommand.
#[derive(clap::Args)]
pub struct Man {
    /// The directory for the pages.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs `authgate completions`.
pub fn completions(arguments: &Completions, mut command: Command) -> Result<CommandOutput, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "authgate", &mut text);
    String::from_utf8(text).map(CommandOutput::success).map_err(|error| error.to_string())
}

/// Runs `authgate man`.
pub fn man(arguments: &Man, command: Command) -> Result<CommandOutput, Failure> {
    let folder = &arguments.folder;
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command, folder).map_err(failed)?;
    Ok(CommandOutput::success(String::new()))
}
