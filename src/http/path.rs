//! Path of a request target ([RFC 3986 §3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3)), in every way that an
//! upstream might interpret it.
//!
//! If a filter interprets a path in one way and a server in another, `/x/..;/admin` bypasses a rule for `/admin`. So no
//! interpretation is taken to be the right one: [`PathInterpretations`] has all of them, and a rule applies only where
//! they agree. [RFC 3986 §6.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2) and
//! [§6.2.3](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.3) name the steps that servers take; the other steps are
//! observed in servers.
//!
//! The interpretations are closed under the steps in `STEPS`, applied in any order and any number of times, as in a
//! chain of proxies. Nothing is decoded twice, because no step decodes `%25`.

use std::borrow::Cow;

use crate::http::codec::{escape, hex_byte, is_pchar, is_unreserved};
use crate::http::url::split_query;

/// Maximum number of interpretations of a path. A path with more is an attack, and is rejected.
pub const MAX_INTERPRETATIONS: usize = 128;

/// Maximum number of bytes of all interpretations of a path together, if it has more than one. This bounds the time
/// that any path takes: each interpretation is scanned once, and each step writes at most three bytes for each byte
/// that it reads.
pub const MAX_BYTES: usize = 16 * 1024;

/// All distinct interpretations of one path; none if the request has no path.
///
/// The hex digits of escapes are in upper case in each of them. The first is the path as received.
pub struct PathInterpretations<'a> {
    first: Option<Cow<'a, str>>,
    others: Vec<String>,
}

/// Reason why a path cannot be interpreted. Each is reported to the client as an ambiguous path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not start with `/`, and is not `*`.
    #[error("the path does not start with `/`")]
    NotAbsolute,
    /// The path has a byte that no path has: a control character, a space, or a byte outside ASCII.
    #[error("the path contains a byte outside visible ASCII")]
    NotVisibleAscii,
    /// A `%` without two hex digits ([RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)).
    #[error("the path contains a `%` without two hex digits")]
    BadEscape,
    /// `%00`, at which some servers end the path.
    #[error("the path contains `%00`")]
    Nul,
    /// The path has more than [`MAX_INTERPRETATIONS`] interpretations, or they have more than [`MAX_BYTES`] bytes.
    #[error("the path has too many interpretations")]
    TooManyInterpretations,
}

impl<'a> PathInterpretations<'a> {
    /// Interprets a request target in origin or asterisk form
    /// ([RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)), as in `:path`. Ignores query and
    /// fragment. There are no interpretations of `*`, nor of an empty target, as in CONNECT.
    ///
    /// # Errors
    /// Fails if the target has another form, an invalid byte or escape, or too many interpretations.
    pub fn of(target: &'a [u8]) -> Result<PathInterpretations<'a>, PathError> {
        let (path, _) = split_query(target);
        if matches!(target, b"" | b"*") {
            return Ok(PathInterpretations { first: None, others: Vec::new() });
        }
        if is_plain(path) {
            return Ok(PathInterpretations { first: Some(text(path)?.into()), others: Vec::new() });
        }
        let first = as_it_came(path)?;
        let others = closure(&first, MAX_INTERPRETATIONS, MAX_BYTES)?;
        Ok(PathInterpretations { first: Some(first), others })
    }

    /// All interpretations, each once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.first.as_deref().into_iter().chain(self.others.iter().map(String::as_str))
    }
}

/// True if one pass finds nothing that has more than one interpretation.
fn is_plain(path: &[u8]) -> bool {
    let mut previous = None;
    path.first() == Some(&b'/')
        && path.iter().all(|&byte| {
            let after_slash = previous.replace(byte) == Some(b'/');
            is_pchar_or_slash(byte) && byte != b';' && !(after_slash && matches!(byte, b'/' | b'.'))
        })
}

fn text(path: &[u8]) -> Result<&str, PathError> {
    std::str::from_utf8(path).map_err(|_| PathError::NotVisibleAscii)
}

/// Checks the bytes of a path and converts the hex digits of its escapes to upper case.
fn as_it_came(path: &[u8]) -> Result<Cow<'_, str>, PathError> {
    if path.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    let (mut rest, mut upper_case) = (path, true);
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'%' {
            let [high, low, after @ ..] = after else { return Err(PathError::BadEscape) };
            if hex_byte(*high, *low).ok_or(PathError::BadEscape)? == 0 {
                return Err(PathError::Nul);
            }
            upper_case &= !high.is_ascii_lowercase() && !low.is_ascii_lowercase();
            rest = after;
        } else if !byte.is_ascii_graphic() {
            return Err(PathError::NotVisibleAscii);
        }
    }
    if upper_case {
        return text(path).map(Cow::Borrowed);
    }
    let mut digits = 0;
    let mut upper = path.to_vec();
    for byte in &mut upper {
        match *byte {
            b'%' => digits = 2,
            _ if digits > 0 => {
                digits -= 1;
                byte.make_ascii_uppercase();
            }
            _ => {}
        }
    }
    Ok(string(upper).into())
}

/// The interpretations that the steps make of `first`, without `first` itself. Fails if there are more than
/// `max_interpretations` interpretations, or if they have more than `max_bytes` bytes, including `first`. A path with one
/// interpretation may have any length.
fn closure(first: &str, max_interpretations: usize, max_bytes: usize) -> Result<Vec<String>, PathError> {
    let mut others: Vec<String> = Vec::new();
    let mut bytes = first.len();
    let mut done = 0;
    let mut current = first.to_owned();
    loop {
        let features = features(current.as_bytes());
        if features != 0 && bytes > max_bytes {
            return Err(PathError::TooManyInterpretations);
        }
        for (_, step) in STEPS.iter().filter(|(changed, _)| features & changed != 0) {
            let interpretation = step(&current);
            if interpretation == first || others.contains(&interpretation) {
                continue;
            }
            bytes += interpretation.len();
            // `first` counts too.
            if others.len() + 1 >= max_interpretations || bytes > max_bytes {
                return Err(PathError::TooManyInterpretations);
            }
            others.push(interpretation);
        }
        let Some(next) = others.get(done) else { return Ok(others) };
        current.clone_from(next);
        done += 1;
    }
}

// Features of a path that a step changes.
const ESCAPED_DOT: u16 = 1;
const ESCAPED_UNRESERVED: u16 = 1 << 1;
const ESCAPED_RESERVED: u16 = 1 << 2;
const ESCAPED_SLASH: u16 = 1 << 3;
const ESCAPED_BACKSLASH: u16 = 1 << 4;
const BACKSLASH: u16 = 1 << 5;
const OTHER: u16 = 1 << 6;
const SEMICOLON: u16 = 1 << 7;
const SLASHES: u16 = 1 << 8;
const DOT_SEGMENT: u16 = 1 << 9;
const LAST_DOT_SEGMENT: u16 = 1 << 10;
const TWO_SLASHES_FIRST: u16 = 1 << 11;
const THREE_SLASHES_FIRST: u16 = 1 << 12;

/// Class of the escape of each byte.
const ESCAPED: [u16; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u16] = &mut classes;
    let mut byte = 0;
    while let [class, after @ ..] = rest {
        *class = match byte {
            b'.' => ESCAPED_DOT,
            b'/' => ESCAPED_SLASH,
            b'\\' => ESCAPED_BACKSLASH,
            _ if is_unreserved(byte) => ESCAPED_UNRESERVED,
            _ if is_pchar(byte) => ESCAPED_RESERVED,
            _ => 0,
        };
        byte = byte.wrapping_add(1);
        rest = after;
    }
    classes
};

/// Class of a byte in [`ESCAPED`]; 0 if the byte can be in a path only as an escape.
#[inline(always)]
fn class(byte: u8) -> u16 {
    ESCAPED.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The features of `path`, found in one pass.
fn features(path: &[u8]) -> u16 {
    let mut found = match path {
        [b'/', b'/', b'/', ..] => TWO_SLASHES_FIRST | THREE_SLASHES_FIRST,
        [b'/', b'/', ..] => TWO_SLASHES_FIRST,
        _ => 0,
    };
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        rest = after;
        found |= match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                hex_byte(*high, *low).map_or(0, class)
            }
            (b'/', [b'/', ..]) => SLASHES,
            (b'/', [b'.'] | [b'.', b'.']) => DOT_SEGMENT | LAST_DOT_SEGMENT,
            (b'/', [b'.', b'/', ..] | [b'.', b'.', b'/', ..]) => DOT_SEGMENT,
            (b';', _) => SEMICOLON,
            (b'\\', _) => BACKSLASH | OTHER,
            (byte, _) if class(*byte) == 0 => OTHER,
            _ => 0,
        };
    }
    found
}

/// A step, and the features that it changes. Features are omitted if another step has the same result for them:
/// `decode_unreserved`, for example, if only dots are escaped.
type Step = (u16, fn(&str) -> String);

/// Steps that a proxy or a server may apply to a path before it uses the path.
const STEPS: [Step; 12] = [
    (ESCAPED_DOT, decode_dots),
    (ESCAPED_UNRESERVED, decode_unreserved),
    (ESCAPED_RESERVED | OTHER, decode_all),
    (ESCAPED_SLASH, slash_from_escape),
    (BACKSLASH, slash_from_backslash),
    (ESCAPED_BACKSLASH, slash_from_any_backslash),
    (SEMICOLON, cut_parameters),
    (SLASHES, merge_slashes),
    (DOT_SEGMENT, remove_dot_segments),
    (LAST_DOT_SEGMENT, remove_dot_segments_and_last_slash),
    (TWO_SLASHES_FIRST, drop_authority),
    (THREE_SLASHES_FIRST, drop_authority_after_any_slashes),
];

/// Decodes `%2E`, as in the URL standard, which treats `%2e%2e` as a dot segment and decodes nothing else.
fn decode_dots(path: &str) -> String {
    rewrite(path, ESCAPED_DOT, 0, false)
}

/// Decodes the escapes that [RFC 3986 §6.2.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2.2) allows a proxy
/// to decode.
fn decode_unreserved(path: &str) -> String {
    rewrite(path, ESCAPED_DOT | ESCAPED_UNRESERVED, 0, false)
}

/// Decodes all escapes, as servers do for which `%3A` and `:` are the same. Bytes that cannot be in a path are written
/// as escapes, whether they were escaped or not. Slashes have steps of their own, because many servers do not decode
/// them.
fn decode_all(path: &str) -> String {
    rewrite(path, ESCAPED_DOT | ESCAPED_UNRESERVED | ESCAPED_RESERVED, 0, true)
}

fn slash_from_escape(path: &str) -> String {
    rewrite(path, 0, ESCAPED_SLASH, false)
}

/// Replaces backslashes by slashes, as in the URL standard.
fn slash_from_backslash(path: &str) -> String {
    rewrite(path, 0, BACKSLASH, false)
}

/// Replaces backslashes and their escapes by slashes, as servers do that decode first.
fn slash_from_any_backslash(path: &str) -> String {
    rewrite(path, 0, BACKSLASH | ESCAPED_BACKSLASH, false)
}

/// Rewrites a path: escapes of the classes `decoded` are decoded, those of `slashes` become `/`, and with
/// `escapes_other` bytes that cannot be in a path are escaped.
fn rewrite(path: &str, decoded: u16, slashes: u16, escapes_other: bool) -> String {
    let size = if escapes_other { path.len().saturating_mul(3) } else { path.len() };
    let mut rewritten = vec![0; size];
    // Filled through an iterator, because the module is built for size, and each push would be a call.
    let mut free = rewritten.iter_mut();
    let mut write = |byte| {
        if let Some(slot) = free.next() {
            *slot = byte;
        }
    };
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match (*byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let escaped = hex_byte(*high, *low).unwrap_or_default();
                if class(escaped) & (decoded | slashes) == 0 {
                    // The next iterations copy the digits.
                    write(b'%');
                } else {
                    rest = after;
                    write(if class(escaped) & slashes == 0 { escaped } else { b'/' });
                }
            }
            (b'\\', _) if slashes & BACKSLASH != 0 => write(b'/'),
            (other, _) if escapes_other && (class(other) == 0 || other == b'\\') => {
                let [percent, high, low] = escape(other);
                write(percent);
                write(high);
                write(low);
            }
            (byte, _) => write(byte),
        }
    }
    let left = free.len();
    rewritten.truncate(size - left);
    string(rewritten)
}

/// Converts a path, which is ASCII, to a string.
fn string(path: Vec<u8>) -> String {
    String::from_utf8(path).unwrap_or_default()
}

/// Removes `;…` from each segment, as servlet containers do
/// ([RFC 3986 §3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3) calls these parameters).
fn cut_parameters(path: &str) -> String {
    let mut names = path.as_bytes().to_vec();
    let mut is_cut = false;
    names.retain(|byte| {
        is_cut = *byte == b';' || (is_cut && *byte != b'/');
        !is_cut
    });
    string(names)
}

fn merge_slashes(path: &str) -> String {
    let mut merged = path.as_bytes().to_vec();
    let mut after_slash = false;
    merged.retain(|byte| {
        let is_slash = *byte == b'/';
        !(std::mem::replace(&mut after_slash, is_slash) && is_slash)
    });
    string(merged)
}

/// Removes dot segments as in [RFC 3986 §5.2.4](https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4): `/a/.` and
/// `/a/b/..` become `/a/`.
fn remove_dot_segments(path: &str) -> String {
    let mut kept = without_dot_segments(path);
    if path.rsplit('/').next().is_some_and(is_dot_segment) {
        kept.push("");
    }
    rooted(kept, path.len())
}

/// Removes dot segments as file systems do: `/a/.` and `/a/b/..` become `/a`.
fn remove_dot_segments_and_last_slash(path: &str) -> String {
    rooted(without_dot_segments(path), path.len())
}

/// Removes the authority: `//x/admin` is `/admin` on the host `x` for servers that parse the target as a reference
/// ([RFC 3986 §4.2](https://www.rfc-editor.org/rfc/rfc3986#section-4.2)).
fn drop_authority(path: &str) -> String {
    path_after_authority(path.strip_prefix("//").unwrap_or_default())
}

/// Removes the authority as in the URL standard, which skips any number of slashes: `///x/admin` is `/admin` on the
/// host `x`.
fn drop_authority_after_any_slashes(path: &str) -> String {
    path_after_authority(path.trim_start_matches('/'))
}

fn path_after_authority(reference: &str) -> String {
    let (_, path) = reference.split_once('/').unwrap_or_default();
    join(["", path].into_iter(), reference.len())
}

fn is_dot_segment(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

fn is_slash(c: char) -> bool {
    c == '/'
}

fn without_dot_segments(path: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    // Byte by byte: searching for each slash takes longer if segments are short, as in a hostile path.
    for segment in path.split(is_slash).skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    kept
}

fn rooted(segments: Vec<&str>, length: usize) -> String {
    if segments.is_empty() { "/".to_owned() } else { join([""].into_iter().chain(segments), length) }
}

/// Joins segments with `/`. The result has at most `length` bytes.
fn join<'s>(segments: impl Iterator<Item = &'s str>, length: usize) -> String {
    let mut path = String::with_capacity(length + 1);
    for (index, segment) in segments.enumerate() {
        if index > 0 {
            path.push('/');
        }
        path.push_str(segment);
    }
    path
}

/// True for `/` and for a `pchar` other than an escape. Looks up a table, since every path is checked with it.
fn is_pchar_or_slash(byte: u8) -> bool {
    byte == b'/' || class(byte) & (ESCAPED_DOT | ESCAPED_UNRESERVED | ESCAPED_RESERVED) != 0
}

#[cfg(test)]
mod tests;
