//! Locations of a token (header, query, cookie): what is removed, and what stays unchanged byte for byte.

use serde_json::Value;

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{Case, check, denied, passes, refused};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::{ALICE, BEARER, INVALID_REQUEST, INVALID_TOKEN, policy};
use authgate_testing::e2e::mint::{expired_token, token_for};
use authgate_testing::e2e::proxy::Proxy;

fn places() -> Value {
    policy(
        r#"
        authenticators:
          web:
            jwt:
              issuer: $ISSUER
              audiences: [api]
              keys: {jwks: $JWKS}
              from: [{query: access_token}, {cookie: session}, {header: authorization, scheme: Bearer}, {header: x-jwt}]
          lax:
            jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}, from: [{cookie: session}], csrf: 'off'}
          kept:
            jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}, forward_credentials: true}
          staff:
            basic: {users: {alice: $ALICE}}
        rules:
          - {match: {prefix: /public}, public: true}
          - {match: {prefix: /lax}, require: lax}
          - {match: {prefix: /kept}, require: kept}
          - {match: {prefix: /either}, require: {any_of: [staff, web]}}
          - {match: {prefix: /web}, require: web}
        "#,
    )
}

fn start(name: &str) -> Proxy {
    Proxy::start(name, vec![listener("places", places(), get("/web").field("x-jwt", token_for("good")))])
}

#[test]
fn a_token_in_the_query_is_read_and_stripped() {
    let proxy = start("query");
    let token = token_for("t");
    let expired = expired_token();
    let stripped = |query: &str, left: &str| {
        let (query, left) = (query.replace("TOKEN", &token), format!("/web/a%20b{left}"));
        passes(left.clone(), get(format!("/web/a%20b?{query}"))).identity("t", "web").upstream_target(&left)
    };
    check(
        &proxy,
        "places",
        [
            stripped("x=1&access_token=TOKEN&y=%32&&z", "?x=1&y=%32&&z"),
            stripped("access_token=TOKEN&b=%2F+%61", "?b=%2F+%61"),
            stripped("a=%zz&access_token=TOKEN", "?a=%zz"),
            stripped("access%5Ftoken=TOKEN&a=1", "?a=1"),
            stripped("%61ccess_token=TOKEN&a=1", "?a=1"),
            stripped("access_token=TOKEN&access_tokens=1&Access_Token=2", "?access_tokens=1&Access_Token=2"),
            stripped("access_token=TOKEN", ""),
        ],
    );
    let ambiguous = |hazard: &str, request: Request| {
        denied(hazard, request, 400, "ambiguous_credentials").challenge(&[INVALID_REQUEST])
    };
    let query = |query: &str| get(format!("/web?{}", query.replace("TOKEN", &token)));
    check(
        &proxy,
        "places",
        [
            ambiguous("twice in the query", query("access_token=TOKEN&access_token=TOKEN")),
            ambiguous("twice, once encoded", query("access_token=TOKEN&access%5ftoken=TOKEN")),
            ambiguous("twice, once empty", query("access_token=TOKEN&access_token=")),
            ambiguous("in the query and the header", query("access_token=TOKEN").bearer(&token)),
            ambiguous(
                "in the query and a cookie",
                query("access_token=TOKEN").field("cookie", format!("session={token}")),
            ),
            ambiguous("in two headers", query("").bearer(&token).field("x-jwt", &token)),
            denied("an empty one", query("access_token="), 401, "").any_challenge(),
            denied("one without a value", query("access_token"), 401, "").any_challenge(),
            refused("in a fragment", query("#access_token=TOKEN")),
            denied("another name", query("token=TOKEN"), 401, "missing_credentials").challenge(&[BEARER]),
            passes("a public rule touches nothing", get(format!("/public?access_token={token}")))
                .upstream_target(&format!("/public?access_token={token}")),
            passes(
                "an unverified one beside right Basic",
                get(format!("/either?a=1&access_token={expired}")).basic("alice", ALICE),
            )
            .identity("alice", "staff")
            .upstream_target("/either?a=1"),
        ],
    );
    proxy.finish();
}

#[test]
fn the_access_log_shows_no_token_of_the_query() {
    let proxy = start("access-log");
    let token = token_for("t");
    let expired = expired_token();
    let queries = [
        (200, format!("/web?a=1&access_token={token}")),
        (401, format!("/web?access_token={expired}&b=2")),
        (401, format!("/web?access%5ftoken={expired}&b=2")),
        (400, format!("/web?access_token={token}&access_token={token}")),
        (401, format!("/web?access_token={token}x")),
        (401, "/web?access_token=eyJ.not-much-of-a-token".to_owned()),
        (401, format!("/either?access_token={expired}")),
    ];
    for (status, target) in queries {
        let exchange = proxy.send("places", &get(&target));
        let line = proxy.access_log_line(&exchange);
        assert_eq!(exchange.status, status, "{target}: {:?}", exchange.answer);
        assert!(!line.contains("eyJ"), "{target}: {line}");
    }
    proxy.finish();
}

#[test]
fn a_token_in_a_cookie_is_read_and_stripped() {
    let proxy = start("cookie");
    let token = token_for("t");
    let cookie = |text: &str| get("/web").field("cookie", text.replace("TOKEN", &token));
    let stripped =
        |text: &str, left: &str| passes(text, cookie(text)).identity("t", "web").upstream("cookie", left);
    check(
        &proxy,
        "places",
        [
            stripped("a=1; session=TOKEN; b=\"2\"", "a=1; b=\"2\""),
            stripped("session=TOKEN; a=%20", "a=%20"),
            stripped("a=1; session=TOKEN", "a=1"),
            stripped("a=1; session=TOKEN; sessions=2; Session=3", "a=1; sessions=2; Session=3"),
            passes("nothing is left", cookie("session=TOKEN")).identity("t", "web").upstream_lacks("cookie"),
            denied("twice", cookie("session=TOKEN; session=TOKEN"), 400, "ambiguous_credentials")
                .challenge(&[INVALID_REQUEST]),
            denied(
                "in two Cookie fields",
                cookie("session=TOKEN").field("cookie", format!("session={token}")),
                400,
                "ambiguous_credentials",
            )
            .challenge(&[INVALID_REQUEST]),
            denied(
                "expired",
                get("/web").field("cookie", format!("session={}", expired_token())),
                401,
                "expired",
            )
            .challenge(&[INVALID_TOKEN]),
            denied("another name", cookie("sessions=TOKEN"), 401, "missing_credentials").challenge(&[BEARER]),
        ],
    );
    let both = cookie("a=1").field("cookie", format!("session={token}; b=2"));
    let exchange = proxy.send("places", &both);
    assert_eq!(exchange.status, 200, "{:?}", exchange.answer);
    let left = exchange.upstream[0].all("cookie").join("; ");
    assert_eq!(left, "a=1; b=2", "two Cookie fields");
    proxy.finish();
}

#[test]
fn a_cookie_alone_changes_nothing_for_another_site() {
    let proxy = start("csrf");
    let session = format!("session={}", token_for("t"));
    let with = |method: &str, path: &str| request(method, path).field("cookie", &session);
    let post = || with("POST", "/web");
    let origin = |value: &str| post().field("origin", value);
    let site = |value: &str| post().field("sec-fetch-site", value);
    let crossed = |hazard: &str, request: Request| -> Case { denied(hazard, request, 403, "cross_origin") };
    check(
        &proxy,
        "places",
        [
            passes("GET is safe", with("GET", "/web").field("sec-fetch-site", "cross-site")),
            passes("HEAD is safe", with("HEAD", "/web")),
            passes("OPTIONS is safe", with("OPTIONS", "/web")),
            passes("the browser says same origin", site("same-origin")).identity("t", "web"),
            passes("the origin is this host", origin("http://api.example.com")).identity("t", "web"),
            passes("a token in a header needs no proof", request("POST", "/web").bearer(&token_for("t"))),
            passes("waived", with("POST", "/lax").field("sec-fetch-site", "cross-site")),
            crossed("no proof", post()),
            crossed("PUT", with("PUT", "/web")),
            crossed("DELETE", with("DELETE", "/web")),
            crossed("a method of its own", with("PURGE", "/web")),
            crossed("another site", site("cross-site")),
            crossed("a sibling", site("same-site")),
            crossed("another origin", origin("http://evil.example.com")),
            crossed("the null origin", origin("null")),
            crossed("a longer host", origin("http://api.example.com.evil.net")),
            crossed("two contradict", site("cross-site").field("origin", "http://api.example.com")),
            crossed("twice", site("same-origin").field("sec-fetch-site", "cross-site")),
        ],
    );
    proxy.finish();
}

#[test]
fn forwarded_credentials_reach_the_service_as_they_came() {
    let proxy = start("forward");
    let token = token_for("t");
    check(
        &proxy,
        "places",
        [
            passes("kept", get("/kept").bearer(&token))
                .identity("t", "kept")
                .upstream("authorization", &format!("Bearer {token}")),
            passes("taken out", get("/web").bearer(&token))
                .identity("t", "web")
                .upstream_lacks("authorization"),
            denied("kept is still checked", get("/kept").bearer("x"), 401, "").challenge(&[INVALID_TOKEN]),
        ],
    );
    proxy.finish();
}
