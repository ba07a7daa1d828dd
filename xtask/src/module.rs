//! Builds the module, its variant for tests, and the modules that benches compare it with.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, cargo, is_available, is_outdated, output, run, target_folder};
use crate::install::{self, WASM_TARGET};
use crate::trim;

const MODULE: &str = "dist/authgate.wasm";

/// Inputs of the module. It is built anew if one of them is newer. The optimizer is one of them: without npm the module
/// is not optimized, and it is built anew after npm appears and an image is packed.
const INPUTS: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "src",
    "crates/filter",
    "xtask/Cargo.toml",
    "xtask/src/module.rs",
    "xtask/src/trim.rs",
    install::WASM_OPT_STAMP,
];

/// Features that the compiler uses. The optimizer could use others, which not every host supports.
const OPTIMIZER_OPTIONS: &[&str] = &[
    "-Oz",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds `dist/authgate.wasm`, unless it is newer than its inputs.
///
/// # Errors
/// If a tool is missing or a step fails.
pub fn build() -> Result {
    if !is_outdated(Path::new(MODULE), INPUTS) {
        return Ok(());
    }
    let trimmed = target_folder().join("authgate-trimmed.wasm");
    trim::file(&link(&[])?, &trimmed)?;
    fs::create_dir_all("dist")?;
    optimize(&trimmed, Path::new(MODULE))
}

/// Builds the command-line tool for a browser.
///
/// # Errors
/// If a tool is missing or a step fails.
pub fn build_tool(output: &Path) -> Result {
    run(compiler()?.args(["-p", "authgate-cli"]))?;
    optimize(&target_folder().join(WASM_TARGET).join("release/authgate.wasm"), output)
}

/// Optimizes a module, if npm can install the optimizer.
fn optimize(input: &Path, output: &Path) -> Result {
    let new = output.with_extension("wasm.new");
    if is_available("npm") {
        install::tool("wasm-opt")?;
        println!("wasm-opt {} {}", OPTIMIZER_OPTIONS.join(" "), output.display());
        run(Command::new(install::WASM_OPT).args(OPTIMIZER_OPTIONS).arg(input).arg("-o").arg(&new))?;
    } else {
        fs::copy(input, &new)?;
        println!("{}: without npm it is a tenth larger than it could be", output.display());
    }
    Ok(fs::rename(new, output)?)
}

/// Builds the module for tests, which verifies a list of signatures with both verifiers, given as its configuration,
/// and traps on request.
///
/// # Errors
/// If a step fails.
pub fn build_testing() -> Result {
    build()?;
    let testing = target_folder().join("authgate-testing.wasm");
    if is_outdated(&testing, [MODULE]) {
        trim::file(&link(&["--features", "testing"])?, &testing)?;
    }
    Ok(())
}

/// Builds the modules in `benches/empty` and `benches/floor`.
///
/// # Errors
/// If a module does not compile.
pub fn build_yardsticks() -> Result {
    for name in ["empty", "floor"] {
        let mut command = compiler()?;
        command.arg("--manifest-path").arg(Path::new("benches").join(name).join("Cargo.toml"));
        run(command.arg("--target-dir").arg(target_folder().join(name)))?;
    }
    Ok(())
}

/// Compiles and links the module, and returns its path.
fn link(options: &[&str]) -> Result<PathBuf> {
    run(compiler()?.args(["-p", "authgate-filter", "--lib"]).args(options))?;
    Ok(target_folder().join(WASM_TARGET).join("release/authgate_filter.wasm"))
}

/// Cargo, with options and an environment that make the same commit give the same bytes everywhere.
fn compiler() -> Result<Command> {
    install::tool("wasm-target")?;
    let mut command = cargo();
    command.args(["build", "--locked", "--release", "--target", WASM_TARGET]);
    command.env("CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS", remapping()?);
    // Incremental compilation divides the crates differently, which changes the module.
    command.env("CARGO_INCREMENTAL", "0");
    Ok(command)
}

/// Returns the compiler flags that keep paths of this machine out of the module: those of the crates and those of the
/// standard library. The folder with the sources of the crates is named after the registry, so they must be fetched.
fn remapping() -> Result<String> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let registries = cargo_home.ok_or("neither CARGO_HOME nor HOME is set")?.join("registry/src");
    let mut flags = Vec::new();
    for entry in fs::read_dir(&registries).into_iter().flatten() {
        flags.push(format!("--remap-path-prefix={}/=", entry?.path().display()));
    }
    flags.sort();
    let version = output(Command::new("rustc").args(["--version", "--verbose"]))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let commit = commit.ok_or("rustc --version --verbose: no commit-hash")?;
    flags.push(format!("--remap-path-prefix={sysroot}/lib/rustlib/src/rust=/rustc/{commit}"));
    Ok(flags.join(" "))
}
