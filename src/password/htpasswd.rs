//! htpasswd files: lines of `user:hash`.

use std::collections::HashMap;
use std::fmt;

use super::{HashError, PasswordHash, Plaintext};

/// One line of an htpasswd file.
#[derive(Debug)]
pub struct HtpasswdEntry {
    /// Its line, from 1.
    pub line: usize,
    /// The user's name, as it stands there.
    pub user: String,
    /// The user's password hash.
    pub hash: PasswordHash,
}

/// What is wrong with one line of an htpasswd file. Holds no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HtpasswdError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: HtpasswdErrorKind,
}

/// The kinds of fault in an htpasswd line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HtpasswdErrorKind {
    /// No colon between user and hash.
    NoColon,
    /// Nothing before the colon.
    EmptyUser,
    /// The line starts with a space or a tab, which would be part of the user's name.
    Indented,
    /// A control character in the user's name, which no client may send (RFC 7617 §2).
    ControlCharacter,
    /// The user stands on an earlier line too.
    DuplicateUser {
        /// That line.
        first: usize,
    },
    /// The hash is not one that we take.
    Hash(HashError),
}

/// Reads a whole htpasswd file. Blank lines and lines that start with `#` are skipped; lines may end in CR LF.
///
/// # Errors
/// Everything that is wrong, in the order of lines, one fault a line.
pub fn parse_htpasswd(text: &str, plaintext: Plaintext) -> Result<Vec<HtpasswdEntry>, Vec<HtpasswdError>> {
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    let mut first_lines = HashMap::new();
    // Editors on Windows put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, content) in (1..).zip(text.split('\n')) {
        let content = content.strip_suffix('\r').unwrap_or(content);
        if content.starts_with('#') || content.bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
            continue;
        }
        match parse_line(line, content, plaintext, &mut first_lines) {
            Ok((user, hash)) => entries.push(HtpasswdEntry { line, user: user.to_owned(), hash }),
            Err(kind) => errors.push(HtpasswdError { line, kind }),
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

fn parse_line<'a>(
    line: usize,
    content: &'a str,
    plaintext: Plaintext,
    first_lines: &mut HashMap<&'a str, usize>,
) -> Result<(&'a str, PasswordHash), HtpasswdErrorKind> {
    let (user, hash) = content.split_once(':').ok_or(HtpasswdErrorKind::NoColon)?;
    if user.is_empty() {
        return Err(HtpasswdErrorKind::EmptyUser);
    }
    if user.starts_with([' ', '\t']) {
        return Err(HtpasswdErrorKind::Indented);
    }
    if user.chars().any(char::is_control) {
        return Err(HtpasswdErrorKind::ControlCharacter);
    }
    let first = *first_lines.entry(user).or_insert(line);
    if first != line {
        return Err(HtpasswdErrorKind::DuplicateUser { first });
    }
    let hash = PasswordHash::parse(hash, plaintext).map_err(HtpasswdErrorKind::Hash)?;
    Ok((user, hash))
}

impl fmt::Display for HtpasswdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl std::error::Error for HtpasswdError {}

impl fmt::Display for HtpasswdErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HtpasswdErrorKind::NoColon => f.write_str("no colon; write `user:hash`"),
            HtpasswdErrorKind::EmptyUser => f.write_str("no user before the colon; write `user:hash`"),
            HtpasswdErrorKind::Indented => {
                f.write_str("white space before the user; start at the line's beginning")
            }
            HtpasswdErrorKind::ControlCharacter => {
                f.write_str("a control character in the user's name; no client may send one, so take it out")
            }
            HtpasswdErrorKind::DuplicateUser { first } => {
                write!(f, "the user stands on line {first} too; keep one of the two")
            }
            HtpasswdErrorKind::Hash(error) => error.fmt(f),
        }
    }
}
