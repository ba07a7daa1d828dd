//! Wrong configurations: `envoy --mode validate` fails, its output names the place and shows no secret.

use serde_json::{Value, json};

use crate::bootstrap::{Listener, bootstrap, listener};
use crate::client::get;
use crate::house::{good, house, house_listener, policy};
use crate::process::validate;

/// In every wrong configuration somewhere; in no output.
const SECRETS: [&str; 4] = [
    "hunter2-is-no-hash",
    "KMxBxzIwEmfvrwjrASLsourzvow5I7eO9CtJaX399s4VEB4MVLi2a",
    "0123456789abcdef-secret",
    "sh0rt",
];

/// Where the house's policy goes wrong: a JSON Pointer, the value put there, and what the output must hold.
type Wrong = (&'static str, &'static str, Value, &'static [&'static str]);

fn wrong() -> Vec<Wrong> {
    let staff = "/authenticators/staff/basic";
    let jwt = "/authenticators/partners/jwt";
    let mut table: Vec<Wrong> = vec![
        ("a mistyped field at the top", "/rulez", json!([]), &["rulez", "did you mean", "rules"]),
        ("no rules", "/rules", Value::Null, &["rules"]),
        (
            "a mistyped scheme",
            "/authenticators/x",
            json!({"basik": {}}),
            &["authenticators.x", "basik", "did you mean", "basic"],
        ),
        ("no scheme", "/authenticators/x", json!({}), &["authenticators.x"]),
        ("two schemes", "/authenticators/staff/jwt", json!({"issuer": "x"}), &["authenticators.staff"]),
        (
            "a mistyped field of a scheme",
            "/authenticators/partners/jwt/audience",
            json!(["api"]),
            &["authenticators.partners.jwt", "did you mean", "audiences"],
        ),
        (
            "a scheme of a later version",
            "/authenticators/x",
            json!({"api_key": {"keys": []}}),
            &["authenticators.x", "api_key"],
        ),
        ("a feature of a later version", "/shadow", json!(true), &["shadow"]),
        (
            "a rule for an authenticator that is mistyped",
            "/rules/3/require",
            json!("staf"),
            &["rules[3].require", "did you mean", "staff"],
        ),
        (
            "nested, too",
            "/rules/5/require/any_of/1",
            json!("partner"),
            &["rules[5].require.any_of[1]", "did you mean", "partners"],
        ),
        ("an empty any_of", "/rules/5/require/any_of", json!([]), &["rules[5].require"]),
        ("neither public nor deny nor require", "/rules/0/public", Value::Null, &["rules[0]"]),
        ("both public and require", "/rules/0/require", json!("staff"), &["rules[0]"]),
        ("optional with authorize", "/rules/13/optional", json!(true), &["rules[13]", "optional"]),
        ("two rules of one name", "/rules/1/name", json!("public"), &["rules[1].name"]),
        ("a glob in a prefix", "/rules/3/match/prefix", json!("/basic/*"), &["rules[3].match"]),
        ("a template in a path", "/rules/0/match/0/path", json!("/users/{id}"), &["rules[0].match[0].path"]),
        ("a regex that is none", "/rules/3/match", json!({"regex": "("}), &["rules[3].match.regex"]),
        ("two kinds of path", "/rules/3/match/path", json!("/x"), &["rules[3].match"]),
        ("a method in lower case", "/rules/3/match/methods", json!(["get"]), &["rules[3].match.methods"]),
        ("no network", "/rules/3/match/sources", json!(["10.0.0.0/33"]), &["rules[3].match.sources"]),
        (
            "all_of that reads one place twice",
            "/rules/10/require/all_of",
            json!(["staff", "partners"]),
            &["rules[10].require"],
        ),
        (
            "identity in a hop-by-hop field",
            "/identity/headers/connection",
            json!("{subject}"),
            &["identity.headers", "connection"],
        ),
        (
            "identity in a pseudo field",
            "/identity/headers/:path",
            json!("{subject}"),
            &["identity.headers", ":path"],
        ),
        (
            "identity in a field that is read",
            "/identity/headers/x-jwt",
            json!("{subject}"),
            &["identity.headers", "x-jwt"],
        ),
        (
            "an unknown placeholder",
            "/identity/headers/x-auth-user",
            json!("{subjet}"),
            &["identity.headers", "x-auth-user"],
        ),
    ];
    let of_staff: [(_, _, Value, &[_]); 9] = [
        ("no hash", "/users/eve", json!("hunter2-is-no-hash"), &["authenticators.staff.basic.users.eve"]),
        ("an empty hash", "/users/eve", json!(""), &["authenticators.staff.basic.users.eve"]),
        (
            "a truncated hash",
            "/users/eve",
            json!("$2y$04$KMxBxzIwEmfvrwjrASLsour"),
            &["authenticators.staff.basic.users.eve"],
        ),
        (
            "DES",
            "/htpasswd",
            json!("ok:$2y$04$KMxBxzIwEmfvrwjrASLsourzvow5I7eO9CtJaX399s4VEB4MVLi2a\neve:rqXexS6ZhobKA\n"),
            &["authenticators.staff.basic.htpasswd", "line 2"],
        ),
        (
            "no colon",
            "/htpasswd",
            json!("# users\n\nhunter2-is-no-hash\n"),
            &["authenticators.staff.basic.htpasswd", "line 3"],
        ),
        (
            "plain text without leave",
            "/htpasswd",
            json!("eve:{PLAIN}hunter2-is-no-hash"),
            &["authenticators.staff.basic", "allow_plaintext"],
        ),
        (
            "a duplicate user",
            "/htpasswd",
            json!("alice:$2y$04$KMxBxzIwEmfvrwjrASLsourzvow5I7eO9CtJaX399s4VEB4MVLi2a"),
            &["authenticators.staff.basic", "alice"],
        ),
        (
            "bcrypt of cost 13",
            "/users/eve",
            json!("$2y$13$KMxBxzIwEmfvrwjrASLsourzvow5I7eO9CtJaX399s4VEB4MVLi2a"),
            &["authenticators.staff.basic.users.eve"],
        ),
        (
            "a variable that is not there",
            "/users/eve",
            json!({"env": "NO_SUCH_VARIABLE"}),
            &["authenticators.staff.basic.users.eve", "NO_SUCH_VARIABLE"],
        ),
    ];
    let of_jwt: [(_, _, Value, &[_]); 10] = [
        ("no issuer", "/issuer", Value::Null, &["authenticators.partners.jwt", "issuer"]),
        ("no audience", "/audiences", Value::Null, &["authenticators.partners.jwt", "audiences"]),
        ("no keys", "/keys", json!({}), &["authenticators.partners.jwt.keys"]),
        (
            "two kinds of keys",
            "/keys/secret",
            json!({"value": "0123456789abcdef-secret-0123456789", "algorithm": "HS256"}),
            &["authenticators.partners.jwt.keys"],
        ),
        (
            "a set without a usable key",
            "/keys/jwks",
            json!({"keys": []}),
            &["authenticators.partners.jwt.keys.jwks"],
        ),
        (
            "a PEM that is none",
            "/keys",
            json!({"pem": {"key": "hunter2-is-no-hash", "algorithm": "RS256"}}),
            &["authenticators.partners.jwt.keys.pem"],
        ),
        (
            "a secret that is too short",
            "/keys",
            json!({"secret": {"value": "sh0rt", "algorithm": "HS256"}}),
            &["authenticators.partners.jwt.keys.secret"],
        ),
        ("alg none", "/algorithms", json!(["none"]), &["authenticators.partners.jwt.algorithms"]),
        ("no duration", "/clock_skew", json!("sixty"), &["authenticators.partners.jwt.clock_skew"]),
        ("a number for a duration", "/clock_skew", json!(60), &["authenticators.partners.jwt.clock_skew"]),
    ];
    let beneath = |base: &'static str, rows: Vec<Wrong>| {
        rows.into_iter().map(move |(name, path, value, expected)| {
            let pointer: &'static str = Box::leak(format!("{base}{path}").into_boxed_str());
            (name, pointer, value, expected)
        })
    };
    table.extend(beneath(staff, of_staff.to_vec()));
    table.extend(beneath(jwt, of_jwt.to_vec()));
    table
}

/// Puts a value at a pointer; a null takes the member out.
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

/// What is wrong with what Envoy says of a listener's configuration, which has to be refused.
fn fault(index: usize, listener: Listener, expected: &[&str]) -> Option<String> {
    let validation = validate(&format!("wrong-{index}"), &bootstrap(&[listener], 1, "/dev/null"));
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

#[test]
fn a_wrong_configuration_of_each_kind_is_refused_with_its_place() {
    let mut faults = Vec::new();
    for (index, (name, pointer, value, expected)) in wrong().into_iter().enumerate() {
        let mut policy = house();
        put(&mut policy, pointer, value);
        let wrong = listener("wrong", policy, good());
        // The two forms take turns: both have to end in the same errors.
        let wrong = if index % 2 == 0 { wrong } else { wrong.in_a_string() };
        faults.extend(fault(index, wrong, expected).map(|fault| format!("{name} at {pointer}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_text_that_is_no_policy_is_refused() {
    let twice = r#"{"realm":"a","realm":"b","rules":[{"public":true}]}"#;
    let deep = "[".repeat(15_000);
    let texts =
        ["", " ", "{", "[]", "null", "\"hunter2-is-no-hash\"", twice, &deep, "{}", "{\"rules\": []}x"];
    for (index, text) in texts.iter().enumerate() {
        let listener = house_listener().of_text(text);
        assert_eq!(fault(100 + index, listener, &[]), None, "{text:.40}");
    }
}

#[test]
fn errors_of_one_file_are_told_together() {
    let mut policy = house();
    put(&mut policy, "/rules/3/require", json!("staf"));
    put(&mut policy, "/rules/5/require/any_of/1", json!("partner"));
    let expected = ["rules[3].require", "rules[5].require.any_of[1]"];
    assert_eq!(fault(200, listener("wrong", policy, good()), &expected), None);
}

#[test]
fn a_right_configuration_is_accepted() {
    let smallest = policy("{rules: [{public: true}]}");
    let annotated =
        policy(r#"{version: 1, $schema: "https://example.com/s", x-notes: [1], rules: [{deny: true}]}"#);
    let listeners = [
        house_listener(),
        house_listener().in_a_string(),
        listener("smallest", smallest, get("/")),
        listener("annotated", annotated, get("/")),
    ];
    for (index, listener) in listeners.into_iter().enumerate() {
        let validation = validate(&format!("right-{index}"), &bootstrap(&[listener], 1, "/dev/null"));
        assert!(validation.accepted, "{index}: {}", validation.output);
    }
}
