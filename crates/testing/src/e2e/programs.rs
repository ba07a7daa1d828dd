//! Programs of others that some tests run. Where one is missing the test says so and looks at nothing; where `CI` is
//! set, it fails.

use std::path::PathBuf;
use std::process::Command;

use crate::e2e::process::root;

/// Whether a program runs and is content.
pub fn is_there(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// What was found, or word that the test needs it.
pub fn or_skip<T>(what: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "this test needs {what}");
        eprintln!("skipped: this test needs {what}");
    }
    found
}

/// Python with a package: `PYTHON`, else where `make test` installs it, else the system's.
pub fn python_with(package: &str) -> Option<PathBuf> {
    let named = std::env::var_os("PYTHON").map(PathBuf::from);
    let candidates = named.into_iter().chain([root().join(".venv/bin/python"), "python3".into()]);
    let import = format!("import {package}");
    let found = candidates.into_iter().find(|python| is_there(python, &["-c", &import]));
    or_skip(&format!("Python with {package}, which `make test` installs"), found)
}
