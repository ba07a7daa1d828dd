//! The path of a request target (RFC 3986 §3.3), in every way that something behind us might read it.
//!
//! A filter that reads a path in one way and a server that reads it in another is how `/x/..;/admin` gets past a rule
//! for `/admin`. So no reading is taken for the right one: [`Readings`] holds them all, and a rule applies only where
//! they agree (RFC 3986 §6.2.2 and §6.2.3 name the steps that servers take; the rest is what they are seen to do).
//!
//! The readings are closed under the steps in `STEPS`, taken in any order and any number of times, as a chain of proxies
//! might take them. Nothing is decoded twice, for no step decodes `%25`.

use std::borrow::Cow;
use std::convert::identity;
use std::fmt;

/// How many readings a path may have. Beyond that it is an attack, and refused.
pub const MAX_READINGS: usize = 128;

/// How many bytes the readings of a path may take up together, if it has more than one. This bounds the time that any
/// path takes: each reading is scanned once, and each step writes at most as many bytes as it reads.
pub const MAX_BYTES: usize = 16 * 1024;

/// All distinct readings of one path; none where the request has no path.
///
/// The hex digits of escapes are upper case in each. The first is the path as it came.
pub struct Readings<'a> {
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

impl<'a> Readings<'a> {
    /// Reads a request target in origin or asterisk form (RFC 9112 §3.2), as `:path` holds it; empty where there is none,
    /// as in CONNECT. Query and fragment are left out.
    pub fn of(target: &'a [u8]) -> Result<Readings<'a>, PathError> {
        let (path, _) = split_query(target);
        if matches!(target, b"" | b"*") {
            return Ok(Readings { first: None, others: Vec::new() });
        }
        if is_plain(path) {
            return Ok(Readings { first: Some(text(path)?.into()), others: Vec::new() });
        }
        let first = as_it_came(path)?;
        let others = closure(&first, MAX_READINGS, MAX_BYTES)?;
        Ok(Readings { first: Some(first), others })
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

/// Checks the octets of a path and turns the hex digits of its escapes into upper case.
fn as_it_came(path: &[u8]) -> Result<Cow<'_, str>, PathError> {
    if path.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    let mut upper = true;
    for octet in octets(path) {
        match octet? {
            Octet::Escaped { octet: 0, .. } => return Err(PathError::Nul),
            Octet::Escaped { upper_case, .. } => upper &= upper_case,
            Octet::Plain(octet) if octet.is_ascii_graphic() => {}
            Octet::Plain(_) => return Err(PathError::NotVisibleAscii),
        }
    }
    let path = text(path)?;
    Ok(if upper { path.into() } else { rewrite(path, identity).into() })
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

/// What `path` contains of these, found in one pass.
fn features(path: &[u8]) -> u16 {
    let mut found = match path {
        [b'/', b'/', b'/', ..] => TWO_SLASHES_FIRST | THREE_SLASHES_FIRST,
        [b'/', b'/', ..] => TWO_SLASHES_FIRST,
        _ => 0,
    };
    let mut rest = path;
    while let [octet, after @ ..] = rest {
        rest = after;
        found |= match (octet, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                escape(*high, *low).map_or(0, |octet| match octet {
                    Octet::Escaped { octet: b'.', .. } => ESCAPED_DOT,
                    Octet::Escaped { octet: b'/', .. } => ESCAPED_SLASH,
                    Octet::Escaped { octet: b'\\', .. } => ESCAPED_BACKSLASH,
                    Octet::Escaped { octet, .. } if is_unreserved(octet) => ESCAPED_UNRESERVED,
                    Octet::Escaped { octet, .. } if is_pchar(octet) => ESCAPED_RESERVED,
                    _ => 0,
                })
            }
            (b'/', [b'/', ..]) => SLASHES,
            (b'/', [b'.'] | [b'.', b'.']) => DOT_SEGMENT | LAST_DOT_SEGMENT,
            (b'/', [b'.', b'/', ..] | [b'.', b'.', b'/', ..]) => DOT_SEGMENT,
            (b';', _) => SEMICOLON,
            (b'\\', _) => BACKSLASH | OTHER,
            (octet, _) if is_pchar_or_slash(*octet) => 0,
            _ => OTHER,
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
    decode(path, |octet| octet == b'.')
}

/// What RFC 3986 §6.2.2.2 allows a proxy to decode.
fn decode_unreserved(path: &str) -> String {
    decode(path, is_unreserved)
}

/// What a server does that decodes all: `%3A` and `:` are one. What cannot stand in a path is written as an escape, be
/// it so already or not; slashes have their own steps, since many servers spare them.
fn decode_all(path: &str) -> String {
    rewrite(path, |octet| match octet {
        Octet::Escaped { octet, .. } if is_pchar(octet) => Octet::Plain(octet),
        Octet::Plain(octet) if !is_pchar_or_slash(octet) => Octet::Escaped { octet, upper_case: true },
        same => same,
    })
}

fn slash_from_escape(path: &str) -> String {
    path.replace("%2F", "/")
}

/// As in the URL standard.
fn slash_from_backslash(path: &str) -> String {
    path.replace('\\', "/")
}

/// As in servers that decode first.
fn slash_from_any_backslash(path: &str) -> String {
    rewrite(path, |octet| match octet {
        Octet::Plain(b'\\') | Octet::Escaped { octet: b'\\', .. } => Octet::Plain(b'/'),
        same => same,
    })
}

/// Cuts `;…` from each segment, as servlet containers do (RFC 3986 §3.3 calls them parameters).
fn cut_parameters(path: &str) -> String {
    let (mut names, mut is_cut) = (String::with_capacity(path.len()), false);
    for c in path.chars() {
        is_cut = c == ';' || (is_cut && c != '/');
        if !is_cut {
            names.push(c);
        }
    }
    names
}

fn merge_slashes(path: &str) -> String {
    let (mut merged, mut after_slash) = (String::with_capacity(path.len()), false);
    for c in path.chars() {
        if !(after_slash && c == '/') {
            merged.push(c);
        }
        after_slash = c == '/';
    }
    merged
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

fn without_dot_segments(path: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    // Byte by byte: a search for each slash takes longer where segments are short, as in a hostile path.
    for segment in path.split(|c| c == '/').skip(1) {
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

/// One octet of a path, and how it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Octet {
    Plain(u8),
    Escaped { octet: u8, upper_case: bool },
}

/// The octets of a path; an error in place of a `%` that starts no escape.
pub(crate) fn octets(path: &[u8]) -> impl Iterator<Item = Result<Octet, PathError>> {
    let mut rest = path.iter();
    std::iter::from_fn(move || {
        let &octet = rest.next()?;
        if octet != b'%' {
            return Some(Ok(Octet::Plain(octet)));
        }
        Some(match (rest.next(), rest.next()) {
            (Some(&high), Some(&low)) => escape(high, low).ok_or(PathError::BadEscape),
            _ => Err(PathError::BadEscape),
        })
    })
}

fn escape(high: u8, low: u8) -> Option<Octet> {
    let upper_case = !high.is_ascii_lowercase() && !low.is_ascii_lowercase();
    Some(Octet::Escaped { octet: digit(high)? << 4 | digit(low)?, upper_case })
}

fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    }
}

pub(crate) fn push(path: &mut String, octet: Octet) {
    match octet {
        Octet::Plain(octet) => path.push(char::from(octet)),
        Octet::Escaped { octet, .. } => {
            let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'A' - 10 + value });
            path.push('%');
            path.push(digit(octet >> 4));
            path.push(digit(octet & 15));
        }
    }
}

fn decode(path: &str, takes: impl Fn(u8) -> bool) -> String {
    rewrite(path, |octet| match octet {
        Octet::Escaped { octet, .. } if takes(octet) => Octet::Plain(octet),
        same => same,
    })
}

fn rewrite(path: &str, to: impl Fn(Octet) -> Octet) -> String {
    let mut rewritten = String::with_capacity(path.len());
    octets(path.as_bytes()).flatten().map(to).for_each(|octet| push(&mut rewritten, octet));
    rewritten
}

/// A set of ASCII characters.
struct Set(u64, u64);

impl Set {
    const fn of(mut characters: &[u8]) -> Set {
        let mut set = Set(0, 0);
        while let [first, rest @ ..] = characters {
            let bit = 1 << (*first & 63);
            if *first & 64 == 0 {
                set.0 |= bit
            } else {
                set.1 |= bit
            }
            characters = rest;
        }
        set
    }

    fn contains(&self, octet: u8) -> bool {
        let half = if octet & 64 == 0 { self.0 } else { self.1 };
        octet.is_ascii() && half >> (octet & 63) & 1 == 1
    }
}

/// RFC 3986 §2.3: `unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"`
pub(crate) fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §3.3: `pchar = unreserved / pct-encoded / sub-delims / ":" / "@"`, here without the escapes.
pub(crate) fn is_pchar(octet: u8) -> bool {
    const PCHAR: Set =
        Set::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@");
    PCHAR.contains(octet)
}

fn is_pchar_or_slash(octet: u8) -> bool {
    octet == b'/' || is_pchar(octet)
}

#[cfg(test)]
mod tests;
