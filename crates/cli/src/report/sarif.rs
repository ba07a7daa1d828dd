//! SARIF 2.1.0 (Static Analysis Results Interchange Format, an OASIS standard).

use std::collections::BTreeSet;

use authgate::http::codec::{is_unreserved, percent_encode};
use serde_json::{Value, json};

use super::{Checked, Diagnostic, each, message};

pub fn render(files: &[Checked]) -> Value {
    let codes: BTreeSet<&str> = each(files, |_, found| found.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({"id": code})).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "authgate", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": each(files, result).collect::<Vec<_>>(),
        }],
    })
}

fn result(file: &Checked, found: &Diagnostic) -> Value {
    let ((line, column), (end_line, end_column)) =
        (file.position(found.span.start), file.position(found.span.end));
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&file.name)},
            "region": {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column},
        },
    });
    if !found.path.is_empty()
        && let Some(members) = location.as_object_mut()
    {
        members.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": found.path}]));
    }
    json!({
        "ruleId": found.code,
        "level": found.severity.as_str(),
        "message": {"text": message(found)},
        "locations": [location],
    })
}

/// Converts a path to a relative reference
/// ([RFC 3986 §4.2](https://www.rfc-editor.org/rfc/rfc3986#section-4.2)).
fn uri(path: &str) -> String {
    let mut uri = Vec::with_capacity(path.len());
    percent_encode(path.as_bytes(), |byte| is_unreserved(byte) || byte == b'/', &mut uri);
    uri.into_iter().map(char::from).collect()
}
