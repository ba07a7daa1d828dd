//! Members of the plugin that carries a configuration: a filter of Envoy, or a resource of Istio or Envoy Gateway.

use std::collections::BTreeSet;

use super::document::{Member, Node};

/// A member by its snake_case or camelCase name.
pub fn member<'a>(node: &'a Node, snake: &str) -> Option<&'a Member> {
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
    // A single value counts as a list of one.
    let single = list.filter(|list| list.elements().is_empty()).and_then(Node::text);
    elements.filter_map(Node::text).chain(single).map(str::to_owned)
}
