//! Invalid configurations: `envoy --mode validate` fails, and its output names the location and shows no secret.

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, bootstrap, listener};
use authgate_testing::e2e::client::get;
use authgate_testing::e2e::fixture::{default_listener, default_policy, good, policy};
use authgate_testing::e2e::process::validate;

/// Every invalid configuration contains one of these; no output may.
const SECRETS: [&str; 4] = [
    "hunter2-is-no-hash",
    "KMxBxzIwEmfvrwjrASLsourzvow5I7eO9CtJaX399s4VEB4MVLi2a",
    "0123456789abcdef-secret",
    "sh0rt",
];

const WRONG: &str = include_str!("../data/e2e/wrong.yaml");

/// Sets a value at a pointer; null removes the member.
fn put(policy: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a JSON Pointer");
    let parent = policy.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
    match (parent, value) {
        (Value::Array(list), value) => list[name.parse::<usize>().expect("an index")] = value,
        (Value::Object(members), Value::Null) => {
            assert!(members.remove(name).is_some(), "nothing at {pointer}")
        }
        (Value::Object(members), value) => drop(members.insert(name.to_owned(), value)),
        _ => panic!("no container at {pointer}"),
    }
}

/// Returns the fault in Envoy's output about a listener's configuration, which must be rejected.
fn fault(name: &str, listener: Listener, expected: &[&str]) -> Option<String> {
    let validation = validate(name, &bootstrap(&[listener], 1, "/dev/null"));
    if validation.accepted {
        return Some("accepted".to_owned());
    }
    let missing: Vec<_> = expected.iter().filter(|text| !validation.output.contains(**text)).collect();
    let shown: Vec<_> = SECRETS.iter().filter(|secret| validation.output.contains(**secret)).collect();
    let crashed = validation.output.contains("panicked") || validation.output.contains("RuntimeError");
    (crashed || !missing.is_empty() || !shown.is_empty()).then(|| {
        format!("crashed: {crashed}, missing: {missing:?}, shown: {shown:?}, output:\n{}", validation.output)
    })
}

/// Checks that every row of a table in `wrong.yaml` is rejected, that its location is named, and that no secret is
/// shown.
fn check(table: &str) {
    let tables: Value = serde_yaml_ng::from_str(WRONG).expect("YAML");
    let base = tables[table]["at"].as_str().expect("a pointer");
    let mut faults = Vec::new();
    for (index, row) in tables[table]["rows"].as_array().expect("rows").iter().enumerate() {
        let mut policy = default_policy();
        let pointer = format!("{base}{}", row["at"].as_str().expect("a pointer"));
        put(&mut policy, &pointer, row["put"].clone());
        let expected: Vec<_> =
            row["says"].as_array().expect("texts").iter().filter_map(Value::as_str).collect();
        // The two forms alternate: both must give the same errors.
        let wrong = listener("wrong", policy, good());
        let wrong = if index % 2 == 0 { wrong } else { wrong.in_a_string() };
        let fault = fault(&format!("{table}-{index}"), wrong, &expected);
        faults.extend(fault.map(|fault| format!("{} at {pointer}: {fault}", row["mistake"])));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn mistakes_of_form_are_refused_with_their_place() {
    check("form");
}

#[test]
fn mistakes_in_rules_are_refused_with_their_place() {
    check("rules");
}

#[test]
fn mistakes_in_users_are_refused_with_their_place() {
    check("basic");
}

#[test]
fn mistakes_in_issuers_are_refused_with_their_place() {
    check("jwt");
}

#[test]
fn a_text_that_is_no_policy_is_refused() {
    let twice = r#"{"realm":"a","realm":"b","rules":[{"public":true}]}"#;
    let deep = "[".repeat(15_000);
    let texts =
        ["", " ", "{", "[]", "null", "\"hunter2-is-no-hash\"", twice, &deep, "{}", "{\"rules\": []}x"];
    for (index, text) in texts.iter().enumerate() {
        let listener = default_listener().of_text(text);
        assert_eq!(fault(&format!("text-{index}"), listener, &[]), None, "{text:.40}");
    }
}

#[test]
fn errors_of_one_file_are_told_together() {
    let mut policy = default_policy();
    put(&mut policy, "/rules/3/require", json!("staf"));
    put(&mut policy, "/rules/5/require/any_of/1", json!("partner"));
    let expected = ["rules[3].require", "rules[5].require.any_of[1]"];
    assert_eq!(fault("together", listener("wrong", policy, good()), &expected), None);
}

#[test]
fn a_right_configuration_is_accepted() {
    let smallest = policy("{rules: [{public: true}]}");
    let annotated =
        policy(r#"{version: 1, $schema: "https://example.com/s", x-notes: [1], rules: [{deny: true}]}"#);
    let listeners = [
        default_listener(),
        default_listener().in_a_string(),
        listener("smallest", smallest, get("/")),
        listener("annotated", annotated, get("/")),
    ];
    for (index, listener) in listeners.into_iter().enumerate() {
        let validation = validate(&format!("right-{index}"), &bootstrap(&[listener], 1, "/dev/null"));
        assert!(validation.accepted, "{index}: {}", validation.output);
    }
}
