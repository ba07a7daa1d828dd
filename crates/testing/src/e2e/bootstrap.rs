//! Envoy bootstraps: one listener for each configuration of the filter, and one upstream cluster for all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::e2e::client::Request;
use crate::e2e::process::module;
use crate::e2e::tls::Client;

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const ACCESS_LOG: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const HTTP_OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const STRING_VALUE: &str = "type.googleapis.com/google.protobuf.StringValue";

/// A listener with the filter. All listeners of a test share a VM, as in Istio, except those with an environment.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Name by which tests address the listener.
    pub name: &'static str,
    /// A request that gets 200, sent after each hostile one.
    pub good: Request,
    /// The expected status of the good request, 200 unless a test changes it.
    pub status: u16,
    configuration: Value,
    normalise: bool,
    /// TLS context of the listener, and the client that sends the good request.
    tls: Option<(Value, Client)>,
    is_edge: bool,
    allows_upgrades: bool,
    environment: Value,
    module: PathBuf,
    clusters: Vec<(&'static str, u16)>,
    lets_headers_stop: bool,
    settings: Value,
    native: Option<Value>,
    behind: Option<Value>,
    chain: Option<Vec<Value>>,
    more: Vec<Value>,
    failure_policy: &'static str,
    capabilities: Value,
    vm_capabilities: Value,
    hosts: Value,
    is_disabled: bool,
    port: u16,
}

/// Creates a listener whose filter is configured from a `Struct`, with the sample's path and host settings.
pub fn listener(name: &'static str, configuration: Value, good: Request) -> Listener {
    let configuration = json!({"@type": STRUCT, "value": configuration});
    Listener {
        name,
        good,
        status: 200,
        configuration,
        normalise: true,
        is_edge: false,
        allows_upgrades: false,
        tls: None,
        environment: Value::Null,
        module: module(),
        clusters: Vec::new(),
        lets_headers_stop: false,
        settings: json!({}),
        native: None,
        behind: None,
        chain: None,
        more: Vec::new(),
        failure_policy: "FAIL_RELOAD",
        capabilities: Value::Null,
        vm_capabilities: Value::Null,
        is_disabled: false,
        port: 0,
        hosts: json!([{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
        }]),
    }
}

impl Listener {
    /// Configures the filter from a `StringValue` with the same configuration.
    pub fn in_a_string(mut self) -> Self {
        self.configuration = json!({"@type": STRING_VALUE, "value": self.configuration["value"].to_string()});
        self
    }

    /// Configures the filter from a `StringValue` with any text.
    pub fn of_text(mut self, text: &str) -> Self {
        self.configuration = json!({"@type": STRING_VALUE, "value": text});
        self
    }

    /// Turns off Envoy's normalisation of paths and hosts.
    pub fn raw(mut self) -> Self {
        self.normalise = false;
        self
    }

    /// Adds TLS with a `DownstreamTlsContext`. Requests come from this client unless a test names another.
    pub fn tls(mut self, context: Value, client: &Client) -> Self {
        self.tls = Some((context, client.clone()));
        self
    }

    /// Returns the client of a listener with TLS.
    pub fn client(&self) -> Option<&Client> {
        self.tls.as_ref().map(|(_, client)| client)
    }

    /// Marks the listener as an edge proxy (`use_remote_address`): the client address is that of the connection.
    pub fn at_the_edge(mut self) -> Self {
        self.is_edge = true;
        self
    }

    /// Adds `upgrade_configs` for WebSockets.
    pub fn upgrades(mut self) -> Self {
        self.allows_upgrades = true;
        self
    }

    /// Replaces authgate by one of Envoy's own filters.
    pub fn native(mut self, filter: Value) -> Self {
        self.native = Some(filter);
        self
    }

    fn filters(&self, wasm: &Value) -> Vec<Value> {
        let router = json!({"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}});
        if let Some(chain) = &self.chain {
            return chain.iter().cloned().chain([router]).collect();
        }
        let first = json!({"name": "authgate", "disabled": self.is_disabled, "typed_config": self.native.as_ref().unwrap_or(wasm)});
        let behind = self.behind.iter().map(|filter| json!({"name": "behind", "typed_config": filter}));
        let more = self.more.iter().enumerate().map(|(at, configuration)| {
            let mut wasm = wasm.clone();
            wasm["config"]["name"] = json!(format!("{}-{at}", self.name));
            wasm["config"]["configuration"] = json!({"@type": STRUCT, "value": configuration});
            json!({"name": format!("authgate-{at}"), "typed_config": wasm})
        });
        [first].into_iter().chain(behind).chain(more).chain([router]).collect()
    }

    /// Replaces authgate by these filters.
    pub fn chain(mut self, filters: Vec<Value>) -> Self {
        self.chain = Some(filters);
        self
    }

    /// Adds more authgate filters, with these configurations.
    pub fn more(mut self, configurations: &[Value]) -> Self {
        self.more = configurations.to_vec();
        self
    }

    /// Adds another filter after the first, under the name `behind`.
    pub fn behind(mut self, filter: Option<Value>) -> Self {
        self.behind = filter;
        self
    }

    /// Disables the filter unless a route enables it.
    pub fn disabled(mut self, is_disabled: bool) -> Self {
        self.is_disabled = is_disabled;
        self
    }

    /// Sets the port, which is a free one otherwise, for configurations that contain it.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the `virtual_hosts`.
    pub fn hosts(mut self, hosts: Value) -> Self {
        self.hosts = hosts;
        self
    }

    /// Uses another module than the one under test.
    pub fn module(mut self, module: PathBuf) -> Self {
        self.module = module;
        self
    }

    /// Sets `environment_variables`, in a separate VM: Envoy 1.36 to 1.38 ignores a second environment under the same
    /// `vm_id`.
    pub fn environment(mut self, environment: Value) -> Self {
        self.environment = environment;
        self
    }

    /// Sets another `failure_policy`.
    pub fn failure_policy(mut self, failure_policy: &'static str) -> Self {
        self.failure_policy = failure_policy;
        self
    }

    /// Sets a `capability_restriction_config` with these names.
    pub fn capabilities(mut self, names: &[&str]) -> Self {
        self.capabilities = names.iter().map(|&name| (name.to_owned(), json!({}))).collect();
        self
    }

    /// Sets the same for the VM.
    pub fn vm_capabilities(mut self, names: &[&str]) -> Self {
        self.vm_capabilities = names.iter().map(|&name| (name.to_owned(), json!({}))).collect();
        self
    }

    /// Adds a cluster for callouts, with this name and port.
    pub fn cluster(mut self, name: &'static str, port: u16) -> Self {
        self.clusters.push((name, port));
        self
    }

    /// Sets `allow_on_headers_stop_iteration`: pausing the headers does not pause the body and trailers.
    pub fn stopping_at_headers_alone(mut self) -> Self {
        self.lets_headers_stop = true;
        self
    }

    /// Overrides fields of the connection manager.
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// Returns the listener as a resource of a listener file.
    pub fn to_resource(&self) -> Value {
        let mut resource = self.to_envoy("/dev/null");
        resource["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        resource
    }

    /// Returns the listener as Envoy's bootstrap expects it.
    pub fn to_envoy(&self, access_log: &str) -> Value {
        let mut vm = json!({
            "vm_id": "authgate",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": self.module}},
        });
        if !self.environment.is_null() {
            vm["environment_variables"] = self.environment.clone();
        }
        // A VM with its own settings must not be shared with other listeners.
        let lists = [&self.environment, &self.capabilities, &self.vm_capabilities];
        if lists.iter().any(|list| !list.is_null()) || self.module != module() {
            vm["vm_id"] = json!(format!("authgate-{}", self.name));
        }
        if !self.vm_capabilities.is_null() {
            vm["capability_restriction_config"] = json!({"allowed_capabilities": self.vm_capabilities});
        }
        let mut wasm = json!({"@type": WASM, "config": {
            "name": self.name,
            "allow_on_headers_stop_iteration": self.lets_headers_stop,
            "failure_policy": self.failure_policy,
            "vm_config": vm,
            "configuration": self.configuration,
        }});
        if !self.capabilities.is_null() {
            wasm["config"]["capability_restriction_config"] =
                json!({"allowed_capabilities": self.capabilities});
        }
        let mut hcm = json!({
            "@type": HCM,
            "stat_prefix": self.name,
            "max_request_headers_kb": 96,
            "generate_request_id": false,
            "http_protocol_options": {"enable_trailers": true},
            "http_filters": self.filters(&wasm),
            "route_config": {"virtual_hosts": self.hosts},
            "access_log": [{"name": "file", "typed_config": {
                "@type": ACCESS_LOG,
                "path": access_log,
                "log_format": {"text_format_source": {
                    "inline_string": "%REQ(X-CASE)% %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% \
                        subject=%FILTER_STATE(wasm.authgate.subject:PLAIN)% \
                        authenticator=%FILTER_STATE(wasm.authgate.authenticator:PLAIN)% \
                        rule=%FILTER_STATE(wasm.authgate.rule:PLAIN)% reason=%FILTER_STATE(wasm.authgate.reason:PLAIN)%\n",
                }},
            }}],
        });
        if self.is_edge {
            hcm["use_remote_address"] = json!(true);
        }
        if self.allows_upgrades {
            hcm["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
        }
        if self.normalise {
            hcm["normalize_path"] = json!(true);
            hcm["merge_slashes"] = json!(true);
            hcm["path_with_escaped_slashes_action"] = json!("REJECT_REQUEST");
            hcm["strip_any_host_port"] = json!(true);
            hcm["strip_trailing_host_dot"] = json!(true);
        }
        for (name, value) in self.settings.as_object().expect("an object") {
            hcm[name] = value.clone();
        }
        let mut chain = json!({"filters": [{"name": "hcm", "typed_config": hcm}]});
        if let Some((context, _)) = &self.tls {
            chain["transport_socket"] = json!({"name": "tls", "typed_config": context});
        }
        json!({"name": self.name, "address": address(self.port), "filter_chains": [chain]})
    }
}

/// Returns a bootstrap with these listeners in front of the service on the port `upstream`.
pub fn bootstrap(listeners: &[Listener], upstream: u16, access_log: &str) -> Value {
    let named: BTreeMap<_, _> = listeners.iter().flat_map(|listener| &listener.clusters).copied().collect();
    let clusters: Vec<Value> =
        named.into_iter().chain([("upstream", upstream)]).map(|(name, port)| cluster(name, port)).collect();
    let listeners: Vec<Value> = listeners.iter().map(|listener| listener.to_envoy(access_log)).collect();
    json!({
        "admin": {"address": address(0)},
        "stats_config": stats_config(),
        "static_resources": {"listeners": listeners, "clusters": clusters},
    })
}

/// Returns the sample's rules that extract labels from metric names.
fn stats_config() -> Value {
    let sample: Value = serde_yaml_ng::from_str(include_str!("../../../../envoy/envoy.yaml")).expect("YAML");
    sample["stats_config"].clone()
}

/// Returns the bootstrap of an Envoy that reads its listeners from a file, and reloads them when another file is moved
/// there.
pub fn bootstrap_from_file(listeners: &Path, upstream: u16) -> Value {
    json!({
        "node": {"id": "envoy", "cluster": "envoy"},
        "admin": {"address": address(0)},
        "dynamic_resources": {"lds_config": {
            "resource_api_version": "V3",
            "path_config_source": {"path": listeners},
        }},
        "static_resources": {"clusters": [cluster("upstream", upstream)]},
    })
}

fn cluster(name: &str, port: u16) -> Value {
    let options = json!({
        "@type": HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
    });
    json!({
        "name": name,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(port)}}]},
        ]},
    })
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}
