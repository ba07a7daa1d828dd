//! htdigest files: lines of `user:realm:HA1`. The length of HA1 determines the algorithm.

use std::collections::HashMap;

use super::DigestAlgorithm;
use crate::password::user_file::{LineError, lines};

/// An entry of an htdigest file.
pub struct HtdigestEntry<'a> {
    /// Name of the user.
    pub user: &'a str,
    /// Realm of HA1.
    pub realm: &'a str,
    /// Algorithm of HA1.
    pub algorithm: DigestAlgorithm,
    /// Digest of `user:realm:password`, in lower-case digits.
    pub ha1: String,
}

/// An error in an htdigest file. Contains no part of the line.
pub type HtdigestError = LineError<HtdigestErrorKind>;

/// Kinds of errors in an htdigest line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HtdigestErrorKind {
    /// The line has fewer than two colons.
    #[error("not enough colons; write `user:realm:digest`")]
    NoColons,
    /// Nothing is before the first colon.
    #[error("no user before the first colon; write `user:realm:digest`")]
    EmptyUser,
    /// The line starts with a space or a tab, which would be part of the user name.
    #[error("white space before the user; remove it")]
    Indented,
    /// The user name has a control character.
    #[error("a control character in the user's name")]
    ControlCharacter,
    /// The text after the last colon is neither 32 nor 64 hexadecimal digits.
    #[error(
        "expected 32 (MD5) or 64 (SHA-256) hexadecimal digits after the last colon: \
         the digest of `user:realm:password`"
    )]
    NotADigest,
    /// The realm differs from the expected one, or from that of the lines before.
    #[error(
        "the realm differs from `realm`, or from that of the lines before; \
         the digest depends on it, so use one authenticator for each realm"
    )]
    OtherRealm,
    /// An earlier line has a digest of the same length for the user.
    #[error("the user has a digest of this kind on line {first} already; keep one of them")]
    DuplicateUser {
        /// Number of the earlier line.
        first: usize,
    },
}

/// Parses an htdigest file whose lines are all for one realm: `realm`, or that of the first line if it is `None`. Blank
/// lines and lines that start with `#` are skipped. Lines may end in CR LF.
///
/// # Errors
/// Returns all errors in the order of lines, one for each line.
pub fn parse_htdigest<'a>(
    text: &'a str,
    realm: Option<&'a str>,
) -> Result<Vec<HtdigestEntry<'a>>, Vec<HtdigestError>> {
    let (mut entries, mut errors) = (Vec::<HtdigestEntry<'_>>::new(), Vec::new());
    let mut first_lines = HashMap::new();
    for (line, content) in lines(text) {
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
    // A user name has no colon, but a realm may have.
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
