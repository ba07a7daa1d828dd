//! Secrets of every kind, sent in every location, and then searched for wherever an operator or a client could find
//! them.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use authgate_testing::digest_client::{Answer, Challenge, sha256};
use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::fixture::{ALICE, BOB, policy};
use authgate_testing::e2e::mint::{claims_but, expired_token, hs256, jws, token, token_for};
use authgate_testing::e2e::proxy::Proxy;

const SHARED_SECRET: &str = "a-shared-secret-of-more-than-32-bytes";
const PLAIN: &str = "plain-and-inline-password";
const API_KEY: &str = "ak_live_51f0c2b7d6e94a3f";
const DIGEST_PASSWORD: &str = "password-of-carol-for-digest";
const NONCE_KEY: &str = "the-key-of-nonces-from-outside";
const WRONG: &str = "a-wrong-guess-at-a-password";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_of(name: &str) -> String {
    policy("{alice: $ALICE, bob: $BOB}")[name].as_str().expect("a hash").to_owned()
}

/// The environment: each secret that can come from it.
fn environment() -> Vec<(&'static str, String)> {
    vec![
        ("SECRETS_ALICE", hash_of("alice")),
        ("SECRETS_HTPASSWD", format!("carl:{{PLAIN}}{PLAIN}\n")),
        ("SECRETS_SHARED", SHARED_SECRET.to_owned()),
        ("SECRETS_KEY", hex(&hmac_sha256::Hash::hash(API_KEY.as_bytes()))),
        (
            "SECRETS_HTDIGEST",
            format!("carol:legacy:{}\n", sha256(&format!("carol:legacy:{DIGEST_PASSWORD}"))),
        ),
        ("SECRETS_NONCE_KEY", NONCE_KEY.to_owned()),
    ]
}

fn secretive() -> Value {
    policy(
        r#"
        authenticators:
          staff: {basic: {users: {alice: {env: SECRETS_ALICE}, bob: $BOB}, htpasswd: {env: SECRETS_HTPASSWD}, allow_plaintext: true}}
          partners:
            jwt:
              issuer: $ISSUER
              audiences: [api]
              keys: {jwks: $JWKS}
              from: [{header: authorization, scheme: Bearer}, {query: access_token}, {cookie: session}]
          others:
            jwt:
              issuer: https://shared.example.com
              audiences: [api]
              keys: {secret: {value: {env: SECRETS_SHARED}, algorithm: HS256}}
          machines:
            api_key: {from: [{header: x-api-key}, {query: key}], keys: [{id: ci, sha256: {env: SECRETS_KEY}}]}
          legacy: {digest: {htdigest: {env: SECRETS_HTDIGEST}, nonce_key: {env: SECRETS_NONCE_KEY}}}
        rules:
          - {name: basic, match: {prefix: /basic}, require: staff}
          - {name: jwt, match: {prefix: /jwt}, require: {any_of: [partners, others]}}
          - {name: key, match: {prefix: /key}, require: machines}
          - {name: digest, match: {prefix: /digest}, require: legacy}
        telemetry: {filter_state: [subject, authenticator, rule, reason]}
        "#,
    )
}

/// Requests, each with its status and its secrets.
fn requests() -> Vec<(Request, u16, Vec<String>)> {
    let basic = |user: &str, password: &str, status| {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        (get("/basic").basic(user, password), status, vec![password.to_owned(), encoded])
    };
    let mut requests = vec![
        basic("alice", ALICE, 200),
        basic("bob", BOB, 200),
        basic("carl", PLAIN, 200),
        basic("alice", WRONG, 401),
        basic("nobody", WRONG, 401),
        (get("/key").field("x-api-key", API_KEY), 200, vec![API_KEY.to_owned()]),
        (get(format!("/key?key={API_KEY}")), 200, vec![API_KEY.to_owned()]),
        (get(format!("/key?key={WRONG}")), 401, vec![WRONG.to_owned()]),
    ];
    let good = token_for("alice");
    let broken = jws("ES256", r#"{"alg":"ES256","kid":"EdDSA"}"#, json!({"iss": "x"}).to_string());
    let forged = {
        let (signed, _) = good.rsplit_once('.').expect("a token");
        format!("{signed}.{}", token_for("bob").rsplit('.').next().unwrap_or_default())
    };
    let shared = claims_but("dave", json!({"iss": "https://shared.example.com"})).to_string();
    let shared = hs256(SHARED_SECRET.as_bytes(), r#"{"alg":"HS256"}"#, shared);
    let elsewhere = token("ES256", &claims_but("alice", json!({"aud": "elsewhere"})));
    let own = [(good, 200), (expired_token(), 401), (forged, 401), (broken, 401), (elsewhere, 401)];
    let own = own.map(|(token, status)| (token, status, false));
    for (token, status, is_shared) in own.into_iter().chain([(shared, 200, true)]) {
        // A part of a token is as sensitive as the whole.
        let parts: Vec<String> = token.split('.').filter(|part| part.len() > 40).map(str::to_owned).collect();
        requests.push((get("/jwt").bearer(&token), status, parts.clone()));
        // `others` reads no other location.
        if !is_shared {
            requests.push((get(format!("/jwt?access_token={token}")), status, parts.clone()));
            requests.push((get("/jwt").field("cookie", format!("session={token}")), status, parts));
        }
    }
    requests
}

#[test]
fn no_secret_is_found_anywhere() {
    let environment = environment();
    let names: Vec<&str> = environment.iter().map(|(name, _)| *name).collect();
    let gate = listener("gate", secretive(), get("/key").field("x-api-key", API_KEY))
        .environment(json!({"host_env_keys": names}));
    let variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let proxy = Proxy::start_with("secrets", vec![gate], &variables);
    proxy.admin_post("/logging?wasm=debug");
    std::thread::sleep(std::time::Duration::from_millis(1200));

    let mut secrets: Vec<String> =
        vec![NONCE_KEY.to_owned(), SHARED_SECRET.to_owned(), DIGEST_PASSWORD.to_owned()];
    // The hashes too, line by line, without the user's name.
    let lines = environment.iter().flat_map(|(_, value)| value.lines());
    secrets.extend(lines.map(|line| line.rsplit(':').next().unwrap_or_default().to_owned()));
    let mut answers = String::new();
    let mut last = None;
    let forms = ["*/*", "text/html", "application/problem+json"];
    for (request, status, parts) in requests() {
        for accept in forms {
            let exchange = proxy.send("gate", &request.clone().field("accept", accept));
            assert_eq!(exchange.status, status, "{request}: {:?}", exchange.answer);
            answers.push_str(&format!("{:?}\n", exchange.answer));
            last = Some(exchange);
        }
        secrets.extend(parts);
    }
    let challenge = proxy.send("gate", &get("/digest"));
    let challenge =
        challenge.answer.all("www-authenticate").into_iter().find_map(Challenge::parse).expect("Digest");
    for (password, status) in [(DIGEST_PASSWORD, 200), (WRONG, 401)] {
        let answer =
            Answer::new(&challenge, "carol", password, "GET", "/digest").with("nc", "00000001").signed();
        let field = answer.field();
        let response =
            field.split("response=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a response");
        secrets.push(response.to_owned());
        let exchange = proxy.send("gate", &get("/digest").authorization(&field));
        assert_eq!(exchange.status, status, "{:?}", exchange.answer);
        answers.push_str(&format!("{:?}\n", exchange.answer));
        last = Some(exchange);
    }
    // By now everything is written: the last line of the access log, and the metrics of the tick.
    proxy.access_log_line(&last.expect("an exchange"));
    std::thread::sleep(std::time::Duration::from_millis(1200));

    let places = [
        ("the answers", answers),
        ("the log", proxy.log()),
        ("the access log", proxy.access_log()),
        ("/stats", proxy.admin("/stats")),
        ("/stats/prometheus", proxy.admin("/stats/prometheus")),
        ("/config_dump", proxy.admin("/config_dump")),
    ];
    // Each place contains what it should; otherwise a search in it would prove nothing.
    let signs = [
        "invalid_credentials",
        "reason=invalid_token",
        "subject=alice",
        "wasmcustom.authgate_requests_total",
        "authgate_credential_cache_total",
        "SECRETS_HTDIGEST",
    ];
    for ((place, text), sign) in places.iter().zip(signs) {
        assert!(text.contains(sign), "{place} lacks {sign}:\n{text:.3000}");
    }
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() > 25 && secrets.iter().all(|secret| secret.len() >= 12), "{secrets:?}");
    // Secrets inside the policy are in the configuration dump too, as the reference says, and nowhere else.
    let inline = hash_of("bob");
    for (place, text) in &places {
        assert_eq!(text.contains(&inline), *place == "/config_dump", "{place}");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{place} shows {secret}");
        }
    }
    proxy.finish();
}
