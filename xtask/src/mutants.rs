//! Mutation testing with one build: all mutations that cargo-mutants lists become part of a copy of the checkout, and
//! the tests that reach a mutation run with it.

mod build;
mod report;
mod runs;
mod schemata;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{Result, output, target_folder};
use crate::install;
use report::Outcome;
use schemata::Mutant;

/// Option that keeps the results of the last run, except for survivors.
const RESUME: &str = "--resume";

/// Option that leaves out tests that run for longer than a second.
const QUICK: &str = "--quick";

/// Tests the mutations that cargo-mutants lists for these options.
///
/// # Errors
/// If the tests fail without a mutation, or pass with one that `docs/assurance.md` does not explain.
pub fn test(options: &[&str]) -> Result {
    install::tool("cargo-mutants")?;
    let folder = std::path::absolute(target_folder())?.join("mutants");
    fs::create_dir_all(&folder)?;
    let (is_resumed, is_quick) = (options.contains(&RESUME), options.contains(&QUICK));
    let options: Vec<&str> = options.iter().copied().filter(|option| ![RESUME, QUICK].contains(option)).collect();
    let mutants = list(&options)?;
    println!("mutants: {}", mutants.len());

    let outcomes = folder.join("outcomes");
    let mut known = if is_resumed { report::read(&outcomes)? } else { BTreeMap::new() };
    let unbuilt = mutants.iter().enumerate().filter_map(|(number, mutant)| match known.get(&mutant.name) {
        Some(Outcome::Unbuilt(error)) => Some((number, error.clone())),
        _ => None,
    });
    let copy = build::Copy::new(folder.clone())?;
    let unbuilt = copy.rewrite(&mutants, unbuilt.collect())?;
    let suite = runs::Suite::new(&copy, mutants.len())?;
    known.retain(|_, outcome| matches!(outcome, Outcome::Caught | Outcome::TimedOut | Outcome::NotViable));
    let mut log = report::Log::new(&outcomes, &known)?;
    for (number, error) in &unbuilt {
        let mutant = mutants.get(*number).ok_or("no such mutant")?;
        log.add(&mutant.name, Outcome::Unbuilt(error.clone()))?;
    }
    for (number, mutant) in mutants.iter().enumerate().filter(|(number, _)| !unbuilt.contains_key(number)) {
        if !known.contains_key(&mutant.name) {
            log.add(&mutant.name, suite.run(number, &build::package_of(mutant.file.as_ref()), is_quick)?)?;
        }
    }
    report::summarize(&mutants, &log.outcomes)
}

/// Lists the mutations of the workspace that `.cargo/mutants.toml` selects.
fn list(options: &[&str]) -> Result<Vec<Mutant>> {
    let mut command = Command::new(cargo_mutants());
    command.args(["mutants", "--workspace", "--list", "--json"]).args(options);
    let list: serde_json::Value = serde_json::from_str(&output(&mut command)?)?;
    list.as_array().ok_or("cargo-mutants: expected a list")?.iter().map(Mutant::from_json).collect()
}

fn cargo_mutants() -> PathBuf {
    target_folder().join("tools/bin/cargo-mutants")
}
