//! Envoy's `RouteMatch` → the match of a rule.

use serde_json::{Map, Value, json};

use super::super::message::Message;
use super::super::space::{Atom, Constraint, Region, Shape};
use super::path::{self, Path};

/// The requests that a rule matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    pub path: Path,
    pub methods: Methods,
    /// The hosts; if empty, every host.
    pub hosts: Vec<String>,
    /// The source addresses; if empty, every address.
    pub sources: Vec<String>,
}

/// A set of methods.
#[derive(Debug, Clone, PartialEq)]
pub enum Methods {
    All,
    Only(Vec<String>),
    Except(Vec<String>),
}

/// The requests that two matches have in common.
pub enum Common {
    /// No request matches both.
    Nothing,
    This(Matched),
    /// The common requests cannot be determined or expressed.
    Unknown,
}

impl Matched {
    pub fn any() -> Self {
        Matched { path: Path::Any, methods: Methods::All, hosts: Vec::new(), sources: Vec::new() }
    }

    /// The value of `match`; `None` if it matches every request.
    pub fn value(&self) -> Option<Value> {
        let mut matched = Map::new();
        if let Some((name, text)) = self.path.member() {
            matched.insert(name.to_owned(), json!(text));
        }
        match &self.methods {
            Methods::All => None,
            Methods::Only(names) => matched.insert("methods".to_owned(), json!(names)),
            Methods::Except(names) => matched.insert("except_methods".to_owned(), json!(names)),
        };
        for (name, list) in [("hosts", &self.hosts), ("sources", &self.sources)] {
            if !list.is_empty() {
                matched.insert(name.to_owned(), json!(list));
            }
        }
        (!matched.is_empty()).then_some(Value::Object(matched))
    }

    /// Converts the match to a region, for policies that do not depend on the order of rules.
    pub fn region(&self) -> Region {
        let any = |atoms: Vec<Atom>| Constraint { any: atoms, none: Vec::new() };
        let paths = match &self.path {
            Path::Any => Vec::new(),
            Path::Exact(path) => vec![Shape::Exact(path.clone())],
            Path::Prefix(prefix) => vec![Shape::prefix(prefix)],
            Path::Segments(path) => vec![Shape::Exact(path.clone()), Shape::prefix(&format!("{path}/"))],
            Path::Regex(regex) => vec![Shape::regex(regex)],
        };
        let methods = |names: &[String]| names.iter().cloned().map(Atom::Method).collect();
        let methods = match &self.methods {
            Methods::All => Constraint::default(),
            Methods::Only(names) => any(methods(names)),
            Methods::Except(names) => Constraint { any: Vec::new(), none: methods(names) },
        };
        let hosts = self.hosts.iter().cloned().map(Atom::Host).collect();
        let sources = self.sources.iter().cloned().map(Atom::Source).collect();
        [any(paths.into_iter().map(Atom::Path).collect()), any(hosts), any(sources), methods]
    }

    /// The requests that match both.
    pub fn and(&self, other: &Matched) -> Common {
        let path = match self.path.and(&other.path) {
            path::Common::Nothing => return Common::Nothing,
            path::Common::Unknown => return Common::Unknown,
            path::Common::This(path) => path,
        };
        let methods = match (&self.methods, &other.methods) {
            (Methods::All, methods) | (methods, Methods::All) => methods.clone(),
            (Methods::Only(a), Methods::Only(b)) => {
                Methods::Only(a.iter().filter(|name| b.contains(name)).cloned().collect())
            }
            (Methods::Only(only), Methods::Except(except))
            | (Methods::Except(except), Methods::Only(only)) => {
                Methods::Only(only.iter().filter(|name| !except.contains(name)).cloned().collect())
            }
            (Methods::Except(a), Methods::Except(b)) => {
                let more = b.iter().filter(|name| !a.contains(name));
                Methods::Except(a.iter().chain(more).cloned().collect())
            }
        };
        if methods == Methods::Only(Vec::new()) {
            return Common::Nothing;
        }
        let lists = |a: &Vec<String>, b: &Vec<String>| match (a.is_empty(), b.is_empty()) {
            (true, _) => Some(b.clone()),
            (_, true) => Some(a.clone()),
            _ => (a == b).then(|| a.clone()),
        };
        match (lists(&self.hosts, &other.hosts), lists(&self.sources, &other.sources)) {
            (Some(hosts), Some(sources)) => Common::This(Matched { path, methods, hosts, sources }),
            _ => Common::Unknown,
        }
    }
}

const ADVICE: &str = "Write the rule by hand: authgate matches path, method, host and source address.";

/// Reads a `RouteMatch`. Conditions without an equivalent become findings, and the result then matches more requests
/// than the original.
pub fn read(given: &Message<'_>) -> Matched {
    let ignores_case = given.bool("case_sensitive") == Some(false);
    let mut matched = Matched { path: path_of(given, ignores_case), ..Matched::any() };
    for header in given.messages("headers") {
        match method(&header) {
            Some(methods) if matched.methods == Methods::All => matched.methods = methods,
            Some(_) => header.finding("is a second condition on the method", ADVICE),
            None => {}
        }
    }
    if given.has("query_parameters") {
        given.finding_at("query_parameters", "has no equivalent here", ADVICE);
    }
    matched
}

fn path_of(given: &Message<'_>, ignores_case: bool) -> Path {
    let mut found = Vec::new();
    let mut add = |path: Option<Path>, name: &str| match path {
        Some(path) => found.push(path),
        None => {
            given.finding_at(name, "matches paths in a way that has no equivalent here", ADVICE);
            found.push(Path::Any);
        }
    };
    for name in ["prefix", "path", "path_separated_prefix"] {
        let Some(text) = given.text(name) else { continue };
        add(Path::of_text(name, text, ignores_case), name);
    }
    if let Some(regex) = given.message("safe_regex") {
        regex.skip(&["google_re2"]);
        add(Path::of_regex(regex.text("regex").unwrap_or_default()), "safe_regex");
    }
    if let Some(policy) = given.message("path_match_policy") {
        let template = policy.message("typed_config").and_then(|config| {
            let is_template =
                config.filled("@type").is_some_and(|kind| kind.ends_with("UriTemplateMatchConfig"));
            config.text("path_template").filter(|_| is_template)
        });
        policy.skip(&["name"]);
        add(template.and_then(Path::of_template), "path_match_policy");
    }
    if given.has("connect_matcher") {
        given.finding_at("connect_matcher", "has no equivalent here", ADVICE);
        return Path::Any;
    }
    match found.as_slice() {
        [path] => path.clone(),
        _ => {
            given.finding("does not have exactly one condition on the path", ADVICE);
            Path::Any
        }
    }
}

/// Reads a condition on `:method`. Any other condition becomes a finding.
pub fn method(header: &Message<'_>) -> Option<Methods> {
    let name = header.text("name").unwrap_or_default();
    let is_inverted = header.is_true("invert_match");
    let exact = match header.message("string_match") {
        Some(matcher) if !matcher.is_true("ignore_case") => {
            let list = || one_of(matcher.message("safe_regex")?.text("regex")?);
            matcher.text("exact").map(|text| vec![text.to_owned()]).or_else(list)
        }
        Some(_) => None,
        None => header.text("exact_match").map(|text| vec![text.to_owned()]),
    };
    match exact.filter(|names| name == ":method" && !names.is_empty()) {
        Some(names) if is_inverted => Some(Methods::Except(names)),
        Some(names) => Some(Methods::Only(names)),
        None => {
            header.skip(&[
                "present_match",
                "safe_regex_match",
                "range_match",
                "prefix_match",
                "suffix_match",
            ]);
            header.skip(&["contains_match", "treat_missing_header_as_empty"]);
            header.finding(
                &format!("is a condition on the header `{name}` that has no equivalent here"),
                ADVICE,
            );
            None
        }
    }
}

/// The alternatives of a regex that only lists methods, such as `GET|HEAD` or `^(GET|HEAD)$`.
fn one_of(regex: &str) -> Option<Vec<String>> {
    let inner = regex.strip_prefix('^').unwrap_or(regex);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    let inner = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(inner);
    let is_method = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
    let names: Vec<String> = inner.split('|').map(str::to_owned).collect();
    names.iter().all(|name| is_method(name)).then_some(names)
}
