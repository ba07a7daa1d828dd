//! Values of claims, and paths that spell them in hostile ways.

use std::collections::BTreeMap;

use super::templates::{Segment, Template};
use crate::differential::random::Random;

/// Values of claims. Some are what a careless interpretation makes of another.
const VALUES: [&str; 34] = [
    "alice",
    "alice",
    "alice",
    "alice",
    "bob",
    "bob",
    "Alice",
    "a",
    "al ice",
    "al+ice",
    "al%69ce",
    "alice%2f",
    "alice/",
    "al/ice",
    "alice;x",
    "alice;",
    ".",
    "..",
    "...",
    ".alice",
    "alice.",
    "a\\b",
    "%",
    "%%",
    "%2e%2e",
    "alice\n",
    "\u{e4}",
    "\u{fffd}",
    "\u{1f511}",
    "a:b",
    "a@b",
    "a,b",
    "a=b&c",
    "~!$'()*",
];

/// Pieces that attackers insert, mostly at the ends of segments. The forms are those of path traversal lists: escapes
/// that are single, double, in either case or overlong, empty segments, parameters, and other ids.
const PIECES: [&[u8]; 60] = [
    b"/",
    b"//",
    b"/./",
    b"/../",
    b"/.",
    b"/..",
    b"/bob",
    b"/bob/..",
    b"/../bob",
    b"/bob/../",
    b"bob",
    b"%62ob",
    b";",
    b";x",
    b";a=b",
    b";/../bob",
    b"/..;/bob",
    b"/..;x/bob",
    b";/bob",
    b"%3b",
    b"%3Bx",
    b"%3b/../bob",
    b"%2f",
    b"%2F",
    b"%2fbob",
    b"%2f..%2fbob",
    b"/..%2fbob",
    b"%2f../bob",
    b"%252f",
    b"%252f..%252fbob",
    b"%5c",
    b"%5C..%5cbob",
    b"\\",
    b"\\..\\bob",
    b"/..\\bob",
    b"%00",
    b"%00bob",
    b"%2e",
    b"/%2e%2e/bob",
    b"/.%2e/bob",
    b"/%2E./bob",
    b"/%252e%252e/bob",
    b"%c0%af",
    b"%c0%ae%c0%ae%c0%afbob",
    b"/%c0%ae%c0%ae/bob",
    b"%e0%80%af",
    b"%ef%bc%8f",
    b"%u002f",
    b"%0a",
    b"%0d%0abob",
    b"%20",
    b"+",
    b"%09",
    b"%7f",
    b"\xc3\xa4",
    b"\xff",
    b"?bob",
    b"#bob",
    b"%23bob",
    b"%",
];

/// Returns a random value of a claim. `c` may be compared with all further segments.
pub fn value(name: &str, random: &mut Random) -> String {
    let one = VALUES[random.below(VALUES.len())];
    match (name, random.below(3)) {
        ("c", 0) => format!("{one}/{}", VALUES[random.below(VALUES.len())]),
        _ if random.below(60) == 0 => one.repeat(900),
        _ => one.to_owned(),
    }
}

/// Returns a path for a template: the caller's own values in some spelling, and in most cases with changes.
pub fn path(template: &Template, values: &BTreeMap<&'static str, String>, random: &mut Random) -> Vec<u8> {
    let mut path = Vec::new();
    for segment in &template.segments {
        path.push(b'/');
        match segment {
            Segment::Literal(text) => path.extend(text.bytes()),
            Segment::Rest("rest") => path.extend(b"some/rest".iter().take(random.below(10))),
            Segment::Variable(name) => spell(&values[name], &[], random, &mut path),
            Segment::Rest(name) => spell(&values[name], b"/", random, &mut path),
        }
    }
    for _ in 0..[0, 0, 1, 1, 1, 2, 3][random.below(7)] {
        change(&mut path, random);
    }
    path
}

/// Appends a value, with each byte as it is or escaped. `plain` are further bytes that need no escape.
fn spell(value: &str, plain: &[u8], random: &mut Random, path: &mut Vec<u8>) {
    // How many bytes in 16 are escaped without need, and how many escapes are escaped again.
    let (escaped, twice) = ([0, 0, 0, 1, 16][random.below(5)], [0, 0, 0, 0, 16][random.below(5)]);
    for byte in value.bytes() {
        let needs_none =
            byte.is_ascii_alphanumeric() || b"-._~!$&'()*,=:@+".contains(&byte) || plain.contains(&byte);
        if needs_none && random.below(16) >= escaped {
            path.push(byte);
            continue;
        }
        let percent = if random.below(16) < twice { "%25" } else { "%" };
        let digits = if random.below(2) == 0 { format!("{byte:02x}") } else { format!("{byte:02X}") };
        path.extend([percent, digits.as_str()].concat().bytes());
    }
}

/// Changes a path at one place.
fn change(path: &mut Vec<u8>, random: &mut Random) {
    let slashes: Vec<usize> = (1..path.len()).filter(|&at| path[at] == b'/').chain([path.len()]).collect();
    let at = match random.below(4) {
        // Never before the first slash: that would not be a path.
        0 => 1 + random.below(path.len()),
        _ => slashes[random.below(slashes.len())],
    };
    match random.below(12) {
        0 => {
            path.truncate(at);
            path.extend(b"/".iter().take(random.below(2)));
        }
        1 => {
            let at = at.min(path.len() - 1);
            path[at] = if path[at].is_ascii_lowercase() {
                path[at].to_ascii_uppercase()
            } else {
                path[at].to_ascii_lowercase()
            };
        }
        2 => {
            let copy = path[..at].to_vec();
            path.extend(copy);
        }
        _ => {
            let piece = PIECES[random.below(PIECES.len())];
            path.splice(at..at, piece.iter().copied());
        }
    }
}
