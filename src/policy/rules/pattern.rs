//! What an operator writes for a path.
//!
//! A pattern is brought into the form of a reading whose unreserved escapes are decoded; one that no request could
//! select, since it has another reading of itself, is an error. A reserved character and its escape (`@`, `%40`) are
//! two paths: a request with the escape is read both ways, so a rule that wants it lists both.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

use crate::http::codec::{escape, hex_byte, is_pchar, is_unreserved};

/// How long a pattern may be, in octets.
pub const MAX_PATTERN: usize = 2048;

/// How much memory a compiled regex may take up, in octets. It bounds the time per octet of a path as well.
pub const MAX_REGEX: usize = 32 * 1024;

/// Which paths a rule takes.
#[derive(Debug, Clone)]
pub struct PathPattern(pub(super) Pattern);

#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// What stands between slashes, from the first on, and what may follow.
    Segments(Vec<Segment>, Tail),
    Regex(Regex),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Box<str>),
    /// Any segment that is not empty.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// The path ends here.
    End,
    /// It ends here, or more segments follow.
    Any,
    /// One or more segments follow, which may be empty.
    More,
}

/// Why a text is no [`PathPattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// Does not start with `/`.
    NotAbsolute,
    /// Has a `*`.
    Star,
    /// Has a brace, and is no template.
    Brace,
    /// Has a brace that belongs to no `{name}` or `{name=**}`.
    Template,
    /// `{name=**}` is not the last segment.
    RestNotLast,
    /// Two variables have one name.
    RepeatedName,
    /// Has a `?` or `#`.
    Query,
    /// Has a backslash, `%2F` or `%5C`.
    Slash,
    /// Has a segment `.` or `..`.
    DotSegment,
    /// Has `//`.
    EmptySegment,
    /// Has a `%` without two hex digits, or `%00`.
    BadEscape,
    /// Has a control character.
    Control,
    /// Longer than [`MAX_PATTERN`].
    TooLong,
    /// A regex that is not ASCII.
    RegexNotAscii,
    /// A regex that cannot be compiled, or beyond [`MAX_REGEX`].
    Regex(regex_lite::Error),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PatternError::NotAbsolute => "expected a path that starts with `/`",
            PatternError::Star => {
                "`*` stands for nothing here; write `prefix: /admin` for all below it, `template: \"/users/{id}\"` for \
                 one segment, or a `regex`"
            }
            PatternError::Brace => "`{` and `}` stand for nothing here; write `template: \"/users/{id}\"`, or a `regex`",
            PatternError::Template => {
                "expected a whole segment `{name}` or, at the end, `{name=**}`, with a name of letters, digits and `_`"
            }
            PatternError::RestNotLast => "expected `{name=**}` at the end only",
            PatternError::RepeatedName => "expected each name once",
            PatternError::Query => "expected a path without `?` and `#`: rules do not see the query",
            PatternError::Slash => {
                "expected `/` for a backslash, `%2F` or `%5C`: a request with one of these is read with `/` too, and \
                 refused where that would change its rule"
            }
            PatternError::DotSegment => {
                "expected a path without the segments `.` and `..`: no request can select it"
            }
            PatternError::EmptySegment => "expected a path without `//`: no request can select it",
            PatternError::BadEscape => "expected two hex digits after each `%`, and not `%00`",
            PatternError::Control => "expected a path without control characters",
            PatternError::TooLong => "expected at most 2048 octets",
            PatternError::RegexNotAscii => {
                "expected ASCII: write other characters as requests have them, `%C3%A9` for `é`"
            }
            PatternError::Regex(error) => return write!(f, "not a regex that can be used: {error}"),
        })
    }
}

impl std::error::Error for PatternError {}

impl PathPattern {
    /// Takes every path.
    pub fn any() -> PathPattern {
        PathPattern(Pattern::Segments(Vec::new(), Tail::Any))
    }

    /// Takes this path.
    pub fn exact(path: &str) -> Result<PathPattern, PatternError> {
        let segments = segments(path)?.map(literal).collect::<Result<_, _>>()?;
        new(segments, Tail::End)
    }

    /// Takes this path and all below it, by whole segments. A slash at its end means nothing.
    pub fn prefix(path: &str) -> Result<PathPattern, PatternError> {
        let mut segments: Vec<Segment> = segments(path)?.map(literal).collect::<Result<_, _>>()?;
        segments.pop_if(|last| last.is_empty());
        new(segments, Tail::Any)
    }

    /// Takes the paths that have a segment where `{name}` stands, and any rest where `{name=**}` ends the template.
    pub fn template(template: &str) -> Result<PathPattern, PatternError> {
        let mut names = Vec::new();
        let mut tail = Tail::End;
        let mut parsed = Vec::new();
        for segment in segments(template)? {
            if tail == Tail::More {
                return Err(PatternError::RestNotLast);
            }
            let Some(variable) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
                parsed.push(literal(segment).map_err(|error| match error {
                    PatternError::Brace => PatternError::Template,
                    other => other,
                })?);
                continue;
            };
            let name = variable.strip_suffix("=**").unwrap_or(variable);
            if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_') {
                return Err(PatternError::Template);
            }
            if names.contains(&name) {
                return Err(PatternError::RepeatedName);
            }
            names.push(name);
            if name == variable { parsed.push(Segment::Any) } else { tail = Tail::More }
        }
        new(parsed, tail)
    }

    /// Takes the paths that a regex matches as a whole. The hex digits of a path's escapes are upper case.
    pub fn regex(pattern: &str) -> Result<PathPattern, PatternError> {
        if pattern.len() > MAX_PATTERN {
            return Err(PatternError::TooLong);
        }
        if !pattern.is_ascii() {
            return Err(PatternError::RegexNotAscii);
        }
        let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_REGEX).build();
        // By itself first: in `a)|(?:b` the anchors would not hold both sides.
        compile(pattern)
            .and_then(|_| compile(&format!("^(?:{pattern})$")))
            .map(|regex| PathPattern(Pattern::Regex(regex)))
            .map_err(PatternError::Regex)
    }
}

impl Segment {
    fn is_empty(&self) -> bool {
        matches!(self, Segment::Literal(literal) if literal.is_empty())
    }
}

fn segments(path: &str) -> Result<impl Iterator<Item = &str>, PatternError> {
    if path.len() > MAX_PATTERN {
        return Err(PatternError::TooLong);
    }
    Ok(path.strip_prefix('/').ok_or(PatternError::NotAbsolute)?.split('/'))
}

fn new(segments: Vec<Segment>, tail: Tail) -> Result<PathPattern, PatternError> {
    let ends = segments.len().saturating_sub(1);
    let may_be_empty = |index: usize| index == ends && tail == Tail::End;
    if segments.iter().enumerate().any(|(index, segment)| segment.is_empty() && !may_be_empty(index)) {
        return Err(PatternError::EmptySegment);
    }
    Ok(PathPattern(Pattern::Segments(segments, tail)))
}

/// A segment in the form that it has in a reading.
fn literal(segment: &str) -> Result<Segment, PatternError> {
    let mut normal = String::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        let (byte, is_escaped) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                match hex_byte(*high, *low).ok_or(PatternError::BadEscape)? {
                    0 => return Err(PatternError::BadEscape),
                    b'/' | b'\\' => return Err(PatternError::Slash),
                    escaped => (escaped, !is_unreserved(escaped)),
                }
            }
            (b'%', _) => return Err(PatternError::BadEscape),
            (b'*', _) => return Err(PatternError::Star),
            (b'{' | b'}', _) => return Err(PatternError::Brace),
            (b'?' | b'#', _) => return Err(PatternError::Query),
            (b'\\', _) => return Err(PatternError::Slash),
            (control, _) if control.is_ascii_control() => return Err(PatternError::Control),
            (other, _) => (*other, !is_pchar(*other)),
        };
        if is_escaped {
            normal.extend(escape(byte).map(char::from));
        } else {
            normal.push(char::from(byte));
        }
    }
    match normal.as_str() {
        "." | ".." => Err(PatternError::DotSegment),
        _ => Ok(Segment::Literal(normal.into())),
    }
}
