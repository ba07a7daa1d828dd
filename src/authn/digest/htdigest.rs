//! htdigest files: lines of `user:realm:HA1`. How long HA1 is says what it was made with.

use std::collections::HashMap;
use std::fmt;

use super::DigestAlgorithm;

/// One line of an htdigest file.
pub struct HtdigestEntry<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The protection space that HA1 is for.
    pub realm: &'a str,
    /// What HA1 was made with.
    pub algorithm: DigestAlgorithm,
    /// The digest of `user:realm:password`, its digits in lower case.
    pub ha1: String,
}

/// What is wrong with one line of an htdigest file. Holds no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HtdigestError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: HtdigestErrorKind,
}

/// The kinds of fault in an htdigest line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HtdigestErrorKind {
    /// Fewer than two colons.
    NoColons,
    /// Nothing before the first colon.
    EmptyUser,
    /// The line starts with a space or a tab, which would be part of the user's name.
    Indented,
    /// A control character in the user's name.
    ControlCharacter,
    /// Neither 32 nor 64 hexadecimal digits behind the last colon.
    NotADigest,
    /// A realm other than the one that is expected, or than that of the lines before.
    OtherRealm,
    /// The user has a digest of this length on an earlier line too.
    DuplicateUser {
        /// That line.
        first: usize,
    },
}

/// Reads a whole htdigest file, all of whose lines are for one realm: for `realm`, where one is expected. Blank lines and
/// lines that start with `#` are skipped; lines may end in CR LF.
///
/// # Errors
/// Everything that is wrong, in the order of lines, one fault a line.
pub fn parse_htdigest<'a>(
    text: &'a str,
    realm: Option<&'a str>,
) -> Result<Vec<HtdigestEntry<'a>>, Vec<HtdigestError>> {
    let (mut entries, mut errors) = (Vec::<HtdigestEntry<'_>>::new(), Vec::new());
    let mut first_lines = HashMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, content) in (1..).zip(text.split('\n')) {
        let content = content.strip_suffix('\r').unwrap_or(content);
        if content.starts_with('#') || content.bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
            continue;
        }
        let expected = realm.or_else(|| entries.first().map(|entry| entry.realm));
        match parse_line(content, expected) {
            Ok(entry) => match first_lines.insert((entry.user, entry.algorithm), line) {
                Some(first) => {
                    errors.push(HtdigestError { line, kind: HtdigestErrorKind::DuplicateUser { first } })
                }
                None => entries.push(entry),
            },
            Err(kind) => errors.push(HtdigestError { line, kind }),
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

fn parse_line<'a>(content: &'a str, expected: Option<&str>) -> Result<HtdigestEntry<'a>, HtdigestErrorKind> {
    // A user's name has no colon; a realm may.
    let (user, rest) = content.split_once(':').ok_or(HtdigestErrorKind::NoColons)?;
    let (realm, ha1) = rest.rsplit_once(':').ok_or(HtdigestErrorKind::NoColons)?;
    if user.is_empty() {
        return Err(HtdigestErrorKind::EmptyUser);
    }
    if user.starts_with([' ', '\t']) {
        return Err(HtdigestErrorKind::Indented);
    }
    if user.chars().any(char::is_control) {
        return Err(HtdigestErrorKind::ControlCharacter);
    }
    let algorithm = DigestAlgorithm::ALL.into_iter().find(|algorithm| algorithm.digits() == ha1.len());
    let algorithm = algorithm.filter(|_| ha1.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let algorithm = algorithm.ok_or(HtdigestErrorKind::NotADigest)?;
    if expected.is_some_and(|expected| expected != realm) {
        return Err(HtdigestErrorKind::OtherRealm);
    }
    Ok(HtdigestEntry { user, realm, algorithm, ha1: ha1.to_ascii_lowercase() })
}

impl fmt::Display for HtdigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl std::error::Error for HtdigestError {}

impl fmt::Display for HtdigestErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HtdigestErrorKind::NoColons => f.write_str("not enough colons; write `user:realm:digest`"),
            HtdigestErrorKind::EmptyUser => {
                f.write_str("no user before the first colon; write `user:realm:digest`")
            }
            HtdigestErrorKind::Indented => {
                f.write_str("white space before the user; start at the line's beginning")
            }
            HtdigestErrorKind::ControlCharacter => f.write_str("a control character in the user's name"),
            HtdigestErrorKind::NotADigest => f.write_str(
                "expected 32 (MD5) or 64 (SHA-256) hexadecimal digits behind the last colon: \
                 the digest of `user:realm:password`",
            ),
            HtdigestErrorKind::OtherRealm => f.write_str(
                "another realm than in `realm`, or in the lines before; \
                 the digest is made with it, so each realm needs an authenticator of its own",
            ),
            HtdigestErrorKind::DuplicateUser { first } => {
                write!(f, "the user has such a digest on line {first} too; keep one of the two")
            }
        }
    }
}
