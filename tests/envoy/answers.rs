//! Each row of the response table that this version can reach: allowed, or denied with status, challenge and reason.

use serde_json::json;

use authgate_testing::e2e::check::{Case, check, denied, passes};
use authgate_testing::e2e::client::{get, request};
use authgate_testing::e2e::fixture::{
    ALICE, BASIC, BEARER, BEARER_ADMIN, BOB, INSUFFICIENT_SCOPE, INVALID_REQUEST, INVALID_TOKEN,
    default_listener,
};
use authgate_testing::e2e::mint::{claims_but, expired_token, scoped_token, token, token_for};
use authgate_testing::e2e::proxy::Proxy;

#[test]
fn every_row_of_the_answer_table() {
    let proxy = Proxy::start("answers", vec![default_listener()]);
    for table in [no_credentials(), unsupported(), ambiguous(), malformed(), wrong(), forbidden()] {
        check(&proxy, "default", table);
    }
    check(&proxy, "default", grpc_and_head());
    proxy.finish();
}

fn no_credentials() -> Vec<Case> {
    vec![
        passes("a public route asks for nothing", get("/healthz")).anonymous(),
        passes("a public route touches no credential", get("/public").basic("x", "y"))
            .upstream("authorization", "Basic eDp5"),
        passes("optional lets the anonymous pass", get("/optional")).anonymous(),
        denied("Basic is asked for", get("/basic"), 401, "missing_credentials").challenge(&[BASIC]),
        denied("Bearer is asked for", get("/jwt"), 401, "missing_credentials").challenge(&[BEARER]),
        denied("both are asked for", get("/either"), 401, "missing_credentials").challenge(&[BASIC, BEARER]),
        denied("in the rule's order", get("/reversed"), 401, "missing_credentials")
            .challenge(&[BEARER, BASIC]),
        denied("equal challenges go out once", get("/issuers"), 401, "missing_credentials")
            .challenge(&[BEARER]),
        denied("the scope is named", get("/admin"), 401, "missing_credentials").challenge(&[BEARER_ADMIN]),
    ]
}

fn unsupported() -> Vec<Case> {
    let code = "unsupported_scheme";
    vec![
        denied("Basic where Bearer is asked for", get("/jwt").basic("alice", ALICE), 401, code)
            .challenge(&[BEARER]),
        denied("Bearer where Basic is asked for", get("/basic").bearer(&token_for("x")), 401, code)
            .challenge(&[BASIC]),
        denied(
            "a scheme of which we know nothing",
            get("/either").authorization("Negotiate YII="),
            401,
            code,
        )
        .challenge(&[BASIC, BEARER]),
        denied("the scope is named here too", get("/admin").basic("alice", ALICE), 401, code)
            .challenge(&[BEARER_ADMIN]),
        denied("optional takes it for something", get("/optional").authorization("Digest x=y"), 401, code)
            .challenge(&[BASIC, BEARER]),
    ]
}

fn ambiguous() -> Vec<Case> {
    let code = "ambiguous_credentials";
    let bearer = format!("Bearer {}", token_for("x"));
    let two = |path| get(path).authorization(&bearer).authorization(&bearer);
    let joined = |path| get(path).authorization(format!("{bearer}, {bearer}"));
    vec![
        denied("two Authorization fields", two("/jwt"), 400, code).challenge(&[INVALID_REQUEST]),
        denied("a comma-joined one", joined("/jwt"), 400, code).challenge(&[INVALID_REQUEST]),
        denied("two, of which one is right", two("/either"), 400, code).challenge(&[INVALID_REQUEST]),
        denied("two Basic ones", get("/basic").basic("alice", ALICE).basic("bob", BOB), 400, code),
        denied("two with optional", two("/optional"), 400, code).challenge(&[INVALID_REQUEST]),
    ]
}

fn malformed() -> Vec<Case> {
    let code = "malformed_credentials";
    let basic = |value: &str| get("/basic").authorization(format!("Basic {value}"));
    let bearer = |value: &str| get("/jwt").authorization(format!("Bearer {value}"));
    let mut cases = vec![
        passes("the scheme in another case", get("/basic").authorization("bAsIC Ym9iOmNhbi13ZS1maXgtaXQ="))
            .identity("bob", "staff"),
        passes("several spaces", get("/basic").authorization("Basic   Ym9iOmNhbi13ZS1maXgtaXQ="))
            .identity("bob", "staff"),
        denied("a user without a name", get("/basic").basic("", "password"), 401, code).challenge(&[BASIC]),
        denied("a NUL in the password", get("/basic").basic_bytes(b"alice:a\0b"), 401, code)
            .challenge(&[BASIC]),
        denied("a control character in the user", get("/basic").basic_bytes(b"al\x07ice:x"), 401, code)
            .challenge(&[BASIC]),
        denied("no UTF-8", get("/basic").basic_bytes(b"alice:\xff\xfe"), 401, code).challenge(&[BASIC]),
    ];
    let basics =
        ["", "=", "!!!!", "YWxpY2U=", "YWxpY2U6eA", "YWxpY2U6eB==", "YWxpY2U6eA== x", "YWxpY2U6_-8="];
    cases.extend(
        basics.map(|value| denied(format!("Basic {value:?}"), basic(value), 401, code).challenge(&[BASIC])),
    );
    let token = token_for("x");
    let bearers = [
        String::new(),
        "x".to_owned(),
        "a.b".to_owned(),
        format!("{token}.x"),
        format!("{token}="),
        token.replacen("eyJ", "eyJ+", 1),
        token.replace('.', ".."),
        "..".to_owned(),
    ];
    cases.extend(bearers.map(|value| {
        denied(format!("Bearer {}", value.chars().take(20).collect::<String>()), bearer(&value), 401, code)
            .challenge(&[INVALID_TOKEN])
    }));
    cases
}

fn wrong() -> Vec<Case> {
    let code = "invalid_credentials";
    let expired = expired_token();
    vec![
        passes("alice", get("/basic").basic("alice", ALICE))
            .identity("alice", "staff")
            .upstream_lacks("authorization"),
        passes("alice, optional", get("/optional").basic("alice", ALICE)).identity("alice", "staff"),
        passes("a token", get("/jwt").bearer(&token_for("t")))
            .identity("t", "partners")
            .upstream_lacks("authorization"),
        passes("either: Basic", get("/either").basic("bob", BOB)).identity("bob", "staff"),
        passes("either: Bearer", get("/either").bearer(&token_for("t"))).identity("t", "partners"),
        denied("a wrong password", get("/basic").basic("alice", "guess"), 401, code).challenge(&[BASIC]),
        denied("another's password", get("/basic").basic("alice", BOB), 401, code).challenge(&[BASIC]),
        denied("an unknown user", get("/basic").basic("mallory", ALICE), 401, code).challenge(&[BASIC]),
        denied("a user's name is case-sensitive", get("/basic").basic("Alice", ALICE), 401, code)
            .challenge(&[BASIC]),
        denied("no password", get("/basic").basic("alice", ""), 401, code).challenge(&[BASIC]),
        denied("a password of 1,025 bytes", get("/basic").basic("alice", &"a".repeat(1025)), 401, code)
            .challenge(&[BASIC]),
        denied("optional does not take a wrong one", get("/optional").basic("alice", "guess"), 401, code)
            .challenge_first(&[BASIC]),
        denied("that scheme comes first", get("/reversed").basic("alice", "guess"), 401, code)
            .challenge_first(&[BASIC]),
        denied("a token that has run out", get("/jwt").bearer(&expired), 401, "expired")
            .challenge(&[INVALID_TOKEN]),
        denied(
            "the error is on the scheme that was presented",
            get("/reversed").bearer(&expired),
            401,
            "expired",
        )
        .challenge_first(&[INVALID_TOKEN]),
    ]
}

fn forbidden() -> Vec<Case> {
    let team = |team: &str| token("ES256", &claims_but("x", json!({"org": {"team": team}})));
    vec![
        passes("the scope is there", get("/admin").bearer(&scoped_token("root", "read admin")))
            .identity("root", "partners"),
        denied("it is not", get("/admin").bearer(&scoped_token("x", "read")), 403, "insufficient_scope")
            .challenge(&[INSUFFICIENT_SCOPE]),
        denied(
            "a longer word",
            get("/admin").bearer(&scoped_token("x", "admins")),
            403,
            "insufficient_scope",
        )
        .challenge(&[INSUFFICIENT_SCOPE]),
        passes("the right subject", get("/alice").basic("alice", ALICE)).identity("alice", "staff"),
        denied("another subject", get("/alice").basic("bob", BOB), 403, "not_authorized"),
        passes("the claim holds", get("/team").bearer(&team("ops"))).upstream("x-auth-team", "ops"),
        denied("the claim does not hold", get("/team").bearer(&team("sales")), 403, "not_authorized"),
        denied("the claim is absent", get("/team").bearer(&token_for("x")), 403, "not_authorized"),
        denied(
            "a body does not slip past",
            request("POST", "/basic").chunked("body", &[("x", "y")]),
            401,
            "missing_credentials",
        )
        .challenge(&[BASIC]),
        denied("a rule that denies", get("/denied"), 403, "rule_denied"),
        denied("whoever asks", get("/denied").basic("alice", ALICE), 403, "rule_denied"),
        denied("no rule", get("/elsewhere"), 403, "no_rule"),
        denied("a segment is more than its start", get("/basically").basic("alice", ALICE), 403, "no_rule"),
        passes("a method that the rule names", get("/writes")),
        denied("a method that it excepts", request("POST", "/writes"), 403, "rule_denied"),
        denied("GET does not imply HEAD", request("HEAD", "/writes"), 403, "rule_denied"),
        denied(
            "no header overrides the method",
            request("POST", "/writes").field("x-http-method-override", "GET"),
            403,
            "rule_denied",
        ),
    ]
}

fn grpc_and_head() -> Vec<Case> {
    vec![
        passes("HEAD passes", request("HEAD", "/basic").basic("alice", ALICE)).identity("alice", "staff"),
        denied("HEAD is denied alike", request("HEAD", "/either"), 401, "").challenge(&[BASIC, BEARER]),
        denied("with its reason's challenge", request("HEAD", "/jwt").bearer("x"), 401, "")
            .challenge(&[INVALID_TOKEN]),
    ]
}

#[test]
fn a_grpc_client_gets_a_grpc_status() {
    let proxy = Proxy::start("grpc", vec![default_listener()]);
    let expired = expired_token();
    let bearer = format!("Bearer {}", token_for("x"));
    let call = |path| request("POST", path).chunked("", &[]);
    let cases = [
        ("/jwt", call("/jwt"), "16"),
        ("/jwt expired", call("/jwt").bearer(&expired), "16"),
        ("/denied", call("/denied"), "7"),
        ("/admin", call("/admin").bearer(&scoped_token("x", "read")), "7"),
        ("/jwt twice", call("/jwt").authorization(&bearer).authorization(&bearer), "3"),
    ];
    for (name, call, status) in cases {
        for content_type in ["application/grpc", "application/grpc+proto"] {
            let exchange = proxy.send("default", &call.clone().field("content-type", content_type));
            let found = (exchange.status, exchange.answer.all("grpc-status"));
            assert_eq!(found, (200, vec![status]), "{name}, {content_type}: {:?}", exchange.answer);
            assert!(exchange.upstream.is_empty(), "{name} reached upstream");
            let message = exchange.answer.all("grpc-message").concat();
            assert!(message.len() < 200 && !message.contains("eyJ"), "{name}: {message}");
            let caching = (exchange.answer.all("cache-control"), exchange.answer.all("vary"));
            assert_eq!(caching, (vec!["no-store"], vec!["Accept"]), "{name}, {content_type}");
        }
    }
    // A content type that Envoy does not consider gRPC gets an HTTP status; otherwise a denial would be a plain 200.
    for content_type in [
        "application/grpc;x",
        "application/grpc ; charset=utf-8",
        "application/grpc-web",
        "application/grpcx",
        "Application/gRPC",
        "application/grpc,application/grpc",
        "x,application/grpc",
    ] {
        let exchange = proxy.send("default", &call("/jwt").field("content-type", content_type));
        let found = (exchange.status, exchange.answer.all("grpc-status"));
        assert_eq!(found, (401, vec![]), "{content_type}: {:?}", exchange.answer);
        assert_eq!(exchange.answer.all("cache-control"), ["no-store"], "{content_type}");
    }
    let twice =
        call("/jwt").field("content-type", "application/grpc").field("content-type", "application/grpc");
    let exchange = proxy.send("default", &twice);
    assert_eq!((exchange.status, exchange.answer.all("grpc-status")), (401, vec![]), "{:?}", exchange.answer);
    proxy.finish();
}
