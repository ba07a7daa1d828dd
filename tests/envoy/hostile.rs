//! Requests that try to break the filter. After each of them a good request still gets 200, so nothing has trapped.

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{check, denied, passes, refused};
use authgate_testing::e2e::client::{get, request};
use authgate_testing::e2e::fixture::{ALICE, BASIC, INVALID_TOKEN, default_listener, default_policy, good};
use authgate_testing::e2e::mint::{claims, jws, token_for};
use authgate_testing::e2e::proxy::Proxy;

const MALFORMED: &str = "malformed_credentials";

#[test]
fn bytes_that_are_no_text() {
    let proxy = Proxy::start("bytes", vec![default_listener()]);
    let every_byte: Vec<u8> = (0x21..=0xff).filter(|byte| *byte != 0x7f).collect();
    for path in ["/basic", "/jwt", "/either", "/optional", "/public", "/all", "/elsewhere"] {
        let hostile = [
            ("0xFF", get(path).authorization(b"\xff")),
            ("0xFF in a scheme", get(path).authorization(b"Bas\xffic x")),
            ("0xFF in Basic", get(path).authorization(b"Basic \xff\xff")),
            ("0xFF in Bearer", get(path).authorization(b"Bearer \xff.\xff.\xff")),
            ("every byte", get(path).authorization(&every_byte)),
        ];
        check(
            &proxy,
            "default",
            hostile.map(|(name, request)| {
                let hazard = format!("{path}: {name}");
                if path == "/public" { passes(hazard, request) } else { refused(hazard, request) }
            }),
        );
    }
    check(
        &proxy,
        "default",
        [
            denied("0xFF in Basic", get("/basic").authorization(b"Basic \xff"), 401, MALFORMED)
                .challenge(&[BASIC]),
            denied("0xFF in Bearer", get("/jwt").authorization(b"Bearer \xff"), 401, MALFORMED)
                .challenge(&[INVALID_TOKEN]),
            passes(
                "0xFF in a field of no interest",
                get("/basic").basic("alice", ALICE).field("x-any", b"\xff"),
            ),
            passes("0xFF in a cookie", get("/basic").basic("alice", ALICE).field("cookie", b"a=\xff")),
            refused("NUL in a value", get("/basic").authorization(b"Basic \0")),
            refused("NUL in a name", get("/basic").field(b"x\0", "y")),
            refused("0xFF in a name", get("/basic").field(b"x\xff", "y")),
            refused("0xFF in the path", get(b"/basic/\xff")),
            refused("0xFF in the query", get(b"/basic?\xff")),
            refused("0xFF in the host", get("/basic").host(b"\xff")),
            refused("0xFF in the method", request("GE\u{ff}", "/basic")),
            refused("a tab after the scheme", get("/basic").authorization("Basic\tYWxpY2U6eA==")),
            refused("an empty Authorization", get("/basic").authorization("")),
            refused("nothing but spaces", get("/jwt").authorization("    ")),
            refused("only commas", get("/jwt").authorization(",,,")),
        ],
    );
    proxy.finish();
}

#[test]
fn sizes_and_depths() {
    let mut wide = default_policy();
    wide["authenticators"]["partners"]["jwt"]["max_token_bytes"] = 90_000.into();
    let proxy = Proxy::start("sizes", vec![default_listener(), listener("wide", wide, good())]);
    let bearer = |token: &str| get("/jwt").bearer(token);
    let nested = |open: &str, close: &str| {
        let claims = claims("t").to_string();
        let deep = format!("{}{}", open.repeat(15_000), close.repeat(15_000));
        jws("ES256", r#"{"alg":"ES256","kid":"ES256"}"#, claims.replacen('{', &format!("{{\"x\":{deep},"), 1))
    };
    let arrays = nested("[", "]");
    let objects = jws("ES256", r#"{"alg":"ES256"}"#, "{\"a\":".repeat(9_000));
    let bare = jws("ES256", r#"{"alg":"ES256"}"#, "[".repeat(15_000) + &"]".repeat(15_000));
    let header = jws("ES256", format!(r#"{{"alg":"ES256","x":{}"#, "[".repeat(15_000)), "{}");
    let padded = |size: usize| {
        let text = claims("t").to_string().replacen('{', &format!("{{\"x\":\"{}\",", "a".repeat(size)), 1);
        jws("ES256", r#"{"alg":"ES256","kid":"ES256"}"#, text)
    };
    let malformed =
        |name: &str, token: &str| denied(name, bearer(token), 401, MALFORMED).challenge(&[INVALID_TOKEN]);
    check(
        &proxy,
        "default",
        [
            malformed("50 KB of token", &"a".repeat(50_000)),
            malformed("50 KB of dots", &".".repeat(50_000)),
            malformed("a true token of 50 KB", &padded(37_000)),
            passes("a true token below the limit", bearer(&padded(10_000))),
            denied(
                "50 KB of Basic",
                get("/basic").authorization(format!("Basic {}", "A".repeat(50_000))),
                401,
                "",
            )
            .challenge(&[BASIC]),
            refused("50 KB of scheme", get("/jwt").authorization("a".repeat(50_000))),
            passes("5,000 cookies", bearer(&token_for("t")).field("cookie", "a=b; ".repeat(5_000))),
        ],
    );
    check(
        &proxy,
        "wide",
        [
            malformed("15,000 nested arrays", &arrays),
            malformed("15,000 arrays for a payload", &bare),
            malformed("9,000 objects that do not end", &objects),
            malformed("15,000 nested arrays in the header", &header),
            passes("a true token of 50 KB where it is allowed", bearer(&padded(37_000))),
        ],
    );
    proxy.finish();
}

#[test]
fn one_connection_through_good_and_bad() {
    let proxy = Proxy::start("mixed", vec![default_listener()]);
    let mut connection = proxy.connect("default");
    let bearer = format!("Bearer {}", token_for("t"));
    let bad = [
        get("/jwt").authorization(b"Bearer \xff"),
        get("/jwt").authorization(&bearer).authorization(&bearer),
        get("/jwt").authorization(format!("{bearer}, {bearer}")),
        get("/basic").basic_bytes(b"alice:\0"),
        get("/basic").basic_bytes(b"\xff\xff:\xff"),
        get("/jwt").bearer(&"[".repeat(30_000)),
    ];
    for request in bad {
        let exchange = proxy.send_over(&mut connection, &request);
        assert!([400, 401].contains(&exchange.status), "{:?} to {request}", exchange.answer);
        assert!(exchange.upstream.is_empty(), "{request} reached upstream");
        // Envoy itself closes the connection after a 400.
        if exchange.answer.all("connection") == ["close"] {
            connection = proxy.connect("default");
        }
        let exchange = proxy.send_over(&mut connection, &good());
        assert_eq!(exchange.status, 200, "after {request}");
    }
    proxy.finish();
}
