//! Envoy bootstraps: listeners that differ in one filter, in front of the same direct response.

use std::path::Path;

use serde_json::{Value, json};

use crate::policy::{self, sha};
use authgate_testing::e2e::mint::{ISSUER, jwks};

/// The name of a listener, and its filter before the router.
pub type Listener = (&'static str, Option<Value>);

/// Returns authgate's module with a configuration. Listeners with the same `vm_id` share a VM.
pub fn authgate(module: &Path, vm_id: &str, configuration: Value) -> Option<Value> {
    let configuration =
        json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": configuration});
    wasm(module, vm_id, configuration)
}

/// Returns a module with a text as its configuration.
pub fn plain(module: &Path, vm_id: &str, text: &str) -> Option<Value> {
    wasm(module, vm_id, json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text}))
}

fn wasm(module: &Path, vm_id: &str, configuration: Value) -> Option<Value> {
    Some(json!({
        "name": "wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": vm_id,
                "failure_policy": "FAIL_CLOSED",
                "vm_config": {
                    "vm_id": vm_id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                },
                "configuration": configuration,
            },
        },
    }))
}

/// Returns Envoy's own Basic filter, which supports {SHA} only.
pub fn basic_auth() -> Option<Value> {
    Some(json!({
        "name": "envoy.filters.http.basic_auth",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
            "users": {"inline_string": format!("alice:{}\n", sha(policy::PASSWORD))},
        },
    }))
}

/// Returns Envoy's own JWT filter, with or without its token cache.
pub fn jwt_authn(cached: bool) -> Option<Value> {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": ["api"],
        "local_jwks": {"inline_string": jwks().to_string()},
    });
    if cached {
        provider["jwt_cache_config"] = json!({"jwt_cache_size": 4096});
    }
    Some(json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"tokens": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "tokens"}}],
        },
    }))
}

/// Adds a value to the bootstrap that Envoy reads and nothing uses.
pub fn with_ballast(mut bootstrap: Value, ballast: Value) -> Value {
    let metadata = json!({"filter_metadata": {"ballast": ballast}});
    bootstrap["static_resources"]["listeners"][0]["metadata"] = metadata;
    bootstrap
}

/// Returns a bootstrap with these listeners on free ports of the loopback interface.
pub fn bootstrap(listeners: &[Listener]) -> Value {
    json!({
        "admin": {"address": address()},
        "static_resources": {"listeners": listeners.iter().map(answering).collect::<Vec<_>>()},
    })
}

/// Returns the bootstrap of an Envoy that reads its listeners from a file, and reloads them when another file is moved
/// there. They forward to the service on the port `upstream`.
pub fn from_file(listeners: &Path, upstream: u16) -> Value {
    let service = json!({"socket_address": {"address": "127.0.0.1", "port_value": upstream}});
    json!({
        "node": {"id": "envoy", "cluster": "envoy"},
        "admin": {"address": address()},
        "dynamic_resources": {"lds_config": {
            "resource_api_version": "V3",
            "path_config_source": {"path": listeners},
        }},
        "static_resources": {"clusters": [{
            "name": "upstream",
            "load_assignment": {"cluster_name": "upstream", "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": service}}]},
            ]},
        }]},
    })
}

/// Returns a listener in front of the service as a resource of a listener file.
pub fn forwarding(listener: &Listener) -> Value {
    let mut resource = self::listener(listener, json!({"route": {"cluster": "upstream"}}));
    resource["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    resource
}

fn answering(listener: &Listener) -> Value {
    let answer = json!({"status": 200, "body": {"inline_string": "ok\n"}});
    self::listener(listener, json!({"direct_response": answer}))
}

/// Returns a listener whose only route has this action.
fn listener((name, filter): &Listener, action: Value) -> Value {
    let mut route = json!({"match": {"prefix": "/"}});
    for (member, value) in action.as_object().into_iter().flatten() {
        route[member] = value.clone();
    }
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    });
    let filters: Vec<_> = filter.iter().cloned().chain([router]).collect();
    let hcm = json!({
        "@type":
            "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "strip_any_host_port": true,
        "strip_trailing_host_dot": true,
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [route],
        }]},
    });
    json!({
        "name": name,
        "address": address(),
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": hcm}]}],
    })
}

fn address() -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}})
}
