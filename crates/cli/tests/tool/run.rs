//! Runs the tool.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The output of a run.
pub struct Run {
    pub output: String,
    pub errors: String,
    pub code: i32,
}

/// Runs the tool in the directory of its cases, with an empty environment.
pub fn tool<S: AsRef<OsStr>>(arguments: &[S], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_authgate"))
        .args(arguments)
        .current_dir(cases())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The write fails if the tool rejects its arguments and does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

pub fn cases() -> PathBuf {
    authgate_testing::root().join("tests/cases/tool")
}

/// A directory for the files of one test.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tool").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
