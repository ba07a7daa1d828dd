//! Requests with two interpretations: authgate denies a request that a service behind it could interpret differently.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{check, denied, passes, refused};
use authgate_testing::e2e::client::{get, request};
use authgate_testing::e2e::fixture::{ALICE, BASIC, INVALID_REQUEST, default_listener, good, policy};
use authgate_testing::e2e::h2;
use authgate_testing::e2e::mint::token_for;
use authgate_testing::e2e::proxy::Proxy;

fn methods() -> Value {
    policy(
        r#"
        authenticators:
          staff: {basic: {users: {alice: $ALICE}}}
        rules:
          - {match: {prefix: /data, methods: [DELETE]}, require: staff}
          - {public: true}
        "#,
    )
}

#[test]
fn a_method_in_lower_case_does_not_reach_a_public_rule_over_http_1() {
    let proxy = Proxy::start("methods", vec![listener("methods", methods(), get("/data"))]);
    check(
        &proxy,
        "methods",
        [
            denied("DELETE", request("DELETE", "/data"), 401, "missing_credentials").challenge(&[BASIC]),
            // Over HTTP/1.1, Envoy 1.40.0 itself rejects these with an empty 400; over HTTP/2 they reach the filter.
            refused("delete", request("delete", "/data")),
            refused("Delete", request("Delete", "/data").basic("alice", ALICE)),
            passes("DELETE, as alice", request("DELETE", "/data").basic("alice", ALICE)),
        ],
    );
    proxy.finish();
}

#[test]
fn a_method_in_lower_case_does_not_reach_a_public_rule_over_http_2() {
    let proxy = Proxy::start("methods-h2", vec![listener("methods", methods(), get("/data"))]);
    let mut connection = h2::Connection::open(proxy.port("methods")).expect("a connection");
    let alice = format!("Basic {}", BASE64_STANDARD.encode(format!("alice:{ALICE}")));
    for (method, path, credentials, expected) in [
        ("DELETE", "/data", None, 401),
        ("delete", "/data", None, 400),
        ("Delete", "/data", Some(&alice), 400),
        ("DELETE", "/data", Some(&alice), 200),
        ("delete", "/other", None, 200),
    ] {
        let fields: Vec<_> = credentials.iter().map(|value| ("authorization", value.as_str())).collect();
        let (id, frame) = connection.request(method, path, &fields, true);
        connection.send(&frame).expect("a request");
        assert_eq!(connection.status(id).expect("an answer"), expected, "{method} {path} {credentials:?}");
    }
    proxy.finish();
}

#[test]
fn connection_cannot_name_identity() {
    let proxy = Proxy::start("bad-connection", vec![default_listener().upgrades()]);
    let upgrade = |path: &str, options: &str| {
        get(path)
            .basic("alice", ALICE)
            .field("Connection", format!("Upgrade{options}"))
            .field("Upgrade", "websocket")
    };
    check(
        &proxy,
        "default",
        [
            denied("identity", upgrade("/basic", ", x-auth-user"), 400, "bad_connection"),
            denied("another spelling", upgrade("/basic", ",X_Auth_By"), 400, "bad_connection"),
            denied("a removed name", upgrade("/public", ", x-forwarded-user"), 400, "bad_connection"),
            denied("a credential", upgrade("/basic", ", authorization"), 400, "bad_connection"),
            // Envoy 1.40.0 forwards the header unchanged, which is why the others are denied.
            passes("another header", upgrade("/basic", ", x-other"))
                .upstream("connection", "Upgrade, x-other"),
        ],
    );
    proxy.finish();
}

#[test]
fn credentials_that_only_a_lenient_server_finds() {
    let cookies = policy(
        r#"
        authenticators:
          web:
            jwt:
              issuer: $ISSUER
              audiences: [api]
              keys: {jwks: $JWKS}
              from: [{query: access_token}, {cookie: session}, {header: authorization, scheme: Bearer}, {header: x-jwt}]
        rules:
          - {require: web}
        "#,
    );
    let proxy = Proxy::start("lenient", vec![listener("lenient", cookies, good())]);
    let token = token_for("t");
    let ambiguous = |name: &str, request| {
        denied(name, request, 400, "ambiguous_credentials").challenge(&[INVALID_REQUEST])
    };
    let cookie = |value: &str| get("/x").field("Cookie", value.replace("TOKEN", &token));
    check(
        &proxy,
        "lenient",
        [
            ambiguous("a space", cookie("a=1 session=FORGED; session=TOKEN")),
            ambiguous("a tab", cookie("a=1\tsession=FORGED; session=TOKEN")),
            ambiguous("a comma", cookie("session=TOKEN; a=1,session=FORGED")),
            ambiguous("a semicolon", get(format!("/x?a=1;access_token=FORGED&access_token={token}"))),
            passes("words", cookie("a=my session; session=TOKEN")).upstream("cookie", "a=my session"),
            passes("another spelling", get("/x").field("x-jwt", &token).field("x_jwt", "FORGED"))
                .upstream_lacks("x_jwt"),
        ],
    );
    let trailers = |name: &'static str| {
        let request = get("/x").bearer(&token).chunked("body", &[("x-checksum", "1"), (name, "FORGED")]);
        passes(name.to_owned(), request).upstream("x-checksum", "1").upstream_lacks(name)
    };
    check(&proxy, "lenient", ["Authorization", "x-jwt", "X_Jwt", "cookie"].map(trailers));
    proxy.finish();
}
