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

/// How many octets the readings of a path may take up together, but for the first.
pub const MAX_OCTETS: usize = 128 * 1024;

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
    /// Has more than [`MAX_READINGS`] readings, or longer ones than [`MAX_OCTETS`].
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
        let others = closure(&first, MAX_READINGS, MAX_OCTETS)?;
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

/// What the steps make of `first`, without `first` itself; an error where there are more readings than `max_readings` with
/// it, or they have more octets than `max_octets` without it.
fn closure(first: &str, max_readings: usize, max_octets: usize) -> Result<Vec<String>, PathError> {
    let mut others: Vec<String> = Vec::new();
    let mut octets = 0;
    let mut done = 0;
    let mut current = Some(first);
    while let Some(path) = current {
        let found: Vec<String> = STEPS.iter().filter_map(|step| step(path)).collect();
        for reading in found {
            if reading == first || others.contains(&reading) {
                continue;
            }
            octets += reading.len();
            // One more stands for the first reading.
            if others.len() + 1 >= max_readings || octets > max_octets {
                return Err(PathError::TooManyReadings);
            }
            others.push(reading);
        }
        current = others.get(done).map(String::as_str);
        done += 1;
    }
    Ok(others)
}

/// What a proxy or a server may do to a path before it looks at it. Each gives `None` where it changes nothing.
const STEPS: [fn(&str) -> Option<String>; 12] = [
    decode_dots,
    decode_unreserved,
    decode_all,
    slash_from_escape,
    slash_from_backslash,
    slash_from_any_backslash,
    cut_parameters,
    merge_slashes,
    remove_dot_segments,
    remove_dot_segments_and_last_slash,
    drop_authority,
    drop_authority_after_any_slashes,
];

/// `%2E`, as in the URL standard, which takes `%2e%2e` for a dot segment and decodes nothing else.
fn decode_dots(path: &str) -> Option<String> {
    decode(path, |octet| octet == b'.')
}

/// What RFC 3986 §6.2.2.2 allows a proxy to decode.
fn decode_unreserved(path: &str) -> Option<String> {
    decode(path, is_unreserved)
}

/// What a server does that decodes all: `%3A` and `:` are one. What cannot stand in a path is written as an escape, be
/// it so already or not; slashes have their own steps, since many servers spare them.
fn decode_all(path: &str) -> Option<String> {
    change(path, |octet| match octet {
        Octet::Escaped { octet, .. } if is_pchar(octet) => Octet::Plain(octet),
        Octet::Plain(octet) if !is_pchar_or_slash(octet) => Octet::Escaped { octet, upper_case: true },
        same => same,
    })
}

fn slash_from_escape(path: &str) -> Option<String> {
    decode(path, |octet| octet == b'/')
}

/// As in the URL standard.
fn slash_from_backslash(path: &str) -> Option<String> {
    change(path, |octet| if octet == Octet::Plain(b'\\') { Octet::Plain(b'/') } else { octet })
}

/// As in servers that decode first.
fn slash_from_any_backslash(path: &str) -> Option<String> {
    change(path, |octet| match octet {
        Octet::Plain(b'\\') | Octet::Escaped { octet: b'\\', .. } => Octet::Plain(b'/'),
        same => same,
    })
}

/// Cuts `;…` from each segment, as servlet containers do (RFC 3986 §3.3 calls them parameters).
fn cut_parameters(path: &str) -> Option<String> {
    path.contains(';').then(|| {
        let names = path.split('/').map(|segment| segment.split_once(';').map_or(segment, |(name, _)| name));
        join(names, path.len())
    })
}

fn merge_slashes(path: &str) -> Option<String> {
    path.contains("//").then(|| {
        let mut previous = None;
        path.chars().filter(|&c| previous.replace(c) != Some('/') || c != '/').collect()
    })
}

/// RFC 3986 §5.2.4: `/a/.` and `/a/b/..` leave `/a/`.
fn remove_dot_segments(path: &str) -> Option<String> {
    has_dot_segment(path).then(|| {
        let mut kept = without_dot_segments(path);
        if path.rsplit('/').next().is_some_and(is_dot_segment) {
            kept.push("");
        }
        rooted(kept, path.len())
    })
}

/// As file systems do it: `/a/.` and `/a/b/..` leave `/a`.
fn remove_dot_segments_and_last_slash(path: &str) -> Option<String> {
    has_dot_segment(path).then(|| rooted(without_dot_segments(path), path.len()))
}

/// `//x/admin` is `/admin` at the host `x`, for whoever takes the target for a reference (RFC 3986 §4.2).
fn drop_authority(path: &str) -> Option<String> {
    path.strip_prefix("//").map(path_after_authority)
}

/// So is `///x/admin` by the URL standard, which skips any number of slashes.
fn drop_authority_after_any_slashes(path: &str) -> Option<String> {
    path.starts_with("///").then(|| path_after_authority(path.trim_start_matches('/')))
}

fn path_after_authority(reference: &str) -> String {
    let (_, path) = reference.split_once('/').unwrap_or_default();
    join(["", path].into_iter(), reference.len())
}

fn is_dot_segment(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

fn has_dot_segment(path: &str) -> bool {
    path.contains("/.") && path.split('/').any(is_dot_segment)
}

fn without_dot_segments(path: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    for segment in path.split('/').skip(1) {
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
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let upper_case = !high.is_ascii_lowercase() && !low.is_ascii_lowercase();
    Some(Octet::Escaped { octet: digit(high)? << 4 | digit(low)?, upper_case })
}

pub(crate) fn push(path: &mut String, octet: Octet) {
    match octet {
        Octet::Plain(octet) => path.push(char::from(octet)),
        Octet::Escaped { octet, .. } => {
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase();
            path.extend(['%', digit(octet >> 4), digit(octet & 15)]);
        }
    }
}

fn decode(path: &str, takes: impl Fn(u8) -> bool) -> Option<String> {
    change(path, |octet| match octet {
        Octet::Escaped { octet, .. } if takes(octet) => Octet::Plain(octet),
        same => same,
    })
}

fn change(path: &str, to: impl Fn(Octet) -> Octet) -> Option<String> {
    let changes = octets(path.as_bytes()).flatten().any(|octet| to(octet) != octet);
    changes.then(|| rewrite(path, to))
}

fn rewrite(path: &str, to: impl Fn(Octet) -> Octet) -> String {
    let mut rewritten = String::with_capacity(path.len());
    octets(path.as_bytes()).flatten().map(to).for_each(|octet| push(&mut rewritten, octet));
    rewritten
}

/// RFC 3986 §2.3: `unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"`
pub(crate) fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §3.3: `pchar = unreserved / pct-encoded / sub-delims / ":" / "@"`, here without the escapes.
pub(crate) fn is_pchar(octet: u8) -> bool {
    is_unreserved(octet)
        || matches!(octet, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
        || matches!(octet, b':' | b'@')
}

fn is_pchar_or_slash(octet: u8) -> bool {
    octet == b'/' || is_pchar(octet)
}

#[cfg(test)]
mod tests;
