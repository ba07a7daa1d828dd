//! Paths: the set of interpretations is closed, so a chain of proxies finds no other, and no interpretation that a rule
//! would have to match is missing.

use std::collections::BTreeSet;

use authgate::http::path::PathInterpretations;

pub fn check(bytes: &[u8]) {
    let Ok(interpretations) = PathInterpretations::of(bytes) else { return };
    let all: BTreeSet<&str> = interpretations.iter().collect();
    assert_eq!(all.len(), interpretations.iter().count(), "an interpretation occurs twice");
    let end = bytes.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(bytes.len());
    let path = &bytes[..end];
    if all.is_empty() {
        assert!(bytes.is_empty() || bytes == b"*");
        return;
    }
    let first = interpretations.iter().next().expect("the path as it came");
    assert!(first.as_bytes().eq_ignore_ascii_case(path));
    for interpretation in &all {
        assert!(
            interpretation.starts_with('/') && interpretation.bytes().all(|byte| byte.is_ascii_graphic())
        );
        assert!(!interpretation.contains("%00"));
        // Interpreting an interpretation gives no new one.
        let again =
            PathInterpretations::of(interpretation.as_bytes()).expect("an interpretation can be read");
        for interpretation in again.iter() {
            assert!(all.contains(interpretation), "{} also reads {interpretation}", bytes.escape_ascii());
        }
    }
    for interpretation in literal(first) {
        assert!(all.contains(interpretation.as_str()), "{} lacks {interpretation}", bytes.escape_ascii());
    }
}

/// Returns the results of steps that one server after another might apply, each in its simplest form.
fn literal(path: &str) -> Vec<String> {
    let decoded = path.replace("%2E", ".").replace("%2F", "/").replace("%5C", "\\");
    let slashed = decoded.replace('\\', "/");
    let cut: Vec<&str> =
        slashed.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    let mut kept: Vec<&str> = Vec::new();
    for segment in cut.iter().filter(|segment| !segment.is_empty()) {
        match *segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let ends_in_dots = cut.last().is_some_and(|last| matches!(*last, "." | ".."));
    let whole = format!("/{}", kept.join("/"));
    // Servers differ in keeping the trailing slash.
    if ends_in_dots || cut.last().is_some_and(|last| !last.is_empty()) { vec![whole] } else { Vec::new() }
}
