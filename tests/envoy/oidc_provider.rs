//! authgate with a real identity provider.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{check, denied, passes};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::fixture::{BEARER, INVALID_TOKEN, policy};
use authgate_testing::e2e::idp::{Idp, MACHINE};
use authgate_testing::e2e::mint::{jws, now, public_jwk};
use authgate_testing::e2e::proxy::Proxy;

const WORKERS: usize = 4;

/// The origin that clients use.
const ORIGIN: &str = "https://api.example.com";

/// Returns a JWT authenticator that discovers the provider's keys.
fn discovery(idp: &Idp) -> Value {
    json!({"jwt": {
        "issuer": idp.issuer,
        "audiences": ["api"],
        "typ": ["at+jwt"],
        "keys": {"discovery": {"cluster": "idp", "refresh": "2s"}},
        "dpop": {"origin": ORIGIN},
    }})
}

/// Returns an introspection authenticator. One client's id and secret contain characters that must be encoded.
fn introspection(idp: &Idp, client_auth: &str) -> Value {
    let (client_id, client_secret) = match client_auth {
        "basic" => ("gate:way", "c%2f+: &secret"),
        _ => ("gateway-post", "secret-of-gateway-post"),
    };
    json!({"introspection": {
        "endpoint": format!("{}/token/introspection", idp.issuer),
        "cluster": "idp",
        "client_id": client_id,
        "client_secret": client_secret,
        "client_auth": client_auth,
        "issuer": idp.issuer,
        "audiences": ["opaque"],
        // A token that a client requested for itself has no `sub`.
        "subject_claim": "client_id",
        "dpop": {"origin": ORIGIN},
    }})
}

fn with(name: &'static str, idp: &Idp, authenticators: Value, require: Value) -> Listener {
    let mut policy = policy("{rules: []}");
    policy["authenticators"] = authenticators;
    policy["rules"] = json!([
        {"match": {"prefix": "/public"}, "public": true},
        {"match": {"prefix": "/admin"}, "require": require, "authorize": {"scopes": ["admin"]}},
        {"require": require},
    ]);
    listener(name, policy, get("/public")).cluster("idp", idp.port)
}

#[test]
fn tokens_of_a_real_provider_are_taken() {
    let Some(idp) = Idp::start() else { return };
    let (jwt, opaque) = (idp.token(MACHINE, "urn:api", None), idp.token(MACHINE, "urn:opaque", None));
    let asking = |auth: &str| json!({"opaque": introspection(&idp, auth)});
    let both = json!({"partners": discovery(&idp), "opaque": introspection(&idp, "basic")});
    let listeners = vec![
        with("jwt", &idp, json!({"partners": discovery(&idp)}), json!("partners")),
        with("basic", &idp, asking("basic"), json!("opaque")),
        with("post", &idp, asking("post"), json!("opaque")),
        with("mixed", &idp, both, json!({"any_of": ["opaque", "partners"]})),
    ];
    let proxy = Proxy::start_with_workers(WORKERS, "provider", listeners);
    let at = |path: &str, token: &str| get(path).bearer(token);
    let dpop = r#"DPoP realm="restricted", algs="ES256 …""#;
    let insufficient = r#"Bearer realm="restricted", error="insufficient_scope", …scope="admin""#;
    let invalid = |hazard: &str, token: &str| {
        denied(hazard, at("/", token), 401, "invalid_token").challenge(&[INVALID_TOKEN, dpop])
    };
    check(
        &proxy,
        "jwt",
        [
            denied("nothing", get("/"), 401, "missing_credentials").challenge(&[BEARER, dpop]),
            passes("an access token", at("/", &jwt)).upstream("x-auth-user", MACHINE),
            denied("without the scope", at("/admin", &jwt), 403, "insufficient_scope")
                .challenge(&[insufficient]),
            denied("an opaque one", at("/", &opaque), 401, "malformed_credentials")
                .challenge(&[INVALID_TOKEN, dpop]),
        ],
    );
    for name in ["basic", "post"] {
        check(
            &proxy,
            name,
            [
                passes("an opaque token", at("/", &opaque)).upstream("x-auth-user", MACHINE),
                denied("without the scope", at("/admin", &opaque), 403, "insufficient_scope")
                    .challenge(&[insufficient]),
                invalid("one that was never issued", "XdChZqkrOcgGBpklBGpPvkt1zwSLt7_SoyZlpxQE1Lh"),
                // The provider responds with 400 `unsupported_token_type`.
                invalid("a JWT, of which the endpoint knows nothing", &jwt),
            ],
        );
    }
    let asked = idp.count("/token/introspection");
    check(
        &proxy,
        "mixed",
        [
            passes("a JWT", at("/", &jwt)).identity(MACHINE, "partners"),
            passes("an opaque token", at("/", &opaque)).identity(MACHINE, "opaque"),
            invalid("neither", "XdChZqkrOcgGBpklBGpPvkt1zwSLt7_SoyZlpxQE1Lh"),
        ],
    );
    // Each worker introspects the two opaque tokens itself.
    let asked = idp.count("/token/introspection") - asked;
    assert!((2..=2 * WORKERS as u64).contains(&asked), "{asked}");
    proxy.finish();
}

/// Returns a proof of possession (RFC 9449 §4.2) for a request with this token, or for a token request.
fn proof(method: &str, htu: &str, jti: &str, token: Option<&str>) -> String {
    let mut jwk = public_jwk("ES256");
    jwk.as_object_mut().expect("a key").retain(|name, _| !["kid", "alg", "use"].contains(&name.as_str()));
    let mut claims = json!({"jti": jti, "htm": method, "htu": htu, "iat": now()});
    if let Some(token) = token {
        claims["ath"] = json!(BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(token.as_bytes())));
    }
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    jws("ES256", header.to_string(), claims.to_string())
}

#[test]
fn bound_tokens_of_a_real_provider_are_proved() {
    let Some(idp) = Idp::start() else { return };
    let bound = |resource: &str, jti: &str| {
        let proof = proof("POST", &format!("{}/token", idp.issuer), jti, None);
        idp.token("bound", resource, Some(&proof))
    };
    let (jwt, opaque) = (bound("urn:api", "first"), bound("urn:opaque", "second"));
    let authenticators = json!({"partners": discovery(&idp), "opaque": introspection(&idp, "basic")});
    let require = json!({"any_of": ["opaque", "partners"]});
    let listeners = vec![with("mixed", &idp, authenticators, require)];
    // A single worker, since each worker tracks used proofs itself.
    let proxy = Proxy::start("provider-bound", listeners);
    for (token, authenticator) in [(&jwt, "partners"), (&opaque, "opaque")] {
        let sent = |path: &str, jti: &str| {
            let proof = proof("GET", &format!("{ORIGIN}{path}"), jti, Some(token));
            get(path).authorization(format!("DPoP {token}")).field("dpop", proof)
        };
        let refused = |hazard: &str, request: Request, detail: &'static str| {
            denied(hazard, request, 401, detail).any_challenge()
        };
        let jti = |n: u8| format!("{authenticator}-{n}");
        let elsewhere = proof("GET", &format!("{ORIGIN}/elsewhere"), &jti(3), Some(token));
        check(
            &proxy,
            "mixed",
            [
                passes("with a proof", sent("/a", &jti(1)))
                    .identity("bound", authenticator)
                    .upstream_lacks("dpop"),
                refused("the same proof again", sent("/a", &jti(1)), "replayed_proof"),
                passes("another proof", sent("/a", &jti(2))).identity("bound", authenticator),
                refused("as a bearer token", get("/a").bearer(token), "not_bound"),
                refused(
                    "a proof for elsewhere",
                    get("/a").authorization(format!("DPoP {token}")).field("dpop", elsewhere),
                    "proof_mismatch",
                ),
                refused("no proof", get("/a").authorization(format!("DPoP {token}")), "not_bound"),
            ],
        );
    }
    proxy.finish();
}

/// The provider publishes a new key, signs with it and withdraws the old one, while requests keep arriving.
#[test]
fn keys_rotate_while_traffic_flows() {
    let Some(idp) = Idp::start() else { return };
    let old = idp.token(MACHINE, "urn:api", None);
    let good = with("jwt", &idp, json!({"partners": discovery(&idp)}), json!("partners"));
    let proxy = Proxy::start_with_workers(WORKERS, "provider-rotation", vec![good]);
    let request = |token: &str| get("/").bearer(token);
    let current: Mutex<Request> = Mutex::new(request(&old));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let traffic = || {
            let mut refused = Vec::new();
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                let request = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let exchange = proxy.send("jwt", &request);
                sent += 1;
                if exchange.status != 200 {
                    refused.push((exchange.status, exchange.answer.body));
                }
                thread::sleep(Duration::from_millis(2));
            }
            (sent, refused)
        };
        let traffic: Vec<_> = (0..4).map(|_| scope.spawn(traffic)).collect();
        thread::sleep(Duration::from_millis(300));
        idp.publish_key();
        let new = idp.token(MACHINE, "urn:api", None);
        // Immediately, before any worker has fetched the keys again.
        *current.lock().unwrap_or_else(PoisonError::into_inner) = request(&new);
        thread::sleep(Duration::from_millis(700));
        idp.withdraw_keys();
        // `refresh`, and some time to spare.
        thread::sleep(Duration::from_millis(3000));
        for _ in 0..10 * WORKERS {
            assert_eq!(proxy.send("jwt", &request(&old)).status, 401, "a withdrawn key is taken");
        }
        stop.store(true, Ordering::Relaxed);
        for thread in traffic {
            let (sent, refused) = thread.join().expect("traffic");
            assert!(sent > 100, "{sent} requests are no traffic");
            assert!(
                refused.is_empty(),
                "{} of {sent} valid tokens refused: {:?}",
                refused.len(),
                refused.first()
            );
        }
    });
    proxy.finish();
}
