//! Sender-constrained tokens: bound to a key or a certificate, and useless to any other client.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{Case, check, denied, passes};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::policy;
use authgate_testing::e2e::mint::{claims_but, jws, now, public_jwk, token, token_for};
use authgate_testing::e2e::proxy::Proxy;
use authgate_testing::e2e::tls::{Authority, Client, Identity};

const ORIGIN: &str = "https://api.example.com";
const BEARER: &str = r#"Bearer realm="restricted""#;
const DPOP: &str = r#"DPoP realm="restricted", algs="ES256 RS256 RS384 RS512 ES384 ES512 EdDSA""#;

pub fn bound(name: &'static str, options: Value, good: Request) -> Listener {
    let mut policy = policy(
        r#"
        authenticators: {partners: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}}
        rules: [{match: {prefix: /public}, public: true}, {require: partners}]
        "#,
    );
    let members = policy["authenticators"]["partners"]["jwt"].as_object_mut().expect("an object");
    members.extend(options.as_object().expect("an object").clone());
    listener(name, policy, good)
}

fn plain() -> Request {
    get("/good").bearer(&token_for("good"))
}

/// Credentials of a client with the key of `alg`.
pub struct Holder {
    alg: &'static str,
    jwk: Value,
    token: String,
}

impl Holder {
    pub fn new(alg: &'static str) -> Self {
        let mut jwk = public_jwk(alg);
        jwk.as_object_mut().expect("a key").retain(|name, _| !["kid", "alg", "use"].contains(&name.as_str()));
        // serde_json sorts members by name, as RFC 7638 §3.3 requires.
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(jwk.to_string().as_bytes()));
        let token = token("RS256", &claims_but("dora", json!({"cnf": {"jkt": thumbprint}})));
        Self { alg, jwk, token }
    }

    /// Returns a proof for `GET path` with claims replaced; null removes a claim.
    pub fn proof(&self, path: &str, jti: &str, changes: Value) -> String {
        let header = json!({"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk});
        let ath = BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(self.token.as_bytes()));
        let mut claims =
            json!({"jti": jti, "htm": "GET", "htu": format!("{ORIGIN}{path}"), "iat": now(), "ath": ath});
        let claims = claims.as_object_mut().expect("an object");
        claims.extend(changes.as_object().expect("an object").clone());
        claims.retain(|_, claim| !claim.is_null());
        jws(self.alg, header.to_string(), json!(claims).to_string())
    }

    pub fn send(&self, path: &str, proof: &str) -> Request {
        get(path).authorization(format!("DPoP {}", self.token)).field("DPoP", proof)
    }
}

fn passed(hazard: &str, request: Request) -> Case {
    passes(hazard, request)
        .upstream("x-auth-user", "dora")
        .upstream_lacks("authorization")
        .upstream_lacks("dpop")
}

#[test]
fn a_proof_counts_once_for_its_request() {
    let dpop = json!({"origin": ORIGIN, "max_age": "60s"});
    let listeners = vec![
        bound("auto", json!({"dpop": dpop}), plain()),
        bound("without", json!({}), plain()),
        bound("strict", json!({"bound": "dpop", "dpop": dpop}), get("/public")),
    ];
    let proxy = Proxy::start("bound-dpop", listeners);
    let (es256, eddsa) = (Holder::new("ES256"), Holder::new("EdDSA"));
    let refused = |hazard: &str, request: Request, code: &'static str| {
        let error = if code == "not_bound" { "invalid_token" } else { "invalid_dpop_proof" };
        let challenge = format!(r#"{DPOP}, error="{error}", error_description="…""#);
        denied(hazard, request, 401, code).challenge(&[&challenge, BEARER])
    };
    let first = es256.proof("/a", "first", json!({}));
    let host = |request: Request| request.host("evil.example.com");
    check(
        &proxy,
        "auto",
        [
            denied("nothing", get("/a"), 401, "missing_credentials").challenge(&[BEARER, DPOP]),
            passed("ES256", es256.send("/a?b=c", &first)),
            refused("the same once more", es256.send("/a?b=c", &first), "replayed_proof"),
            refused("the same for another path", es256.send("/b", &first), "proof_mismatch"),
            passed("EdDSA", eddsa.send("/a", &eddsa.proof("/a", "first", json!({})))),
            passed("another jti", es256.send("/a", &es256.proof("/a", "second", json!({})))),
            passed("a host that is not asked", host(es256.send("/a", &es256.proof("/a", "host", json!({}))))),
            passed("POST", {
                let proof = es256.proof("/a", "post", json!({"htm": "POST"}));
                request("POST", "/a").authorization(format!("DPoP {}", es256.token)).field("DPoP", proof)
            }),
            refused(
                "a proof by another's key",
                es256.send("/a", &eddsa.proof("/a", "x", json!({}))),
                "not_bound",
            ),
            refused("no proof", get("/a").authorization(format!("DPoP {}", es256.token)), "not_bound"),
            denied(
                "as a bearer token",
                get("/a").bearer(&es256.token).field("DPoP", es256.proof("/a", "b", json!({}))),
                401,
                "not_bound",
            )
            .challenge(&[r#"Bearer realm="restricted", error="invalid_token", error_description="…""#, DPOP]),
            refused(
                "a bearer token as another",
                get("/a").authorization(format!("DPoP {}", token_for("t"))),
                "not_bound",
            ),
            passes("a bearer token", get("/a").bearer(&token_for("t"))).upstream("x-auth-user", "t"),
            refused(
                "another host",
                {
                    let evil = json!({"htu": "https://evil.example.com/a"});
                    host(es256.send("/a", &es256.proof("/a", "evil", evil)))
                },
                "proof_mismatch",
            ),
            refused(
                "another token",
                es256.send(
                    "/a",
                    &es256.proof("/a", "ath", json!({"ath": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})),
                ),
                "proof_mismatch",
            ),
            refused(
                "no token",
                es256.send("/a", &es256.proof("/a", "ath", json!({"ath": null}))),
                "bad_proof",
            ),
            refused(
                "too old",
                es256.send("/a", &es256.proof("/a", "old", json!({"iat": now() - 65}))),
                "stale_proof",
            ),
            refused(
                "from the future",
                es256.send("/a", &es256.proof("/a", "new", json!({"iat": now() + 20}))),
                "stale_proof",
            ),
            // Envoy may join the headers; exactly one is expected.
            refused(
                "two proofs",
                es256
                    .send("/a", &es256.proof("/a", "1", json!({})))
                    .field("DPoP", es256.proof("/a", "2", json!({}))),
                "bad_proof",
            ),
            refused(
                "bytes",
                get("/a").authorization(format!("DPoP {}", es256.token)).field("DPoP", b"\xff\xfe.\xff.\xff"),
                "bad_proof",
            ),
            refused(
                "a signature that is none",
                es256.send("/a", &format!("{}AAAA", es256.proof("/a", "s", json!({})))),
                "bad_proof",
            ),
            refused("50 kB", es256.send("/a", &format!("{}.e30.AAAA", "A".repeat(50_000))), "bad_proof"),
            refused(
                "deep",
                {
                    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
                    es256.send(
                        "/a",
                        &jws("ES256", format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{deep}}}"#), "{}"),
                    )
                },
                "bad_proof",
            ),
        ],
    );
    check(
        &proxy,
        "without",
        [
            denied("no proof can be checked", get("/a").bearer(&es256.token), 401, "not_bound")
                .challenge(&[r#"Bearer realm="restricted", error="invalid_token", error_description="…""#]),
            denied(
                "nor is the scheme known",
                es256.send("/a", &es256.proof("/a", "w", json!({}))),
                401,
                "unsupported_scheme",
            )
            .challenge(&[BEARER]),
        ],
    );
    let invalid = format!(r#"{DPOP}, error="invalid_token", error_description="…""#);
    check(
        &proxy,
        "strict",
        [
            denied("nothing", get("/a"), 401, "missing_credentials").challenge(&[DPOP]),
            passed("each listener has a window of its own", es256.send("/a", &first)),
            denied("a bearer token", get("/a").bearer(&token_for("t")), 401, "not_bound")
                .challenge(&[&invalid]),
        ],
    );
    proxy.finish();
}

#[test]
fn a_certificate_counts_where_envoy_has_seen_it() {
    let authority = Authority::generate();
    let (own, other) = (authority.issue("dora"), authority.issue("mallory"));
    let alone = Identity::self_signed("dora");
    let bound_to = |identity: &Identity| {
        token("ES256", &claims_but("dora", json!({"cnf": {"x5t#S256": identity.thumbprint()}})))
    };
    let required = authority.context(json!({"validation_context": {}, "require_client_certificate": true}));
    let wanted = authority.context(json!({"validation_context": {}}));
    let untrusted = json!({"validation_context": {"trust_chain_verification": "ACCEPT_UNTRUSTED"}});
    let untrusted = authority.context(untrusted);
    let unasked = authority.context(json!({}));
    let (with_own, with_none) = (authority.client(Some(&own)), authority.client(None));
    let only = json!({"bound": "mtls"});
    let proxy = Proxy::start(
        "bound-certificates",
        vec![
            bound("required", only.clone(), get("/public")).tls(required, &with_own),
            bound("wanted", json!({}), plain()).tls(wanted, &with_none),
            bound("untrusted", only.clone(), get("/public")).tls(untrusted, &with_none),
            bound("unasked", only.clone(), get("/public")).tls(unasked, &with_own),
            bound("plain", only, get("/public")),
        ],
    );
    let refused = |hazard: &str, request: Request| {
        denied(hazard, request, 401, "not_bound")
            .challenge(&[r#"Bearer realm="restricted", error="invalid_token", error_description="…""#])
    };
    let own_token = || get("/a").bearer(&bound_to(&own));
    let forged = |request: Request| {
        let value = format!("Hash={};Subject=\"CN=dora\"", own.digits());
        request.field("x-forwarded-client-cert", value).field("sha256-peer-certificate-digest", own.digits())
    };
    check(
        &proxy,
        "required",
        [
            passes("the certificate", own_token())
                .upstream("x-auth-user", "dora")
                .upstream_lacks("authorization"),
            passes("once more, remembered", own_token()).upstream("x-auth-user", "dora"),
            refused("a token of another certificate", get("/a").bearer(&bound_to(&other))),
            refused("a bearer token", get("/a").bearer(&token_for("t"))),
        ],
    );
    check(
        &proxy,
        "wanted",
        [
            refused("no certificate", own_token()),
            refused("a certificate in a field", forged(own_token())),
            passes("a bearer token", get("/a").bearer(&token_for("t"))).upstream("x-auth-user", "t"),
        ],
    );
    check(&proxy, "unasked", [refused("a certificate that is not asked for", forged(own_token()))]);
    check(&proxy, "plain", [refused("no TLS", own_token()), refused("no TLS, a field", forged(own_token()))]);

    // A client with another certificate than the listener's default client.
    let send = |listener: &str, client: &Client, request: &Request| {
        let (mut connection, is_resumed) = client.connect(proxy.port(listener)).expect("a session");
        (proxy.send_over(&mut connection, request).status, is_resumed)
    };
    for (version, name) in [(&rustls::version::TLS12, "1.2"), (&rustls::version::TLS13, "1.3")] {
        let client = |identity: &Identity| authority.client_of(Some(identity), &[version]);
        let (own_client, other_client) = (client(&own), client(&other));
        for listener in ["required", "wanted"] {
            assert_eq!(send(listener, &own_client, &own_token()), (200, false), "{name}: a new session");
            assert_eq!(send(listener, &own_client, &own_token()), (200, true), "{name}: a resumed session");
            assert_eq!(send(listener, &other_client, &own_token()), (401, false), "{name}: another's");
            assert_eq!(
                send(listener, &other_client, &own_token()),
                (401, true),
                "{name}: another's, resumed"
            );
        }
        let self_signed = client(&alone);
        let token = get("/a").bearer(&bound_to(&alone));
        assert_eq!(send("untrusted", &self_signed, &token).0, 200, "{name}: a certificate of one's own");
        assert_eq!(send("untrusted", &self_signed, &own_token()).0, 401, "{name}: a token of another");
    }
    proxy.finish();
}
