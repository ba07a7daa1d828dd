//! Conditions on the headers `:path` and `:authority`.

use super::super::path::is_literal;
use crate::convert::message::Message;
use crate::convert::space::{self, Atom, Shape};

/// The paths that a condition on `:path` matches. The condition also matches the query; if that makes a difference, the
/// result has more paths than the original if `may_grow` is true, else fewer.
pub fn path(header: &Message<'_>, may_grow: bool) -> Option<Vec<Atom>> {
    let matcher = header.message("string_match");
    if matcher.as_ref().is_some_and(|matcher| matcher.is_true("ignore_case")) {
        return None;
    }
    let of_matcher = |name: &str| matcher.as_ref()?.filled(name);
    let exact = of_matcher("exact").or_else(|| header.filled("exact_match"));
    let prefix = of_matcher("prefix").or_else(|| header.filled("prefix_match"));
    let regex = matcher.as_ref().and_then(|matcher| matcher.message("safe_regex"));
    let regex = regex.or_else(|| header.message("safe_regex_match"));
    if let Some(regex) = &regex {
        regex.skip(&["google_re2"]);
    }
    let regex = regex.as_ref().and_then(|regex| regex.filled("regex"));
    let (text, rest) = match (exact, prefix, regex) {
        (Some(exact), None, None) => (exact, ""),
        (None, Some(prefix), None) => (prefix, ".*"),
        (None, None, Some(regex)) => {
            let regex = regex.strip_prefix('^').unwrap_or(regex);
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/_-".contains(letter);
            let (text, rest) =
                regex.split_at_checked(regex.find(|letter| !is_plain(letter)).unwrap_or(regex.len()))?;
            (text, rest.strip_suffix('$').unwrap_or(rest))
        }
        _ => return None,
    };
    if !text.starts_with('/') || !is_literal(text) {
        return None;
    }
    let exact = Shape::Exact(text.to_owned());
    let below = Shape::prefix(&format!("{text}/"));
    let shapes = match (rest, text.strip_suffix('/')) {
        (".*", _) => vec![Shape::prefix(text)],
        // `/a/.*`
        ("/.*", None) => vec![below],
        ("(/.*)?" | "(?:/.*)?", None) if may_grow => vec![exact, below],
        ("(/.*)?" | "(?:/.*)?", None) => vec![below],
        // With a query, `:path` is a different text.
        ("", _) if may_grow => vec![exact],
        _ => return None,
    };
    Some(shapes.into_iter().map(Atom::Path).collect())
}

/// The host that a condition on `:authority` matches. The condition must ignore letter case, as rules do.
pub fn host(header: &Message<'_>) -> Option<Atom> {
    let matcher = header.message("string_match")?;
    let exact = matcher.filled("exact").filter(|_| matcher.is_true("ignore_case"))?;
    space::host(exact).filter(|_| !exact.starts_with('*') && !exact.ends_with('.'))
}
