//! `authgate convert`

mod basic_auth;
mod istio;
mod jwt_authn;
mod path;

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::document::{self, Dialect};
use super::{Failure, Said, input};

/// Convert the configuration of other filters into ours.
///
/// From Envoy: `jwt_authn` and `basic_auth`, wherever they stand in a file. From Istio: RequestAuthentication and
/// AuthorizationPolicy, all of a file together. What has no equal becomes a comment: read them all before you use it.
#[derive(clap::Args)]
pub struct Arguments {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Converts a file.
pub fn run(arguments: &Arguments) -> Result<Said, Failure> {
    let name = input::name(&arguments.file);
    let text = input::read(&arguments.file)?;
    let documents =
        document::parse(&text).map_err(|error| format!("{name}: not valid YAML: {}", error.what))?;
    let (mut converted, mut istio) = (Vec::new(), Vec::new());
    for document in documents {
        let is_kubernetes = document.get("apiVersion").is_some();
        let dialect = if is_kubernetes { Dialect::Kubernetes } else { Dialect::Envoy };
        let value = document.read_as(dialect).value(dialect);
        match value.get("kind").and_then(Value::as_str) {
            Some("RequestAuthentication" | "AuthorizationPolicy") => istio.push(value),
            _ => search(&value, &mut converted),
        }
    }
    if !istio.is_empty() {
        converted.push(istio::convert(&istio));
    }
    if converted.is_empty() {
        return Err(format!(
            "{name}: expected `jwt_authn` or `basic_auth` of Envoy, or a RequestAuthentication or AuthorizationPolicy of Istio"
        ));
    }
    let texts: Vec<String> = converted.iter().map(Converted::render).collect();
    Ok(Said::well(texts.join("---\n")))
}

/// Finds filters by their type.
fn search(value: &Value, converted: &mut Vec<Converted>) {
    let kind = value.get("@type").and_then(Value::as_str).unwrap_or_default();
    if kind.ends_with("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication") {
        converted.push(jwt_authn::convert(value));
    } else if kind.ends_with("envoy.extensions.filters.http.basic_auth.v3.BasicAuth") {
        converted.push(basic_auth::convert(value));
    } else {
        match value {
            Value::Object(members) => members.values().for_each(|value| search(value, converted)),
            Value::Array(elements) => elements.iter().for_each(|value| search(value, converted)),
            _ => {}
        }
    }
}

/// A configuration with comments.
#[derive(Default)]
struct Converted {
    /// What is to be said of all of it.
    head: Vec<String>,
    authenticators: Vec<Part>,
    rules: Vec<Part>,
    /// Field name → template.
    headers: Map<String, Value>,
    /// What else stands at the top.
    more: Vec<(&'static str, Value)>,
}

/// An authenticator or a rule, and what of its origin has no equal.
struct Part {
    name: String,
    value: Map<String, Value>,
    comments: Vec<String>,
}

impl Part {
    fn new(name: impl Into<String>) -> Self {
        Part { name: name.into(), value: Map::new(), comments: Vec::new() }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.value.insert(name.to_owned(), value.into());
    }

    fn comment(&mut self, text: impl Into<String>) {
        self.comments.push(text.into());
    }

    /// Says of each member that is not known that it has no equal; whether there is any.
    fn unknown(&mut self, of: &Value, known: &[&str]) -> bool {
        let before = self.comments.len();
        for (name, value) in of.as_object().into_iter().flatten() {
            if !known.contains(&name.as_str()) && !matches!(value, Value::Null | Value::Bool(false)) {
                self.comment(format!("`{name}` has no equal here"));
            }
        }
        self.comments.len() > before
    }

    /// What is let through on conditions that were lost would be too much: nobody is, until somebody has looked.
    fn close(&mut self) {
        for name in ["public", "require", "optional", "authorize"] {
            self.value.remove(name);
        }
        self.set("deny", true);
        self.comment(
            "NOT CONVERTED: a condition was lost, so this is denied until you have written it by hand",
        );
    }
}

impl Converted {
    fn render(&self) -> String {
        let mut text = String::new();
        let comments = |text: &mut String, indent: &str, comments: &[String]| {
            for line in comments.iter().flat_map(|comment| comment.lines()) {
                text.push_str(&format!("{indent}# {line}\n"));
            }
        };
        comments(&mut text, "", &self.head);
        text.push_str("authenticators:\n");
        for part in &self.authenticators {
            comments(&mut text, "  ", &part.comments);
            text.push_str(&format!(
                "  {}: {}\n",
                scalar(&part.name),
                flow(&Value::Object(part.value.clone()))
            ));
        }
        text.push_str("rules:\n");
        for part in &self.rules {
            comments(&mut text, "  ", &part.comments);
            let rest = flow(&Value::Object(part.value.clone()));
            let rest = rest.strip_prefix('{').unwrap_or(&rest);
            text.push_str(&format!("  - {{name: {}, {rest}\n", scalar(&part.name)));
        }
        text.push_str(&format!("identity: {{headers: {}}}\n", flow(&Value::Object(self.headers.clone()))));
        for (name, value) in &self.more {
            text.push_str(&format!("{name}: {}\n", flow(value)));
        }
        text
    }
}

/// YAML on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", scalar(name), flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(flow).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// Plain where nobody could take it for something else; JSON's quotes are YAML's too.
fn scalar(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"_-./".contains(&octet);
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let starts = text.bytes().next().is_some_and(|octet| octet.is_ascii_alphabetic() || octet == b'/');
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    match starts && !is_word && !rest.is_empty() && rest.bytes().all(plain) {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

/// A name that an authenticator or a rule may have.
fn label(text: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let label: String = text.chars().map(|letter| if allowed(letter) { letter } else { '-' }).collect();
    if label.is_empty() { "unnamed".to_owned() } else { label }
}

/// A duration as protobuf's JSON writes it, `1.5s`, as ours.
fn duration(text: &str) -> Option<String> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    let milliseconds = (seconds * 1000.0).round();
    let is_whole = milliseconds % 1000.0 == 0.0;
    (milliseconds >= 0.0).then(|| if is_whole { format!("{seconds}s") } else { format!("{milliseconds}ms") })
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// Adds a member to an object.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The name of a claim with dots between its parts → a name or a JSON Pointer.
fn claim(path: &str) -> String {
    let parts: Vec<String> = path.split('.').map(|part| part.replace('~', "~0").replace('/', "~1")).collect();
    match parts.as_slice() {
        [_] if !path.starts_with('/') => path.to_owned(),
        _ => format!("/{}", parts.join("/")),
    }
}
