//! State of a build: the environment that it reads, and the errors and warnings that it finds.

use std::borrow::Cow;
use std::fmt;

use super::error::{ConfigError, ConfigErrorKind, suggestion};
use super::path::ConfigPath;
use super::value::Secret;
use super::warning::{Warning, WarningKind};
use crate::http::challenge::Realm;
use crate::timestamp::NumericDate;

/// State of a build. Errors are recorded and the build continues, so that all are found.
pub struct BuildContext<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    /// Names of all authenticators, including those with errors.
    pub declared: Vec<String>,
    /// Errors found so far.
    pub errors: Vec<ConfigError>,
    /// Warnings found so far.
    pub warnings: Vec<Warning>,
}

impl<'a> BuildContext<'a> {
    /// Creates the state of a build in which nothing was found yet. `environment` looks up the variables of
    /// `{env: NAME}`, `declared` are the names of all authenticators.
    pub fn new(environment: &'a dyn Fn(&str) -> Option<String>, declared: Vec<String>) -> Self {
        BuildContext { environment, declared, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Records an error.
    pub fn error(&mut self, at: &ConfigPath<'_>, kind: ConfigErrorKind) {
        self.errors.push(ConfigError::new(at.to_string(), kind));
    }

    /// Records that a value is not as expected.
    pub fn expected(&mut self, at: &ConfigPath<'_>, expected: &'static str) {
        self.error(at, ConfigErrorKind::Expected(expected));
    }

    /// Records the error of another module.
    pub fn invalid(&mut self, at: &ConfigPath<'_>, cause: &dyn fmt::Display) {
        self.error(at, ConfigErrorKind::Invalid(cause.to_string()));
    }

    /// Records a warning.
    pub fn warn(&mut self, at: &ConfigPath<'_>, kind: WarningKind) {
        self.warnings.push(Warning { path: at.to_string(), kind });
    }

    /// Returns the value, or records the error.
    pub fn checked<T, E: fmt::Display>(&mut self, at: &ConfigPath<'_>, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.invalid(at, &error)).ok()
    }

    /// Records that an authenticator with this name does not exist.
    pub fn unknown_authenticator(&mut self, at: &ConfigPath<'_>, name: &str) {
        let suggestion = suggestion(name, self.declared.iter().map(String::as_str));
        let kind = ConfigErrorKind::UnknownName { what: "authenticator", name: name.to_owned(), suggestion };
        self.error(at, kind);
    }

    /// Checks that a list has elements.
    pub fn non_empty<T>(&mut self, at: &ConfigPath<'_>, list: &[T]) {
        if list.is_empty() {
            self.expected(at, "at least one element");
        }
    }

    /// Checks that neither a list nor any of its texts is empty, since that can only be a mistake.
    pub fn texts(&mut self, at: &ConfigPath<'_>, list: &[String]) {
        self.non_empty(at, list);
        for (index, _) in list.iter().enumerate().filter(|(_, text)| text.is_empty()) {
            self.expected(&at.element(index, list.len()), "a string that is not empty");
        }
    }

    /// Parses each element of a list, which may be absent but not empty. Omits elements with errors.
    pub fn elements<T, E: fmt::Display>(
        &mut self,
        at: &ConfigPath<'_>,
        list: Option<&[String]>,
        parse: fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let Some(list) = list else { return Vec::new() };
        self.non_empty(at, list);
        let parsed = list.iter().enumerate();
        parsed.filter_map(|(index, text)| self.checked(&at.index(index), parse(text))).collect()
    }

    /// Returns the scopes of a list, which may be absent but not empty.
    pub fn scopes(&mut self, at: &ConfigPath<'_>, scopes: Option<&[String]>) -> Vec<String> {
        let Some(scopes) = scopes else { return Vec::new() };
        self.non_empty(at, scopes);
        for (index, _) in scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
            self.expected(&at.index(index), SCOPE);
        }
        scopes.to_vec()
    }

    /// Returns a secret, from the configuration or the environment.
    pub fn secret<'s>(&mut self, at: &ConfigPath<'_>, secret: &'s Secret) -> Option<Cow<'s, str>> {
        let name = match secret {
            Secret::Inline(text) => return Some(Cow::Borrowed(text)),
            // A text that cannot be a name may be the secret itself, so it is not shown.
            Secret::Environment(name) if !is_label(name) => {
                let expected = "the name of an environment variable, of letters, digits, `_`, `-` and `.`";
                self.expected(&at.member("env"), expected);
                return None;
            }
            Secret::Environment(name) => name,
        };
        let value = (self.environment)(name);
        // Secrets that are read from files end in a newline.
        let value = value.map(|value| match value.strip_suffix('\n') {
            Some(line) => line.strip_suffix('\r').unwrap_or(line).to_owned(),
            None => value,
        });
        let value = value.filter(|value| !value.is_empty());
        if value.is_none() {
            self.error(at, ConfigErrorKind::NoEnvironmentVariable(name.clone()));
        }
        value.map(Cow::Owned)
    }

    /// Parses a time ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)).
    pub fn time(&mut self, at: &ConfigPath<'_>, text: Option<&str>) -> Option<NumericDate> {
        let date = NumericDate::parse_rfc3339(text?);
        if date.is_none() {
            self.expected(at, "an RFC 3339 time, such as 2026-01-01T00:00:00Z");
        }
        date
    }

    /// Checks the name of a cluster. Only the proxy knows if the cluster exists.
    pub fn cluster(&mut self, at: &ConfigPath<'_>, name: &str) {
        if name.is_empty() {
            self.expected(at, "the name of one of the proxy's clusters");
        }
    }

    /// Returns the realm of the object at `at`: its own one, or the default.
    pub fn realm(&mut self, at: &ConfigPath<'_>, own: Option<&String>, default: &Realm) -> Realm {
        let own = own.and_then(|realm| self.checked(&at.member("realm"), Realm::new(realm)));
        own.unwrap_or_else(|| default.clone())
    }
}

/// Expected text where [`is_scope`] is false.
pub const SCOPE: &str = "a scope of visible ASCII characters, without spaces, quotes and backslashes";

/// True for scope tokens ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
}

/// True if a name can be used in metrics, logs and templates without escaping.
pub fn is_label(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
