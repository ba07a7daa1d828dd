//! Input of the tool: files and random bytes.

use std::io::Read as _;
use std::path::Path;

use super::Failure;

/// Returns the text of a file; `-` is standard input.
///
/// # Errors
/// If the file cannot be read or is not UTF-8.
pub fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    read.map(|()| text).map_err(|error| format!("{}: {error}", name(path)))
}

/// Returns the bytes of a file, up to 256 MiB; `-` is standard input.
///
/// # Errors
/// If the file cannot be read or is larger.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    const MAX_BYTES: u64 = 256 << 20;
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| format!("{}: {error}", name(path)))?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(format!("{}: expected at most {} MiB", name(path), MAX_BYTES >> 20)),
        false => Ok(bytes),
    }
}

/// The name of a file in messages.
pub fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// Returns `LENGTH` random bytes.
///
/// # Errors
/// If the operating system provides none.
pub fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], Failure> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| format!("cannot get random bytes: {error}"))?;
    Ok(bytes)
}
