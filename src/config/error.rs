//! Errors in a configuration.

use std::fmt;

/// An error in a configuration: its path and its kind. Contains names, but never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Path, such as `rules[2].require.any_of[0]`; empty for the configuration as a whole.
    pub path: String,
    /// Kind of error.
    pub kind: ConfigErrorKind,
}

/// Kinds of errors. [`ConfigErrorKind::Invalid`] carries the errors of other modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// The configuration is empty.
    Empty,
    /// The configuration is neither JSON text nor an encoded `google.protobuf.Struct`.
    NeitherJsonNorStruct,
    /// The configuration is not strict JSON.
    Json(crate::json::JsonError),
    /// A field does not exist.
    UnknownField {
        /// A similar name that exists.
        suggestion: Option<String>,
        /// All fields that exist there.
        expected: &'static [&'static str],
    },
    /// A required field is missing.
    MissingField(&'static str),
    /// None or several of these fields are present, but exactly one is required.
    ExactlyOne(&'static [&'static str]),
    /// A value has the wrong type.
    WrongType {
        /// Expected type.
        expected: String,
        /// JSON type of the value.
        found: &'static str,
    },
    /// A value has the right type, but not this content.
    Expected(&'static str),
    /// A name refers to nothing.
    UnknownName {
        /// Kind of object that it should refer to, such as `authenticator`.
        what: &'static str,
        /// The name as written.
        name: String,
        /// A similar name that exists.
        suggestion: Option<String>,
    },
    /// A name is used twice.
    DuplicateName(String),
    /// The variable of `{env: NAME}` is not set, or is empty.
    NoEnvironmentVariable(String),
    /// Error of the module that the value belongs to, as text.
    Invalid(String),
}

impl ConfigError {
    /// Creates an error at `path`.
    pub fn new(path: impl Into<String>, kind: ConfigErrorKind) -> Self {
        ConfigError { path: path.into(), kind }
    }

    /// Creates an error at `path` from the error of another module.
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
            Self::DuplicateName(name) => write!(f, "\"{name}\" is used twice; expected a unique name"),
            Self::NoEnvironmentVariable(name) => write!(
                f,
                "the environment variable {name} is not set or empty in the VM; pass it through host_env_keys or key_values"
            ),
            Self::Invalid(text) => f.write_str(text),
        }
    }
}

/// The candidate that `name` was probably meant to be: at most a third of the letters differ, ignoring case.
pub fn suggestion<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = name.chars().count() / 3;
    let lower = name.to_lowercase();
    candidates
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// Edit distance (Levenshtein). A swap of adjacent letters counts as two.
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
