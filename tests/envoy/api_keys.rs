//! API keys in headers, the query and cookies, including two keys of one client during a rotation.

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{Case, check, denied, passes, refused};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::{ALICE, BASIC, policy};
use authgate_testing::e2e::proxy::Proxy;

/// Each key with its digest from `printf %s KEY | sha256sum`.
const CI: (&str, &str) =
    ("ci-key-5f0c1d9a7e", "d2f8b97303ad0497b907ecb2a3abf7e434fe22e44f57f755b0575f8cbb6469d4");
const OLD: (&str, &str) =
    ("robot-key-1-04be93", "197ac5f2fb6d16d46c3be3dd98192b97fa1d1a534e7cbf39c714d6f8ef79dbf8");
const NEW: (&str, &str) =
    ("robot-key-2-c1d07f", "de36a81d744eab1880f75912f57a371ca0346cefa0c72c08ddc61574844036ec");
const PAST: (&str, &str) =
    ("robot-key-0-77aa10", "e478faaa98ca7be5b50f7b2c23cd7951f263dd2fe91e59cf4486874aba4fd78f");

const HEADER: &str = r#"ApiKey realm="restricted", in="header", name="x-api-key""#;

fn keys() -> Value {
    let mut policy = policy(
        r#"
        authenticators:
          staff: {basic: {users: {alice: $ALICE}}}
          machines: {api_key: {from: [{header: x-api-key}, {query: api_key}, {cookie: api_key}], keys: []}}
          scheme: {api_key: {from: [{header: authorization, scheme: ApiKey}], keys: []}}
        rules:
          - {match: {prefix: /public}, public: true}
          - {match: {prefix: /deploy}, require: machines, authorize: {scopes: [deploy]}}
          - {match: {prefix: /either}, require: {any_of: [staff, machines]}}
          - {match: {prefix: /both}, require: {all_of: [machines, staff]}}
          - {match: {prefix: /scheme}, require: scheme}
          - {require: machines}
        identity: {headers: {x-auth-user: "{subject}", x-auth-by: "{authenticator}", x-auth-team: "{claim:team}"}}
        "#,
    );
    let keys = json!([
        {"id": "ci", "sha256": {"env": "CI_KEY"}, "scopes": ["deploy"], "claims": {"team": "web"}},
        {"id": "robot", "sha256": OLD.1, "not_after": "2999-01-01T00:00:00Z"},
        {"id": "robot", "sha256": NEW.1, "not_before": "2020-01-01T00:00:00Z"},
        {"id": "robot", "sha256": PAST.1, "not_after": "2020-01-01T00:00:00Z"},
    ]);
    for name in ["machines", "scheme"] {
        policy["authenticators"][name]["api_key"]["keys"] = keys.clone();
    }
    policy
}

#[test]
fn keys_in_every_place() {
    let key = |path: &str, key: &str| get(path).field("x-api-key", key);
    let environment = json!({"host_env_keys": ["CI_KEY"]});
    let listener = listener("keys", keys(), key("/", OLD.0)).environment(environment);
    let proxy = Proxy::start_with("api-keys", vec![listener], &[("CI_KEY", CI.1)]);
    let wrong = |hazard: &str, request: Request| -> Case {
        denied(hazard, request, 401, "invalid_credentials").challenge(&[HEADER])
    };
    let ambiguous = |hazard: &str, request: Request| denied(hazard, request, 400, "ambiguous_credentials");
    check(
        &proxy,
        "keys",
        [
            passes("a digest from the environment", key("/", CI.0))
                .identity("ci", "machines")
                .upstream("x-auth-team", "web")
                .upstream_lacks("x-api-key"),
            passes("a scope", key("/deploy", CI.0)).identity("ci", "machines"),
            passes("the old one of two", key("/", OLD.0)).identity("robot", "machines"),
            passes("the new one of two", key("/", NEW.0)).identity("robot", "machines"),
            passes("again, from memory", key("/", NEW.0)).identity("robot", "machines"),
            wrong("one that has run out", key("/", PAST.0)),
            wrong("a wrong one", key("/", "ci-key-5f0c1d9a7f")),
            wrong("one byte more", key("/", "ci-key-5f0c1d9a7e0")),
            wrong("a digest", key("/", CI.1)),
            wrong("bytes outside ASCII", get("/").field("x-api-key", b"\xff\xfe\x80key")),
            denied("none", get("/"), 401, "missing_credentials").challenge(&[HEADER]),
            denied("an empty one", key("/", ""), 401, "malformed_credentials").challenge(&[HEADER]),
            denied("a long one", key("/", &"k".repeat(1025)), 401, "malformed_credentials")
                .challenge(&[HEADER]),
            denied("no scope", key("/deploy", OLD.0), 403, "insufficient_scope"),
            ambiguous("two fields", key("/", CI.0).field("x-api-key", CI.0)),
            ambiguous("two in one field", key("/", &format!("{}, {}", CI.0, CI.0))),
            ambiguous("a field and the query", key(&format!("/?api_key={}", CI.0), CI.0)),
            ambiguous("one of two is wrong", key("/?api_key=wrong", CI.0)),
            passes("query", get(format!("/q?a=1&api_key={}&b", CI.0)))
                .identity("ci", "machines")
                .upstream_target("/q?a=1&b"),
            passes("cookie", get("/").field("cookie", format!("a=1; api_key={}", CI.0)))
                .identity("ci", "machines")
                .upstream("cookie", "a=1"),
            denied(
                "a cookie alone changes nothing",
                request("POST", "/").field("cookie", format!("api_key={}", CI.0)),
                403,
                "cross_origin",
            ),
            passes(
                "a cookie from our own page",
                request("POST", "/")
                    .field("cookie", format!("api_key={}", CI.0))
                    .field("sec-fetch-site", "same-origin"),
            )
            .identity("ci", "machines"),
            passes("a field needs no page", request("POST", "/").field("x-api-key", CI.0)),
            passes("public", get(format!("/public?api_key={}", CI.0)).field("x-api-key", "kept-as-it-is"))
                .anonymous()
                .upstream("x-api-key", "kept-as-it-is"),
            passes("one of two schemes", key("/either", CI.0)).identity("ci", "machines"),
            passes("both", key("/both", CI.0).basic("alice", ALICE)).identity("ci", "machines"),
            denied("one of both", key("/both", CI.0), 401, "missing_credentials").challenge(&[HEADER, BASIC]),
            denied("neither", get("/either"), 401, "missing_credentials").challenge(&[BASIC, HEADER]),
            passes("an auth-scheme", get("/scheme").authorization(format!("ApiKey {}", CI.0)))
                .identity("ci", "scheme")
                .upstream_lacks("authorization"),
            denied(
                "another auth-scheme",
                get("/scheme").authorization(format!("Bearer {}", CI.0)),
                401,
                "unsupported_scheme",
            )
            .challenge(&[r#"ApiKey realm="restricted", in="header", name="authorization""#]),
            refused("a line that is folded", get("/").field("x-api-key", format!("a\r\n {}", CI.0))),
        ],
    );
    let exchange = proxy.send("keys", &get("/q?api_key=wrong-key-of-mine&a"));
    let line = proxy.access_log_line(&exchange);
    assert!(exchange.status == 401 && !line.contains("wrong-key"), "{line}");
    proxy.finish();
}
