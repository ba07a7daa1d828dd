//! Builds and packs the command-line tool.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::command::{Result, output, run, target_folder};
use crate::oci;

const TOOL: &str = "dist/authgate";
const SHELLS: &[&str] = &["bash", "elvish", "fish", "powershell", "zsh"];

/// Builds `dist/authgate`, with its man pages in `dist/man` and its completions in `dist/completions`. The variable
/// `CARGO_BUILD` replaces `cargo build`: with `cargo auditable build`, as for releases, the binary contains the list of
/// its crates.
///
/// # Errors
/// If a step fails.
pub fn build() -> Result {
    let build = env::var("CARGO_BUILD").unwrap_or_else(|_| "cargo build".to_owned());
    let mut words = build.split_whitespace();
    let mut command = Command::new(words.next().ok_or("CARGO_BUILD is empty")?);
    run(command.args(words).args(["--locked", "--release", "-p", "authgate-cli"]))?;
    let built = fs::read(target_folder().join("release/authgate"))?;
    let (man, completions) = (Path::new("dist/man"), Path::new("dist/completions"));
    if man.is_dir() && completions.is_dir() && fs::read(TOOL).is_ok_and(|present| present == built) {
        return Ok(());
    }
    fs::create_dir_all(man)?;
    fs::create_dir_all(completions)?;
    // Removed first: a running program cannot be overwritten.
    if Path::new(TOOL).exists() {
        fs::remove_file(TOOL)?;
    }
    fs::copy(target_folder().join("release/authgate"), TOOL)?;
    run(Command::new(TOOL).arg("man").arg(man))?;
    for shell in SHELLS {
        let file = File::create(completions.join(format!("authgate.{shell}")))?;
        run(Command::new(TOOL).args(["completions", shell]).stdout(file))?;
    }
    Ok(())
}

/// Packs the tool, its man pages and completions into `dist/authgate-VERSION-TRIPLE.tar.gz`.
///
/// # Errors
/// If a step fails.
pub fn archive() -> Result {
    build()?;
    let compiler = output(Command::new("rustc").args(["--version", "--verbose"]))?;
    let triple = compiler.lines().find_map(|line| line.strip_prefix("host: "));
    let triple = triple.ok_or("rustc --version --verbose: no host")?;
    let archive = format!("dist/authgate-{}-{triple}.tar.gz", oci::version()?);
    let contents = ["-C", "dist", "authgate", "man", "completions", "-C", "..", "LICENSE"];
    run(Command::new("tar").args(["-czf", &archive]).args(contents))
}
