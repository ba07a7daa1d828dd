//! The guides in `docs/`: their commands run against the sample, and Envoy loads the configurations of its own filters.
//!
//! bash runs the blocks `sh run` in the order of their document, in a writable folder that looks like the root of the
//! repository. A following block `text output` is the expected output. `yaml envoy` is an HTTP filter.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::sample::sample;
use authgate_testing::e2e::bootstrap::bootstrap;
use authgate_testing::e2e::fixture::default_listener;
use authgate_testing::e2e::process::{Envoy, directory, envoy, module, validate};

/// A fenced block of a document: its info string and its text.
struct Block {
    place: String,
    info: String,
    text: String,
}

fn guides() -> Vec<Vec<Block>> {
    let mut paths = documents_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"));
    paths.sort();
    paths.iter().map(|path| blocks(path)).collect()
}

fn documents_below(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).expect("the documents").map(|entry| entry.expect("a document").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| path.is_dir());
    let documents = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "md"));
    documents.chain(folders.iter().flat_map(|folder| documents_below(folder))).collect()
}

fn blocks(path: &Path) -> Vec<Block> {
    let name = path.file_name().expect("a name").to_string_lossy();
    let text = fs::read_to_string(path).expect("a document");
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        match line.strip_prefix("```") {
            Some(info) if !inside => {
                inside = true;
                blocks.push(Block {
                    place: format!("{name}:{number}"),
                    info: info.to_owned(),
                    text: String::new(),
                });
            }
            Some(_) => inside = false,
            None if inside => {
                let block = blocks.last_mut().expect("an open block");
                block.text += line;
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Creates a folder that looks like the root of the repository, with `envoy` and the tool in its `bin`.
fn scratch(name: &str) -> PathBuf {
    let (root, scratch) = (Path::new(env!("CARGO_MANIFEST_DIR")), directory(name));
    for folder in ["dist", "bin"] {
        fs::create_dir(scratch.join(folder)).expect("a folder");
    }
    symlink(root.join("envoy"), scratch.join("envoy")).expect("the sample");
    symlink(module(), scratch.join("dist/authgate.wasm")).expect("the module");
    symlink(envoy(), scratch.join("bin/envoy")).expect("envoy");
    symlink(authgate_testing::tool(), scratch.join("bin/authgate")).expect("the tool");
    scratch
}

#[test]
fn their_commands_do_what_they_say() {
    let running = Envoy::start(&directory("guides"), &sample(), &[]);
    let here = |text: &str| {
        text.replace("127.0.0.1:10000", &format!("127.0.0.1:{}", running.ports["gate"]))
            .replace("127.0.0.1:9901", &format!("127.0.0.1:{}", running.admin_port()))
    };
    let (mut count, mut faults) = (0, Vec::new());
    for (number, guide) in guides().iter().enumerate() {
        let scratch = scratch(&format!("guide-{number}"));
        let path = format!("{}:{}", scratch.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        for (at, block) in guide.iter().enumerate().filter(|(_, block)| block.info == "sh run") {
            count += 1;
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &here(&block.text)])
                .current_dir(&scratch)
                .env("PATH", &path)
                .output()
                .expect("bash");
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected = guide.get(at + 1).filter(|next| next.info == "text output");
            if !output.status.success() || expected.is_some_and(|expected| expected.text != printed) {
                let errors = String::from_utf8_lossy(&output.stderr).into_owned();
                faults.push(format!("{}: {}\n{printed}{errors}", block.place, output.status));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count >= 8, "{count} commands found");
}

#[test]
fn the_filters_that_are_left_behind_are_those_of_envoy() {
    let guides = guides();
    let filters: Vec<&Block> = guides.iter().flatten().filter(|block| block.info == "yaml envoy").collect();
    assert!(filters.len() >= 2, "{} filters found", filters.len());
    for (at, block) in filters.iter().enumerate() {
        let filter: Value = serde_yaml_ng::from_str(&block.text).expect("YAML");
        let mut bootstrap = bootstrap(&[default_listener()], 1, "/dev/null");
        let pointer = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
        let chain = bootstrap.pointer_mut(pointer).and_then(Value::as_array_mut).expect("filters");
        chain.insert(0, filter);
        let validation = validate(&format!("guide-{at}"), &bootstrap);
        assert!(validation.accepted, "{}: {}", block.place, validation.output);
    }
}
