//! Checks of the resources around a configuration: the settings of Envoy, Istio or Envoy Gateway for the filter.

mod plugin;

use std::collections::BTreeSet;

pub use plugin::shared_vms;

use super::carrier::member;
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
    phase(document, &mut lints);
    walk(document, &mut lints);
    lints
}

/// Warns about a phase other than `AUTHN`: only in that phase, Istio runs a plugin before its own authentication and
/// authorization.
fn phase(document: &Node, lints: &mut Vec<Diagnostic>) {
    let kind = document.get("kind").and_then(Node::text);
    let Some(spec) =
        member(document, "spec").filter(|_| matches!(kind, Some("WasmPlugin" | "TrafficExtension")))
    else {
        return;
    };
    let found = member(&spec.value, "phase");
    if contains(&spec.value) && found.and_then(|found| found.value.text()) != Some("AUTHN") {
        let message = "the plugin runs behind Istio's own authentication and authorization, which see headers that callers \
                       made up; write `phase: AUTHN`";
        lints.push(warning("filter-order", found.unwrap_or(spec), message.to_owned()));
    }
}

fn warning(code: &'static str, at: &Member, message: String) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, code, path: String::new(), message, span: at.at.clone() }
}

fn walk(node: &Node, lints: &mut Vec<Diagnostic>) {
    if discover::carries(node) {
        plugin::lints(node, lints);
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
    for (at, filter) in elements.iter().enumerate().filter(|(at, _)| *at != ours) {
        let Some(kind) = kind_of(filter) else { continue };
        let wrong = BEFORE.iter().filter(|_| at > ours).chain(AFTER.iter().filter(|_| at < ours));
        for (_, reason) in wrong.filter(|(other, _)| *other == kind) {
            let span = filter.span.clone();
            let message = format!("`{kind}` {reason}");
            lints.push(Diagnostic { span, ..warning("filter-order", filters, message) });
        }
    }
    // A patch has only a part of a connection manager, so the other settings are not known.
    let kind = manager.get("@type").and_then(Node::text).unwrap_or_default();
    if !kind.ends_with(".HttpConnectionManager") {
        return;
    }
    let is_set = |name: &&&str| {
        let value = member(manager, name).and_then(|found| found.value.text());
        value.is_some_and(|value| !matches!(value, "false" | "null" | "IMPLEMENTATION_SPECIFIC_DEFAULT"))
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

/// Filters that belong before authgate.
const BEFORE: &[(&str, &str)] = &[(
    "cors",
    "is behind authgate, which denies preflights, because they have no credentials; put it before authgate, or set \
     `cors_preflight: allow`",
)];

/// Filters that belong after authgate.
const AFTER: &[(&str, &str)] = &[
    ("cache", "is before authgate and responds from its cache to any client; put it behind authgate"),
    (
        "ext_authz",
        "is before authgate, so it sees identity headers that clients forged; put it behind authgate",
    ),
    (
        "header_to_metadata",
        "is before authgate, so it copies identity headers that clients forged; put it behind authgate",
    ),
];

/// The kind of a filter, such as `cors`, from its type or else from its name.
fn kind_of(filter: &Node) -> Option<&str> {
    let config = member(filter, "typed_config").and_then(|config| config.value.get("@type")?.text());
    // `type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors`
    let of_type = config.and_then(|kind| kind.split_once(".filters.http.")?.1.split('.').next());
    of_type.or_else(|| filter.get("name")?.text()?.strip_prefix("envoy.filters.http."))
}

/// The names of all clusters of a bootstrap; `None` if Envoy can discover others dynamically.
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

/// Warns about clusters that a configuration names and its file does not define.
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
