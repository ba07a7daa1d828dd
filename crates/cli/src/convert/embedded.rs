//! Envoy configurations as text inside other files, such as a ConfigMap or the values of a Helm chart.

use super::finding::{At, Findings};
use super::output::{Output, Part};
use crate::document::Node;

/// A text that contains a configuration.
pub struct Embedded {
    /// The name of the file that contains the text.
    pub name: String,
    /// The text, after empty lines, so that line numbers are the same as in the file.
    pub text: String,
    line: usize,
}

/// Names that occur only in a configuration with filters.
const MARKS: &[&str] = &["http_filters", "httpFilters", "typed_config", "typedConfig"];

/// Finds the texts below a node that contain configurations.
pub fn find(name: &str, text: &str, node: &Node, found: &mut Vec<Embedded>) {
    if let Some(inner) = node.text()
        && (inner.contains('\n') || inner.trim_start().starts_with(['{', '[']))
        && MARKS.iter().any(|mark| inner.contains(mark))
    {
        let before = text.as_bytes().get(..node.span.start).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        found.push(Embedded { name: name.to_owned(), text: "\n".repeat(line) + inner, line: line + 1 });
    }
    for child in node.members().iter().map(|member| &member.value).chain(node.elements()) {
        find(name, text, child, found);
    }
}

/// Returns an output that denies every request, for a configuration that cannot be read.
pub fn refuse(part: &Embedded, why: &str, findings: &Findings) -> Output {
    let at = At { file: part.name.as_str().into(), line: part.line };
    let what = format!("the text here looks like a configuration of Envoy, but it is not valid YAML: {why}");
    findings.add(
        &at,
        what.clone(),
        "Convert the file that Envoy gets: render templates first, with `helm template` for example.",
    );
    let mut output = Output::from(at.clone());
    let mut rule = Part::from("not-converted", at);
    rule.close(&[what]);
    output.rules.push(rule);
    output
}
