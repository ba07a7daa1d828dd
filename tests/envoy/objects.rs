//! Rules that compare claims with the path, the host or a header of the request, and requests for the objects of others.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{Case, check, denied, passes, refused};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::endpoint::{Endpoint, Reply};
use authgate_testing::e2e::fixture::{ALICE, BOB, policy};
use authgate_testing::e2e::h2;
use authgate_testing::e2e::mint::{claims_but, now, token, token_for};
use authgate_testing::e2e::proxy::{Kept, Proxy};

const POLICY: &str = r#"
authenticators:
  idp: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}
  staff: {basic: {users: {alice: $ALICE, bob: $BOB}}}
rules:
  - name: users
    match: {template: "/users/{id}/{rest=**}"}
    require: idp
    authorize: {claims: {sub: {path: id}}}
  - name: orgs
    match: {template: "/orgs/{org}/users/{id}"}
    require: idp
    authorize: {claims: {sub: {path: id}, orgs: {path: org}}}
  - name: mine
    match: {template: "/mine/{id}"}
    require: {any_of: [staff, idp]}
    authorize: {subject: {path: id}}
  - name: each
    match: {template: "/each/{id}"}
    require: {any_of: [staff, idp]}
    authorize:
      - {authenticators: [staff], subjects: [staff/alice]}
      - {authenticators: [idp], claims: {sub: {path: id}}}
  - name: tenants
    match: {prefix: /tenant, hosts: ["{tenant}.example.com"]}
    require: idp
    authorize: {claims: {tenants: {host: tenant}}}
  - name: headers
    match: {prefix: /header}
    require: idp
    authorize: {claims: {org: {header: x-org-id}}}
  - name: shadow
    match: {template: "/shadow/{id}"}
    require: idp
    authorize: {claims: {sub: {path: id}}}
    shadow: true
  - {name: rest, match: {prefix: /rest}, require: idp}
"#;

fn objects(name: &'static str) -> Listener {
    listener(name, policy(POLICY), get("/rest").bearer(&token_for("good")))
}

/// Returns a request with a token that has these claims.
fn with(path: impl AsRef<[u8]>, claims: Value) -> Request {
    get(path).bearer(&token("ES256", &claims_but("alice", claims)))
}

/// Returns a denial without further detail, because the object is somebody else's.
fn other(hazard: impl Into<String>, request: Request) -> Case {
    denied(hazard, request, 403, "not_authorized")
}

#[test]
fn no_path_leads_to_the_object_of_another() {
    let proxy = Proxy::start("objects", vec![objects("sample"), objects("raw").raw()]);
    let alice = |path: &str| get(path).bearer(&token_for("alice"));
    for name in ["sample", "raw"] {
        let own = [
            "/users/alice/",
            "/users/alice/x",
            "/users/alice/x/y?z",
            "/users/%61lic%65/x",
            "/users/alice/b%3Fc",
        ];
        check(&proxy, name, own.map(|path| passes(path, alice(path)).identity("alice", "idp")));
        let others = [
            "/users/bob/x",
            "/users/Alice/x",
            "/users/alic/x",
            "/users/alicee/x",
            "/users/alice%20/x",
            "/users/%2561lice/x",
            "/users/alice+/x",
            "/users/alice,bob/x",
            "/users/alice%0a/x",
            "/users/alice%E2%80%8B/x",
            "/users/bob/alice",
        ];
        check(&proxy, name, others.map(|path| other(path, alice(path))));
        let ambiguous = [
            "/users/alice%2f/x",
            "/users/alice%2Fbob/x",
            "/users/bob%2f..%2falice/x",
            "/users/alice%5c..%5cbob/x",
            "/users/alice;/x",
            "/users/alice;bob/x",
            "/users/bob;/../alice/x",
            "/users/alice%3bx/x",
            "/users/alice/../bob/x",
            "/users/bob/../alice/x",
            "/users/bob/%2e%2e/alice/x",
            "/users/./alice/x",
            "/users//alice/x",
            "//users/alice/x",
            "/users/alice/..;/bob/x",
            "/users/alice%00/x",
            "/users/alice\\..\\bob/x",
            "/users/al%c0%afice/x",
            "/users/alice",
            "/users//",
        ];
        // Envoy normalizes some of these, so that they are alice's own; they never reach the service as somebody else's.
        for path in ambiguous {
            let exchange = proxy.send(name, &alice(path));
            let target = exchange.upstream.first().map(|seen| seen.second_word().to_owned());
            let is_own = target
                .as_deref()
                .is_some_and(|target| target.starts_with("/users/alice/") && !target.contains(".."));
            if !is_own && ![400, 403].contains(&exchange.status) {
                proxy.fault(format!("{name}: {path} got {} as {target:?}", exchange.status));
            }
            if name == "raw" && exchange.status == 200 {
                proxy.fault(format!("raw: {path} was not refused"));
            }
        }
    }
    check(
        &proxy,
        "raw",
        ["/users/alice%2fx/y", "/users/alice;x/y", "/users/bob/../alice/x", "/users/alice%5cx/y"]
            .map(|path| denied(path, alice(path), 400, "ambiguous_path").any_challenge()),
    );
    // An identifier may contain escaped bytes; one with a slash has no unambiguous path.
    for (id, path) in [
        ("a b", "/users/a%20b/x"),
        ("\u{e4}", "/users/%C3%A4/x"),
        ("\u{e4}", "/users/%c3%a4/x"),
        ("100%", "/users/100%25/x"),
        ("%41", "/users/%2541/x"),
        ("a@b.example", "/users/a@b.example/x"),
        ("a@b.example", "/users/a%40b.example/x"),
        ("a:b", "/users/a:b/x"),
    ] {
        check(&proxy, "raw", [passes(path, get(path).bearer(&token_for(id)))]);
    }
    for (id, path) in [
        ("a/b", "/users/a%2fb/x"),
        ("a/b", "/users/a/b/x"),
        ("a\\b", "/users/a%5cb/x"),
        ("a;b", "/users/a;b/x"),
        ("A", "/users/%2541/x"),
        ("\u{e4}", "/users/a%CC%88/x"),
        (".", "/users/./x"),
        ("..", "/users/../x"),
        ("..", "/users/%2e%2e/x"),
        ("bob/../alice", "/users/bob%2f..%2falice/x"),
    ] {
        check(&proxy, "raw", [refused(format!("{id} at {path}"), get(path).bearer(&token_for(id)))]);
    }
    proxy.finish();
}

#[test]
fn every_variable_of_a_rule_counts_and_types_are_not_converted() {
    let proxy = Proxy::start("objects-types", vec![objects("objects")]);
    let orgs = |path: &str, orgs: Value| with(path, json!({"orgs": orgs}));
    let at = "/orgs/42/users/alice";
    check(
        &proxy,
        "objects",
        [
            passes("a number", orgs(at, json!(42))),
            passes("text", orgs(at, json!("42"))),
            passes("one of several", orgs(at, json!(["7", 42, "x"]))),
            other("another number", orgs(at, json!(43))),
            other("a fraction", orgs(at, json!(42.5))),
            other("an absent claim", orgs(at, Value::Null)),
            other("an empty list", orgs(at, json!([]))),
            other("a nested list", orgs(at, json!([["42"]]))),
            other("an object", orgs(at, json!({"42": true}))),
            other("a list as text", orgs(at, json!("[42]"))),
            other("true", orgs("/orgs/true/users/alice", json!(true))),
            other("null as text", orgs("/orgs/null/users/alice", Value::Null)),
            other("leading zero", orgs("/orgs/042/users/alice", json!(42))),
            other("plus sign", orgs("/orgs/+42/users/alice", json!(42))),
            other("exponent", orgs("/orgs/4.2e1/users/alice", json!(42))),
            other("a point", orgs("/orgs/42.0/users/alice", json!(42))),
            passes(
                "a large number",
                orgs("/orgs/9007199254740993/users/alice", json!(9_007_199_254_740_993_u64)),
            ),
            other(
                "its neighbour",
                orgs("/orgs/9007199254740992/users/alice", json!(9_007_199_254_740_993_u64)),
            ),
            passes("a negative number", orgs("/orgs/-1/users/alice", json!(-1))),
            other("the other variable", orgs("/orgs/42/users/bob", json!(42))),
            other("variables swapped", with("/orgs/alice/users/42", json!({"orgs": 42}))),
        ],
    );
    proxy.finish();
}

#[test]
fn the_subject_of_every_scheme_is_compared() {
    let proxy = Proxy::start("objects-subject", vec![objects("objects")]);
    check(
        &proxy,
        "objects",
        [
            passes("a user", get("/mine/alice").basic("alice", ALICE)).identity("alice", "staff"),
            other("a user at another's", get("/mine/bob").basic("alice", ALICE)),
            passes("a token", get("/mine/bob").bearer(&token_for("bob"))).identity("bob", "idp"),
            other("a token at another's", get("/mine/alice").bearer(&token_for("bob"))),
            other("a name with its authenticator", get("/mine/staff%2Calice").basic("alice", ALICE)),
            denied(
                "a wrong password for the own",
                get("/mine/bob").basic("bob", ALICE),
                401,
                "invalid_credentials",
            )
            .any_challenge(),
            passes("an alternative without a variable", get("/each/bob").basic("alice", ALICE)),
            other("the other alternative is not for passwords", get("/each/bob").basic("bob", BOB)),
            passes("the alternative with a variable", get("/each/bob").bearer(&token_for("bob"))),
            other("the other alternative is not for tokens", get("/each/bob").bearer(&token_for("alice"))),
        ],
    );
    proxy.finish();
}

#[test]
fn a_remembered_credential_does_not_remember_its_object() {
    let proxy = Proxy::start("objects-cache", vec![objects("objects")]);
    let tokens = ["alice", "bob"].map(|name| (name, token_for(name)));
    let mut connection = Kept::new(&proxy, "objects");
    for round in 0..20 {
        for (at, (name, token)) in tokens.iter().enumerate() {
            let (_, foreign) = &tokens[1 - at];
            for (token, expected) in [(token, 200), (foreign, 403)] {
                let exchange = connection.send(&get(format!("/users/{name}/x")).bearer(token));
                assert_eq!(exchange.status, expected, "round {round}, {name}: {:?}", exchange.answer);
            }
            for (user, password, expected) in [("alice", ALICE, "alice"), ("bob", BOB, "bob")] {
                let exchange = connection.send(&get(format!("/mine/{name}")).basic(user, password));
                assert_eq!(exchange.status == 200, expected == *name, "round {round}, {user} at {name}");
            }
        }
    }
    proxy.finish();
}

#[test]
fn a_request_that_waits_is_decided_by_its_own_path() {
    let endpoint = Endpoint::start();
    let mut policy = policy(POLICY);
    policy["authenticators"]["idp"] = json!({"introspection": {
        "endpoint": "https://idp.example.com/introspect", "cluster": "endpoint",
        "client_id": "gateway", "client_secret": "secret-of-the-gateway", "any_audience": true,
    }});
    policy["rules"]
        .as_array_mut()
        .expect("rules")
        .push(json!({"match": {"prefix": "/open"}, "public": true}));
    let proxy = Proxy::start(
        "objects-waiting",
        vec![listener("objects", policy, get("/open")).cluster("endpoint", endpoint.port)],
    );
    let active = |sub: &str| json!({"active": true, "sub": sub, "exp": now() + 600, "orgs": ["a"]});
    for (round, hold) in [(0, true), (1, false)] {
        let token = format!("an-opaque-token-of-alice-{round}");
        endpoint
            .reply(&token, Reply::Late(Duration::from_millis(if hold { 400 } else { 0 }), active("alice")));
        thread::scope(|scope| {
            let (proxy, token) = (&proxy, &token);
            let all: Vec<_> = [
                ("/users/alice/x", 200),
                ("/users/bob/x", 403),
                ("/users/%61lice/x?access=1", 200),
                ("/orgs/a/users/alice", 200),
                ("/orgs/b/users/alice", 403),
                ("/mine/alice", 200),
                ("/mine/bob", 403),
                ("/users/alice;x/y", 400),
            ]
            .map(|(path, expected)| {
                scope.spawn(move || (path, expected, proxy.send("objects", &get(path).bearer(token))))
            })
            .into();
            for case in all {
                let (path, expected, exchange) = case.join().expect("a response");
                assert_eq!(exchange.status, expected, "round {round}, {path}: {:?}", exchange.answer);
                assert_eq!(exchange.upstream.len(), usize::from(expected == 200), "round {round}, {path}");
            }
        });
    }
    proxy.finish();
}

#[test]
fn shadow_lets_another_s_object_pass_and_says_so() {
    let proxy = Proxy::start("objects-shadow", vec![objects("objects")]);
    check(
        &proxy,
        "objects",
        [
            passes("another's object", get("/shadow/bob").bearer(&token_for("alice"))).anonymous(),
            passes("the own object", get("/shadow/alice").bearer(&token_for("alice"))).anonymous(),
            passes("an ambiguous variable", get("/shadow/alice;x").bearer(&token_for("alice"))).anonymous(),
        ],
    );
    let log = proxy.log();
    assert_eq!(log.matches("NOT ENFORCED: would be denied: reason=not_authorized").count(), 1, "{log}");
    assert_eq!(log.matches("NOT ENFORCED: would be denied: reason=ambiguous_path").count(), 1, "{log}");
    proxy.finish();
}

/// Spellings of the host of the tenant `acme`.
const ACME: [&str; 6] = [
    "acme.example.com",
    "ACME.example.com",
    "acme.Example.COM",
    "acme.example.com:8443",
    "acme.example.com.",
    "Acme.example.com.:443",
];

#[test]
fn no_spelling_of_a_host_leads_to_another_tenant() {
    let proxy = Proxy::start("objects-hosts", vec![objects("sample"), objects("raw").raw()]);
    let tenant = |host: &str, tenants: Value| with("/tenant", json!({"tenants": tenants})).host(host);
    for name in ["sample", "raw"] {
        check(&proxy, name, ACME.map(|host| passes(host, tenant(host, json!("acme")))));
        check(&proxy, name, ACME.map(|host| passes(host, tenant(host, json!(["x", "acme"])))));
        check(&proxy, name, ACME.map(|host| other(host, tenant(host, json!("evil")))));
        check(
            &proxy,
            name,
            [
                other("a claim in another case", tenant("acme.example.com", json!("ACME"))),
                other("another label", tenant("evil.example.com", json!("acme"))),
                other("no claim", tenant("acme.example.com", Value::Null)),
                other("a claim with the whole host", tenant("acme.example.com", json!("acme.example.com"))),
                other("an empty claim", tenant("acme.example.com", json!(""))),
                denied("two labels", tenant("acme.evil.example.com", json!("acme")), 403, "no_rule"),
                denied("no label", tenant("example.com", json!("acme")), 403, "no_rule"),
                refused("an empty label", tenant(".example.com", json!(""))),
                refused("a user", tenant("acme.example.com@evil.example.com", json!("acme"))),
                refused("two hosts in one", tenant("acme.example.com,evil.example.com", json!("acme"))),
                refused(
                    "two hosts",
                    tenant("acme.example.com", json!("acme")).field("host", "evil.example.com"),
                ),
                refused("an escape", tenant("%61cme.example.com", json!("acme"))),
            ],
        );
        let absolute = "http://evil.example.com/tenant";
        let request = with(absolute, json!({"tenants": "acme"})).host("acme.example.com");
        check(&proxy, name, [other("absolute form beats Host", request)]);
    }
    // The settings of the sample remove one of the dots.
    check(&proxy, "raw", [refused("two dots", tenant("acme.example.com..", json!("acme")))]);
    // Over HTTP/2, where the authority may come beside a Host header.
    let bearer = |claims: Value| format!("Bearer {}", token("ES256", &claims_but("alice", claims)));
    let acme = bearer(json!({"tenants": "acme"}));
    for name in ["sample", "raw"] {
        let mut connection = h2::Connection::open(proxy.port(name)).expect("a connection");
        let hosts = ACME.map(|host| (host, None, 200));
        let others = [
            ("evil.example.com", None, 403),
            ("evil.example.com:8443", None, 403),
            ("evil.example.com.", None, 403),
            ("evil.example.com", Some("acme.example.com"), 403),
        ];
        for (authority, host, expected) in hosts.into_iter().chain(others) {
            let mut fields = vec![(":authority", authority), ("authorization", acme.as_str())];
            fields.extend(host.map(|host| ("host", host)));
            let id = connection.get("/tenant", &fields).expect("a request");
            assert_eq!(connection.status(id).ok(), Some(expected), "{name}: {authority}, {host:?}");
        }
    }
    proxy.finish();
}

#[test]
fn http_2_paths_are_compared_in_the_same_way() {
    let proxy = Proxy::start("objects-h2", vec![objects("raw").raw()]);
    let bearer = format!("Bearer {}", token_for("alice"));
    let mut connection = h2::Connection::open(proxy.port("raw")).expect("a connection");
    for (path, expected) in [
        ("/users/alice/x", 200),
        ("/users/%61lice/x", 200),
        ("/users/bob/x", 403),
        ("/users/alice%2fx/y", 400),
        ("/users/alice;x/y", 400),
        ("/users/bob/../alice/x", 400),
        ("/users/alice\\/x", 400),
        ("/users/alice/x?/users/bob/x", 200),
    ] {
        let fields = [("authorization", bearer.as_str())];
        let id = connection.get(path, &fields).expect("a request");
        assert_eq!(connection.status(id).ok(), Some(expected), "{path}");
    }
    proxy.finish();
}

#[test]
fn a_header_that_is_compared_is_there_once_and_reaches_the_service() {
    let proxy = Proxy::start("objects-headers", vec![objects("objects").upgrades()]);
    let org = |claim: Value| with("/header", json!({"org": claim}));
    let name = "x-org-id";
    check(
        &proxy,
        "objects",
        [
            passes("the own", org(json!("acme")).field(name, "acme")).upstream(name, "acme"),
            passes("in another case", org(json!("acme")).field("X-Org-Id", "acme")).upstream(name, "acme"),
            other("another's", org(json!("acme")).field(name, "evil")),
            other("missing", org(json!("acme"))),
            other("empty", org(json!("")).field(name, "")),
            other("empty, and no claim", org(Value::Null).field(name, "")),
            other("twice", org(json!("acme")).field(name, "acme").field(name, "acme")),
            other("twice, another's last", org(json!("acme")).field(name, "acme").field(name, "evil")),
            other("twice, another's first", org(json!("acme")).field(name, "evil").field(name, "acme")),
            other("both in one", org(json!(["acme", "evil"])).field(name, "acme,evil")),
            other("with a comma", org(json!("acme")).field(name, "acme, evil")),
            other("a value in another case", org(json!("acme")).field(name, "ACME")),
            other("an escape", org(json!("acme")).field(name, "%61cme")),
            other("only in another spelling", org(json!("acme")).field("x_org_id", "acme")),
        ],
    );
    // A service that takes `x_org_id` for the same header must not see another's value there.
    let spelled = org(json!("acme")).field(name, "acme").field("x_org_id", "evil");
    let exchange = proxy.send("objects", &spelled);
    let evil = exchange.upstream.iter().any(|seen| !seen.all("x_org_id").is_empty());
    assert!(!evil, "another spelling goes upstream: {:?}", exchange.upstream);
    // Nor may the client have it removed on the way, or repeat it after the body.
    for fields in [
        org(json!("acme")).field(name, "acme").field("connection", name),
        org(json!("acme"))
            .field(name, "acme")
            .field("connection", "Upgrade, x-org-id")
            .field("upgrade", "websocket"),
    ] {
        let exchange = proxy.send("objects", &fields);
        let kept = exchange.upstream.iter().all(|seen| seen.all(name) == ["acme"]);
        assert!(kept, "{fields}: {:?}", exchange.upstream);
    }
    let trailer =
        request("POST", "/header").bearer(&token("ES256", &claims_but("alice", json!({"org": "acme"}))));
    let exchange = proxy.send("objects", &trailer.field(name, "acme").chunked("x", &[(name, "evil")]));
    let seen = exchange.upstream.first().expect("a request");
    assert!(!seen.trailers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name)), "a trailer: {seen:?}");
    proxy.finish();
}
