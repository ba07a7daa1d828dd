//! The pages about providers and recipes: Envoy loads their clusters, filters and settings together with their policies.

use std::collections::BTreeMap;
use std::fs;

use authgate_testing::e2e::client::{Connection, get, request};
use authgate_testing::e2e::mint::{now, public_jwk, token};
use authgate_testing::e2e::process::{Envoy, directory, module, validate};
use authgate_testing::e2e::tls::Authority;
use authgate_testing::pages::{Page, page, pages, variables};
use serde_json::{Value, json};

const HASH: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";
const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// Returns the Envoy configuration of a page, with values in place of the variables that its policy reads.
fn bootstrap(page: &Page, policy: &Value) -> Value {
    let mut bootstrap = page.bootstrap(policy, &module());
    let values = variables(policy).into_iter().map(|name| {
        let value = match name.as_str() {
            name if name.contains("HTPASSWD") => format!("alice:{HASH}"),
            _ => "7".repeat(64),
        };
        (name, Value::from(value))
    });
    let values: Value = values.collect::<serde_json::Map<_, _>>().into();
    let filters =
        bootstrap.pointer_mut(&format!("{HCM}/http_filters")).and_then(Value::as_array_mut).expect("filters");
    let authgate = filters.iter_mut().find(|filter| filter["name"] == "authgate").expect("authgate");
    // Envoy 1.36 to 1.38 gives all filters of a VM the environment of the first.
    authgate["typed_config"]["config"]["vm_config"]["vm_id"] = json!(page.name);
    if values.as_object().is_some_and(|values| !values.is_empty()) {
        authgate["typed_config"]["config"]["vm_config"]["environment_variables"] =
            json!({"key_values": values});
    }
    bootstrap["admin"] = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
    bootstrap
}

/// All pages are in one configuration, because each start of Envoy takes seconds.
#[test]
fn envoy_loads_what_the_pages_show() {
    let mut all = json!({"static_resources": {"listeners": [], "clusters": []}});
    let mut clusters = BTreeMap::new();
    for page in pages("docs/providers").into_iter().chain(pages("docs/recipes")) {
        let Some(policy) = page.policy() else { continue };
        let mut own = bootstrap(&page, &policy)["static_resources"].take();
        if let Some(secrets) = own["secrets"].as_array() {
            all["static_resources"]["secrets"] = json!(secrets);
        }
        let listener = &mut own["listeners"][0];
        listener["name"] = json!(page.name);
        all["static_resources"]["listeners"].as_array_mut().expect("listeners").push(listener.take());
        for cluster in own["clusters"].as_array().expect("clusters") {
            let name = cluster["name"].as_str().expect("a name").to_owned();
            let known = clusters.entry(name).or_insert_with(|| cluster.clone());
            assert_eq!(known, cluster, "{}: another page has this cluster in another form", page.name);
        }
    }
    assert!(all["static_resources"]["listeners"].as_array().is_some_and(|all| all.len() >= 24));
    all["static_resources"]["clusters"] = clusters.into_values().collect();
    let validation = validate("pages", &all);
    assert!(validation.accepted, "{}", validation.output);
}

/// Excerpts of an Envoy configuration, each put where its first member belongs.
#[test]
fn envoy_loads_the_excerpts_of_the_reference() {
    let base = page("docs/recipes/roles-to-headers.md");
    let mut bootstrap = bootstrap(&base, &base.policy().expect("a policy"));
    let mut found = Vec::new();
    for page in [page("docs/configuration.md"), page("docs/start/compose.md")] {
        for block in page.blocks.iter().filter(|block| block.info == ["yaml"]) {
            let Value::Object(members) = block.value() else { panic!("{}: not an object", block.place) };
            let first = members.keys().next().expect("a member").clone();
            match first.as_str() {
                "stats_config" => bootstrap["stats_config"] = members["stats_config"].clone(),
                "clusters" => {
                    let clusters =
                        bootstrap["static_resources"]["clusters"].as_array_mut().expect("clusters");
                    for cluster in members["clusters"].as_array().expect("clusters") {
                        clusters.retain(|known| known["name"] != cluster["name"]);
                        clusters.push(cluster.clone());
                    }
                }
                "vm_config" => {
                    let config = "/http_filters/0/typed_config/config/vm_config";
                    let vm = bootstrap.pointer_mut(&format!("{HCM}{config}")).expect("a VM");
                    vm["environment_variables"] = members["vm_config"]["environment_variables"].clone();
                }
                _ => {
                    let manager = bootstrap.pointer_mut(HCM).and_then(Value::as_object_mut);
                    manager.expect("the connection manager").extend(members);
                }
            }
            found.push(first);
        }
    }
    assert!(
        ["stats_config", "clusters", "vm_config", "merge_slashes"]
            .iter()
            .all(|&name| found.iter().any(|f| f == name)),
        "{found:?}"
    );
    let validation = validate("page-excerpts", &bootstrap);
    assert!(validation.accepted, "{}", validation.output);
}

/// Both filters decide about a token in step 4, because authgate forwards it.
#[test]
fn the_old_filter_still_gets_the_token_during_the_migration() {
    let page = page("docs/recipes/gradual-migration.md");
    let issued = now();
    let claims = json!({"iss": "https://idp.example.com", "aud": "api", "sub": "ada", "exp": issued + 600});
    let bearer = token("ES256", &claims);
    let jwks = json!({"keys": [public_jwk("ES256")]});
    for (forwards, status) in [(true, "200"), (false, "401")] {
        let mut policy = page.policy().expect("a policy");
        let jwt = &mut policy["authenticators"]["idp"]["jwt"];
        assert_eq!(jwt["forward_credentials"], true);
        jwt["forward_credentials"] = json!(forwards);
        jwt["keys"] = json!({"jwks": jwks});
        let mut bootstrap = bootstrap(&page, &policy);
        bootstrap["static_resources"]["clusters"][1]["load_assignment"]["endpoints"] = json!([]);
        let manager = bootstrap.pointer_mut(HCM).expect("the connection manager");
        manager["route_config"] = json!({"virtual_hosts": [{"name": "service", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "direct_response": {"status": 200}},
        ]}]});
        let provider = &mut manager["http_filters"][1]["typed_config"]["providers"]["idp"];
        provider.as_object_mut().expect("a provider").remove("remote_jwks").expect("keys");
        provider["local_jwks"] = json!({"inline_string": jwks.to_string()});
        let envoy = Envoy::start(&directory(&format!("page-migration-{forwards}")), &bootstrap, &[]);
        let mut connection = Connection::open(envoy.ports["gate"]).expect("a connection");
        let answer = connection.send(&get("/orders").bearer(&bearer), "token").expect("an answer");
        assert_eq!(answer.second_word(), status, "forward_credentials: {forwards}: {answer:?}");
        let answer = connection.send(&get("/orders"), "none").expect("an answer");
        assert!(answer.body.contains("missing_credentials"), "{answer:?}");
    }
}

/// The listener of the page, with certificates of the test at the paths of the page.
#[test]
fn envoy_loads_the_listener_with_client_certificates() {
    let page = page("docs/recipes/client-certificates.md");
    let folder = directory("page-certificates");
    let own = Authority::generate().context(json!({"validation_context": {}}));
    for (file, pointer) in [
        ("server.crt", "/tls_certificates/0/certificate_chain"),
        ("server.key", "/tls_certificates/0/private_key"),
        ("clients-ca.crt", "/validation_context/trusted_ca"),
    ] {
        let text =
            own["common_tls_context"].pointer(pointer).and_then(|source| source["inline_string"].as_str());
        fs::write(folder.join(file), text.expect("a PEM text")).expect("a file");
    }
    let block = page.only("yaml envoy listener").expect("the listener").value().to_string();
    assert_eq!(block.matches("/etc/envoy/").count(), 3, "{block}");
    let block = block.replace("/etc/envoy", folder.to_str().expect("UTF-8"));
    let block: Value = serde_json::from_str(&block).expect("JSON");
    let mut bootstrap = bootstrap(&page, &page.policy().expect("a policy"));
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    listener["listener_filters"] = block["listener_filters"].clone();
    listener["filter_chains"][0]["transport_socket"] = block["filter_chains"][0]["transport_socket"].clone();
    let validation = validate("page-certificates", &bootstrap);
    assert!(validation.accepted, "{}", validation.output);
}

/// `cors` answers preflights before authgate, and adds its headers to the rejections of authgate.
#[test]
fn browsers_of_the_other_origin_can_read_a_rejection() {
    let page = page("docs/recipes/cors.md");
    let envoy =
        Envoy::start(&directory("page-cors"), &bootstrap(&page, &page.policy().expect("a policy")), &[]);
    let mut connection = Connection::open(envoy.ports["gate"]).expect("a connection");
    let origin = "https://app.example.com";
    let preflight =
        request("OPTIONS", "/orders").field("origin", origin).field("access-control-request-method", "POST");
    let answer = connection.send(&preflight, "preflight").expect("an answer");
    assert_eq!(answer.second_word(), "200", "{answer:?}");
    assert_eq!(answer.all("access-control-allow-headers"), ["authorization, content-type"]);
    let answer = connection.send(&get("/orders").field("origin", origin), "denied").expect("an answer");
    assert_eq!(answer.second_word(), "401", "{answer:?}");
    assert_eq!(answer.all("www-authenticate"), ["Bearer realm=\"restricted\""]);
    assert_eq!(answer.all("access-control-allow-origin"), [origin]);
    assert_eq!(answer.all("access-control-expose-headers"), ["www-authenticate, retry-after"]);
    let other = get("/orders").field("origin", "https://evil.example");
    let answer = connection.send(&other, "other origin").expect("an answer");
    assert_eq!(answer.all("access-control-allow-origin"), [""; 0], "{answer:?}");
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
}
