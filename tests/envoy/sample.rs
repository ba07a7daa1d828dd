//! The sample as committed: its routes, its credentials, and its security settings.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use authgate_testing::e2e::check::fits;
use authgate_testing::e2e::client::{Connection, Request, get, request};
use authgate_testing::e2e::fixture::{BASIC, BEARER, BEARER_ADMIN, INSUFFICIENT_SCOPE};
use authgate_testing::e2e::process::{Envoy, directory, module, validate};
use authgate_testing::e2e::wire::Message;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file of the sample")
}

/// Returns the sample on free ports, with the module under test.
pub fn sample() -> Value {
    let free =
        TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port");
    let module = module().to_string_lossy().into_owned();
    let text = read("envoy/envoy.yaml");
    for once in ["port_value: 10000}", "port_value: 9901}", "filename: dist/authgate.wasm}"] {
        assert_eq!(text.matches(once).count(), 1, "the tests and docker-compose.yaml count on {once}");
    }
    let text = text
        .replace("port_value: 10000}", "port_value: 0}")
        .replace("port_value: 9901}", "port_value: 0}")
        .replace("port_value: 10001}", &format!("port_value: {}}}", free.port()))
        .replace("filename: dist/authgate.wasm}", &format!("filename: \"{module}\"}}"));
    serde_yaml_ng::from_str(&text).expect("YAML")
}

#[test]
fn the_sample_is_valid() {
    let validation = validate("sample", &sample());
    assert!(validation.accepted, "{}", validation.output);
}

#[test]
fn the_sample_lets_in_whom_it_says() {
    let token = |name: &str| read(&format!("envoy/demo/{name}.jwt")).trim().to_owned();
    let (reader, admin) = (token("reader"), token("admin"));
    let envoy = Envoy::start(&directory("sample"), &sample(), &[]);
    let send = |request: &Request| -> Message {
        let mut connection = Connection::open(envoy.ports["gate"]).expect("a connection");
        connection.send(request, "sample").expect("an answer")
    };
    let nobody = "user=- by=- authorization=-\n";
    let told = |user: &str, by: &str| format!("user={user} by={by} authorization=-\n");
    let passing = [
        (get("/healthz"), nobody.to_owned()),
        (get("/docs/a"), nobody.to_owned()),
        (get("/docs").field("x_auth_user", "root").field("x-auth-user", "root"), nobody.to_owned()),
        (get("/basic").basic("alice", "wonderland"), told("alice", "staff")),
        (get("/basic").basic("bob", "builder"), told("bob", "staff")),
        (get("/jwt").bearer(&reader), told("demo-reader", "idp")),
        (get("/jwt").bearer(&admin), told("demo-admin", "idp")),
        (get("/admin").bearer(&admin), told("demo-admin", "idp")),
        (request("POST", "/admin/x?y=z").bearer(&admin), told("demo-admin", "idp")),
    ];
    for (request, body) in passing {
        let answer = send(&request);
        assert_eq!((answer.second_word(), &answer.body), ("200", &body), "{request}");
    }
    let refused: [(Request, &str, &str, &[&str]); 10] = [
        (get("/basic"), "401", "missing_credentials", &[BASIC]),
        (get("/basic").basic("alice", "builder"), "401", "invalid_credentials", &[BASIC]),
        (get("/basic").bearer(&admin), "401", "unsupported_scheme", &[BASIC]),
        (get("/jwt"), "401", "missing_credentials", &[BEARER]),
        (get("/admin"), "401", "missing_credentials", &[BEARER_ADMIN]),
        (get("//admin"), "401", "missing_credentials", &[BEARER_ADMIN]),
        (get("/docs/../admin"), "401", "missing_credentials", &[BEARER_ADMIN]),
        (get("/admin").bearer(&reader), "403", "insufficient_scope", &[INSUFFICIENT_SCOPE]),
        (get("/"), "403", "no_rule", &[]),
        (get("/ADMIN"), "403", "no_rule", &[]),
    ];
    for (request, status, code, challenges) in refused {
        let answer = send(&request);
        let found = answer.all("www-authenticate");
        let alike = found.len() == challenges.len() && challenges.iter().zip(&found).all(|(c, f)| fits(c, f));
        assert!(alike && answer.second_word() == status, "{request}: {answer:?}");
        assert!(answer.body.contains(code), "{request}: {}", answer.body);
    }
    assert_eq!(send(&get("/docs/%2e%2e%2fadmin")).second_word(), "400", "an encoded slash");
    // Published within two seconds, with labels.
    let counted = |name: &str| {
        (0..100).any(|_| {
            let metrics = envoy.admin("/stats/prometheus?filter=authgate");
            let found = metrics.lines().any(|line| line == name);
            if !found {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            found
        })
    };
    for (outcome, reason, authenticator, rule, count) in [
        ("allowed", "none", "none", "public", 3),
        ("allowed", "none", "staff", "basic", 2),
        ("allowed", "none", "idp", "admin", 2),
        ("denied", "missing_credentials", "none", "admin", 3),
        ("denied", "invalid_credentials", "staff", "basic", 1),
        ("denied", "insufficient_scope", "idp", "admin", 1),
        ("denied", "no_rule", "none", "none", 2),
    ] {
        let labels = format!(
            "outcome=\"{outcome}\",reason=\"{reason}\",authenticator=\"{authenticator}\",rule=\"{rule}\""
        );
        let line = format!("authgate_requests_total{{{labels}}} {count}");
        assert!(counted(&line), "{line} is not in\n{}", envoy.admin("/stats/prometheus?filter=authgate"));
    }
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
    let log = envoy.log();
    for line in [
        " GET /basic 200 via_upstream subject=alice authenticator=staff rule=basic reason=-\n",
        " GET /basic 401 authgate:invalid_credentials subject=- authenticator=staff rule=basic reason=invalid_credentials\n",
        " GET /admin 403 authgate:insufficient_scope subject=demo-reader authenticator=idp rule=admin reason=insufficient_scope\n",
    ] {
        assert!(log.contains(line), "{line} is not in\n{log}");
    }
    assert!(!log.contains(&reader) && !log.contains("wonderland"), "the log shows a credential");
}

#[test]
fn the_sample_keeps_what_makes_it_safe() {
    let sample: Value = serde_yaml_ng::from_str(&read("envoy/envoy.yaml")).expect("YAML");
    let listeners = sample["static_resources"]["listeners"].as_array().expect("listeners");
    let hcm = &listeners[0]["filter_chains"][0]["filters"][0]["typed_config"];
    for setting in ["normalize_path", "merge_slashes", "strip_any_host_port", "strip_trailing_host_dot"] {
        assert_eq!(hcm[setting], true, "{setting}");
    }
    let wasm = &hcm["http_filters"][0]["typed_config"]["config"];
    assert_eq!(wasm["failure_policy"], "FAIL_RELOAD");
    let rules = wasm["configuration"]["value"]["rules"].as_array().expect("rules");
    assert!(rules.iter().all(|rule| rule["match"].is_object() || rule["match"].is_array()), "a rule for all");
    let addresses = listeners.iter().chain([&sample["admin"]]);
    for address in addresses.map(|at| &at["address"]["socket_address"]["address"]) {
        assert_eq!(address, "127.0.0.1");
    }
}
