//! Support for tests, benches and fuzz targets: tokens, fixtures, a fake host and an Envoy runner.
//!
//! Neither the module nor the tool contains any of it. Errors panic, as in a test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice
)]

pub mod config_cases;
pub mod convert_cases;
pub mod digest_client;
pub mod e2e;
pub mod fake_host;
pub mod mint;
pub mod pages;
pub mod placeholders;
pub mod providers;
pub mod soak;
pub mod third_party;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        root.canonicalize().expect("the root of the repository")
    });
    &ROOT
}

/// Returns the absolute path of a file or folder in the repository.
pub fn path(relative: &str) -> String {
    root().join(relative).to_str().expect("UTF-8").to_owned()
}

/// Returns the profile folder of the running test, inside the target folder.
fn profile() -> &'static Path {
    static PROFILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().expect("the running test");
        test.parent().and_then(Path::parent).expect("the folder of the profile").to_owned()
    });
    &PROFILE
}

/// Returns the target folder of the running test.
pub fn target() -> &'static Path {
    profile().parent().expect("the target folder")
}

/// Returns the `authgate` tool, built under the profile of the running test if necessary.
pub fn tool() -> &'static Path {
    static TOOL: LazyLock<PathBuf> = LazyLock::new(|| {
        let profile_name = profile().file_name().and_then(OsStr::to_str).expect("the name of the profile");
        let profile_name = if profile_name == "debug" { "dev" } else { profile_name };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--quiet", "--package", "authgate-cli", "--profile", profile_name]);
        let status = build.arg("--target-dir").arg(target()).current_dir(root()).status().expect("cargo");
        assert!(status.success(), "the tool cannot be built");
        profile().join("authgate")
    });
    &TOOL
}
