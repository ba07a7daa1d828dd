//! The playground: a page that runs the command-line tool in the browser.
//!
//! The tool is compiled for WASI, optimized, compressed, and put into a script in base64, since browsers load nothing
//! else into a page that was opened from a disk. The examples are the policies and the tests of the recipes and
//! providers.

mod examples;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

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
    let text = base64(&compressed);
    fs::write(script, format!("// The tool, compressed with gzip.\nglobalThis.TOOL_MODULE = \"{text}\";\n"))?;
    Ok(size)
}

/// Encodes bytes in base64.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4usize {
            let index = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or_default();
            let letter = ALPHABET.get(index).copied().map_or('=', char::from);
            text.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of [RFC 4648 §10](https://www.rfc-editor.org/rfc/rfc4648#section-10).
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }
}
