//! The playground: a page that runs the command-line tool in the browser.
//!
//! The tool is compiled for WASI, optimized, compressed, and put into a script in base64, since browsers load nothing
//! else into a page that was opened from a disk. The examples are the policies and the tests of the recipes and
//! providers.

mod examples;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Result, is_outdated, target_folder};
use crate::install;
use crate::module;

/// Inputs of the tool.
const INPUTS: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "src",
    "crates/cli/Cargo.toml",
    "crates/cli/src",
    "xtask/src/module.rs",
    install::WASM_OPT_STAMP,
];

/// The largest module that a page on a slow connection should load: bytes, and bytes compressed.
const MOST_BYTES: [usize; 2] = [3 << 20, 5 << 18];

/// Builds the playground in `playground` in the target folder, and returns this folder.
///
/// # Errors
/// If a step fails, or the tool is too large.
pub fn build() -> Result<PathBuf> {
    let folder = target_folder().join("playground");
    let tool = folder.join("tool.wasm");
    fs::create_dir_all(&folder)?;
    if is_outdated(&tool, INPUTS) {
        module::build_tool(&tool)?;
    }
    for entry in fs::read_dir("docs/playground")? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    fs::write(folder.join("examples.js"), examples::script()?)?;
    let script = folder.join("module.js");
    if is_outdated(&script, [&tool]) {
        let size = write_module(&fs::read(&tool)?, &script)?;
        println!("{}: {size}", script.display());
    }
    Ok(folder)
}

/// Writes the script with the module, and returns a description of its size.
fn write_module(tool: &[u8], script: &Path) -> Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(tool)?;
    let compressed = encoder.finish()?;
    let size = format!("{} KiB, compressed {} KiB", tool.len() >> 10, compressed.len() >> 10);
    let [most, most_compressed] = MOST_BYTES;
    if tool.len() > most || compressed.len() > most_compressed {
        return Err(format!("the tool for the browser is too large: {size}").into());
    }
    let text = STANDARD.encode(&compressed);
    fs::write(script, format!("// The tool, compressed with gzip.\nglobalThis.TOOL_MODULE = \"{text}\";\n"))?;
    Ok(size)
}
