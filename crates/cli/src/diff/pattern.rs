//! Path patterns of rules, to find paths at, below and near them and in their intersections.
//!
//! This module only proposes paths. The core selects the rule for each path.

use authgate::config::Match;

/// The path pattern of a match without a regex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    segments: Vec<Segment>,
    tail: Tail,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Literal(String),
    /// Any non-empty segment.
    Any,
}

/// The segments after the listed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Tail {
    None,
    /// Any number.
    Any,
    /// One or more.
    Some,
}

impl Pattern {
    /// The pattern of a match; `None` for a regex.
    pub fn of(matched: &Match) -> Option<Pattern> {
        let split = |path: &str| -> Vec<String> {
            path.strip_prefix('/').unwrap_or(path).split('/').map(str::to_owned).collect()
        };
        match (&matched.path, &matched.prefix, &matched.template, &matched.regex) {
            (_, _, _, Some(_)) => None,
            (Some(path), ..) => {
                let segments = split(path).into_iter().map(Segment::Literal).collect();
                Some(Pattern { segments, tail: Tail::None })
            }
            (_, Some(prefix), ..) => {
                let mut segments: Vec<Segment> = split(prefix).into_iter().map(Segment::Literal).collect();
                segments.pop_if(|last| *last == Segment::Literal(String::new()));
                Some(Pattern { segments, tail: Tail::Any })
            }
            (_, _, Some(template), _) => {
                let mut pattern = Pattern { segments: Vec::new(), tail: Tail::None };
                for segment in split(template) {
                    match segment.as_str() {
                        text if text.starts_with('{') && text.ends_with("=**}") => pattern.tail = Tail::Some,
                        text if text.starts_with('{') => pattern.segments.push(Segment::Any),
                        _ => pattern.segments.push(Segment::Literal(segment)),
                    }
                }
                Some(pattern)
            }
            (None, None, None, None) => Some(Pattern { segments: Vec::new(), tail: Tail::Any }),
        }
    }

    /// The number of listed segments.
    pub fn length(&self) -> usize {
        self.segments.len()
    }

    /// The literal segments.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(literal) => Some(literal.as_str()),
            Segment::Any => None,
        })
    }

    /// The paths that both patterns match, if any.
    pub fn intersection(&self, other: &Pattern) -> Option<Pattern> {
        let (short, long) = if self.length() <= other.length() { (self, other) } else { (other, self) };
        let tail = match (short.tail, long.tail) {
            (Tail::None, _) if short.length() < long.length() => return None,
            (_, tail) if short.length() < long.length() => tail,
            (Tail::None, Tail::Some) | (Tail::Some, Tail::None) => return None,
            (Tail::None, _) | (_, Tail::None) => Tail::None,
            (Tail::Some, _) | (_, Tail::Some) => Tail::Some,
            (Tail::Any, Tail::Any) => Tail::Any,
        };
        let mut segments = Vec::with_capacity(long.length());
        for (at, segment) in long.segments.iter().enumerate() {
            segments.push(match (short.segments.get(at), segment) {
                (None, segment) => segment.clone(),
                (Some(Segment::Any), Segment::Literal(literal))
                | (Some(Segment::Literal(literal)), Segment::Any) => {
                    (!literal.is_empty()).then(|| Segment::Literal(literal.clone()))?
                }
                (Some(one), other) => (one == other).then(|| one.clone())?,
            });
        }
        Some(Pattern { segments, tail })
    }

    /// Matching paths with up to `depth` segments; `fresh` is a segment that no pattern names.
    pub fn inside(&self, fresh: &str, depth: usize) -> Vec<String> {
        let base = self.path(fresh);
        let first = match self.tail {
            Tail::None => return vec![base],
            Tail::Any => 0,
            Tail::Some => 1,
        };
        let below = format!("/{fresh}");
        let most = (depth + 1).saturating_sub(self.length()).max(first);
        let extended = (first..=most).map(|count| match (count, base.as_str()) {
            (0, _) => base.clone(),
            (_, "/") => below.repeat(count),
            _ => format!("{base}{}", below.repeat(count)),
        });
        extended.collect()
    }

    /// A matching path in which all variable segments, and one behind, differ; `fresh` is a segment that no pattern
    /// names.
    pub fn distinct(&self, fresh: &str) -> String {
        let mut path = String::new();
        for (at, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Literal(literal) => path.push_str(&format!("/{literal}")),
                Segment::Any => path.push_str(&format!("/{fresh}-{at}")),
            }
        }
        if self.tail != Tail::None {
            path.push_str(&format!("/{fresh}-{}", self.length()));
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }

    /// At most `most` matching paths, with each of `choices` for each variable segment, and up to two further segments.
    pub fn filled(&self, choices: &[&str], most: usize) -> Vec<String> {
        let mut paths = vec![String::new()];
        let extend = |paths: &[String], choices: &[&str]| -> Vec<String> {
            let longer =
                paths.iter().flat_map(|path| choices.iter().map(move |choice| format!("{path}/{choice}")));
            longer.take(most).collect()
        };
        for segment in &self.segments {
            paths = match segment {
                Segment::Literal(literal) => extend(&paths, &[literal]),
                Segment::Any => extend(&paths, choices),
            };
        }
        let behind = if self.tail == Tail::None { 0 } else { 2 };
        let mut all = paths.clone();
        for _ in 0..behind {
            paths = extend(&paths, choices);
            all.extend(paths.iter().cloned());
        }
        all.truncate(most);
        all
    }

    /// Paths near the pattern: with a trailing slash, one above, one below, and one with a longer last segment.
    pub fn beside(&self, fresh: &str) -> Vec<String> {
        let base = self.path(fresh);
        let mut paths = vec![format!("{}/", base.trim_end_matches('/'))];
        paths.push(format!("{}/{fresh}", base.trim_end_matches('/')));
        if let Some((last, above)) = self.segments.split_last() {
            paths.push(Pattern { segments: above.to_vec(), tail: Tail::None }.path(fresh));
            if let Segment::Literal(literal) = last {
                let mut segments = above.to_vec();
                segments.push(Segment::Literal(format!("{literal}{fresh}")));
                paths.push(Pattern { segments, tail: Tail::None }.path(fresh));
            }
        }
        paths
    }

    fn path(&self, fresh: &str) -> String {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => literal.as_str(),
            Segment::Any => fresh,
        });
        let segments: Vec<&str> = segments.collect();
        format!("/{}", segments.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pattern(name: &str, text: &str) -> Pattern {
        Pattern::of(&serde_json::from_value(json!({ name: text })).unwrap()).unwrap()
    }

    #[test]
    fn overlaps_have_paths_of_both() {
        let check = |one: (&str, &str), other: (&str, &str), expected: Option<&[&str]>| {
            let (one, other) = (pattern(one.0, one.1), pattern(other.0, other.1));
            for (one, other) in [(&one, &other), (&other, &one)] {
                let found = one.intersection(other).map(|both| both.inside("x", 3));
                assert_eq!(
                    found
                        .as_deref()
                        .map(|paths| paths.iter().map(String::as_str).collect::<Vec<_>>())
                        .as_deref(),
                    expected,
                    "{one:?} {other:?}"
                );
            }
        };
        let (prefix, path, template) = ("prefix", "path", "template");
        check((prefix, "/a"), (template, "/{n}/b"), Some(&["/a/b"]));
        check((prefix, "/"), (path, "/a"), Some(&["/a"]));
        check((prefix, "/a"), (prefix, "/a/b/"), Some(&["/a/b", "/a/b/x", "/a/b/x/x"]));
        check((template, "/{n}/b"), (template, "/a/{m}"), Some(&["/a/b"]));
        check((template, "/a/{r=**}"), (prefix, "/a"), Some(&["/a/x", "/a/x/x", "/a/x/x/x"]));
        check((template, "/a/{r=**}"), (path, "/a"), None);
        check((template, "/a/{n}"), (path, "/a/"), None);
        check((path, "/a"), (path, "/b"), None);
        check((path, "/a"), (prefix, "/a/b"), None);
    }

    #[test]
    fn each_variable_has_its_value() {
        assert_eq!(pattern("template", "/a/{n}/{m}/b").distinct("x"), "/a/x-1/x-2/b");
        assert_eq!(pattern("template", "/a/{n}/{rest=**}").distinct("x"), "/a/x-1/x-2");
        assert_eq!(pattern("path", "/").distinct("x"), "/");
    }

    #[test]
    fn beside_a_pattern() {
        assert_eq!(pattern("prefix", "/a/b").beside("x"), ["/a/b/", "/a/b/x", "/a", "/a/bx"]);
        assert_eq!(pattern("template", "/a/{n}").beside("x"), ["/a/x/", "/a/x/x", "/a"]);
        assert_eq!(pattern("prefix", "/").beside("x"), ["/", "/x"]);
    }
}
