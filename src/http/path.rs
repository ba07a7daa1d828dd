//! The path of a request target (RFC 3986 §3.3), in every way that something behind us might read it.
//!
//! A filter that reads a path in one way and a server that reads it in another is how `/x/..;/admin` gets past a rule
//! for `/admin`. So no reading is taken for the right one: [`PathInterpretations`] holds them all, and a rule applies only where
//! they agree (RFC 3986 §6.2.2 and §6.2.3 name the steps that servers take; the rest is what they are seen to do).
//!
//! The readings are closed under the steps in `STEPS`, taken in any order and any number of times, as a chain of proxies
//! might take them. Nothing is decoded twice, for no step decodes `%25`.

use std::borrow::Cow;
use std::fmt;

/// How many readings a path may have. Beyond that it is an attack, and refused.
pub const MAX_READINGS: usize = 128;

/// How many bytes the readings of a path may take up together, if it has more than one. This bounds the time that any
/// path takes: each reading is scanned once, and each step writes at most as many bytes as it reads.
pub const MAX_BYTES: usize = 16 * 1024;

/// All distinct readings of one path; none where the request has no path.
///
/// The hex digits of escapes are upper case in each. The first is the path as it came.
pub struct PathInterpretations<'a> {
    first: Option<Cow<'a, str>>,
    others: Vec<String>,
}

/// Why a path cannot be read at all. Each is answered as an ambiguous path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// Neither starts with `/` nor is `*`.
    NotAbsolute,
    /// Holds an octet that no path has: a control, a space, or one outside ASCII.
    NotVisibleAscii,
    /// A `%` without two hex digits (RFC 3986 §2.1).
    BadEscape,
    /// `%00`, at which some servers end the path.
    Nul,
    /// Has more than [`MAX_READINGS`] readings, or more bytes of them than [`MAX_BYTES`].
    TooManyReadings,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathError::NotAbsolute => "the path does not start with `/`",
            PathError::NotVisibleAscii => "the path holds an octet outside visible ASCII",
            PathError::BadEscape => "the path holds a `%` that two hex digits do not follow",
            PathError::Nul => "the path holds `%00`",
            PathError::TooManyReadings => "the path can be read in too many ways",
        })
    }
}

impl std::error::Error for PathError {}

impl<'a> PathInterpretations<'a> {
    /// Reads a request target in origin or asterisk form (RFC 9112 §3.2), as `:path` holds it; empty where there is none,
    /// as in CONNECT. Query and fragment are left out.
    pub fn of(target: &'a [u8]) -> Result<PathInterpretations<'a>, PathError> {
        let (path, _) = split_query(target);
        if matches!(target, b"" | b"*") {
            return Ok(PathInterpretations { first: None, others: Vec::new() });
        }
        if is_plain(path) {
            return Ok(PathInterpretations { first: Some(text(path)?.into()), others: Vec::new() });
        }
        let first = as_it_came(path)?;
        let others = closure(&first, MAX_READINGS, MAX_BYTES)?;
        Ok(PathInterpretations { first: Some(first), others })
    }

    /// Every reading, once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.first.as_deref().into_iter().chain(self.others.iter().map(String::as_str))
    }
}

/// Splits a request target where its query or fragment starts: at the first `?` or `#`, which stays with the second part.
fn split_query(target: &[u8]) -> (&[u8], &[u8]) {
    let end = target.iter().position(|octet| matches!(octet, b'?' | b'#')).unwrap_or(target.len());
    target.split_at_checked(end).unwrap_or((target, &[]))
}

/// Whether one pass finds nothing that could be read in two ways.
fn is_plain(path: &[u8]) -> bool {
    let mut previous = None;
    path.first() == Some(&b'/')
        && path.iter().all(|&octet| {
            let after_slash = previous.replace(octet) == Some(b'/');
            is_pchar_or_slash(octet) && octet != b';' && !(after_slash && matches!(octet, b'/' | b'.'))
        })
}

fn text(path: &[u8]) -> Result<&str, PathError> {
    std::str::from_utf8(path).map_err(|_| PathError::NotVisibleAscii)
}

/// Checks the bytes of a path and turns the hex digits of its escapes into upper case.
fn as_it_came(path: &[u8]) -> Result<Cow<'_, str>, PathError> {
    if path.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    let (mut rest, mut upper_case) = (path, true);
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'%' {
            let [high, low, after @ ..] = after else { return Err(PathError::BadEscape) };
            if unescape(*high, *low).ok_or(PathError::BadEscape)? == 0 {
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

/// What the steps make of `first`, without `first` itself; an error where there are more readings than `max_readings`, or
/// more bytes of them than `max_bytes`, both with `first`. A path with one reading may be of any length.
fn closure(first: &str, max_readings: usize, max_bytes: usize) -> Result<Vec<String>, PathError> {
    let mut others: Vec<String> = Vec::new();
    let mut bytes = first.len();
    let mut done = 0;
    let mut current = first.to_owned();
    loop {
        let features = features(current.as_bytes());
        if features != 0 && bytes > max_bytes {
            return Err(PathError::TooManyReadings);
        }
        for (_, step) in STEPS.iter().filter(|(changed, _)| features & changed != 0) {
            let reading = step(&current);
            if reading == first || others.contains(&reading) {
                continue;
            }
            bytes += reading.len();
            // One more reading stands for the first.
            if others.len() + 1 >= max_readings || bytes > max_bytes {
                return Err(PathError::TooManyReadings);
            }
            others.push(reading);
        }
        let Some(next) = others.get(done) else { return Ok(others) };
        current.clone_from(next);
        done += 1;
    }
}

// What a path may contain that a step changes.
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

/// What an escape of each byte counts as.
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
            _ if is_sub_delim(byte) => ESCAPED_RESERVED,
            _ => 0,
        };
        byte = byte.wrapping_add(1);
        rest = after;
    }
    classes
};

/// One of the classes of [`ESCAPED`]; 0 for what can only stand in a path as an escape.
#[inline(always)]
fn class(byte: u8) -> u16 {
    ESCAPED.get(usize::from(byte)).copied().unwrap_or(0)
}

/// What `path` contains of these, found in one pass.
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
                unescape(*high, *low).map_or(0, class)
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

/// A step, and what of a path it changes. One whose result another step gives as well is left out: `decode_unreserved`, for
/// example, where dots are all that is escaped.
type Step = (u16, fn(&str) -> String);

/// What a proxy or a server may do to a path before it looks at it.
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

/// `%2E`, as in the URL standard, which takes `%2e%2e` for a dot segment and decodes nothing else.
fn decode_dots(path: &str) -> String {
    rewrite(path, ESCAPED_DOT, 0, false)
}

/// What RFC 3986 §6.2.2.2 allows a proxy to decode.
fn decode_unreserved(path: &str) -> String {
    rewrite(path, ESCAPED_DOT | ESCAPED_UNRESERVED, 0, false)
}

/// What a server does that decodes all: `%3A` and `:` are one. What cannot stand in a path is written as an escape, be
/// it so already or not; slashes have their own steps, since many servers spare them.
fn decode_all(path: &str) -> String {
    rewrite(path, ESCAPED_DOT | ESCAPED_UNRESERVED | ESCAPED_RESERVED, 0, true)
}

fn slash_from_escape(path: &str) -> String {
    rewrite(path, 0, ESCAPED_SLASH, false)
}

/// As in the URL standard.
fn slash_from_backslash(path: &str) -> String {
    rewrite(path, 0, BACKSLASH, false)
}

/// As in servers that decode first.
fn slash_from_any_backslash(path: &str) -> String {
    rewrite(path, 0, BACKSLASH | ESCAPED_BACKSLASH, false)
}

/// The path with escapes of the classes `decoded` as themselves, those of `slashes` as `/`, and, with `escapes_other`, what
/// cannot stand in a path as its escape.
fn rewrite(path: &str, decoded: u16, slashes: u16, escapes_other: bool) -> String {
    let size = if escapes_other { path.len().saturating_mul(3) } else { path.len() };
    let mut rewritten = vec![0; size];
    // Filled through an iterator: in the module, which is built for size, a push is a call.
    let mut free = rewritten.iter_mut();
    let mut write = |byte| {
        if let Some(cache_key) = free.next() {
            *cache_key = byte;
        }
    };
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match (*byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let escaped = unescape(*high, *low).unwrap_or_default();
                if class(escaped) & (decoded | slashes) == 0 {
                    // Its digits follow as they are.
                    write(b'%');
                } else {
                    rest = after;
                    write(if class(escaped) & slashes == 0 { escaped } else { b'/' });
                }
            }
            (b'\\', _) if slashes & BACKSLASH != 0 => write(b'/'),
            (other, _) if escapes_other && (class(other) == 0 || other == b'\\') => {
                write(b'%');
                write(hex_digit(other >> 4));
                write(hex_digit(other & 15));
            }
            (byte, _) => write(byte),
        }
    }
    let left = free.len();
    rewritten.truncate(size - left);
    string(rewritten)
}

/// The path, all of which is ASCII.
fn string(path: Vec<u8>) -> String {
    String::from_utf8(path).unwrap_or_default()
}

/// Cuts `;…` from each segment, as servlet containers do (RFC 3986 §3.3 calls them parameters).
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

/// RFC 3986 §5.2.4: `/a/.` and `/a/b/..` leave `/a/`.
fn remove_dot_segments(path: &str) -> String {
    let mut kept = without_dot_segments(path);
    if path.rsplit('/').next().is_some_and(is_dot_segment) {
        kept.push("");
    }
    rooted(kept, path.len())
}

/// As file systems do it: `/a/.` and `/a/b/..` leave `/a`.
fn remove_dot_segments_and_last_slash(path: &str) -> String {
    rooted(without_dot_segments(path), path.len())
}

/// `//x/admin` is `/admin` at the host `x`, for whoever takes the target for a reference (RFC 3986 §4.2).
fn drop_authority(path: &str) -> String {
    path_after_authority(path.strip_prefix("//").unwrap_or_default())
}

/// So is `///x/admin` by the URL standard, which skips any number of slashes.
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
    // Byte by byte: a search for each slash takes longer where segments are short, as in a hostile path.
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

/// Joins segments with `/`; the result takes up at most `length` octets.
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

/// The byte that two hex digits stand for. Inlined by force here and below: the module is built for size, and a hostile
/// path consists of escapes.
#[inline(always)]
pub(crate) fn unescape(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

#[inline(always)]
fn digit(digit: u8) -> Option<u8> {
    let (value, letter) = (digit.wrapping_sub(b'0'), (digit | 0x20).wrapping_sub(b'a'));
    if value < 10 { Some(value) } else { (letter < 6).then(|| letter + 10) }
}

/// A hex digit in upper case.
pub(crate) fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'A' - 10 + value }
}

/// RFC 3986 §2.3: `unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"`
pub(crate) const fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §3.3: `pchar = unreserved / pct-encoded / sub-delims / ":" / "@"`, here without the escapes.
pub(crate) fn is_pchar(octet: u8) -> bool {
    class(octet) & (ESCAPED_DOT | ESCAPED_UNRESERVED | ESCAPED_RESERVED) != 0
}

/// `sub-delims`, `:` and `@`.
const fn is_sub_delim(octet: u8) -> bool {
    matches!(octet, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}

fn is_pchar_or_slash(octet: u8) -> bool {
    octet == b'/' || is_pchar(octet)
}

#[cfg(test)]
mod tests;
