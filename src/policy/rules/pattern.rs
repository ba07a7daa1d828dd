//! Path patterns, as written in a configuration.
//!
//! A pattern is normalized like an interpretation of a path whose unreserved escapes are decoded. A pattern that has
//! several interpretations itself is an error, since no request could select it. A reserved character and its escape
//! (`@`, `%40`) are two paths. A request with the escape has both interpretations, so a rule for it must list both.

use regex_lite::{Regex, RegexBuilder};

use crate::http::codec::{escape, hex_byte, is_pchar, is_unreserved};
use crate::http::host;

/// Maximum length of a pattern, in bytes.
pub const MAX_PATTERN: usize = 2048;

/// Maximum size of a compiled regex, in bytes. This also bounds the time for each byte of a path.
pub const MAX_REGEX: usize = 32 * 1024;

/// Paths that a rule matches.
#[derive(Debug, Clone)]
pub struct PathPattern {
    pub(super) pattern: Pattern,
    /// Names of the variables, in the order of their segments. That of the rest is the last.
    variables: Vec<Box<str>>,
}

#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// The segments from the start of the path, and its tail.
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
    /// The path ends.
    End,
    /// The path ends, or more segments follow.
    Any,
    /// One or more segments follow, which may be empty.
    More,
}

/// Error in a path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern does not start with `/`.
    #[error("expected a path that starts with `/`")]
    NotAbsolute,
    /// The pattern contains `*`.
    #[error(
        "`*` is not a wildcard here; write `prefix: /admin` for all paths below it, \
         `template: \"/users/{{id}}\"` for one segment, or a `regex`"
    )]
    Star,
    /// The pattern contains a brace, but is not a template.
    #[error("`{{` and `}}` have no meaning here; write `template: \"/users/{{id}}\"`, or a `regex`")]
    Brace,
    /// The template contains a brace outside `{name}` and `{name=**}`.
    #[error(
        "expected a whole segment `{{name}}` or, at the end, `{{name=**}}`, with a name of letters, digits and `_`"
    )]
    Template,
    /// `{name=**}` is not the last segment.
    #[error("expected `{{name=**}}` at the end only")]
    RestNotLast,
    /// Two variables have the same name.
    #[error("expected each name once")]
    RepeatedName,
    /// The pattern contains `?` or `#`.
    #[error("expected a path without `?` and `#`: rules do not see the query")]
    Query,
    /// The pattern contains a backslash, `%2F` or `%5C`.
    #[error(
        "expected `/` for a backslash, `%2F` or `%5C`: a request with one of these is also interpreted with `/`, \
         and rejected if that changes its rule"
    )]
    Slash,
    /// The pattern has a segment `.` or `..`.
    #[error("expected a path without the segments `.` and `..`: no request can select it")]
    DotSegment,
    /// The pattern contains `//`.
    #[error("expected a path without `//`: no request can select it")]
    EmptySegment,
    /// The pattern contains a `%` without two hexadecimal digits, or `%00`.
    #[error("expected two hex digits after each `%`, and not `%00`")]
    BadEscape,
    /// The pattern contains a control character.
    #[error("expected a path without control characters")]
    Control,
    /// The pattern is longer than [`MAX_PATTERN`].
    #[error("expected at most 2048 bytes")]
    TooLong,
    /// The regex is not ASCII.
    #[error("expected ASCII: write other characters as requests have them, `%C3%A9` for `é`")]
    RegexNotAscii,
    /// The regex cannot be compiled, or is larger than [`MAX_REGEX`].
    #[error("invalid regex: {0}")]
    Regex(regex_lite::Error),
}

impl PathPattern {
    /// Creates a pattern that matches every path.
    pub fn any() -> PathPattern {
        PathPattern::without_variables(Pattern::Segments(Vec::new(), Tail::Any))
    }

    /// Creates a pattern that matches this path only.
    ///
    /// # Errors
    /// Fails if no request could select the path, or if it has characters with a special meaning.
    pub fn exact(path: &str) -> Result<PathPattern, PatternError> {
        let segments = segments(path)?.map(literal).collect::<Result<_, _>>()?;
        new(segments, Tail::End, Vec::new())
    }

    /// Creates a pattern that matches this path and all paths below it, by whole segments. A trailing slash is ignored.
    ///
    /// # Errors
    /// Fails like [`PathPattern::exact`].
    pub fn prefix(path: &str) -> Result<PathPattern, PatternError> {
        let mut segments: Vec<Segment> = segments(path)?.map(literal).collect::<Result<_, _>>()?;
        segments.pop_if(|last| last.is_empty());
        new(segments, Tail::Any, Vec::new())
    }

    /// Creates a pattern from a template. `{name}` matches a segment, and a final `{name=**}` matches the rest of the
    /// path.
    ///
    /// # Errors
    /// Fails like [`PathPattern::exact`], or if a variable is malformed or repeated, or if `{name=**}` is not at the
    /// end.
    pub fn template(template: &str) -> Result<PathPattern, PatternError> {
        let mut names: Vec<Box<str>> = Vec::new();
        let mut tail = Tail::End;
        let mut parsed = Vec::new();
        for segment in segments(template)? {
            if tail == Tail::More {
                return Err(PatternError::RestNotLast);
            }
            let rest = segment.strip_suffix("=**}").map(|start| format!("{start}}}"));
            let Some(name) = host::variable(rest.as_deref().unwrap_or(segment)) else {
                parsed.push(literal(segment).map_err(|error| match error {
                    PatternError::Brace => PatternError::Template,
                    other => other,
                })?);
                continue;
            };
            if names.iter().any(|known| **known == *name) {
                return Err(PatternError::RepeatedName);
            }
            names.push(name.into());
            if rest.is_none() { parsed.push(Segment::Any) } else { tail = Tail::More }
        }
        new(parsed, tail, names)
    }

    /// Creates a pattern from a regex that must match the whole path. Escapes in paths have upper-case digits.
    ///
    /// # Errors
    /// Fails if the regex is invalid, not ASCII, or too large.
    pub fn regex(pattern: &str) -> Result<PathPattern, PatternError> {
        if pattern.len() > MAX_PATTERN {
            return Err(PatternError::TooLong);
        }
        if !pattern.is_ascii() {
            return Err(PatternError::RegexNotAscii);
        }
        let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_REGEX).build();
        // Compiled alone first: in `a)|(?:b` each anchor would apply to one side only.
        compile(pattern)
            .and_then(|_| compile(&format!("^(?:{pattern})$")))
            .map(|regex| PathPattern::without_variables(Pattern::Regex(regex)))
            .map_err(PatternError::Regex)
    }

    fn without_variables(pattern: Pattern) -> PathPattern {
        PathPattern { pattern, variables: Vec::new() }
    }

    /// Names of the variables, in the order in which they are in the template.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|name| &**name)
    }

    /// Returns the value of a variable in one interpretation of a path, without decoding; `None` if the pattern does not
    /// match, or has no such variable.
    pub fn capture<'p>(&self, variable: &str, path: &'p str) -> Option<&'p str> {
        let mut value = None;
        let mut names = self.variables();
        let is_match = self.walk(path, |text| {
            if names.next() == Some(variable) {
                value = Some(text);
            }
        });
        value.filter(|_| is_match)
    }

    /// True if the pattern matches this interpretation of a path.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.walk(path, |_| {})
    }

    /// Compares a path with the pattern, and passes the value of each variable to `visit`. Returns true if they match.
    fn walk<'p>(&self, path: &'p str, mut visit: impl FnMut(&'p str)) -> bool {
        let (segments, tail) = match &self.pattern {
            Pattern::Regex(regex) => return regex.is_match(path),
            Pattern::Segments(segments, tail) => (segments, *tail),
        };
        let mut rest = path.strip_prefix('/');
        for segment in segments {
            let Some(current) = rest else { return false };
            let (text, after) =
                current.split_once('/').map_or((current, None), |(text, after)| (text, Some(after)));
            match segment {
                Segment::Literal(literal) if **literal == *text => {}
                Segment::Any if !text.is_empty() => visit(text),
                _ => return false,
            }
            rest = after;
        }
        match (tail, rest) {
            (Tail::Any, _) | (Tail::End, None) => true,
            (Tail::More, Some(rest)) => {
                visit(rest);
                true
            }
            (Tail::End, Some(_)) | (Tail::More, None) => false,
        }
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

fn new(segments: Vec<Segment>, tail: Tail, variables: Vec<Box<str>>) -> Result<PathPattern, PatternError> {
    let ends = segments.len().saturating_sub(1);
    let may_be_empty = |index: usize| index == ends && tail == Tail::End;
    if segments.iter().enumerate().any(|(index, segment)| segment.is_empty() && !may_be_empty(index)) {
        return Err(PatternError::EmptySegment);
    }
    Ok(PathPattern { pattern: Pattern::Segments(segments, tail), variables })
}

/// Normalizes a segment like that of an interpretation.
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
