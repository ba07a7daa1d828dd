//! Formats of denials as clients receive them, and hidden reasons.

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::{ALICE, BASIC, BEARER, default_policy, good};
use authgate_testing::e2e::mint::scoped_token;
use authgate_testing::e2e::proxy::{Exchange, Proxy};

/// The default policy with other `denials`.
fn with(name: &'static str, denials: Value) -> Listener {
    let mut policy = default_policy();
    policy["denials"] = denials;
    listener(name, policy, good())
}

/// Checks status, content type, `Vary`, and texts in the body.
fn check(
    proxy: &Proxy,
    listener: &str,
    sent: &Request,
    expected: (u16, Option<&str>, bool, &[&str]),
) -> Exchange {
    let (status, content_type, is_negotiated, parts) = expected;
    let exchange = proxy.send(listener, sent);
    let answer = &exchange.answer;
    let vary: &[&str] = if is_negotiated { &["Accept"] } else { &[] };
    let faults = [
        (exchange.status == status, "the status"),
        (answer.all("content-type") == content_type.into_iter().collect::<Vec<_>>(), "the content type"),
        (answer.all("vary") == vary, "Vary"),
        (answer.all("cache-control") == ["no-store"], "Cache-Control"),
        (exchange.upstream.is_empty(), "upstream was reached"),
        (parts.iter().all(|part| answer.body.contains(part)), "the body"),
    ];
    for (_, what) in faults.iter().filter(|(is_right, _)| !is_right) {
        proxy.fault(format!("{listener}: {sent}: {what}: {answer:?}"));
    }
    exchange
}

const TEXT: Option<&str> = Some("text/plain; charset=utf-8");
const HTML: Option<&str> = Some("text/html; charset=utf-8");
const PROBLEM: Option<&str> = Some("application/problem+json");

#[test]
fn each_client_gets_the_form_that_it_likes() {
    let proxy = Proxy::start(
        "bodies",
        vec![
            with(
                "auto",
                json!({"headers": {"x-served-by": "gateway"}, "help_url": "https://example.com/help"}),
            ),
            with("problem", json!({"body": "problem"})),
            with("html", json!({"body": "html"})),
            with("text", json!({"body": "text"})),
            with("empty", json!({"body": "empty"})),
            with("quiet", json!({"detail": false})),
        ],
    );
    let asks = |accept: &str| get("/either").field("Accept", accept);
    let browser = asks("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    check(&proxy, "auto", &get("/either"), (401, TEXT, true, &["missing_credentials", "Basic, Bearer"]));
    check(&proxy, "auto", &asks("*/*"), (401, TEXT, true, &["missing_credentials"]));
    check(
        &proxy,
        "auto",
        &asks("application/json, text/plain, */*"),
        (401, PROBLEM, true, &["\"status\":401"]),
    );
    let page = check(
        &proxy,
        "auto",
        &browser,
        (
            401,
            HTML,
            true,
            &["<!doctype html>", "Please sign in", "href=\"https://example.com/help\"", "</html>"],
        ),
    );
    assert_eq!(page.answer.all("www-authenticate"), [BASIC, BEARER]);
    assert_eq!(page.answer.all("x-served-by"), ["gateway"]);
    assert!(page.answer.all("content-security-policy").concat().starts_with("default-src 'none'"));
    let problem = check(&proxy, "problem", &browser, (401, PROBLEM, false, &[]));
    let problem: Value = serde_json::from_str(&problem.answer.body).unwrap();
    assert_eq!(
        (&problem["code"], &problem["accepted"]),
        (&json!("missing_credentials"), &json!(["Basic", "Bearer"]))
    );
    check(&proxy, "html", &get("/denied"), (403, HTML, false, &["rule_denied"]));
    check(&proxy, "text", &browser, (401, TEXT, false, &["missing_credentials"]));
    let empty = check(&proxy, "empty", &browser, (401, None, false, &[]));
    assert_eq!((empty.answer.body.as_str(), empty.answer.all("content-length")), ("", vec!["0"]));
    assert_eq!(empty.answer.all("www-authenticate"), [BASIC, BEARER]);
    let quiet = check(&proxy, "quiet", &get("/jwt").bearer("x"), (401, TEXT, true, &[]));
    assert_eq!(quiet.answer.body, "401 Unauthorized\n");
    assert_eq!(quiet.answer.all("www-authenticate"), [r#"Bearer realm="restricted", error="invalid_token""#]);
    // HEAD gets the headers of GET, without a body.
    for (accept, content_type) in [("*/*", TEXT), ("text/html", HTML), ("application/json", PROBLEM)] {
        let head = check(
            &proxy,
            "auto",
            &request("HEAD", "/either").field("Accept", accept),
            (401, content_type, true, &[]),
        );
        assert_eq!(head.answer.all("www-authenticate"), [BASIC, BEARER]);
    }
    proxy.finish();
}

#[test]
fn what_is_hidden_looks_as_if_it_were_not_there() {
    let hidden =
        json!({"insufficient_scope": 404, "not_authorized": 404, "rule_denied": 404, "no_rule": 404});
    let proxy = Proxy::start("hidden", vec![with("hidden", json!({"status": hidden}))]);
    let requests = [
        get("/elsewhere"),
        get("/denied"),
        get("/alice").basic("bob", authgate_testing::e2e::fixture::BOB),
        get("/admin").bearer(&scoped_token("x", "read")),
    ];
    let mut answers = Vec::new();
    for sent in &requests {
        let exchange = check(&proxy, "hidden", sent, (404, TEXT, true, &[]));
        assert_eq!(exchange.answer.body, "404 Not Found\n");
        let mut fields = exchange.answer.fields.clone();
        fields.retain(|(name, _)| name != "date");
        answers.push(fields);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    // The same requests over gRPC.
    for sent in &requests {
        let exchange = proxy.send("hidden", &sent.clone().field("content-type", "application/grpc"));
        let answer = &exchange.answer;
        let found = (exchange.status, answer.all("grpc-status"), answer.all("grpc-message"));
        assert_eq!(found, (200, vec!["5"], vec!["Not Found"]), "{answer:?}");
        assert!(answer.all("www-authenticate").is_empty(), "{answer:?}");
    }
    // An authorized client still gets through.
    assert_eq!(proxy.send("hidden", &get("/alice").basic("alice", ALICE)).status, 200);
    proxy.finish();
}
