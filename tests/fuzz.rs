//! Replays the corpus of each fuzz target, so every machine checks what fuzzing found.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test may panic

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_corpus_of_every_target_holds() {
    for (name, check) in fuzz::TARGETS {
        let files = files(&folder("corpus").join(name));
        assert!(files.len() >= 3, "{name} has next to no corpus");
        for file in files {
            println!("{}", file.display()); // identifies the input if it panics
            check(&std::fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_target_is_a_binary_and_has_a_corpus() {
    let named = |folder: &Path| -> BTreeSet<String> {
        files(folder).iter().map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let targets: BTreeSet<String> = fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named(&folder("fuzz_targets")), targets);
    assert_eq!(named(&folder("corpus")), targets);
    let manifest = std::fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
    }
}
