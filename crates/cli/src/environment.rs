//! The environment variables for `{env: NAME}`.
//!
//! Outside the VM most variables are not set. A missing variable is a warning, and a placeholder of the right form
//! replaces its value, so that everything else can be checked. The placeholder matches no password, token or key.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use authgate::config::path::ConfigPath;
use authgate::http::codec::to_hex;
use serde_json::Value;

use super::{Failure, input};

/// Variables from files, which override those of the process.
#[derive(Default)]
pub struct Environment {
    files: HashMap<String, String>,
    /// Set if the variables of the process are used too.
    has_process: bool,
}

impl Environment {
    /// Reads files of `NAME=value` lines; later lines override earlier ones.
    ///
    /// # Errors
    /// If a file cannot be read, or a line has another form.
    pub fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut environment = Environment { files: HashMap::new(), has_process: true };
        for path in files {
            let text = input::read(path)?;
            for (number, line) in (1..).zip(text.lines()) {
                let line = line.trim_start();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                // The line may contain a secret, so it is not shown.
                let (name, value) = line.split_once('=').ok_or_else(|| {
                    format!("{}:{number}: expected NAME=value, an empty line or a comment", input::name(path))
                })?;
                let name = name.strip_prefix("export ").unwrap_or(name).trim();
                environment.files.insert(name.to_owned(), unquoted(value).to_owned());
            }
        }
        Ok(environment)
    }

    /// The value of a variable, if it is set and not empty.
    pub fn find(&self, name: &str) -> Option<String> {
        let process = || if self.has_process { std::env::var(name).ok() } else { None };
        self.files.get(name).cloned().or_else(process).filter(|value| !value.is_empty())
    }

    /// Returns the variables that a configuration names and that are not set.
    pub fn missing(&self, configuration: &Value) -> Missing {
        let mut missing = Missing::default();
        let mut collect = |at: &ConfigPath<'_>, name: &str, kind: Kind| {
            if self.find(name).is_none() {
                missing.places.push((at.to_string(), name.to_owned()));
                missing.kinds.entry(name.to_owned()).or_insert(kind);
            }
        };
        walk(&ConfigPath::Root, "", "", configuration, &mut collect);
        missing
    }
}

/// Removes quotes around a value, as Docker and shells do.
fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// Variables that are not set.
#[derive(Default)]
pub struct Missing {
    /// The path in the configuration and the name of each variable.
    pub places: Vec<(String, String)>,
    kinds: BTreeMap<String, Kind>,
}

impl Missing {
    /// The placeholder for a variable.
    pub fn placeholder(&self, name: &str) -> Option<String> {
        let hash = format!("$2b$10${}", ".".repeat(53));
        Some(match self.kinds.get(name)? {
            Kind::Hash => hash,
            Kind::Htpasswd => format!("nobody:{hash}"),
            Kind::Htdigest(realm) => format!("nobody:{realm}:{}", "0".repeat(64)),
            // Two keys must differ.
            Kind::Sha256 => to_hex(&hmac_sha256::Hash::hash(name.as_bytes())),
            // Text, base64 and base64url alike, and long enough for each algorithm.
            Kind::Secret => "A".repeat(88),
        })
    }
}

enum Kind {
    Hash,
    Htpasswd,
    Htdigest(String),
    Sha256,
    Secret,
}

/// Finds each `{env: NAME}` and the kind of its value. `name` is the name of the member, `above` that of its parent.
fn walk(
    at: &ConfigPath<'_>,
    name: &str,
    above: &str,
    value: &Value,
    collect: &mut dyn FnMut(&ConfigPath<'_>, &str, Kind),
) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(variable)) = members.get("env") {
                let kind = match name {
                    "htpasswd" => Kind::Htpasswd,
                    "htdigest" => Kind::Htdigest("restricted".to_owned()),
                    "sha256" => Kind::Sha256,
                    _ if above == "users" => Kind::Hash,
                    _ => Kind::Secret,
                };
                collect(at, variable, kind);
            }
            for (inner, value) in members {
                let path = &at.member(inner);
                // The realm of a digest is the realm of its file.
                let realm = members.get("realm").and_then(Value::as_str);
                match (inner.as_str(), value.get("env").and_then(Value::as_str), realm) {
                    // Errors of the core name the user, not the member `hash`.
                    ("hash", Some(variable), _) => collect(at, variable, Kind::Hash),
                    ("htdigest", Some(variable), Some(realm)) => {
                        collect(path, variable, Kind::Htdigest(realm.to_owned()));
                    }
                    _ => walk(path, inner, name, value, collect),
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                walk(&at.index(index), name, above, element, collect);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use authgate::config;
    use authgate::policy;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_variable_has_a_placeholder_that_fits() {
        let env = |name: &str| json!({"env": name});
        let configuration = json!({
            "authenticators": {
                "a": {"basic": {"htpasswd": env("A"), "users": {"u": env("B"), "v": {"hash": env("C")}}}},
                "d": {"api_key": {"keys": [{"id": "x", "sha256": env("D")}, {"id": "y", "sha256": env("E")}]}},
                "f": {"digest": {"htdigest": env("F"), "realm": "legacy", "nonce_key": env("G")}},
                "h": {"jwt": {"issuer": "i", "any_audience": true, "from": [{"header": "x-h"}],
                    "keys": {"secret": {"value": env("H"), "algorithm": "HS512", "encoding": "base64url"}}}},
            },
            "rules": [{"require": {"any_of": ["a", "d", "f", "h"]}}],
        });
        let missing = Environment::default().missing(&configuration);
        let names: Vec<&str> = missing.places.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C", "D", "E", "F", "G", "H"]);
        let config = config::from_value(configuration).unwrap();
        let built = policy::build(&config, &|name| missing.placeholder(name));
        assert!(built.is_ok(), "{:?}", built.err());
    }
}
