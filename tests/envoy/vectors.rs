//! Third-party signatures, verified inside Envoy by Envoy's cryptography and in software.

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{bootstrap, listener};
use authgate_testing::e2e::client::get;
use authgate_testing::e2e::process::{testing_module, validate};
use authgate_testing::third_party::jws_cases;

#[test]
fn envoy_and_the_module_agree_with_all_vectors() {
    let Some(cases) = jws_cases() else { return };
    let count = cases.len();
    let vectors: Vec<Value> = cases
        .into_iter()
        .map(|case| json!({"name": case.name, "jwks": case.jwks, "token": case.token, "valid": case.valid}))
        .collect();
    let with = |vectors: Vec<Value>| {
        let text = json!({ "vectors": vectors }).to_string();
        let listener = listener("vectors", Value::Null, get("/")).of_text(&text).module(testing_module());
        validate("vectors", &bootstrap(&[listener], 1, "/dev/null"))
    };
    let run = with(vectors.clone());
    assert!(run.accepted, "{}", run.output);
    let says = format!(
        "vectors: {count} run twice, 0 wrong; the host verifies: RS256, RS384, RS512, ES256, ES384, ES512"
    );
    assert!(run.output.contains(&says), "{}", run.output);

    // Wrong expectations are detected.
    let mut wrong = vectors;
    for vector in &mut wrong {
        vector["valid"] = json!(!vector["valid"].as_bool().unwrap());
    }
    let run = with(wrong);
    assert!(!run.accepted && run.output.contains(&format!("{} wrong", 2 * count)), "{}", run.output);
}
