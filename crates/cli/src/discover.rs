//! Finds the configurations in a file, by the shape of the resources that contain them.

use std::collections::BTreeSet;
use std::ops::Range;

use authgate::config::error::suggestion;
use authgate::json::{self, JsonError, JsonErrorKind};
use serde_json::Value;

use super::document::{self, Dialect, Kind, Node, Style};
use super::{carrier, redaction};

/// A configuration and its position.
pub struct Found {
    /// The values with their positions in the file.
    pub node: Node,
    /// The value that the filter receives.
    pub value: Value,
    /// Names of the environment variables that the plugin around it passes. `None` if the policy is not inside a plugin.
    pub environment: Option<BTreeSet<String>>,
}

/// A part of a file that cannot be parsed, and its position.
pub struct Unreadable {
    pub at: Range<usize>,
    pub what: String,
}

/// Returns all configurations of a file, in order.
///
/// # Errors
/// If the file is neither YAML nor JSON, or a configuration in a string is not JSON.
pub fn configurations(name: &str, text: &str) -> Result<Vec<Found>, Unreadable> {
    let is_json = if name.ends_with(".json") || text.trim_start().starts_with('{') {
        match json::parse(text.as_bytes()) {
            Ok(_) => true,
            // The YAML parser accepts repeated names, and the positions of both are then known.
            Err(error) if error.kind == JsonErrorKind::DuplicateMember => true,
            Err(error) if name.ends_with(".json") => {
                let at = offset(text, error.line, error.column);
                return Err(Unreadable { at: at..at, what: what(error.kind) });
            }
            Err(_) => false,
        }
    } else {
        false
    };
    let documents = document::parse(text).map_err(|error| Unreadable {
        at: error.at..error.at,
        what: format!("not valid YAML: {}", error.what),
    })?;
    let mut found = Vec::new();
    let alone = documents.len() == 1;
    for document in &documents {
        let is_kubernetes = document.get("apiVersion").is_some() && document.get("kind").is_some();
        let (inside, by_itself) = match (is_json, is_kubernetes) {
            (true, _) => (Dialect::Json, Dialect::Json),
            (false, true) => (Dialect::Kubernetes, Dialect::Kubernetes),
            (false, false) => (Dialect::Envoy, Dialect::Alone),
        };
        let before = found.len();
        search(text, document, inside, &mut found)?;
        if found.len() == before && stands_alone(document, is_kubernetes, alone) {
            found.push(of_node(document, by_itself));
        }
    }
    Ok(found)
}

/// True if the node has a top-level name that only an authgate configuration has.
fn is_ours(node: &Node) -> bool {
    node.get("rules").is_some() || node.get("authenticators").is_some()
}

/// True if a document is a configuration by itself.
fn stands_alone(document: &Node, is_kubernetes: bool, alone: bool) -> bool {
    const OTHERS: &[&str] = &["static_resources", "dynamic_resources", "admin", "node", "resources", "@type"];
    let is_other = is_kubernetes || OTHERS.iter().any(|name| document.get(name).is_some());
    is_ours(document) || (alone && !is_other && looks_like_ours(document))
}

/// True if a top-level name is a name of a configuration or similar to one, or the document is not an object.
fn looks_like_ours(document: &Node) -> bool {
    let is_like = |name: &str| {
        let known = redaction::OPEN.iter().map(String::as_str).chain(["authenticators"]);
        name.starts_with("x-") || suggestion(name, known).is_some()
    };
    !matches!(document.kind, Kind::Map(_)) || document.members().iter().any(|member| is_like(&member.name))
}

fn of_node(node: &Node, dialect: Dialect) -> Found {
    let node = node.read_as(dialect);
    let value = node.value(dialect);
    Found { node, value, environment: None }
}

fn search(text: &str, node: &Node, dialect: Dialect, found: &mut Vec<Found>) -> Result<(), Unreadable> {
    if let Some(configuration) = ours(node) {
        let inner = match configuration.kind {
            Kind::Scalar(_) => of_string(text, configuration)?,
            _ => of_node(configuration, dialect),
        };
        found.push(Found { environment: Some(carrier::environment(node)), ..inner });
        return Ok(());
    }
    for member in node.members() {
        search(text, &member.value, dialect, found)?;
    }
    for element in node.elements() {
        search(text, element, dialect, found)?;
    }
    Ok(())
}

/// True if `node` passes an authgate configuration to a module.
pub fn carries(node: &Node) -> bool {
    ours(node).is_some()
}

/// The authgate configuration that `node` passes to a module.
fn ours(node: &Node) -> Option<&Node> {
    carried(node).filter(|configuration| {
        is_ours(configuration) || mentions_us(node, configuration) || is_our_json(configuration)
    })
}

/// The configuration that `node` passes to a module, if any.
fn carried(node: &Node) -> Option<&Node> {
    // Istio: WasmPlugin and TrafficExtension.
    if let Some(configuration) = node.get("pluginConfig") {
        return Some(configuration);
    }
    // Envoy Gateway: an element of `spec.wasm`.
    if let (Some(_), Some(configuration)) = (node.get("code"), node.get("config")) {
        return Some(configuration);
    }
    // Envoy, and an EnvoyFilter, which contains the same.
    let any = node.get("configuration")?;
    let kind = any.get("@type")?.text()?;
    (kind.ends_with("google.protobuf.StringValue") || kind.ends_with("google.protobuf.Struct"))
        .then(|| any.get("value"))?
}

fn is_our_json(node: &Node) -> bool {
    node.text().is_some_and(|text| text.contains("\"rules\"") || text.contains("\"authenticators\""))
}

/// True if a value beside the configuration, such as a plugin, image or file name, contains the name authgate.
fn mentions_us(node: &Node, configuration: &Node) -> bool {
    if std::ptr::eq(node, configuration) {
        return false;
    }
    node.text().is_some_and(|text| text.contains("authgate"))
        || node.members().iter().any(|member| mentions_us(&member.value, configuration))
        || node.elements().iter().any(|element| mentions_us(element, configuration))
}

/// A configuration as JSON in a string. Positions are those in the file if each byte of the string can be located
/// there, and otherwise that of the whole string.
fn of_string(file: &str, node: &Node) -> Result<Found, Unreadable> {
    let text = node.text().unwrap_or_default();
    let offsets = origins(file, node);
    let place = |span: Range<usize>| match &offsets {
        Some(offsets) => {
            let start = offsets.get(span.start).copied().unwrap_or(node.span.start);
            let end =
                span.end.checked_sub(1).and_then(|last| offsets.get(last)).map_or(start, |last| last + 1);
            start..end.max(start)
        }
        None => node.span.clone(),
    };
    let unreadable = |error: JsonError| {
        let at = offset(text, error.line, error.column);
        let what = match offsets {
            Some(_) => what(error.kind),
            None => error.to_string(),
        };
        Unreadable { at: place(at..(at + 1).min(text.len())), what }
    };
    let inner = document::parse(text).ok().and_then(|documents| documents.into_iter().next());
    let inner = inner.unwrap_or_else(|| Node { span: 0..text.len(), kind: Kind::Map(Vec::new()) });
    let value = match json::parse(text.as_bytes()) {
        Ok(value) => value,
        Err(error) if error.kind == JsonErrorKind::DuplicateMember => inner.value(Dialect::Json),
        Err(error) => return Err(unreadable(error)),
    };
    Ok(Found { node: inner.moved(&place), value, environment: None })
}

/// The position in the file of each byte of a string, if all can be located.
fn origins(file: &str, node: &Node) -> Option<Vec<usize>> {
    let Kind::Scalar(scalar) = &node.kind else { return None };
    let raw = file.get(node.span.clone())?;
    let origins = match scalar.style {
        Style::Plain => (node.span.start..node.span.end).collect(),
        Style::Quoted => unquoted(raw, node.span.start)?,
        Style::Literal => {
            let indent = column(file, node.span.start);
            let mut origins = Vec::with_capacity(scalar.text.len());
            let mut start = node.span.start - indent;
            for line in file.get(start..)?.split_inclusive('\n') {
                let skipped = indent.min(line.len() - line.trim_start_matches(' ').len());
                origins.extend(start + skipped..start + line.len());
                start += line.len();
                if origins.len() >= scalar.text.len() {
                    break;
                }
            }
            origins
        }
        Style::Folded => return None,
    };
    // Reject positions whose bytes differ from those of the string.
    let is_same = scalar.text.bytes().zip(&origins).all(|(byte, at)| {
        let there = file.as_bytes().get(*at);
        there == Some(&byte) || (there == Some(&b'n') && byte == b'\n')
    });
    (is_same && origins.len() >= scalar.text.len()).then_some(origins)
}

/// The position of each byte of a quoted string, if it only has escapes that JSON in a string needs.
fn unquoted(raw: &str, start: usize) -> Option<Vec<usize>> {
    let quote = raw.bytes().next()?;
    let inside = raw.get(1..raw.len().checked_sub(1)?)?;
    let mut origins = Vec::with_capacity(inside.len());
    let mut bytes = inside.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        let escapes = if quote == b'"' { byte == b'\\' } else { byte == b'\'' };
        let at = if escapes { bytes.next()?.0 } else { at };
        origins.push(start + 1 + at);
    }
    Some(origins)
}

/// The error message without the position.
fn what(kind: JsonErrorKind) -> String {
    JsonError { line: 0, column: 0, kind }.to_string()
}

fn column(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.rfind('\n').map_or(at, |line_feed| at - line_feed - 1)
}

/// The byte offset of a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}
