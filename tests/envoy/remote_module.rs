//! `envoy/remote.yaml`: Envoy fetches the module over HTTP, and runs only the one with the configured checksum.

use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use authgate_testing::e2e::client::{Connection, Request, get};
use authgate_testing::e2e::process::{Envoy, directory, module};
use authgate_testing::e2e::upstream::Upstream;
use authgate_testing::e2e::wire::Message;

const SAMPLE: &str = include_str!("../../envoy/remote.yaml");
/// `alice:wonderland`.
const HTPASSWD: &str = "alice:$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";

/// Serves the module to any client. Its thread lives as long as the test process.
fn artifacts() -> u16 {
    let module = std::fs::read(module()).expect("the module");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("the port").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            while let Ok(Some(_)) = Message::read(&mut reader, false) {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", module.len());
                if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&module)).is_err() {
                    break;
                }
            }
        }
    });
    port
}

/// The sample on free ports, with the module from this server.
fn sample(sha256: &str) -> (Value, Upstream) {
    let upstream = Upstream::start();
    let mut sample: Value = serde_yaml_ng::from_str(SAMPLE).expect("YAML");
    let port = |at: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": at}});
    let mut put = |pointer: &str, value: Value| {
        *sample.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = value;
    };
    put("/admin/address", port(0));
    put("/static_resources/listeners/0/address", port(0));
    let endpoint = "load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
    put(&format!("/static_resources/clusters/0/{endpoint}"), port(upstream.port));
    put(&format!("/static_resources/clusters/1/{endpoint}"), port(artifacts()));
    let vm = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/vm_config";
    put(&format!("{vm}/code/remote/sha256"), json!(sha256));
    put(&format!("{vm}/code/remote/retry_policy/num_retries"), json!(0));
    let artifacts = sample["static_resources"]["clusters"][1].as_object_mut().expect("a cluster");
    artifacts.remove("transport_socket").expect("TLS");
    artifacts.insert("type".to_owned(), json!("STATIC"));
    (sample, upstream)
}

fn send(envoy: &Envoy, request: &Request) -> Message {
    let mut connection = Connection::open(envoy.ports["gate"]).expect("a connection");
    connection.send(request, "remote").expect("an answer")
}

#[test]
fn the_module_is_fetched_and_decides() {
    let bytes = std::fs::read(module()).expect("the module");
    let sha256: String = hmac_sha256::Hash::hash(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let (sample, upstream) = sample(&sha256);
    let envoy = Envoy::start(&directory("remote-module"), &sample, &[("STAFF_HTPASSWD", HTPASSWD)]);
    let refused = send(&envoy, &get("/"));
    assert_eq!(refused.second_word(), "401", "{}", refused.body);
    assert!(refused.body.contains("missing_credentials"), "{}", refused.body);
    assert_eq!(send(&envoy, &get("/").basic("alice", "wonderland")).second_word(), "200");
    assert_eq!(send(&envoy, &get("/healthz")).second_word(), "200");
    assert_eq!(upstream.seen("remote").len(), 2);
    let dump = envoy.admin("/config_dump");
    assert!(
        dump.contains("STAFF_HTPASSWD") && !dump.contains("pVxX3cfLGfiwx3a7gnoUy"),
        "the dump shows a hash"
    );
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
}

/// With another module than the configured one, or without any, nothing passes, not even public paths.
#[test]
fn a_module_with_another_checksum_lets_nothing_pass() {
    let (sample, upstream) = sample(&"0".repeat(64));
    let envoy = Envoy::start(&directory("remote-module-wrong"), &sample, &[("STAFF_HTPASSWD", HTPASSWD)]);
    for request in [get("/"), get("/healthz"), get("/").basic("alice", "wonderland")] {
        let status = send(&envoy, &request).second_word().to_owned();
        assert!(["500", "503"].contains(&status.as_str()), "{status}: {request}");
    }
    assert_eq!(upstream.seen("remote").len(), 0);
}
