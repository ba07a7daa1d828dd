//! Plugins: the objects that hand a configuration to a module, in Envoy, Istio and Envoy Gateway.

use std::collections::{BTreeMap, BTreeSet};

use super::{member, warning};
use crate::discover;
use crate::document::Node;
use crate::report::Diagnostic;

/// Adds warnings about the settings beside a configuration.
pub fn lints(plugin: &Node, lints: &mut Vec<Diagnostic>) {
    fail_open(plugin, lints);
    if let Some(found) =
        member(plugin, "capability_restriction_config").filter(|found| is_filled(&found.value))
    {
        let message = format!(
            "`{}` restricts the callbacks of a module too: where the list lacks one, Envoy lets requests pass without \
             it; leave it out",
            found.name
        );
        lints.push(warning("capabilities", found, message));
    }
    if let Some(found) = member(plugin, "allow_on_headers_stop_iteration")
        && found.value.text() == Some("true")
    {
        let message = format!(
            "`{}: true` lets Envoy go on with the body of a request that waits, and only callbacks of the module hold \
             it back; leave it out",
            found.name
        );
        lints.push(warning("stop-iteration", found, message));
    }
}

fn is_filled(node: &Node) -> bool {
    !node.members().is_empty()
}

fn fail_open(plugin: &Node, lints: &mut Vec<Diagnostic>) {
    let settings = [
        ("failure_policy", "FAIL_OPEN", "FAIL_RELOAD"),
        ("fail_open", "true", "false"),
        ("fail_strategy", "FAIL_OPEN", "FAIL_CLOSE"),
    ];
    for (name, open, closed) in settings {
        let Some(found) = member(plugin, name) else { continue };
        if found.value.text() == Some(open) {
            let message = format!(
                "`{}: {open}` lets every request pass without a check where the module cannot run; write `{closed}`",
                found.name
            );
            lints.push(warning("fail-open", found, message));
        }
    }
}

/// Names of the environment variables that a plugin passes to its VM.
pub fn environment(plugin: &Node) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let vm = member(plugin, "vm_config").map(|found| &found.value);
    // Envoy.
    if let Some(variables) = vm.and_then(|vm| member(vm, "environment_variables")).map(|found| &found.value) {
        names.extend(texts(variables, "host_env_keys"));
        let values = member(variables, "key_values").map(|found| found.value.members()).unwrap_or_default();
        names.extend(values.iter().map(|value| value.name.clone()));
    }
    // Istio.
    let list = vm.and_then(|vm| member(vm, "env")).map(|found| found.value.elements()).unwrap_or_default();
    names.extend(list.iter().filter_map(|variable| Some(variable.get("name")?.text()?.to_owned())));
    // Envoy Gateway.
    if let Some(env) = member(plugin, "env") {
        names.extend(texts(&env.value, "host_keys"));
    }
    names
}

fn texts<'a>(node: &'a Node, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let list = member(node, name).map(|found| &found.value);
    let elements = list.map(Node::elements).unwrap_or_default().iter();
    // One value stands for a list of one.
    let single = list.filter(|list| list.elements().is_empty()).and_then(Node::text);
    elements.filter_map(Node::text).chain(single).map(str::to_owned)
}

/// Warnings about plugins that share a VM, in all documents of a file.
pub fn shared_vms(documents: &[Node]) -> Vec<Diagnostic> {
    let mut plugins = Vec::new();
    documents.iter().for_each(|document| collect(document, &mut plugins));
    let mut by_id: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    let mut lints = Vec::new();
    for plugin in plugins {
        let named = member(plugin, "vm_config").and_then(|vm| member(&vm.value, "vm_id"));
        let configuration = || member(plugin, "configuration").or_else(|| member(plugin, "plugin_config"));
        let Some(found) = named.or_else(configuration) else { continue };
        // Without an identifier it is the empty one.
        let id = named.and_then(|named| named.value.text()).unwrap_or_default();
        let others = by_id.entry(id).or_default();
        if others.iter().any(|other| environment(other) != environment(plugin)) {
            let message = format!(
                "several plugins have the `vm_id` {id:?} and different environment variables: Envoy 1.36 to 1.38 gives \
                 all of them those of the first; give each a `vm_id` of its own, or all the same variables"
            );
            lints.push(warning("shared-vm", found, message));
        } else if named.is_some() && !others.is_empty() {
            let message = format!(
                "several plugins have the `vm_id` {id:?} and share a VM: a fault in one stops the others; give each its own"
            );
            lints.push(warning("shared-vm", found, message));
        }
        others.push(plugin);
    }
    lints
}

fn collect<'a>(node: &'a Node, plugins: &mut Vec<&'a Node>) {
    if discover::carries(node) {
        plugins.push(node);
    }
    for child in node.members().iter().map(|member| &member.value).chain(node.elements()) {
        collect(child, plugins);
    }
}
