//! Opaque tokens and an introspection endpoint that responds, is slow, fails, or is flooded.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{Case, check, denied, passes};
use authgate_testing::e2e::client::{Request, get, request, stream};
use authgate_testing::e2e::endpoint::{Endpoint, Reply};
use authgate_testing::e2e::fixture::{BASIC, BEARER, INVALID_TOKEN, policy};
use authgate_testing::e2e::mint::{ISSUER, claims_but, now, token, token_for};
use authgate_testing::e2e::proxy::{Exchange, Proxy};

const SECRET: &str = "the secret of the gateway: %";

/// Returns an introspection authenticator, with members replaced.
fn introspection(changes: Value) -> Value {
    let mut introspection = json!({
        "endpoint": "https://idp.example.com/introspect?tenant=1",
        "cluster": "idp",
        "client_id": "gate:way",
        "client_secret": SECRET,
        "audiences": ["api"],
    });
    for (name, value) in changes.as_object().expect("an object") {
        introspection[name] = value.clone();
    }
    json!({ "introspection": introspection })
}

/// Returns a listener that introspects tokens, except on `/public`.
fn asking(name: &'static str, endpoint: &Endpoint, changes: Value) -> Listener {
    let mut policy = policy("{rules: [{match: {prefix: /public}, public: true}, {require: opaque}]}");
    policy["authenticators"] = json!({"opaque": introspection(changes)});
    listener(name, policy, get("/public")).cluster("idp", endpoint.port)
}

/// Returns the response for an active token, with members replaced; null removes a member.
fn active(changes: Value) -> Value {
    let mut answer =
        json!({"active": true, "sub": "ann", "aud": "api", "client_id": "app", "exp": now() + 600});
    for (name, value) in changes.as_object().expect("an object") {
        answer[name] = value.clone();
    }
    answer.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    answer
}

fn with(token: &str) -> Request {
    get("/").bearer(token)
}

fn unavailable(hazard: &str, token: &str) -> Case {
    denied(hazard, with(token), 503, "unavailable")
}

/// Sends all requests at once, and waits for their results.
fn at_once(proxy: &Proxy, listener: &str, requests: &[Request]) -> Vec<Exchange> {
    thread::scope(|scope| {
        let sent: Vec<_> =
            requests.iter().map(|request| scope.spawn(move || proxy.send(listener, request))).collect();
        sent.into_iter().map(|exchange| exchange.join().expect("an exchange")).collect()
    })
}

fn statuses(exchanges: &[Exchange]) -> Vec<u16> {
    exchanges.iter().map(|exchange| exchange.status).collect()
}

#[test]
fn the_endpoint_is_asked_and_what_it_says_is_done() {
    let endpoint = Endpoint::start();
    for (token, reply) in [
        ("opaque-token-that-is-good", active(json!({"scope": "read"}))),
        ("opaque+token/that~is.good==", active(json!({"sub": "bob"}))),
        ("opaque-token-without-sub", active(json!({"sub": null}))),
        ("opaque-token-of-nobody", active(json!({"sub": 7}))),
        ("opaque-token-for-others", active(json!({"aud": ["web"]}))),
        ("opaque-token-that-expired", active(json!({"exp": now() - 3600}))),
        ("opaque-token-of-tomorrow", active(json!({"nbf": now() + 3600}))),
        ("opaque-token-of-the-issuer", active(json!({"iss": ISSUER}))),
        ("opaque-token-of-another", active(json!({"iss": "https://evil.example.com"}))),
        ("opaque-token-true-as-text", active(json!({"active": "true"}))),
    ] {
        endpoint.reply(token, Reply::Json(reply));
    }
    let mut mixed = policy(
        "{authenticators: {staff: {basic: {users: {alice: $ALICE}}}, partners: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}}, \
          rules: [{match: {prefix: /public}, public: true}, {match: {prefix: /opaque}, require: opaque}, \
                  {match: {prefix: /reversed}, require: {any_of: [opaque, partners]}}, \
                  {require: {any_of: [partners, opaque, staff]}}]}",
    );
    mixed["authenticators"]["opaque"] = introspection(json!({}));
    let listeners = vec![
        asking("plain", &endpoint, json!({})),
        asking("post", &endpoint, json!({"client_auth": "post", "issuer": ISSUER})),
        asking("client", &endpoint, json!({"subject_claim": "client_id"})),
        listener("mixed", mixed, get("/public")).cluster("idp", endpoint.port),
    ];
    let proxy = Proxy::start("introspection", listeners);
    let invalid = |hazard: &str, token: &str| {
        denied(hazard, with(token), 401, "invalid_token").challenge(&[INVALID_TOKEN])
    };
    let good = "opaque-token-that-is-good";
    check(
        &proxy,
        "plain",
        [
            denied("nothing", get("/"), 401, "missing_credentials").challenge(&[BEARER]),
            passes("a good token", with(good)).upstream("x-auth-user", "ann").upstream_lacks("authorization"),
            passes("the same again", with(good)).upstream("x-auth-user", "ann"),
            passes("characters with a meaning in forms", with("opaque+token/that~is.good=="))
                .upstream("x-auth-user", "bob"),
            invalid("one that is not active", "opaque-token-that-is-not"),
            invalid("no subject", "opaque-token-without-sub"),
            invalid("a subject that is no text", "opaque-token-of-nobody"),
            invalid("another audience", "opaque-token-for-others"),
            invalid("active, and expired", "opaque-token-that-expired"),
            invalid("active, and not valid yet", "opaque-token-of-tomorrow"),
            unavailable("true as a text", "opaque-token-true-as-text"),
            denied("bytes", get("/").authorization(b"Bearer opaque\xfftoken"), 401, "malformed_credentials")
                .challenge(&[INVALID_TOKEN]),
            denied("too long", with(&"x".repeat(20_000)), 401, "malformed_credentials")
                .challenge(&[INVALID_TOKEN]),
        ],
    );
    let asked = endpoint.asked(good);
    assert_eq!(asked.len(), 1, "{asked:?}");
    let question = &asked[0].request;
    assert_eq!(question.start, "POST /introspect?tenant=1 HTTP/1.1");
    assert_eq!(question.all("host"), ["idp.example.com"]);
    assert_eq!(question.all("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!(question.all("accept"), ["application/json"]);
    let pair = "gate%3Away:the+secret+of+the+gateway%3A+%25";
    assert_eq!(question.all("authorization"), [format!("Basic {}", BASE64_STANDARD.encode(pair))]);
    assert_eq!(asked[0].form.len(), 2);
    assert_eq!(asked[0].form["token_type_hint"], "access_token");
    assert_eq!(endpoint.asked("opaque+token/that~is.good==").len(), 1);
    check(
        &proxy,
        "post",
        [
            passes("the issuer", with("opaque-token-of-the-issuer")).upstream("x-auth-user", "ann"),
            invalid("another issuer", "opaque-token-of-another"),
            invalid("no issuer", good),
            invalid(
                "a JWT of another issuer",
                &token("ES256", &claims_but("x", json!({"iss": "https://x"}))),
            ),
        ],
    );
    let asked = endpoint.asked("opaque-token-of-the-issuer");
    assert!(asked[0].request.all("authorization").is_empty());
    assert_eq!(
        (asked[0].form["client_id"].as_str(), asked[0].form["client_secret"].as_str()),
        ("gate:way", SECRET)
    );
    check(
        &proxy,
        "client",
        [passes("a token without sub", with("opaque-token-without-sub")).upstream("x-auth-user", "app")],
    );

    // Only its authenticator decides a JWT of a configured issuer, whatever the endpoint would say or has said.
    let jwt = token_for("jane");
    let expired = token("ES256", &claims_but("late", json!({"exp": 1_600_000_000})));
    let foreign = token("ES256", &claims_but("x", json!({"iss": "https://else.example.com"})));
    for token in [&jwt, &expired, &foreign] {
        endpoint.reply(token, Reply::Json(active(json!({"sub": "endpoint"}))));
    }
    let at = |path: &str, token: &str| get(path).bearer(token);
    check(
        &proxy,
        "mixed",
        [
            passes("a JWT", at("/", &jwt)).identity("jane", "partners"),
            passes("a JWT where introspection stands first", at("/reversed", &jwt))
                .identity("jane", "partners"),
            denied("an expired JWT", at("/reversed", &expired), 401, "invalid_token").any_challenge(),
            passes("an opaque token", at("/", good)).identity("ann", "opaque"),
            passes("a JWT of nobody known", at("/", &foreign)).identity("endpoint", "opaque"),
            passes("a password", get("/").basic("alice", authgate_testing::e2e::fixture::ALICE))
                .identity("alice", "staff"),
            denied("nothing", get("/"), 401, "missing_credentials").challenge(&[BEARER, BASIC]),
        ],
    );
    assert!(endpoint.asked(&jwt).is_empty() && endpoint.asked(&expired).is_empty());
    check(
        &proxy,
        "mixed",
        [
            passes("a JWT where the endpoint alone is asked", at("/opaque", &expired))
                .identity("endpoint", "opaque"),
            denied("which counts there alone", at("/reversed", &expired), 401, "invalid_token")
                .any_challenge(),
        ],
    );
    proxy.finish();
}

#[test]
fn what_the_endpoint_does_not_say_is_no_pass() {
    let endpoint = Endpoint::start();
    let good = active(json!({}));
    let faults = [
        (
            "slow",
            Reply::Late(Duration::from_millis(1500), good.clone()),
            "found 504 (the proxy sends it on a timeout)",
        ),
        ("reset", Reply::Nothing, "found 503 (the proxy sends it"),
        ("cut", Reply::Cut, "no response"),
        ("status", Reply::Text(500, r#"{"active":true,"sub":"x","aud":"api"}"#), "found 500;"),
        ("html", Reply::Text(200, "<html>active</html>"), "expected JSON"),
        ("large", Reply::Large(10 << 20), "262144 bytes"),
        (
            "twice",
            Reply::Text(200, r#"{"active":false,"active":true,"sub":"x","aud":"api"}"#),
            "expected JSON",
        ),
        ("words", Reply::Json(active(json!({"active": "true"}))), "expected `active`"),
    ];
    let mut listeners: Vec<Listener> =
        faults.iter().map(|(name, _, _)| asking(name, &endpoint, json!({"timeout": "1s"}))).collect();
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port").port();
    listeners.push(asking("unknown", &endpoint, json!({"cluster": "nowhere"})));
    listeners.push(asking("down", &endpoint, json!({"cluster": "down"})).cluster("down", closed));
    let proxy = Proxy::start("introspection-faults", listeners);
    let token_of = |name: &str| format!("opaque-token-for-{name}");
    for (name, reply, why) in &faults {
        let token = token_of(name);
        endpoint.reply(&token, reply.clone());
        check(&proxy, name, [unavailable(name, &token)]);
        let log = proxy.log();
        let line = log.lines().rev().find(|line| line.contains("introspection through cluster \"idp\""));
        if !line.is_some_and(|line| line.contains(*why)) {
            proxy.fault(format!("{name}: logged {line:?}"));
        }
        endpoint.reply(&token, Reply::Json(good.clone()));
    }
    // A failed introspection does not affect the token later.
    thread::sleep(Duration::from_millis(600));
    for (name, _, _) in &faults {
        let token = token_of(name);
        check(&proxy, name, [passes("afterwards", with(&token)).upstream("x-auth-user", "ann")]);
    }
    check(&proxy, "unknown", [unavailable("a cluster that is not there", &token_of("unknown"))]);
    check(&proxy, "down", [unavailable("an endpoint that is down", &token_of("down"))]);
    let log = proxy.log();
    assert!(log.contains("introspection through cluster \"nowhere\": unknown cluster"), "{log}");
    assert!(log.contains("introspection through cluster \"down\": expected status 200, found 503"), "{log}");
    assert!(log.contains("the endpoint responds again"));
    assert!(!log.contains(SECRET) && !log.contains("opaque-token") && !log.contains("<html>"));
    proxy.finish();
}

#[test]
fn answers_are_shared_remembered_and_forgotten() {
    let endpoint = Endpoint::start();
    let listeners = vec![
        asking("brief", &endpoint, json!({"cache_ttl": "1s", "negative_ttl": "1s"})),
        asking("never", &endpoint, json!({"cache_ttl": "0s", "negative_ttl": "0s"})),
        asking("long", &endpoint, json!({})),
    ];
    let proxy = Proxy::start("introspection-cache", listeners);
    let late = |answer: Value| Reply::Late(Duration::from_millis(300), answer);

    // Concurrent requests share a single call, whatever its result and even if nothing may be cached.
    for (listener, token, answer, expected) in [
        ("long", "opaque-token-shared-good", active(json!({})), 200),
        ("long", "opaque-token-shared-bad", json!({"active": false}), 401),
        ("never", "opaque-token-never-good", active(json!({})), 200),
        ("never", "opaque-token-never-bad", json!({"active": false}), 401),
        ("never", "opaque-token-never-said", json!({}), 503),
    ] {
        endpoint.reply(token, late(answer));
        let exchanges = at_once(&proxy, listener, &vec![with(token); 12]);
        assert_eq!(statuses(&exchanges), [expected; 12], "{token}");
        assert_eq!(endpoint.asked(token).len(), 1, "{token}");
    }
    thread::sleep(Duration::from_millis(600));
    check(&proxy, "never", [passes("nothing is remembered", with("opaque-token-never-good"))]);
    assert_eq!(endpoint.asked("opaque-token-never-good").len(), 2);

    // The body of a waiting request arrives complete, and only after the decision.
    endpoint.reply("opaque-token-with-body", late(active(json!({}))));
    let post = request("POST", "/").bearer("opaque-token-with-body").chunked(&"x".repeat(50_000), &[]);
    let exchange = proxy.send("long", &post);
    assert_eq!((exchange.status, exchange.upstream[0].body.len()), (200, 50_000));

    // Revoked and expired tokens are forgotten after their time to live, and so are rejections.
    let (good, bad, short) = ("opaque-token-revoked", "opaque-token-issued", "opaque-token-short");
    endpoint.reply(good, Reply::Json(active(json!({}))));
    endpoint.reply(short, Reply::Json(active(json!({"exp": now() + 2}))));
    check(
        &proxy,
        "brief",
        [
            passes("before it is revoked", with(good)),
            denied("before it is issued", with(bad), 401, "invalid_token").challenge(&[INVALID_TOKEN]),
        ],
    );
    check(&proxy, "long", [passes("a token with little time", with(short))]);
    endpoint.reply(good, Reply::Json(json!({"active": false})));
    endpoint.reply(bad, Reply::Json(active(json!({}))));
    endpoint.reply(short, Reply::Json(json!({"active": false})));
    check(
        &proxy,
        "brief",
        [
            passes("remembered", with(good)),
            denied("remembered", with(bad), 401, "invalid_token").challenge(&[INVALID_TOKEN]),
        ],
    );
    assert_eq!((endpoint.asked(good).len(), endpoint.asked(bad).len()), (1, 1));
    thread::sleep(Duration::from_millis(2100));
    check(
        &proxy,
        "brief",
        [
            denied("revoked", with(good), 401, "invalid_token").challenge(&[INVALID_TOKEN]),
            passes("issued", with(bad)),
        ],
    );
    check(
        &proxy,
        "long",
        [denied("not beyond exp", with(short), 401, "invalid_token").challenge(&[INVALID_TOKEN])],
    );
    proxy.finish();
}

#[test]
fn a_flood_of_made_up_tokens_is_bounded() {
    let endpoint = Endpoint::start();
    let listeners = vec![asking("few", &endpoint, json!({"max_concurrent": 2}))];
    let proxy = Proxy::start("introspection-flood", listeners);
    let good = "opaque-token-known-before";
    endpoint.reply(good, Reply::Json(active(json!({}))));
    check(&proxy, "few", [passes("a good token", with(good))]);
    let tokens: Vec<String> = (0..40).map(|n| format!("opaque-token-made-up-{n}")).collect();
    for token in &tokens {
        endpoint.reply(token, Reply::Late(Duration::from_millis(700), json!({"active": false})));
    }
    let flood: Vec<Request> = tokens.iter().map(|token| with(token)).collect();
    thread::scope(|scope| {
        let flood = scope.spawn(|| at_once(&proxy, "few", &flood));
        thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        check(
            &proxy,
            "few",
            [
                passes("one that is remembered passes meanwhile", with(good)).upstream("x-auth-user", "ann"),
                unavailable("one that is not does not", "opaque-token-in-the-flood"),
            ],
        );
        assert!(start.elapsed() < Duration::from_millis(500), "it waited");
        let mut statuses = statuses(&flood.join().expect("the flood"));
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![401; 2], vec![503; 38]].concat());
    });
    assert_eq!(endpoint.most_at_a_time(), 2);
    let asked = tokens.iter().map(|token| endpoint.asked(token).len()).sum::<usize>();
    assert_eq!(asked, 2);
    // The rejected tokens are cached now.
    let known: Vec<&String> = tokens.iter().filter(|token| !endpoint.asked(token).is_empty()).collect();
    for token in known {
        check(
            &proxy,
            "few",
            [denied("again", with(token), 401, "invalid_token").challenge(&[INVALID_TOKEN])],
        );
        assert_eq!(endpoint.asked(token).len(), 1);
    }
    assert!(proxy.log().contains("`max_concurrent`"));
    check(
        &proxy,
        "few",
        [denied("afterwards", with("opaque-token-afterwards"), 401, "invalid_token")
            .challenge(&[INVALID_TOKEN])],
    );
    proxy.finish();
}

/// The access log shows the path at the time the client disconnects or the proxy replies.
#[test]
fn a_request_that_ends_while_it_waits_shows_no_token_in_the_access_log() {
    const TOKEN: &str = "opaque-token-in-the-query";
    let endpoint = Endpoint::start();
    endpoint.otherwise(Reply::Late(Duration::from_secs(2), active(json!({}))));
    let from = json!({"from": [{"query": "access_token"}]});
    let idle = json!({"stream_idle_timeout": "0.3s"});
    let proxy = Proxy::start(
        "introspection-log",
        vec![asking("leaves", &endpoint, from.clone()), asking("idle", &endpoint, from).settings(idle)],
    );
    let line = |mark: &str| {
        (0..250).find_map(|_| {
            thread::sleep(Duration::from_millis(20));
            let log = proxy.access_log();
            log.lines().find(|line| line.starts_with(mark)).map(str::to_owned)
        })
    };
    for (listener, waits) in [("leaves", 300), ("idle", 1000)] {
        let head =
            format!("GET /?access_token={TOKEN}&b=1 HTTP/1.1\r\nHost: a\r\nx-case: {listener}-0\r\n\r\n");
        let mut stream = stream(proxy.port(listener)).expect("a connection");
        stream.write_all(head.as_bytes()).expect("a request");
        thread::sleep(Duration::from_millis(waits));
        drop(stream);
        let line = line(&format!("{listener}-0 ")).expect("a line in the access log");
        assert!(line.contains(" /?b=1 "), "{line}");
    }
    assert!(!proxy.access_log().contains(TOKEN), "{}", proxy.access_log());
    proxy.finish();
}
