//! Checks of plugins: the objects that pass a configuration to a module, in Envoy, Istio and Envoy Gateway.

use std::collections::BTreeMap;

use super::warning;
use crate::carrier::{environment, member};
use crate::discover;
use crate::document::Node;
use crate::report::Diagnostic;

/// Adds warnings about the settings of the plugin next to its configuration.
pub fn lints(plugin: &Node, lints: &mut Vec<Diagnostic>) {
    fail_open(plugin, lints);
    // Both the plugin and its VM have this field, with the same effect.
    let vm = member(plugin, "vm_config").map(|vm| &vm.value);
    let lists = [Some(plugin), vm]
        .into_iter()
        .flatten()
        .filter_map(|node| member(node, "capability_restriction_config"));
    for found in lists.filter(|found| is_filled(&found.value)) {
        let message = format!(
            "`{}` restricts the callbacks of a module too: if the list lacks one, Envoy allows requests without the filter; \
             remove it",
            found.name
        );
        lints.push(warning("capabilities", found, message));
    }
    if let Some(found) = member(plugin, "allow_on_headers_stop_iteration")
        && found.value.text() == Some("true")
    {
        let message = format!(
            "`{}: true` lets Envoy continue with the body of a waiting request, which only callbacks of the module hold \
             back; remove it",
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
                "`{}: {open}` allows every request without a check if the module cannot run; set `{closed}`",
                found.name
            );
            lints.push(warning("fail-open", found, message));
        }
    }
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
        // Without `vm_id`, the identifier is the empty string.
        let id = named.and_then(|named| named.value.text()).unwrap_or_default();
        let others = by_id.entry(id).or_default();
        if others.iter().any(|other| environment(other) != environment(plugin)) {
            let message = format!(
                "several plugins have the `vm_id` {id:?} and different environment variables, but Envoy 1.36 to \
                 1.38 passes each of them the variables of the first; give each plugin its own `vm_id`, or the same \
                 variables"
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
