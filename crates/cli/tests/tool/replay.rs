//! Repeats runs of the tool with the tool of the playground, in Node, and compares their output.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use super::run::{Run, scratch};
use authgate_testing::e2e::programs::{is_there, or_skip};

/// Runs to repeat.
#[derive(Default)]
pub struct Replay(Vec<Value>);

impl Replay {
    /// Adds a run of the tool, and the files that it read.
    pub fn add<S: AsRef<OsStr>>(&mut self, arguments: &[S], files: &[&Path], run: &Run) {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_ref().as_bytes()).collect();
        let file = |path: &&Path| {
            let name = path.to_str().unwrap().trim_start_matches('/').to_owned();
            (name, Value::from(fs::read_to_string(path).unwrap()))
        };
        let files: Map<String, Value> = files.iter().map(file).collect();
        self.0.push(json!({
            "args": arguments, "files": files, "output": run.output, "errors": run.errors, "code": run.code,
        }));
    }

    /// Repeats all runs. The output must be the same, except for random values.
    pub fn compare(self, name: &str) {
        let module = authgate_testing::target().join("playground/tool.wasm");
        let wanted = "the tool of the playground, which `make test` builds";
        if or_skip(wanted, module.exists().then_some(())).is_none()
            || or_skip("Node", is_there("node", &["--version"]).then_some(())).is_none()
        {
            return;
        }
        let runs = scratch("replay").join(format!("{name}.json"));
        fs::write(&runs, Value::from(self.0).to_string()).unwrap();
        let script = authgate_testing::path("tests/browser/replay.mjs");
        let output =
            Command::new("node").args([script.as_ref(), module.as_os_str(), runs.as_os_str()]).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    }
}
