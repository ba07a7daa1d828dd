//! Files with a line for each user, such as htpasswd and htdigest.

/// Error in one line of a file. Contains no part of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct LineError<K> {
    /// Line number, from 1.
    pub line: usize,
    /// Kind of error.
    pub kind: K,
}

/// Returns the lines with their numbers, from 1. Skips blank lines and lines that start with `#`; lines may end in
/// CR LF.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Editors on Windows write a byte order mark at the start.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let is_blank = |line: &str| line.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
    (1..).zip(lines).filter(move |(_, line)| !line.starts_with('#') && !is_blank(line))
}
