//! Rules with `origins`, for requests of browsers and for WebSockets, which browsers open for any page.

use serde_json::json;

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{check, denied, passes, refused};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::policy;
use authgate_testing::e2e::h2;
use authgate_testing::e2e::mint::token_for;
use authgate_testing::e2e::proxy::Proxy;

const APP: &str = "https://app.example.com";

const POLICY: &str = r#"
authenticators:
  idp: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}
rules:
  - {name: public, match: {prefix: /public}, public: true, origins: ["https://app.example.com"]}
  - {name: nulls, match: {prefix: /null}, public: true, origins: ["null"]}
  - {name: ports, match: {prefix: /port}, public: true, origins: ["https://app.example.com:8443"]}
  - {name: socket, match: {prefix: /socket}, require: idp, origins: ["https://app.example.com", "https://two.example.com"]}
  - {name: open, match: {prefix: /open}, public: true}
"#;

fn origins(name: &'static str) -> Listener {
    listener(name, policy(POLICY), get("/open")).upgrades()
}

#[test]
fn no_spelling_of_a_foreign_origin_passes() {
    let proxy = Proxy::start("origins", vec![origins("origins")]);
    let from = |origin: &str| get("/public").field("origin", origin);
    let foreign = |hazard: &str, request: Request| denied(hazard, request, 403, "cross_origin");
    check(
        &proxy,
        "origins",
        [
            passes("no origin", get("/public")),
            passes("the origin of the rule", from(APP)),
            passes("with POST", request("POST", "/public").field("origin", APP)),
            foreign("another host", from("https://evil.example.com")),
            foreign("another scheme", from("http://app.example.com")),
            foreign("another port", from("https://app.example.com:8443")),
            foreign("a longer host", from("https://app.example.com.evil.example")),
            foreign("a host before it", from("https://x.app.example.com")),
            foreign("a user", from("https://app.example.com@evil.example")),
            foreign("a path", from("https://app.example.com/x")),
            foreign("null", from("null")),
            foreign("empty", from("")),
            foreign("two in one", from("https://app.example.com, https://evil.example.com")),
            foreign("two in one, with a space", from("https://app.example.com https://evil.example.com")),
            refused("twice", from(APP).field("origin", "https://evil.example.com")),
            refused("twice, the foreign one first", from("https://evil.example.com").field("origin", APP)),
            foreign("a prefix", from("https://app.example.co")),
            foreign("an asterisk", from("*")),
            foreign(
                "GET counts too",
                from("https://evil.example.com").field("sec-fetch-site", "same-origin"),
            ),
            passes("null, where it is listed", get("/null").field("origin", "null")),
            foreign("an origin beside null", get("/null").field("origin", APP)),
            passes("a port", get("/port").field("origin", "https://app.example.com:8443")),
            foreign("no port", get("/port").field("origin", APP)),
            passes("a rule without origins", get("/open").field("origin", "https://evil.example.com")),
        ],
    );
    proxy.finish();
}

#[test]
fn a_foreign_page_opens_no_websocket_over_http_1() {
    let proxy = Proxy::start("origins-h1", vec![origins("origins")]);
    let open = |path: &str| {
        let request = get(path).field("connection", "Upgrade").field("upgrade", "websocket");
        request.field("sec-websocket-version", "13").field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let token = token_for("alice");
    check(
        &proxy,
        "origins",
        [
            passes("the origin of the rule", open("/socket").bearer(&token).field("origin", APP)),
            passes(
                "another one of it",
                open("/socket").bearer(&token).field("origin", "https://two.example.com"),
            ),
            passes("no browser", open("/socket").bearer(&token)),
            denied(
                "a foreign page",
                open("/socket").bearer(&token).field("origin", "https://evil.example.com"),
                403,
                "cross_origin",
            ),
            denied("a sandbox", open("/socket").bearer(&token).field("origin", "null"), 403, "cross_origin"),
            denied("no token", open("/socket").field("origin", APP), 401, "missing_credentials")
                .any_challenge(),
            refused(
                "a foreign page without a token",
                open("/socket").field("origin", "https://evil.example.com"),
            ),
            denied(
                "a public rule",
                open("/public").field("origin", "https://evil.example.com"),
                403,
                "cross_origin",
            ),
        ],
    );
    proxy.finish();
}

#[test]
fn a_foreign_page_opens_no_websocket_over_http_2() {
    let listener = origins("origins").settings(json!({"http2_protocol_options": {"allow_connect": true}}));
    let proxy = Proxy::start("origins-h2", vec![listener]);
    let bearer = format!("Bearer {}", token_for("alice"));
    let mut connection = h2::Connection::open(proxy.port("origins")).expect("a connection");
    for (at, (path, origin, arrives)) in [
        ("/socket", Some(APP), true),
        ("/socket", None, true),
        ("/socket", Some("https://evil.example.com"), false),
        ("/socket", Some("null"), false),
        ("/public", Some("https://evil.example.com"), false),
        ("/public", Some(APP), true),
    ]
    .into_iter()
    .enumerate()
    {
        let mark = format!("socket-{at}");
        let mut fields = vec![
            (":protocol", "websocket"),
            ("authorization", bearer.as_str()),
            ("sec-websocket-version", "13"),
            ("x-case", mark.as_str()),
        ];
        fields.extend(origin.map(|origin| ("origin", origin)));
        let (id, frame) = connection.request("CONNECT", path, &fields, false);
        connection.send(&frame).expect("a request");
        let status = connection.status(id).ok();
        assert_eq!(status == Some(403), !arrives, "{path} from {origin:?}: {status:?}");
        assert_eq!(proxy.arrived(&mark).len(), usize::from(arrives), "{path} from {origin:?}: {status:?}");
    }
    proxy.finish();
}
