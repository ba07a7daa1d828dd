//! What is wrong with a configuration, where, and what was expected there.

use std::fmt;

/// One fault of a configuration: its place and its kind. Holds names, never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The place, as `rules[2].require.any_of[0]`; empty for the configuration as a whole.
    pub path: String,
    /// What is wrong there.
    pub kind: ConfigErrorKind,
}

/// The kinds of fault. Those that a module of its own finds are carried as that module's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// Nothing at all was given.
    Empty,
    /// Neither JSON text nor an encoded `google.protobuf.Struct`.
    NeitherJsonNorStruct,
    /// JSON that cannot be read.
    Json(crate::json::JsonError),
    /// A field that does not exist.
    UnknownField {
        /// What exists and looks like it.
        suggestion: Option<String>,
        /// All that exists there.
        expected: &'static [&'static str],
    },
    /// A field that has to be there.
    MissingField(&'static str),
    /// None, or several, of fields that exclude each other.
    ExactlyOne(&'static [&'static str]),
    /// A value of another type.
    WrongType {
        /// What belongs there.
        expected: String,
        /// The JSON type that stands there.
        found: &'static str,
    },
    /// A value of the right type and with a wrong content.
    Expected(&'static str),
    /// A name that refers to nothing.
    UnknownName {
        /// What it should refer to, as `authenticator`.
        what: &'static str,
        /// The name as written.
        name: String,
        /// What exists and looks like it.
        suggestion: Option<String>,
    },
    /// A name that was used before.
    DuplicateName(String),
    /// `{env: NAME}` where NAME is not set or empty.
    NoEnvironmentVariable(String),
    /// A fault with a text of its own, found by the module that the value belongs to.
    Invalid(String),
}

impl ConfigError {
    /// A fault at `path`.
    pub fn new(path: impl Into<String>, kind: ConfigErrorKind) -> Self {
        ConfigError { path: path.into(), kind }
    }

    /// A fault at `path` that another module found and can name.
    pub fn invalid(path: impl Into<String>, cause: &dyn fmt::Display) -> Self {
        ConfigError::new(path, ConfigErrorKind::Invalid(cause.to_string()))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        self.kind.fmt(f)
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the configuration is empty; expected an object with `authenticators` and `rules`"),
            Self::NeitherJsonNorStruct => f.write_str(
                "the configuration is neither a JSON object (google.protobuf.StringValue) nor a google.protobuf.Struct",
            ),
            Self::Json(error) => error.fmt(f),
            Self::UnknownField { suggestion, expected } => {
                f.write_str("unknown field")?;
                match suggestion {
                    Some(name) => write!(f, " (did you mean \"{name}\"?)"),
                    None if expected.is_empty() => Ok(()),
                    None => write!(f, "; expected one of: {}", expected.join(", ")),
                }
            }
            Self::MissingField(name) => write!(f, "`{name}` is missing"),
            Self::ExactlyOne(names) => write!(f, "expected exactly one of: {}", names.join(", ")),
            Self::WrongType { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::UnknownName { what, name, suggestion } => {
                write!(f, "no {what} is named \"{name}\"")?;
                match suggestion {
                    Some(name) => write!(f, " (did you mean \"{name}\"?)"),
                    None => Ok(()),
                }
            }
            Self::DuplicateName(name) => write!(f, "\"{name}\" stands twice; expected a name of its own"),
            Self::NoEnvironmentVariable(name) => write!(
                f,
                "the environment variable {name} is not set or empty in the VM; pass it through host_env_keys or key_values"
            ),
            Self::Invalid(text) => f.write_str(text),
        }
    }
}

/// Of `candidates` the one that `name` was probably meant to be: at most a third of its letters differ, case aside.
pub fn suggestion<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = name.chars().count() / 3;
    let lower = name.to_lowercase();
    candidates
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// Edit distance (Levenshtein), where a swap of neighbours counts as two.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = i + 1;
        next.push(left);
        for (y, pair) in b.iter().zip(row.windows(2)) {
            if let [diagonal, above] = pair {
                left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
                next.push(left);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_names_are_recognised() {
        let names = ["partners", "staff", "machines"];
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(suggestion(name, names.into_iter()).as_deref(), expected, "{name}");
        };
        check("partner", Some("partners"));
        check("Staff", Some("staff"));
        check("stafff", Some("staff"));
        check("mahcines", Some("machines"));
        check("x", None);
        check("people", None);
    }
}
