//! Step-up authentication ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)): a better login, or a more recent one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{Case, check, denied, passes};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::endpoint::{Endpoint, Reply};
use authgate_testing::e2e::fixture::{ALICE, policy};
use authgate_testing::e2e::idp::Idp;
use authgate_testing::e2e::mint::{claims_but, now, token};
use authgate_testing::e2e::process::root;
use authgate_testing::e2e::proxy::Proxy;

const RULES: &str = r"
- {name: acr, match: {prefix: /acr}, require: idp, authorize: {acr: [phr, mfa]}}
- {name: age, match: {prefix: /age}, require: idp, authorize: {max_auth_age: 5m}}
- {name: both, match: {prefix: /both}, require: idp, authorize: {acr: [phr], max_auth_age: 60s}}
- {name: rest, require: idp}
";

/// Challenges of the rules, after the realm.
const ACR: &str =
    r#"Bearer realm="restricted", error="insufficient_user_authentication", …acr_values="phr mfa""#;
const AGE: &str = r#"Bearer realm="restricted", error="insufficient_user_authentication", …max_age="300""#;
const BOTH: &str =
    r#"Bearer realm="restricted", error="insufficient_user_authentication", …acr_values="phr", max_age="60""#;

/// Returns a listener in front of the API of a provider.
fn api(idp: &Idp) -> Listener {
    let mut policy = policy("{rules: []}");
    policy["authenticators"] = json!({"idp": {"jwt": {
        "issuer": idp.issuer,
        "audiences": ["api"],
        "typ": ["at+jwt"],
        "keys": {"discovery": {"cluster": "idp"}},
    }}});
    policy["rules"] = serde_yaml_ng::from_str(RULES).expect("YAML");
    let public = json!({"name": "public", "match": {"prefix": "/public"}, "public": true});
    policy["rules"].as_array_mut().expect("rules").insert(0, public);
    listener("api", policy, get("/public")).cluster("idp", idp.port)
}

/// Runs a client of the API, which requests these paths one after the other, and returns its report.
fn client(idp: &Idp, proxy: &Proxy, paths: &Value) -> Vec<Value> {
    let mut child = Command::new("node")
        .args(["step_up.mjs", &idp.issuer, &format!("http://127.0.0.1:{}", proxy.port("api"))])
        .current_dir(root().join("tests/idp"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let stdin = child.stdin.take();
    stdin.expect("a pipe").write_all(paths.to_string().as_bytes()).expect("a reading client");
    let output = child.wait_with_output().expect("a client");
    serde_json::from_slice(&output.stdout).expect("a report")
}

#[test]
fn a_client_that_is_challenged_gets_a_better_token_and_passes() {
    for (path, challenge, acr) in [
        ("/acr", json!({"acr_values": "phr mfa"}), "phr"),
        ("/age", json!({"max_age": "300"}), "pwd"),
        ("/both", json!({"acr_values": "phr", "max_age": "60"}), "phr"),
    ] {
        // The user has logged in with a password, an hour ago.
        let Some(idp) = Idp::start() else { return };
        let proxy = Proxy::start("step-up", vec![api(&idp)]);
        let report = client(&idp, &proxy, &json!(["/", path, path]));
        let [plain, challenged, again] = &report[..] else { panic!("{report:#?}") };
        assert_eq!(
            (&plain["first"]["status"], &plain["token"]["acr"]),
            (&json!(200), &json!("pwd")),
            "{plain:#}"
        );
        assert!(plain["token"]["age"].as_u64() >= Some(3600), "{plain:#}");
        assert_eq!(challenged["first"]["status"], 401, "{challenged:#}");
        let found = &challenged["first"]["challenge"];
        assert_eq!(found["error"], "insufficient_user_authentication", "{challenged:#}");
        for name in ["acr_values", "max_age"] {
            assert_eq!(found[name], challenge[name], "{name}: {challenged:#}");
        }
        assert_eq!(challenged["second"]["status"], 200, "{challenged:#}");
        assert_eq!(challenged["token"]["acr"], acr, "{challenged:#}");
        assert!(challenged["token"]["age"].as_u64() < Some(60), "{challenged:#}");
        assert_eq!(again["first"]["status"], 200, "the better token is enough: {again:#}");
        proxy.finish();
    }
}

/// Returns a request with a token that has these claims.
fn with(path: &str, claims: Value) -> Request {
    get(path).bearer(&token("ES256", &claims_but("alice", claims)))
}

#[test]
fn no_missing_or_mistyped_claim_counts_as_a_login() {
    let mut policy = policy(
        r"
        authenticators:
          staff: {basic: {users: {alice: $ALICE}}}
          idp: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}
        rules: []
        ",
    );
    let mut rules: Vec<Value> = serde_yaml_ng::from_str(RULES).expect("YAML");
    rules.insert(
        0,
        json!({"name": "either", "match": {"prefix": "/either"},
        "require": {"any_of": ["staff", "idp"]}, "authorize": {"acr": ["phr", "mfa"]}}),
    );
    policy["rules"] = json!(rules);
    let proxy = Proxy::start("step-up-claims", vec![listener("api", policy, with("/", json!({})))]);
    let refused = |hazard: &str, path: &str, challenge: &str, claims: Value| -> Case {
        denied(hazard, with(path, claims), 401, "insufficient_user_authentication").challenge(&[challenge])
    };
    let (acr, age) = (
        |hazard: &str, value: Value| refused(hazard, "/acr", ACR, json!({"acr": value})),
        |hazard: &str, value: Value| refused(hazard, "/age", AGE, json!({"auth_time": value})),
    );
    check(
        &proxy,
        "api",
        [
            passes("one of the methods", with("/acr", json!({"acr": "mfa"})))
                .upstream("x-auth-user", "alice"),
            acr("no acr", Value::Null),
            acr("another method", json!("pwd")),
            acr("in another case", json!("PHR")),
            acr("both methods as one", json!("phr mfa")),
            acr("a list", json!(["phr"])),
            acr("an object", json!({"phr": true})),
            acr("empty", json!("")),
            acr("with a space", json!("phr ")),
            passes("a recent login", with("/age", json!({"auth_time": now() - 200}))),
            passes("a fraction of a second", with("/age", json!({"auth_time": now() as f64 - 200.5}))),
            age("no auth_time", Value::Null),
            age("an old login", json!(now() - 500)),
            age("text", json!(now().to_string())),
            age("a list", json!([now()])),
            age("true", json!(true)),
            age("negative", json!(-1)),
            age("zero", json!(0)),
            age("an hour in the future", json!(now() + 3600)),
            age("1e300", json!(1e300)),
            refused("the method alone", "/both", BOTH, json!({"acr": "phr"})),
            refused("the time alone", "/both", BOTH, json!({"auth_time": now()})),
            refused(
                "an old login with the method",
                "/both",
                BOTH,
                json!({"acr": "phr", "auth_time": now() - 200}),
            ),
            passes("both", with("/both", json!({"acr": "phr", "auth_time": now()}))),
            // The same token later: a remembered token is not a remembered login.
            passes("a token of another rule", with("/", json!({"acr": "pwd", "auth_time": 1}))),
            refused("the same token here", "/both", BOTH, json!({"acr": "pwd", "auth_time": 1})),
            denied(
                "a password has no acr",
                get("/either").basic("alice", ALICE),
                401,
                "insufficient_user_authentication",
            )
            .any_challenge(),
            passes("a token instead", with("/either", json!({"acr": "phr"}))),
        ],
    );
    proxy.finish();
}

#[test]
fn a_remembered_token_does_not_stay_recent() {
    let text =
        "{authenticators: {idp: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}}, rules: []}";
    let mut policy = policy(text);
    policy["rules"] = json!([
        {"match": {"prefix": "/recent"}, "require": "idp", "authorize": {"max_auth_age": "3s"}},
        {"require": "idp"},
    ]);
    policy["authenticators"]["idp"]["jwt"]["clock_skew"] = json!("0s");
    let proxy = Proxy::start("step-up-cache", vec![listener("api", policy, with("/", json!({})))]);
    let token = token("ES256", &claims_but("alice", json!({"auth_time": now()})));
    let request = get("/recent").bearer(&token);
    assert_eq!(proxy.send("api", &request).status, 200);
    std::thread::sleep(std::time::Duration::from_secs(5));
    let later = proxy.send("api", &request);
    assert_eq!(later.status, 401, "{:?}", later.answer);
    assert_eq!(proxy.send("api", &get("/").bearer(&token)).status, 200, "the token itself is still valid");
    proxy.finish();
}

/// An introspection response says how the user logged in, as a JWT does
/// ([RFC 9470 §6.2](https://www.rfc-editor.org/rfc/rfc9470#section-6.2)).
#[test]
fn an_introspected_token_is_judged_by_its_own_login() {
    let endpoint = Endpoint::start();
    let mut policy = policy("{rules: []}");
    policy["authenticators"] = json!({"idp": {"introspection": {
        "endpoint": "https://idp.example.com/introspect", "cluster": "endpoint",
        "client_id": "gateway", "client_secret": "secret-of-the-gateway", "any_audience": true,
    }}});
    policy["rules"] = serde_yaml_ng::from_str(RULES).expect("YAML");
    let active = |claims: Value| {
        let mut answer = json!({"active": true, "sub": "alice", "exp": now() + 600});
        answer.as_object_mut().expect("an answer").extend(claims.as_object().expect("claims").clone());
        Reply::Json(answer)
    };
    let (weak, strong) = ("an-opaque-token-of-a-password", "an-opaque-token-of-two-factors");
    endpoint.reply(weak, active(json!({"acr": "pwd", "auth_time": now() - 3600})));
    endpoint.reply(strong, active(json!({"acr": "phr", "auth_time": now()})));
    let proxy = Proxy::start(
        "step-up-introspection",
        vec![listener("api", policy, get("/").bearer(strong)).cluster("endpoint", endpoint.port)],
    );
    let challenged = |path: &str, challenge: &str| {
        denied(path, get(path).bearer(weak), 401, "insufficient_user_authentication").challenge(&[challenge])
    };
    // The second time the answer is remembered.
    for _ in 0..2 {
        check(
            &proxy,
            "api",
            [
                challenged("/acr", ACR),
                challenged("/age", AGE),
                challenged("/both", BOTH),
                passes("any login", get("/").bearer(weak)),
            ],
        );
        check(&proxy, "api", ["/acr", "/age", "/both"].map(|path| passes(path, get(path).bearer(strong))));
    }
    proxy.finish();
}
