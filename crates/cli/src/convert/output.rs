//! A configuration with comments, as `convert` writes it.

use authgate::config::path::ConfigPath;
use serde_json::{Map, Value};

use super::finding::{At, Findings};
use crate::check;
use crate::environment::Environment;
use crate::report::Severity;

/// A configuration with comments, for one filter or one selection of workloads of the input.
#[derive(Default)]
pub struct Output {
    /// Comments about the whole configuration.
    pub head: Vec<String>,
    pub authenticators: Vec<Part>,
    /// The rules in order: the first that matches decides.
    pub rules: Vec<Part>,
    /// Header name → template.
    pub headers: Map<String, Value>,
    /// Headers that are removed from requests, in addition to `headers`.
    pub removed: Vec<String>,
    /// Other members of the top level.
    pub more: Vec<(&'static str, Value)>,
    /// The origin of the configuration in the input; findings without a line of their own name it.
    pub at: Option<At>,
}

/// An authenticator or a rule, with comments about the conversion.
#[derive(Clone)]
pub struct Part {
    pub name: String,
    pub value: Map<String, Value>,
    pub comments: Vec<String>,
    /// The origin of the part in the input.
    pub at: Option<At>,
}

impl Part {
    pub fn new(name: impl Into<String>) -> Self {
        Part { name: name.into(), value: Map::new(), comments: Vec::new(), at: None }
    }

    /// Creates a part that is converted from this line of the input.
    pub fn from(name: impl Into<String>, at: At) -> Self {
        Part { at: Some(at), ..Part::new(name) }
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.value.insert(name.to_owned(), value.into());
    }

    pub fn comment(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.comments.contains(&text) {
            self.comments.push(text);
        }
    }

    /// Makes a rule deny all requests that it matches, with the reasons as comments.
    pub fn close(&mut self, reasons: &[String]) {
        for name in ["public", "require", "optional", "authorize"] {
            self.value.remove(name);
        }
        self.set("deny", true);
        for reason in reasons {
            self.comment(format!("NOT CONVERTED, so denied: {reason}"));
        }
    }
}

impl Output {
    /// Creates an output that is converted from this line of the input.
    pub fn from(at: At) -> Self {
        Output { at: Some(at), ..Output::default() }
    }

    /// Inserts a rule that denies every request before all other rules. The other rules remain, so that the user can
    /// complete the configuration by hand.
    pub fn deny_all(&mut self, reasons: &[String]) {
        let mut rule = Part::new(self.free_name("not-converted"));
        rule.close(reasons);
        self.rules.insert(0, rule);
    }

    /// Returns an unused name for a rule or an authenticator, derived from `text`.
    pub fn free_name(&self, text: &str) -> String {
        let label = super::label(text);
        let is_free =
            |name: &str| self.authenticators.iter().chain(&self.rules).all(|known| known.name != name);
        let numbered = (2..).map(|number| format!("{label}-{number}"));
        std::iter::once(label.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or(label)
    }

    /// Removes an authenticator that could not be converted, and makes every rule that requires it deny.
    pub fn refuse(&mut self, name: &str, reasons: &[String]) {
        self.authenticators.retain(|known| known.name != name);
        for rule in &mut self.rules {
            if rule.value.get("require").is_some_and(|requirement| mentions(requirement, name)) {
                rule.comment(format!("`{name}` could not be converted"));
                rule.close(reasons);
            }
        }
        let fields = format!("{{{name}.");
        // Clients must not set a header that no authenticator fills any more.
        for (header, template) in std::mem::take(&mut self.headers) {
            match template.as_str().is_some_and(|text| text.contains(&fields)) {
                true => self.removed.push(header),
                false => drop(self.headers.insert(header, template)),
            }
        }
    }

    /// Runs `check` on the output. Each error becomes a finding, and the part with the error denies.
    pub fn verify(&mut self, findings: &Findings) {
        // Each round removes a part or closes a rule, so the loop ends.
        let mut rounds = self.authenticators.len() + 2 * self.rules.len() + 2 * self.headers.len() + 8;
        while rounds > 0 {
            rounds -= 1;
            let checked = check::check("output", self.render(), &Environment::default());
            let error = checked.diagnostics.into_iter().find(|found| found.severity == Severity::Error);
            let Some(error) = error else { return };
            let what = match error.path.is_empty() {
                true => format!("the output is not accepted: {}", error.message),
                false => format!("`{}` of the output is not accepted: {}", error.path, error.message),
            };
            if !self.correct(&error.path, &what, findings) {
                findings.add(
                    &self.place(None),
                    what,
                    "Correct the output by hand; authgate refuses it until then.",
                );
                return;
            }
        }
    }

    /// Removes the part that an error is about, or makes it deny. Returns true if anything changed.
    fn correct(&mut self, path: &str, what: &str, findings: &Findings) -> bool {
        let is_at = |start: &ConfigPath<'_>| {
            path.strip_prefix(&start.to_string())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let reasons = [what.to_owned()];
        let within = ConfigPath::Root.member("authenticators");
        let found = self.authenticators.iter().find(|part| is_at(&within.member(&part.name)));
        if let Some((name, at)) = found.map(|part| (part.name.clone(), self.place(part.at.as_ref()))) {
            findings.add(&at, what, "Write this authenticator by hand.");
            self.refuse(&name, &reasons);
            return true;
        }
        let within = ConfigPath::Root.member("rules");
        let found = (0..self.rules.len()).find(|at| is_at(&within.index(*at)));
        if let Some(at) = found {
            let place = self.place(self.rules.get(at).and_then(|rule| rule.at.as_ref()));
            let Some(rule) = self.rules.get_mut(at) else { return false };
            findings.add(&place, what, "Write this rule by hand.");
            // Without its match the rule denies more than it should, not less.
            let had_match = rule.value.remove("match").is_some();
            let was_open = rule.value.get("deny") != Some(&Value::Bool(true));
            rule.close(&reasons);
            return had_match || was_open;
        }
        let identity = ConfigPath::Root.member("identity");
        let within = identity.member("headers");
        let found = self.headers.keys().find(|name| is_at(&within.member(name))).cloned();
        if let Some(name) = found {
            self.headers.remove(&name);
            let advice = "Choose another header for it, and write it below `identity`.";
            findings.add(&self.place(None), what, advice);
            // The output cannot remove this header from requests either.
            self.deny_all(&reasons);
            return true;
        }
        let within = identity.member("remove");
        let found = (0..self.removed.len()).find(|at| is_at(&within.index(*at)));
        if let Some(at) = found {
            self.removed.remove(at);
            let advice = "Remove this header from requests in another way.";
            findings.add(&self.place(None), what, advice);
            self.deny_all(&reasons);
            return true;
        }
        false
    }

    fn place(&self, at: Option<&At>) -> At {
        let unknown = || At { file: "input".into(), line: 1 };
        at.or(self.at.as_ref()).cloned().unwrap_or_else(unknown)
    }

    /// Returns the text of the configuration.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let comments = |text: &mut String, indent: &str, comments: &[String]| {
            for line in comments.iter().flat_map(|comment| comment.lines()) {
                fold(text, indent, line);
            }
        };
        comments(&mut text, "", &self.head);
        if !self.authenticators.is_empty() {
            text.push_str("authenticators:\n");
        }
        for part in &self.authenticators {
            comments(&mut text, "  ", &part.comments);
            text.push_str(&format!(
                "  {}: {}\n",
                scalar(&part.name),
                flow(&Value::Object(part.value.clone()))
            ));
        }
        text.push_str(if self.rules.is_empty() { "rules: []\n" } else { "rules:\n" });
        for part in &self.rules {
            comments(&mut text, "  ", &part.comments);
            let rest = flow(&Value::Object(part.value.clone()));
            let rest = rest.strip_prefix('{').unwrap_or(&rest);
            text.push_str(&format!("  - {{name: {}, {rest}\n", scalar(&part.name)));
        }
        let remove = match self.removed.is_empty() {
            true => String::new(),
            false => format!(", remove: {}", flow(&self.removed.clone().into())),
        };
        let headers = flow(&Value::Object(self.headers.clone()));
        text.push_str(&format!("identity: {{headers: {headers}{remove}}}\n"));
        for (name, value) in &self.more {
            text.push_str(&format!("{name}: {}\n", flow(value)));
        }
        text
    }
}

/// Writes a comment over as many lines as it needs.
fn fold(text: &mut String, indent: &str, comment: &str) {
    const WIDTH: usize = 110;
    let mut line = String::new();
    // A control character would end the comment.
    let clean: String =
        comment.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    for word in clean.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
            text.push_str(&format!("{indent}#{line}\n"));
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&format!("{indent}#{line}\n"));
}

/// True if a requirement names an authenticator.
pub fn mentions(requirement: &Value, name: &str) -> bool {
    match requirement {
        Value::String(text) => text == name,
        Value::Array(elements) => elements.iter().any(|element| mentions(element, name)),
        Value::Object(members) => members.values().any(|value| mentions(value, name)),
        _ => false,
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

/// YAML scalar: plain if every YAML parser reads it as this string, else quoted as in JSON.
fn scalar(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    match starts && !is_word && !rest.is_empty() && rest.bytes().all(plain) {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}
