//! Third-party programs that some tests run. If a program is missing, the test prints a message and is skipped; if `CI`
//! is set, it fails.

use std::path::PathBuf;
use std::process::Command;

use crate::e2e::process::root;

/// True if a program runs and exits successfully.
pub fn is_there(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Returns the program, or reports that the test needs it.
pub fn or_skip<T>(what: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "this test needs {what}");
        eprintln!("skipped: this test needs {what}");
    }
    found
}

/// Returns a Python interpreter with a package: `PYTHON`, the one that `make test` installs, or the system's.
pub fn python_with(package: &str) -> Option<PathBuf> {
    let named = std::env::var_os("PYTHON").map(PathBuf::from);
    let candidates = named.into_iter().chain([root().join(".venv/bin/python"), "python3".into()]);
    let import = format!("import {package}");
    let found = candidates.into_iter().find(|python| is_there(python, &["-c", &import]));
    or_skip(&format!("Python with {package}, which `make test` installs"), found)
}

/// Returns a Chromium: `CHROMIUM`, or the first of its usual names that exists.
pub fn chromium() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    let names = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    named.into_iter().chain(names).find_map(|name| {
        let path = Command::new("sh").args(["-c", "command -v \"$0\"", &name]).output().ok()?;
        let path = String::from_utf8_lossy(&path.stdout).trim().to_owned();
        (!path.is_empty()).then_some(path)
    })
}

/// True if the npm packages of the tests in a browser are installed; otherwise reports that the test needs them.
pub fn has_browser_packages() -> bool {
    let packages = ["playwright-core", "axe-core"];
    let are_there = packages.iter().all(|name| root().join("tests/browser/node_modules").join(name).exists());
    or_skip("`npm ci` in tests/browser, which `make test` does", are_there.then_some(())).is_some()
}
