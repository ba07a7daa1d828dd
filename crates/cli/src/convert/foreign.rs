//! Kubernetes resources that decide about access and have no converter.

use super::finding::Findings;
use super::istio::Resource;
use super::output::{Output, Part};
use crate::document::Node;

/// API groups, and their kinds that authenticate or authorize; an empty list of kinds means all.
const GROUPS: &[(&str, &[&str])] = &[
    ("authentication.istio.io", &[]),
    ("rbac.istio.io", &[]),
    ("policy.linkerd.io", &[]),
    ("authorino.kuadrant.io", &[]),
    ("kuadrant.io", &["AuthPolicy"]),
    ("enterprise.gloo.solo.io", &["AuthConfig"]),
    ("security.policy.gloo.solo.io", &[]),
    ("gateway.kgateway.dev", &["TrafficPolicy"]),
    ("kuma.io", &["MeshTrafficPermission"]),
    ("consul.hashicorp.com", &["ServiceIntentions", "JWTProvider"]),
    ("getambassador.io", &["AuthService", "Filter", "FilterPolicy"]),
    ("cilium.io", &["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]),
];

/// True if a resource decides about access and belongs to a product that has no converter.
pub fn is_foreign(resource: &Resource<'_>) -> bool {
    let version = resource.node.get("apiVersion").and_then(Node::text).unwrap_or_default();
    let group = version.split('/').next().unwrap_or_default();
    let of_group = GROUPS.iter().filter(|(known, _)| *known == group);
    of_group.map(|(_, kinds)| kinds).any(|kinds| kinds.is_empty() || kinds.contains(&resource.kind()))
}

/// Returns an output that denies every request, for a resource that is not converted.
pub fn refuse(resource: &Resource<'_>, findings: &Findings) -> Output {
    let what = format!("{} has no equivalent here", resource.title());
    findings.add(&resource.at(), what.clone(), "Keep it, or write rules that do the same.");
    let mut output = Output::from(resource.at());
    let mut rule = Part::from("not-converted", resource.at());
    rule.close(&[what]);
    output.rules.push(rule);
    output
}

/// Adds a finding about a resource that remains in effect beside authgate.
pub fn keep(resource: &Resource<'_>, findings: &Findings) {
    let what = format!("{} is about mTLS between workloads, and is not converted", resource.title());
    findings.add(&resource.at(), what, "Keep it: authgate does not replace it.");
}
