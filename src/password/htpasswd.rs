//! htpasswd files: lines of `user:hash`.

use std::collections::HashMap;

use super::user_file::{LineError, lines};
use super::{HashError, PasswordHash, Plaintext};

/// One line of an htpasswd file.
#[derive(Debug)]
pub struct HtpasswdEntry {
    /// Line number, from 1.
    pub line: usize,
    /// Name of the user, as written.
    pub user: String,
    /// Password hash of the user.
    pub hash: PasswordHash,
}

/// Error in one line of an htpasswd file. Contains no part of the line.
pub type HtpasswdError = LineError<HtpasswdErrorKind>;

/// Kinds of errors in an htpasswd line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HtpasswdErrorKind {
    /// There is no colon between user and hash.
    #[error("no colon; write `user:hash`")]
    NoColon,
    /// There is nothing before the colon.
    #[error("no user before the colon; write `user:hash`")]
    EmptyUser,
    /// The line starts with a space or a tab, which would be part of the user name.
    #[error("white space before the user; remove it")]
    Indented,
    /// The user name has a control character, which no client may send
    /// ([RFC 7617 §2](https://www.rfc-editor.org/rfc/rfc7617#section-2)).
    #[error("a control character in the user's name; no client may send one, so remove it")]
    ControlCharacter,
    /// The user also occurs on an earlier line.
    #[error("the user is on line {first} already; keep one of them")]
    DuplicateUser {
        /// Number of the earlier line.
        first: usize,
    },
    /// The hash is rejected.
    #[error("{0}")]
    Hash(HashError),
}

/// Parses a whole htpasswd file. Skips blank lines and lines that start with `#`; lines may end in CR LF.
///
/// # Errors
/// Fails with all errors in the order of lines, one for each line.
pub fn parse_htpasswd(text: &str, plaintext: Plaintext) -> Result<Vec<HtpasswdEntry>, Vec<HtpasswdError>> {
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    let mut first_lines = HashMap::new();
    for (line, content) in lines(text) {
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
