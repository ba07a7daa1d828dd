//! Path conditions of other filters, and the members of a `match` that select the same paths.

/// A condition on the path of a request, without its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    Any,
    /// This path alone.
    Exact(String),
    /// Every path that starts with these bytes.
    Prefix(String),
    /// This path, and all paths that continue it with a slash.
    Segments(String),
    /// A regular expression for the whole path.
    Regex(String),
}

/// The paths that two conditions have in common.
pub enum Common {
    Nothing,
    This(Path),
    /// The common paths cannot be determined.
    Unknown,
}

impl Path {
    /// Converts Envoy's `path`, `prefix` or `path_separated_prefix`; `None` if authgate would match other paths.
    pub fn of_text(kind: &str, text: &str, ignores_case: bool) -> Option<Path> {
        // authgate normalizes escapes, and decodes those of plain characters; Envoy does not.
        if text.contains('%') || !text.is_ascii() {
            return None;
        }
        let escaped = regex_lite::escape(text);
        Some(match (kind, ignores_case) {
            ("prefix", _) if matches!(text, "" | "/") => Path::Any,
            ("prefix", false) => Path::Prefix(text.to_owned()),
            ("prefix", true) => Path::Regex(format!("(?i:{escaped}).*")),
            ("path_separated_prefix", false) => Path::Segments(text.to_owned()),
            ("path_separated_prefix", true) => Path::Regex(format!("(?i:{escaped})(?:/.*)?")),
            (_, false) => Path::Exact(text.to_owned()),
            (_, true) => Path::Regex(format!("(?i:{escaped})")),
        })
    }

    /// Converts a regular expression for the whole path.
    pub fn of_regex(regex: &str) -> Option<Path> {
        match regex {
            ".*" | "/.*" | "^/.*$" | "^/.*" => Some(Path::Any),
            // The letter case of escapes differs from the one that Envoy matches.
            regex if regex.contains('%') || regex.is_empty() => None,
            regex => Some(Path::Regex(regex.to_owned())),
        }
    }

    /// Converts Envoy's URI template: `*` and `{name}` match a segment, `**` matches any number of segments at the end.
    pub fn of_template(template: &str) -> Option<Path> {
        const LETTERS: &str = r"a-zA-Z0-9\-._~%!$&'()+,;:@*=";
        let mut regex = String::new();
        let mut has_rest = false;
        for segment in template.strip_prefix('/')?.split('/') {
            regex.push('/');
            let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let pattern = inner.map(|inner| inner.split_once('=').map_or("*", |(_, pattern)| pattern));
            match pattern.unwrap_or(segment) {
                _ if has_rest => return None,
                "*" => regex.push_str(&format!("[{LETTERS}]+")),
                "**" => {
                    has_rest = true;
                    regex.push_str(&format!("[{LETTERS}/]*"));
                }
                literal if inner.is_none() && is_literal(&format!("/{literal}")) => {
                    regex.push_str(&regex_lite::escape(literal))
                }
                _ => return None,
            }
        }
        Some(Path::Regex(regex))
    }

    /// The member of `match` for the condition; `None` if it matches every path.
    pub fn member(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Path::Any => return None,
            Path::Exact(path) if is_literal(path) => ("path", path.clone()),
            Path::Exact(path) => ("regex", regex_lite::escape(path)),
            Path::Prefix(prefix) if prefix.ends_with('/') && is_literal(prefix) => {
                ("template", format!("{prefix}{{rest=**}}"))
            }
            Path::Prefix(prefix) => ("regex", format!("{}.*", regex_lite::escape(prefix))),
            Path::Segments(prefix) if is_literal(prefix) && !prefix.ends_with('/') => {
                ("prefix", prefix.clone())
            }
            Path::Segments(prefix) => ("regex", format!("{}(?:/.*)?", regex_lite::escape(prefix))),
            Path::Regex(regex) => ("regex", regex.clone()),
        })
    }

    /// The paths that match both conditions.
    pub fn and(&self, other: &Path) -> Common {
        match (self, other) {
            (Path::Any, path) | (path, Path::Any) => Common::This(path.clone()),
            (a, b) if a == b => Common::This(a.clone()),
            (exact @ Path::Exact(path), Path::Regex(regex))
            | (Path::Regex(regex), exact @ Path::Exact(path)) => {
                match regex_lite::Regex::new(&format!("^(?:{regex})$")) {
                    Ok(regex) if regex.is_match(path) => Common::This(exact.clone()),
                    Ok(_) => Common::Nothing,
                    Err(_) => Common::Unknown,
                }
            }
            (Path::Regex(_), _) | (_, Path::Regex(_)) => Common::Unknown,
            (a, b) if a.is_within(b) => Common::This(a.clone()),
            (a, b) if b.is_within(a) => Common::This(b.clone()),
            _ => Common::Nothing,
        }
    }

    /// True if all paths that match this condition match the other. Neither is a regex; two such sets are nested or
    /// disjoint.
    fn is_within(&self, other: &Path) -> bool {
        let below = |text: &str, prefix: &str| {
            text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match (self, other) {
            (_, Path::Any) => true,
            (Path::Exact(a), Path::Exact(b)) => a == b,
            (Path::Exact(a) | Path::Prefix(a) | Path::Segments(a), Path::Prefix(b)) => a.starts_with(b),
            (Path::Exact(a) | Path::Segments(a), Path::Segments(b)) => below(a, b),
            (Path::Prefix(a), Path::Segments(b)) => {
                a.strip_prefix(b.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            _ => false,
        }
    }
}

/// True if a rule matches this path literally.
pub fn is_literal(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte))
        && !path.contains("//")
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}
