//! Build steps that cargo does not support. `make` calls them.
//!
//! ```text
//! xtask install TOOL…      installs tools, unless they are installed
//! xtask build              dist/authgate.wasm
//! xtask build-testing      target/authgate-testing.wasm, for tests
//! xtask build-yardsticks   the modules in benches/empty and benches/floor
//! xtask tool               dist/authgate, the command-line tool, with man pages and completions
//! xtask tool-archive       the same as an archive
//! xtask trim IN.wasm OUT.wasm
//! xtask oci IN.wasm OUT-FOLDER SECONDS-SINCE-1970 REVISION
//! xtask push [OPTION…]     pushes dist/oci to $IMAGE; skopeo gets the options
//! xtask check              formatting, lints and documentation
//! xtask docs               target/site, the documentation site, with its links checked
//! xtask playground         target/playground, the tool for a browser with its page
//! xtask fuzz SECONDS [TARGET…]
//! xtask mutants [--resume] [OPTION…]   tests mutations; cargo-mutants gets the options
//! xtask test-matrix VERSION… -- [TEST…]
//! ```
//!
//! Paths are relative to the root of the repository, where it must run.

mod assure;
mod command;
mod docs;
mod install;
mod module;
mod mutants;
mod oci;
mod playground;
mod push;
mod tool;
mod trim;

use std::process::ExitCode;

const USAGE: &str = "usage: xtask install TOOL… | build | build-testing | build-yardsticks | tool | tool-archive \
                     | trim IN.wasm OUT.wasm | oci IN.wasm OUT-FOLDER SECONDS-SINCE-1970 REVISION | push [OPTION…] \
                     | check | docs | playground | fuzz SECONDS [TARGET…] | mutants [--resume] [OPTION…] \
                     | test-matrix VERSION… -- [TEST…]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match step(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn step(arguments: &[&str]) -> command::Result {
    match arguments {
        ["install", tools @ ..] if !tools.is_empty() => tools.iter().try_for_each(|name| install::tool(name)),
        ["build"] => module::build(),
        ["build-testing"] => module::build_testing(),
        ["build-yardsticks"] => module::build_yardsticks(),
        ["tool"] => tool::build(),
        ["tool-archive"] => tool::archive(),
        ["trim", input, output] => trim::file(input.as_ref(), output.as_ref()),
        ["oci", module, folder, created, revision] => {
            println!("{}", oci::pack(module.as_ref(), folder.as_ref(), created, revision)?);
            Ok(())
        }
        ["push", options @ ..] => {
            let image = std::env::var("IMAGE").unwrap_or_default();
            println!("{}", push::push(&image, options)?);
            Ok(())
        }
        ["check"] => assure::check(),
        ["docs"] => docs::build(),
        ["playground"] => playground::build().map(drop),
        ["fuzz", seconds, targets @ ..] => assure::fuzz(seconds, targets),
        ["mutants", options @ ..] => mutants::test(options),
        ["test-matrix", arguments @ ..] => {
            let mut halves = arguments.splitn(2, |argument| *argument == "--");
            assure::test_matrix(halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
        }
        _ => Err(USAGE.into()),
    }
}
