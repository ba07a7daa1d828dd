//! Mutation testing with one build. cargo-mutants builds once for each mutation, which needs days; here all mutations
//! that it lists become part of one copy of the checkout, each behind a condition, and only the tests that reach a
//! mutation run with it.

mod build;
mod report;
mod runs;
mod schemata;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::command::{Result, output, target_folder};
use crate::install;
use report::Outcome;
use schemata::Mutant;

/// Option that keeps the results of the last run, except for survivors. Without it, each mutation is run.
const RESUME: &str = "--resume";

/// Tests the mutations that cargo-mutants lists for these options, or all that `.cargo/mutants.toml` selects.
///
/// # Errors
/// If a test fails without a mutation, or if too many mutations survive that `docs/assurance.md` does not explain.
pub fn test(options: &[&str]) -> Result {
    install::tool("cargo-mutants")?;
    let folder = std::path::absolute(target_folder())?.join("mutants");
    fs::create_dir_all(&folder)?;
    let is_resumed = options.contains(&RESUME);
    let options: Vec<&str> = options.iter().copied().filter(|&option| option != RESUME).collect();
    let mutants = list(&options)?;
    println!("{} mutations", mutants.len());
    let outcomes = folder.join("outcomes");
    let known = if is_resumed { report::read(&outcomes)? } else { BTreeMap::new() };

    let copy = build::Copy::new(folder)?;
    let unbuilt = copy.rewrite(&mutants)?;
    let suite = runs::Suite::new(&copy, mutants.len())?;
    let mut log = report::Log::new(&outcomes, known)?;
    for (number, mutant) in mutants.iter().enumerate() {
        if !log.is_done(&mutant.name) && !unbuilt.contains_key(&number) {
            log.add(&mutant.name, suite.run(number, &mutant.file)?)?;
        }
    }
    for (number, code) in unbuilt {
        let Some(mutant) = mutants.get(number).filter(|mutant| !log.is_done(&mutant.name)) else { continue };
        // The type of a value does not depend on the form of the mutation.
        let outcome = match code.as_str() {
            "E0277" | "E0369" | "E0599" => Outcome::NotViable,
            _ if copy.write_alone(mutant)? => suite.run_alone(&mutant.file)?,
            _ => Outcome::NotViable,
        };
        log.add(&mutant.name, outcome)?;
    }
    report::summarize(&mutants, &log.outcomes)
}

/// Lists the mutations of the workspace.
fn list(options: &[&str]) -> Result<Vec<Mutant>> {
    let mut command = Command::new(target_folder().join("tools/bin/cargo-mutants"));
    command.args(["mutants", "--workspace", "--list", "--json"]).args(options);
    let list: serde_json::Value = serde_json::from_str(&output(&mut command)?)?;
    list.as_array().ok_or("cargo-mutants: expected a list")?.iter().map(Mutant::from_json).collect()
}
