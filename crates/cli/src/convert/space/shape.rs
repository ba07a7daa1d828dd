//! Sets of paths that policies name, and the overlap of two such sets.

use regex_lite::Regex;
use serde_json::{Value, json};

use crate::convert::path;

/// A set of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One path.
    Exact(String),
    /// Paths that start with `prefix` and end with `suffix`. The two may overlap, and either may be empty.
    Affix { prefix: String, suffix: String },
    /// Paths with these segments; `None` is any segment that is not empty. With `rest`, more segments follow.
    Template { segments: Vec<Option<String>>, rest: bool },
    /// Paths that match a regex as a whole. All of them start with `lead`.
    Regex { pattern: String, lead: String },
}

/// Overlap of two sets of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlap {
    Disjoint,
    /// The first set is part of the second.
    Inside,
    /// The second set is part of the first.
    Around,
    /// The sets have these paths in common.
    Shared(Shape),
    Unknown,
}

impl Shape {
    /// Paths that start with `prefix`.
    pub fn prefix(prefix: &str) -> Shape {
        Shape::Affix { prefix: prefix.to_owned(), suffix: String::new() }
    }

    /// Paths that end with `suffix`.
    pub fn suffix(suffix: &str) -> Shape {
        Shape::Affix { prefix: String::new(), suffix: suffix.to_owned() }
    }

    /// Paths that match a regex as a whole.
    pub fn regex(pattern: &str) -> Shape {
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || "/_-".contains(*letter);
        let mut lead: String = pattern.chars().take_while(plain).collect();
        // A quantifier can make the last letter optional, and an alternative can make all letters optional.
        lead.pop();
        if pattern.contains('|') {
            lead.clear();
        }
        Shape::Regex { pattern: pattern.to_owned(), lead }
    }

    /// True if the set contains this path.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Shape::Exact(exact) => exact == path,
            Shape::Affix { prefix, suffix } => path.starts_with(prefix) && path.ends_with(suffix),
            Shape::Template { segments, rest } => template_matches(segments, *rest, path),
            Shape::Regex { pattern, .. } => {
                Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(path))
            }
        }
    }

    /// The members of a `match` that select these paths.
    pub fn to_match(&self) -> Value {
        match self {
            Shape::Exact(exact) => path::exact(exact),
            Shape::Affix { prefix, suffix } if suffix.is_empty() => path::prefix(prefix),
            Shape::Affix { prefix, suffix } if prefix.is_empty() => path::suffix(suffix),
            Shape::Affix { prefix, suffix } => json!({"regex": both(prefix, suffix)}),
            Shape::Template { segments, rest } => template(segments, *rest),
            Shape::Regex { pattern, .. } => json!({"regex": pattern}),
        }
    }

    /// Computes the overlap of this set with another.
    pub fn overlap(&self, other: &Shape) -> Overlap {
        match (self, other) {
            (same, other) if same == other => Overlap::Inside,
            (Shape::Exact(path), other) if other.matches(path) => Overlap::Inside,
            (this, Shape::Exact(path)) if this.matches(path) => Overlap::Around,
            (Shape::Exact(_), _) | (_, Shape::Exact(_)) => Overlap::Disjoint,
            (Shape::Affix { prefix: a, suffix: x }, Shape::Affix { prefix: b, suffix: y }) => {
                let (Some(prefix), Some(suffix)) = (
                    longer(a, b, |long, short| long.starts_with(short)),
                    longer(x, y, |long, short| long.ends_with(short)),
                ) else {
                    return Overlap::Disjoint;
                };
                let shared = Shape::Affix { prefix, suffix };
                self.relation(other, shared)
            }
            (
                Shape::Template { segments: a, rest: more_a },
                Shape::Template { segments: b, rest: more_b },
            ) => match shared_template((a, *more_a), (b, *more_b)) {
                Some(shared) => self.relation(other, shared),
                None => Overlap::Disjoint,
            },
            (this, Shape::Affix { prefix, suffix }) => this.within(prefix, suffix),
            (Shape::Affix { prefix, suffix }, other) => match other.within(prefix, suffix) {
                Overlap::Inside => Overlap::Around,
                overlap => overlap,
            },
            (this, other) => {
                let (a, b) = (this.lead(), other.lead());
                if a.starts_with(&b) || b.starts_with(&a) { Overlap::Unknown } else { Overlap::Disjoint }
            }
        }
    }

    fn relation(&self, other: &Shape, shared: Shape) -> Overlap {
        match shared {
            shared if shared == *self => Overlap::Inside,
            shared if shared == *other => Overlap::Around,
            shared => Overlap::Shared(shared),
        }
    }

    /// Computes the overlap of a template or regex with an affix, as far as its fixed start and end determine it.
    fn within(&self, prefix: &str, suffix: &str) -> Overlap {
        let (lead, tail) = (self.lead(), self.tail());
        let starts = lead.starts_with(prefix);
        let ends = tail.ends_with(suffix);
        if !(starts || prefix.starts_with(&lead)) || !(ends || suffix.ends_with(&tail)) {
            Overlap::Disjoint
        } else if starts && ends {
            Overlap::Inside
        } else {
            Overlap::Unknown
        }
    }

    /// Text with which all paths of the set start.
    fn lead(&self) -> String {
        match self {
            Shape::Exact(path) => path.clone(),
            Shape::Affix { prefix, .. } => prefix.clone(),
            Shape::Regex { lead, .. } => lead.clone(),
            Shape::Template { segments, .. } => {
                let literals: Vec<&str> = segments.iter().map_while(Option::as_deref).collect();
                let slash = if literals.len() < segments.len() || self.has_rest() { "/" } else { "" };
                let lead: String = literals.iter().map(|literal| format!("/{literal}")).collect();
                format!("{lead}{slash}")
            }
        }
    }

    /// Text with which all paths of the set end.
    fn tail(&self) -> String {
        match self {
            Shape::Template { segments, rest: false } => {
                let literals: Vec<&str> = segments.iter().rev().map_while(Option::as_deref).collect();
                literals.iter().rev().map(|literal| format!("/{literal}")).collect()
            }
            _ => String::new(),
        }
    }

    fn has_rest(&self) -> bool {
        matches!(self, Shape::Template { rest: true, .. })
    }
}

fn longer(a: &str, b: &str, includes: impl Fn(&str, &str) -> bool) -> Option<String> {
    if includes(a, b) {
        Some(a.to_owned())
    } else if includes(b, a) {
        Some(b.to_owned())
    } else {
        None
    }
}

fn template_matches(segments: &[Option<String>], rest: bool, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let mut given = path.split('/');
    let fits = segments.iter().all(|segment| match (segment, given.next()) {
        (Some(literal), Some(given)) => literal == given,
        (None, Some(given)) => !given.is_empty(),
        (_, None) => false,
    });
    fits && given.next().is_some() == rest
}

fn shared_template(a: (&[Option<String>], bool), b: (&[Option<String>], bool)) -> Option<Shape> {
    let ((long, long_rest), (short, short_rest)) = if a.0.len() >= b.0.len() { (a, b) } else { (b, a) };
    let fits = match long.len() == short.len() {
        // `rest` means at least one more segment.
        true => long_rest == short_rest,
        false => short_rest,
    };
    if !fits {
        return None;
    }
    let mut segments = Vec::with_capacity(long.len());
    for (at, segment) in long.iter().enumerate() {
        segments.push(match (segment, short.get(at)) {
            (Some(a), Some(Some(b))) if a != b => return None,
            (None, Some(Some(literal))) | (Some(literal), Some(None)) if literal.is_empty() => return None,
            (None, Some(Some(literal))) => Some(literal.clone()),
            (segment, _) => segment.clone(),
        });
    }
    Some(Shape::Template { segments, rest: long_rest })
}

/// Regex for paths that start with `prefix` and end with `suffix`, which may overlap.
fn both(prefix: &str, suffix: &str) -> String {
    let mut patterns = vec![format!("{}.*{}", regex_lite::escape(prefix), regex_lite::escape(suffix))];
    let ends = suffix.char_indices().map(|(at, _)| at).chain([suffix.len()]).skip(1);
    for (start, rest) in ends.filter_map(|at| suffix.split_at_checked(at)) {
        if prefix.ends_with(start) {
            patterns.push(regex_lite::escape(&format!("{prefix}{rest}")));
        }
    }
    patterns.join("|")
}

fn template(segments: &[Option<String>], rest: bool) -> Value {
    let is_plain = |segment: &Option<String>| segment.as_deref().is_none_or(path::is_literal);
    let is_empty = |segment: &Option<String>| segment.as_deref() == Some("");
    let inner = segments.len().saturating_sub(usize::from(!rest));
    if !segments.iter().all(is_plain) || segments.iter().take(inner).any(is_empty) {
        let segments: Vec<String> = segments
            .iter()
            .map(|segment| segment.as_deref().map_or("[^/]+".to_owned(), regex_lite::escape))
            .collect();
        let rest = if rest { "/.*" } else { "" };
        return json!({"regex": format!("/{}{rest}", segments.join("/"))});
    }
    let mut text = String::new();
    for (number, segment) in (1..).zip(segments) {
        match segment {
            Some(literal) => text.push_str(&format!("/{literal}")),
            None => text.push_str(&format!("/{{p{number}}}")),
        }
    }
    if rest {
        text.push_str("/{rest=**}");
    }
    json!({"template": text})
}
