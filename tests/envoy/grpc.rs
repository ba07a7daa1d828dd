//! Denials as a real gRPC client interprets them: grpcio, over HTTP/2.

use std::process::Command;

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::fixture::{default_listener, default_policy, good};
use authgate_testing::e2e::mint::{expired_token, scoped_token, token_for};
use authgate_testing::e2e::programs::python_with;
use authgate_testing::e2e::proxy::Proxy;

/// Calls each method with its metadata, and prints code and details as JSON.
const SCRIPT: &str = "
import grpc, json, sys
port, calls = sys.argv[1], json.loads(sys.argv[2])
options = [('grpc.default_authority', 'api.example.com'), ('grpc.enable_http_proxy', 0)]
answers = []
with grpc.insecure_channel('127.0.0.1:' + port, options=options) as channel:
    for method, metadata in calls:
        call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        try:
            call(b'', metadata=[tuple(pair) for pair in metadata], timeout=20)
            answers.append(['OK', ''])
        except grpc.RpcError as error:
            answers.append([error.code().name, error.details()])
print(json.dumps(answers))
";

#[test]
fn a_grpc_client_gets_the_code_that_says_it() {
    let Some(python) = python_with("grpc") else { return };
    let mut hidden = default_policy();
    hidden["denials"] = json!({"status": {"rule_denied": 404}});
    let proxy = Proxy::start("grpc-client", vec![default_listener(), listener("hidden", hidden, good())]);
    let bearer = |token: &str| json!([["authorization", format!("Bearer {token}")]]);
    let twice = bearer(&format!("{0}, Bearer {0}", token_for("x")));
    let check = |listener: &str, cases: &[(&str, Value, &str, &str)]| {
        let calls: Vec<_> = cases.iter().map(|(method, metadata, ..)| json!([method, metadata])).collect();
        let port = proxy.port(listener).to_string();
        let output = Command::new(&python)
            .args(["-c", SCRIPT, &port, &json!(calls).to_string()])
            .output()
            .expect("python runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let answers: Vec<(String, String)> = serde_json::from_slice(&output.stdout).expect("answers");
        assert_eq!(answers.len(), cases.len());
        for ((method, _, code, part), (found, details)) in cases.iter().zip(answers) {
            assert_eq!(found, *code, "{method}: {details}");
            assert!(details.contains(part) && !details.contains("eyJ"), "{method}: {details}");
        }
    };
    check(
        "default",
        &[
            ("/jwt/Get", json!([]), "UNAUTHENTICATED", "missing_credentials"),
            ("/jwt/Get", bearer(&expired_token()), "UNAUTHENTICATED", "expired"),
            ("/admin/Get", bearer(&scoped_token("x", "read")), "PERMISSION_DENIED", "insufficient_scope"),
            ("/denied/Get", json!([]), "PERMISSION_DENIED", "rule_denied"),
            ("/jwt/Get", twice, "INVALID_ARGUMENT", "ambiguous_credentials"),
            // The service does not support gRPC; only the request that reaches it matters.
            (
                "/jwt/Get",
                json!([["authorization", format!("Bearer {}", token_for("x"))], ["x-case", "grpcio"]]),
                "UNKNOWN",
                "",
            ),
        ],
    );
    let arrived = proxy.arrived("grpcio");
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].all("x-auth-user"), ["x"]);
    check("hidden", &[("/denied/Get", json!([]), "NOT_FOUND", "")]);
    proxy.finish();
}
