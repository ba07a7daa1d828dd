//! Configurations that `authgate convert` creates from Envoy's own filters make the same decisions, in the same Envoy.
//! If authgate is stricter on purpose, the comments of the converted configuration say so, and a case covers it.

mod authorization;
mod cases;
mod pairs;

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::mint::{
    ISSUER, claims_but, jwks, jws, now, other_token, token, token_for, with_signature,
};
use authgate_testing::e2e::proxy::Proxy;

const JWT_AUTHN: &str = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication";
const BASIC_AUTH: &str = "type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth";

/// The lifetime of a token without `iat` is unknown, so it is rejected where lifetimes are bounded.
const NEEDS_IAT: &str = "no iat";

/// A token for the audience that one rule requires instead of the provider's.
const OTHER_AUDIENCE: &str = "the audience of the rule";

/// Converts a filter, and returns the configuration and a flag that is true if the tool reports a complete conversion.
fn converted(filter: &Value) -> (Value, bool) {
    let mut child = Command::new(authgate_testing::tool())
        .args(["convert", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(filter.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let summary = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), summary.is_empty(), "{summary}");
    (serde_yaml_ng::from_slice(&output.stdout).unwrap(), output.status.success())
}

/// Returns two listeners: one with the filter, one with its conversion.
fn both(name: [&'static str; 2], filter: &Value, good: &Request) -> [Listener; 2] {
    let [native, ours] = name;
    [
        listener(native, json!({}), good.clone()).native(filter.clone()),
        listener(ours, converted(filter).0, good.clone()),
    ]
}

/// Sends a request to both. Either both allow it or both deny it, and headers that both write to the upstream are
/// equal.
fn compare(proxy: &Proxy, [native, ours]: [&str; 2], what: &str, asked: &Request, fields: &[&str]) -> bool {
    let (theirs, own) = (proxy.send(native, asked), proxy.send(ours, asked));
    let passes = |status: u16| status == 200;
    if passes(theirs.status) != passes(own.status) {
        proxy.fault(format!("{what}: {native} says {}, {ours} says {}", theirs.status, own.status));
    }
    if let (Some(theirs), Some(own)) = (theirs.upstream.first(), own.upstream.first()) {
        for field in fields {
            if theirs.all(field) != own.all(field) {
                let (theirs, own) = (theirs.all(field), own.all(field));
                proxy.fault(format!("{what}: {field} is {theirs:?} behind {native}, {own:?} behind {ours}"));
            }
        }
        if theirs.second_word() != own.second_word() {
            proxy.fault(format!("{what}: {} and {}", theirs.second_word(), own.second_word()));
        }
    }
    passes(theirs.status)
}

#[test]
fn a_converted_filter_decides_like_the_native_one() {
    let provider = |more: Value| {
        let mut provider = json!({"issuer": ISSUER, "audiences": ["api"], "local_jwks": {"inline_string": jwks().to_string()}});
        provider.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        provider
    };
    let jwt_authn = json!({
        "@type": JWT_AUTHN,
        "providers": {
            "plain": provider(json!({"claim_to_headers": [
                {"header_name": "x-user", "claim_name": "sub"}, {"header_name": "x-team", "claim_name": "org.team"},
            ]})),
            "strict": provider(json!({"require_expiration": true, "max_lifetime": "900s", "clock_skew_seconds": 5,
                "from_headers": [{"name": "x-jwt"}, {"name": "x-auth", "value_prefix": "Token "}],
                "from_params": ["t"], "from_cookies": ["session"], "forward": true})),
        },
        "rules": [
            {"match": {"prefix": "/health"}},
            {"match": {"path": "/jwt/open"}},
            {"match": {"prefix": "/jwt/"}, "requires": {"provider_name": "plain"}},
            {"match": {"prefix": "/api"}, "requires": {"provider_name": "plain"}},
            {"match": {"path": "/exact"}, "requires": {"provider_name": "plain"}},
            {"match": {"path": "/case", "case_sensitive": false}, "requires": {"provider_name": "plain"}},
            {"match": {"path_separated_prefix": "/seg"}, "requires": {"provider_name": "plain"}},
            {"match": {"safe_regex": {"regex": "/v[0-9]+/.*"}}, "requires": {"provider_name": "plain"}},
            {"match": {"prefix": "/write", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]},
                "requires": {"provider_name": "plain"}},
            {"match": {"prefix": "/strict"}, "requires": {"provider_name": "strict"}},
            {"match": {"prefix": "/any"}, "requires":
                {"requires_any": {"requirements": [{"provider_name": "strict"}, {"provider_name": "plain"}]}}},
            {"match": {"prefix": "/optional"}, "requires":
                {"requires_any": {"requirements": [{"provider_name": "plain"}, {"allow_missing": {}}]}}},
            {"match": {"prefix": "/admin"}, "requires":
                {"provider_and_audiences": {"provider_name": "plain", "audiences": ["admin"]}}},
        ],
    });
    let basic_auth = json!({"@type": BASIC_AUTH, "users": {"inline_string": users()},
        "forward_username_header": "x-user"});
    let (jwt, basic) = (["jwt-authn", "jwt-converted"], ["basic-auth", "basic-converted"]);
    let (good_jwt, good_basic) =
        (get("/jwt/x").bearer(&token_for("alice")), get("/").basic("alice", "wonderland"));
    let mut listeners = both(jwt, &jwt_authn, &good_jwt).to_vec();
    listeners.extend(both(basic, &basic_auth, &good_basic));
    let proxy = Proxy::start("converted", listeners);

    let (mut passed, mut refused) = (0, 0);
    let mut ask = |names, what: &str, asked: Request| {
        // Not compared, since the comments say that they have no equivalent: headers of a token for another audience,
        // and passwords, which the converted configuration does not forward.
        let fields: &[&str] = match names == jwt {
            true if what == OTHER_AUDIENCE => &[],
            true => &["x-user", "x-team", "authorization"],
            false => &["x-user"],
        };
        match compare(&proxy, names, what, &asked, fields) {
            true => passed += 1,
            false => refused += 1,
        }
    };
    for (what, token) in tokens() {
        ask(jwt, what, get("/jwt/x").bearer(&token));
        if what != NEEDS_IAT {
            ask(jwt, what, get("/strict").field("x-jwt", &token));
        }
        ask(jwt, what, get("/optional").bearer(&token));
    }
    let good = token_for("alice");
    for path in [
        "/",
        "/health",
        "/healthy",
        "/jwt",
        "/jwt/",
        "/jwt/x",
        "/jwt/open",
        "/jwt/open/x",
        "/api",
        "/apix",
        "/api/x",
        "/ap",
        "/exact",
        "/exact/",
        "/exactly",
        "/case",
        "/CASE",
        "/Case/",
        "/seg",
        "/seg/x",
        "/segment",
        "/v1/x",
        "/v12/",
        "/v1",
        "/vx/x",
        "/write",
        "/strict",
        "/any",
        "/optional",
        "/admin",
        "/other",
    ] {
        ask(jwt, &format!("{path} without a token"), get(path));
        ask(jwt, &format!("{path} with a token"), get(path).bearer(&good));
        ask(jwt, &format!("{path} with a query"), get(format!("{path}?a=b")));
    }
    ask(jwt, "POST", request("POST", "/write"));
    ask(jwt, "POST with a token", request("POST", "/write").bearer(&good));
    ask(jwt, "a token in the query", get(format!("/jwt/x?a=b&access_token={good}")));
    ask(jwt, "a token in another field", get("/jwt/x").field("x-jwt", &good));
    ask(jwt, "a token in its field", get("/strict").field("x-jwt", &good));
    ask(jwt, "a token behind its scheme", get("/strict").field("x-auth", format!("Token {good}")));
    ask(jwt, "a token in its cookie", get("/strict").field("cookie", format!("a=b; session={good}")));
    ask(jwt, "a token in its parameter", get(format!("/strict?t={good}")));
    ask(jwt, "a token where none is read", get("/strict").bearer(&good));
    ask(jwt, "a token for any", get("/any").field("x-jwt", &good));
    let admin = token("ES256", &claims_but("alice", json!({"aud": ["x", "admin"]})));
    ask(jwt, OTHER_AUDIENCE, get("/admin").bearer(&admin));
    ask(jwt, "another audience elsewhere", get("/jwt/x").bearer(&admin));

    ask(basic, "alice", get("/x?a=b").basic("alice", "wonderland"));
    ask(basic, "bob", get("/x").basic("bob", "looking-glass"));
    ask(basic, "nobody", get("/x"));
    ask(basic, "a wrong password", get("/x").basic("alice", "looking-glass"));
    ask(basic, "a user in another case", get("/x").basic("Alice", "wonderland"));
    ask(basic, "an unknown user", get("/x").basic("carol", "wonderland"));
    ask(basic, "an empty password", get("/x").basic("alice", ""));
    ask(basic, "an empty user", get("/x").basic("", "wonderland"));
    ask(basic, "no colon", get("/x").basic_bytes("alice"));
    ask(basic, "a password with a colon", get("/x").basic("alice", "wonderland:"));
    ask(basic, "another scheme", get("/x").bearer(&good));
    ask(basic, "no base64", get("/x").authorization("Basic !!!"));
    ask(basic, "no credentials", get("/x").authorization("Basic "));
    // Stricter, as the comments say.
    let (_, token) = tokens().into_iter().find(|(what, _)| *what == NEEDS_IAT).unwrap();
    let stricter = get("/strict").field("x-jwt", &token);
    assert_eq!(proxy.send(jwt[0], &stricter).status, 200);
    assert_eq!(proxy.send(jwt[1], &stricter).status, 401);
    assert!(passed >= 40 && refused >= 40, "{passed} passed, {refused} refused");
    proxy.finish();
}

/// Returns an htpasswd file in the format that `basic_auth` supports.
fn users() -> String {
    let line = |user: &str, password: &str| {
        format!("{user}:{{SHA}}{}\n", BASE64_STANDARD.encode(Sha1::digest(password)))
    };
    line("alice", "wonderland") + &line("bob", "looking-glass")
}

fn tokens() -> Vec<(&'static str, String)> {
    let but = |changes: Value| token("ES256", &claims_but("alice", changes));
    let good = token_for("alice");
    let header = json!({"alg": "ES256", "kid": "ES256"}).to_string();
    let payload = claims_but("alice", json!({})).to_string();
    vec![
        ("a good token", good.clone()),
        ("RS256", token("RS256", &claims_but("alice", json!({})))),
        ("EdDSA", token("EdDSA", &claims_but("alice", json!({})))),
        ("an expired token", but(json!({"iat": 1_599_999_000, "exp": 1_600_000_000}))),
        ("just expired, within the skew", but(json!({"exp": now() - 2}))),
        ("expired, beyond a small skew", but(json!({"exp": now() - 20}))),
        ("a token for later", but(json!({"nbf": now() + 600}))),
        ("another issuer", other_token("alice")),
        ("an issuer that is not there", but(json!({"iss": null}))),
        ("another audience", but(json!({"aud": "web"}))),
        ("several audiences", but(json!({"aud": ["web", "api"]}))),
        ("no audience", but(json!({"aud": null}))),
        ("no exp", but(json!({"exp": null}))),
        (NEEDS_IAT, but(json!({"iat": null}))),
        ("too long a life", but(json!({"exp": now() + 7200}))),
        ("a nested claim", but(json!({"org": {"team": "web"}}))),
        ("a wrong signature", with_signature(&header, &payload, &[7; 64])),
        ("another payload", format!("{}.{}", good.rsplit_once('.').unwrap().0, "AAAA")),
        ("an unknown kid", jws("ES256", json!({"alg": "ES256", "kid": "other"}).to_string(), &payload)),
        (
            "another algorithm than the key's",
            jws("ES256", json!({"alg": "RS256", "kid": "ES256"}).to_string(), &payload),
        ),
        ("no algorithm", with_signature(json!({"alg": "none"}).to_string(), &payload, &[])),
        ("no token", "abc".to_owned()),
        ("two parts", "a.b".to_owned()),
    ]
}
