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
