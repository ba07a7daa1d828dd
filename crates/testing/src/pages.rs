//! The pages of the documentation: their fenced blocks, and the Envoy configuration that a page describes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// A document.
pub struct Page {
    /// Path from the root of the repository.
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    /// Document and line of the fence.
    pub place: String,
    /// Words after the opening fence.
    pub info: Vec<String>,
    pub text: String,
}

/// Returns the pages in a folder of `docs/`, in the order of their names.
pub fn pages(folder: &str) -> Vec<Page> {
    let entries = std::fs::read_dir(crate::root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    paths.sort();
    let name = |path: &Path| format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
    paths.iter().map(|path| page(&name(path))).collect()
}

/// Returns one page.
pub fn page(name: &str) -> Page {
    let text = std::fs::read_to_string(crate::root().join(name)).unwrap();
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(info), None) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Some(Block { place: format!("{name}:{number}"), info, text: String::new() });
            }
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    Page { name: name.to_owned(), text, blocks }
}

impl Block {
    /// True if the words after the fence begin with these.
    pub fn is(&self, words: &str) -> bool {
        let expected: Vec<&str> = words.split(' ').collect();
        self.info.iter().take(expected.len()).map(String::as_str).eq(expected)
    }

    /// Parses YAML, which includes JSON.
    pub fn value(&self) -> Value {
        serde_yaml_ng::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }
}

impl Page {
    /// Returns the only block of a kind.
    pub fn only(&self, words: &str) -> Option<&Block> {
        let mut found = self.blocks.iter().filter(|block| block.is(words));
        let block = found.next();
        assert!(found.next().is_none(), "{}: several blocks `{words}`", self.name);
        block
    }

    /// Returns the policy of the page: its first configuration that is not inside something else.
    pub fn policy(&self) -> Option<Value> {
        let is_policy = |block: &&Block| block.is("yaml authgate") && block.info.len() == 2;
        self.blocks.iter().find(is_policy).map(Block::value)
    }

    /// Returns the Envoy configuration that the page describes: its policy, and its clusters.
    pub fn bootstrap(&self, policy: &Value, module: &Path) -> Value {
        let clusters = self.only("yaml clusters").map_or_else(|| json!([]), Block::value);
        let before = self.blocks.iter().filter(|block| block.is("yaml envoy before")).map(Block::value);
        let after = self.blocks.iter().filter(|block| block.is("yaml envoy after")).map(Block::value);
        let settings = self.only("yaml envoy settings").map_or_else(|| json!({}), Block::value);
        let mut bootstrap =
            bootstrap(policy, module, &clusters, (before.collect(), after.collect()), &settings);
        if let Some(secrets) = self.only("yaml envoy secrets") {
            bootstrap["static_resources"]["secrets"] = secrets.value();
        }
        bootstrap
    }

    /// Returns the rows of the table below a heading, as cells.
    pub fn table(&self, heading: &str) -> Vec<Vec<String>> {
        let below = self.text.split_once(&format!("\n{heading}\n")).map_or("", |(_, below)| below);
        let lines = below.lines().skip_while(|line| !line.starts_with('|'));
        let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
        let cells = |row: &str| {
            row.trim_matches('|')
                .replace("\\|", "\0")
                .split('|')
                .map(|cell| cell.trim().replace('\0', "|"))
                .collect()
        };
        rows.map(cells).collect()
    }
}

/// Returns a complete Envoy configuration with a policy, clusters, and filters before and after authgate.
fn bootstrap(
    policy: &Value,
    module: &Path,
    clusters: &Value,
    (before, after): (Vec<Value>, Vec<Value>),
    settings: &Value,
) -> Value {
    let variables = variables(policy);
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    let mut vm = json!({"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}});
    if !variables.is_empty() {
        vm["environment_variables"] = json!({"host_env_keys": variables});
    }
    let filter = json!({"name": "authgate", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "authgate",
            "failure_policy": "FAIL_RELOAD",
            "vm_config": vm,
            "configuration": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": policy},
        },
    }});
    let router = json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    }});
    let filters: Vec<Value> = before.into_iter().chain([filter]).chain(after).chain([router]).collect();
    let mut manager = json!({
        "@type": HCM,
        "stat_prefix": "gate",
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "strip_any_host_port": true,
        "strip_trailing_host_dot": true,
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "service", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "service"}},
        ]}]},
    });
    manager.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let service = json!({"name": "service", "load_assignment": {"cluster_name": "service", "endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": address}}]},
    ]}});
    let clusters: Vec<Value> = clusters.as_array().unwrap().iter().cloned().chain([service]).collect();
    json!({"static_resources": {
        "listeners": [{"name": "gate", "address": address, "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
        ]}]}],
        "clusters": clusters,
    }})
}

/// Returns the names of the environment variables that a policy reads.
pub fn variables(policy: &Value) -> Vec<String> {
    match policy {
        Value::Object(members) => {
            let own = members.get("env").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(variables)).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(variables).collect(),
        _ => Vec::new(),
    }
}
