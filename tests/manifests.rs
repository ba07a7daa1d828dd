//! The manifests in `envoy/`: their policies are valid, images are pinned, no admin port is open, and every secret that
//! a policy reads is passed to the module from the proxy's environment. The alerts fire when they should.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use authgate::config;
use authgate::policy::build;
use authgate_testing::e2e::programs::{is_there, or_skip};
use serde_json::Value;

const FILTER: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the value at a JSON Pointer.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
}

/// Returns the variables that a policy reads. The policy must be valid.
fn variables(policy: &Value) -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    let environment = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        Some("alice:$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO\n".to_owned())
    };
    let built = config::from_value(policy.clone()).and_then(|config| build(&config, &environment));
    assert!(
        built.is_ok(),
        "{:?}",
        built.err().map(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())
    );
    asked.into_inner()
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// True if the image has a digest instead of a tag.
fn is_pinned(image: &Value) -> bool {
    let digest = image.as_str().unwrap().rsplit_once("@sha256:").map(|(_, digest)| digest);
    digest.is_some_and(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[test]
fn istio_is_pinned_and_closed_and_gets_its_secrets() {
    for (file, kind, wasm) in [
        ("envoy/istio/wasmplugin.yaml", "WasmPlugin", "/spec"),
        ("envoy/istio/trafficextension.yaml", "TrafficExtension", "/spec/wasm"),
    ] {
        let manifest = read(file);
        assert_eq!(manifest["kind"], kind);
        assert_eq!(manifest["spec"]["phase"], "AUTHN", "{file}");
        let wasm = at(&manifest, wasm);
        assert_eq!(wasm["failStrategy"], "FAIL_RELOAD", "{file}");
        assert!(is_pinned(&wasm["url"]) && wasm["url"].as_str().unwrap().starts_with("oci://"), "{file}");
        let variable = |entry: &Value| {
            assert_eq!(entry["valueFrom"], "HOST", "{file}");
            entry["name"].as_str().unwrap().to_owned()
        };
        let handed: BTreeSet<String> =
            at(wasm, "/vmConfig/env").as_array().unwrap().iter().map(variable).collect();
        assert_eq!(variables(&wasm["pluginConfig"]), handed, "{file}");
    }
    let spec = |file: &str, pointer: &str| at(&read(file), pointer).clone();
    assert_eq!(
        spec("envoy/istio/wasmplugin.yaml", "/spec/pluginConfig"),
        spec("envoy/istio/trafficextension.yaml", "/spec/wasm/pluginConfig"),
        "the two say different things"
    );
}

#[test]
fn envoy_gateway_is_pinned_and_closed_and_gets_its_secrets() {
    let manifest = read("envoy/envoy-gateway/envoyextensionpolicy.yaml");
    assert_eq!(
        manifest["spec"]["targetRefs"][0]["kind"], "Gateway",
        "a route without a policy would be open"
    );
    let wasm = at(&manifest, "/spec/wasm/0");
    assert_eq!(wasm["failOpen"], false);
    assert_eq!(wasm["code"]["type"], "Image");
    assert!(is_pinned(&wasm["code"]["image"]["url"]));
    let handed = names(&wasm["env"]["hostKeys"]);
    assert_eq!(variables(&wasm["config"]), handed);
    let proxy = read("envoy/envoy-gateway/envoyproxy.yaml");
    let environment =
        at(&proxy, "/spec/provider/kubernetes/envoyDeployment/container/env").as_array().unwrap();
    for entry in environment {
        assert!(entry["valueFrom"]["secretKeyRef"].is_object() && entry.get("value").is_none(), "{entry}");
    }
    let set: BTreeSet<String> =
        environment.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(set, handed);
    assert_eq!(
        read("envoy/envoy-gateway/clienttrafficpolicy.yaml")["spec"]["path"]["escapedSlashesAction"],
        "RejectRequest"
    );
}

#[test]
fn a_remote_module_is_pinned_and_closed_and_gets_its_secrets() {
    let manifest = read("envoy/remote.yaml");
    let config = at(&manifest, FILTER);
    assert_eq!(config["failure_policy"], "FAIL_RELOAD");
    let vm = &config["vm_config"];
    assert_eq!(vm["code"]["remote"]["sha256"].as_str().unwrap().len(), 64);
    let variables = variables(at(config, "/configuration/value"));
    assert_eq!(variables, names(&vm["environment_variables"]["host_env_keys"]));
    assert!(!variables.is_empty());
    // The same settings as in the sample.
    let settings = |manifest: &Value| {
        let hcm =
            at(manifest, "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config").clone();
        [
            "normalize_path",
            "merge_slashes",
            "path_with_escaped_slashes_action",
            "strip_any_host_port",
            "strip_trailing_host_dot",
        ]
        .map(|name| at(&hcm, &format!("/{name}")).clone())
    };
    assert_eq!(settings(&manifest), settings(&read("envoy/envoy.yaml")));
}

/// `tests/host` has no YAML parser.
#[test]
fn the_other_host_gets_the_policy_of_the_sample() {
    let sample = at(&read("envoy/envoy.yaml"), FILTER)["configuration"]["value"].clone();
    assert_eq!(read("tests/host/sample.json"), sample);
}

/// Anyone can mint tokens with the demo's key, so only the demo may trust it.
#[test]
fn no_manifest_trusts_the_key_of_the_demo() {
    let demo = at(&read("envoy/envoy.yaml"), FILTER)["configuration"]["value"]["authenticators"]["idp"]["jwt"]["keys"]["jwks"]
        ["keys"][0]["x"]
        .as_str()
        .unwrap()
        .to_owned();
    for file in [
        "istio/wasmplugin.yaml",
        "istio/trafficextension.yaml",
        "envoy-gateway/envoyextensionpolicy.yaml",
        "remote.yaml",
    ] {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy").join(file)).unwrap();
        assert!(!text.contains(&demo), "{file}");
    }
}

/// `tests/alerts.yaml` has series of metrics, and the alerts that they cause.
#[test]
fn alerts_fire_when_they_should() {
    let found = is_there("promtool", &["--version"]).then_some("promtool");
    let Some(promtool) = or_skip("promtool, of the Debian package prometheus", found) else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |arguments: &[&str]| {
        let output = Command::new(promtool).args(arguments).current_dir(root).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text.into_owned())
    };
    for arguments in
        [["check", "rules", "envoy/prometheus-rules.yaml"], ["test", "rules", "tests/alerts.yaml"]]
    {
        let (is_good, text) = run(&arguments);
        assert!(is_good, "{text}");
    }
}

/// In Kubernetes, people look for a namespace and a pod first.
#[test]
fn the_dashboard_selects_by_namespace_and_pod() {
    let dashboard = read("envoy/grafana-dashboard.json");
    let variables = at(&dashboard, "/templating/list").as_array().unwrap();
    let names: Vec<&str> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
    assert_eq!(names, ["datasource", "job", "namespace", "pod", "instance"]);
    let targets =
        dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    let queries: Vec<&str> = targets.flatten().filter_map(|target| target["expr"].as_str()).collect();
    for query in &queries {
        for name in &names[1..] {
            assert!(query.contains(&format!("{name}=~\"${name}\"")), "{query}");
        }
    }
    for part in ["downstream_rq_time_bucket", "upstream_rq_time_bucket", "by (rule, reason)", "shadow_denied"]
    {
        assert!(queries.iter().any(|query| query.contains(part)), "no panel with {part}");
    }
}

#[test]
fn alerts_use_known_metrics_and_are_described() {
    let text =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (rules, reference) = (text("envoy/prometheus-rules.yaml"), text("docs/configuration.md"));
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let metrics: BTreeSet<&str> = words.filter(|word| word.starts_with("authgate_")).collect();
    assert!(metrics.len() > 4, "{metrics:?}");
    for metric in metrics {
        assert!(reference.contains(&format!("| `{metric}` |")), "no metric {metric}");
    }
    let (page, tests) = (text("docs/operations/alerts.md"), text("tests/alerts.yaml"));
    for rule in
        read("envoy/prometheus-rules.yaml")["groups"].as_array().unwrap().iter().flat_map(|group| {
            group["rules"].as_array().unwrap().iter().filter(|rule| rule["alert"].is_string())
        })
    {
        let name = rule["alert"].as_str().unwrap();
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(page.contains(&format!("| `{name}` | {severity} |")), "{name}");
        assert!(tests.contains(name), "{name} is not tested");
        let (file, heading) = rule["annotations"]["runbook"]
            .as_str()
            .unwrap()
            .split_once('#')
            .unwrap_or_else(|| (rule["annotations"]["runbook"].as_str().unwrap(), ""));
        let is_heading = |line: &str| {
            let anchor =
                line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-").replace('`', "");
            line.starts_with('#') && anchor == heading
        };
        assert!(heading.is_empty() || text(file).lines().any(is_heading), "{name}: {file}#{heading}");
    }
}
