//! The playground in a real browser; `tests/browser/playground.mjs` has the scenarios.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test may panic

use std::process::Command;

use authgate_testing::e2e::process::{directory, root};
use authgate_testing::e2e::programs::{chromium, has_browser_packages, is_there, or_skip};

#[test]
fn the_playground_is_usable_accessible_and_silent() {
    let Some(chromium) = or_skip("Chromium", chromium()) else { return };
    if or_skip("Node", is_there("node", &["--version"]).then_some(())).is_none() || !has_browser_packages() {
        return;
    }
    let folder = authgate_testing::target().join("playground");
    let is_built = folder.join("module.js").exists();
    if or_skip("the playground, which `make test` builds", is_built.then_some(())).is_none() {
        return;
    }
    let output = Command::new("node")
        .arg(root().join("tests/browser/playground.mjs"))
        .arg(chromium)
        .args([folder, directory("playground-pictures")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
