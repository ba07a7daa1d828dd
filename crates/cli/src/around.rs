//! Checks of the file around a configuration: the settings of Envoy, Istio or Envoy Gateway for the filter.

use std::collections::BTreeSet;

use super::discover;
use super::document::{Kind, Member, Node};
use super::report::{Diagnostic, Severity};

/// Settings of the connection manager that the configuration reference requires.
const SETTINGS: &[&str] = &[
    "normalize_path",
    "merge_slashes",
    "path_with_escaped_slashes_action",
    "strip_any_host_port",
    "strip_trailing_host_dot",
];

/// Returns warnings about the resources around the configurations in a document.
pub fn lints(document: &Node) -> Vec<Diagnostic> {
    let mut lints = Vec::new();
    walk(document, &mut lints);
    lints
}

fn warning(code: &'static str, at: &Member, message: String) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, code, path: String::new(), message, span: at.at.clone() }
}

/// The member with a snake_case name, or the same name in camelCase.
fn member<'a>(node: &'a Node, snake: &str) -> Option<&'a Member> {
    let camel: String = snake
        .split('_')
        .enumerate()
        .map(|(at, part)| match (at, part.split_at_checked(1)) {
            (1.., Some((first, rest))) => first.to_ascii_uppercase() + rest,
            _ => part.to_owned(),
        })
        .collect();
    node.members().iter().find(|member| member.name == snake || member.name == camel)
}

fn walk(node: &Node, lints: &mut Vec<Diagnostic>) {
    if discover::carries(node) {
        fail_open(node, lints);
    }
    if let Some(filters) = member(node, "http_filters")
        && let Some(ours) = filters.value.elements().iter().position(contains)
    {
        manager(node, filters, ours, lints);
    }
    for child in node.members().iter().map(|member| &member.value).chain(node.elements()) {
        walk(child, lints);
    }
}

/// True if the node contains an authgate configuration.
fn contains(node: &Node) -> bool {
    discover::carries(node)
        || node.members().iter().map(|member| &member.value).chain(node.elements()).any(contains)
}

fn fail_open(carrier: &Node, lints: &mut Vec<Diagnostic>) {
    let settings = [
        ("failure_policy", "FAIL_OPEN", "FAIL_RELOAD"),
        ("fail_open", "true", "false"),
        ("fail_strategy", "FAIL_OPEN", "FAIL_CLOSE"),
    ];
    for (name, open, closed) in settings {
        let Some(found) = member(carrier, name) else { continue };
        if found.value.text() == Some(open) {
            let message = format!(
                "`{}: {open}` allows every request without a check if the module cannot run; set `{closed}`",
                found.name
            );
            lints.push(warning("fail-open", found, message));
        }
    }
}

fn manager(manager: &Node, filters: &Member, ours: usize, lints: &mut Vec<Diagnostic>) {
    let is_router = |filter: &Node| {
        let config = member(filter, "typed_config").and_then(|config| config.value.get("@type")?.text());
        config.is_some_and(|kind| kind.ends_with(".router.v3.Router"))
            || filter.get("name").and_then(Node::text) == Some("envoy.filters.http.router")
    };
    let elements = filters.value.elements();
    if elements.iter().position(is_router).is_some_and(|router| router < ours) {
        let message = "authgate is behind the router, which ends the chain, so it sees no requests";
        lints.push(warning("filter-order", filters, message.to_owned()));
    }
    // A patch contains only a part of a connection manager, so missing settings have no meaning.
    let kind = manager.get("@type").and_then(Node::text).unwrap_or_default();
    if !kind.ends_with(".HttpConnectionManager") {
        return;
    }
    let is_set = |name: &&&str| {
        let value = member(manager, name).and_then(|found| found.value.text());
        value.is_some_and(|value| !matches!(value, "false" | "null"))
    };
    let missing: Vec<&str> = SETTINGS.iter().filter(|name| !is_set(name)).copied().collect();
    if !missing.is_empty() {
        let message = format!(
            "the connection manager lacks {}, so Envoy may route a request by a different path or host than the rules \
             match; see \"Envoy settings\" in the configuration reference",
            missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        );
        lints.push(warning("connection-manager", filters, message));
    }
}

/// The names of all clusters of a bootstrap; `None` if there may be dynamic clusters.
pub fn clusters(document: &Node) -> Option<BTreeSet<String>> {
    let resources = &member(document, "static_resources")?.value;
    let dynamic = member(document, "dynamic_resources");
    if dynamic.is_some_and(|dynamic| {
        member(&dynamic.value, "cds_config").is_some() || member(&dynamic.value, "ads_config").is_some()
    }) {
        return None;
    }
    let list = member(resources, "clusters").map(|clusters| clusters.value.elements()).unwrap_or_default();
    Some(list.iter().filter_map(|cluster| Some(cluster.get("name")?.text()?.to_owned())).collect())
}

/// Warns of clusters that a configuration names and its file does not define.
pub fn unknown_clusters(configuration: &Node, known: &BTreeSet<String>) -> Vec<Diagnostic> {
    let mut lints = Vec::new();
    if let Some(authenticators) = configuration.get("authenticators") {
        search_clusters(authenticators, known, &mut lints);
    }
    lints
}

fn search_clusters(node: &Node, known: &BTreeSet<String>, lints: &mut Vec<Diagnostic>) {
    for member in node.members() {
        match (member.name.as_str(), &member.value.kind) {
            ("cluster" | "jwks_cluster", Kind::Scalar(scalar)) if !known.contains(&scalar.text) => {
                let message = format!(
                    "this file does not define the cluster `{}`, so fetches through it fail",
                    scalar.text
                );
                lints.push(warning("unknown-cluster", member, message));
            }
            _ => search_clusters(&member.value, known, lints),
        }
    }
    node.elements().iter().for_each(|element| search_clusters(element, known, lints));
}
