//! Tokens: each algorithm, each issuer, and known attacks.

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{Case, check, denied, passes};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::fixture::{BEARER, INVALID_TOKEN, default_listener, default_policy, good, policy};
use authgate_testing::e2e::mint::{
    OTHER_ISSUER, claims, claims_but, hs256, jws, now, other_token, public_jwk, rsa_public_forms, token,
    token_for, with_signature,
};
use authgate_testing::e2e::proxy::Proxy;

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

fn jwt(token: &str) -> Request {
    get("/jwt").bearer(token)
}

fn invalid(hazard: impl Into<String>, token: &str) -> Case {
    invalid_for(hazard, token, "invalid_token")
}

/// A rejected token whose client receives the detail.
fn invalid_for(hazard: impl Into<String>, token: &str, code: &'static str) -> Case {
    denied(hazard, jwt(token), 401, code).challenge(&[INVALID_TOKEN])
}

#[test]
fn each_algorithm_accepts_its_own_signature_and_no_other() {
    let proxy = Proxy::start("algorithms", vec![default_listener()]);
    for alg in ALGORITHMS {
        let good = token(alg, &claims("t"));
        let (signed, signature) = good.rsplit_once('.').expect("a signature");
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        let other = signed.replacen("eyJ", "eyI", 1);
        let cases = [
            passes(alg, jwt(&good)).identity("t", "partners").upstream_lacks("authorization"),
            invalid(format!("{alg}: another signature"), &format!("{signed}.{flipped}{}", &signature[1..])),
            invalid(format!("{alg}: zeros"), &with_signature(header(alg), claims("t").to_string(), &[0; 64])),
            denied(format!("{alg}: another header"), jwt(&format!("{other}.{signature}")), 401, "")
                .challenge(&[INVALID_TOKEN]),
            denied(format!("{alg}: no signature"), jwt(&format!("{signed}.")), 401, "")
                .challenge(&[INVALID_TOKEN]),
        ];
        check(&proxy, "default", cases);
        // A key of one algorithm, selected by a header that names another.
        for named in ALGORITHMS.into_iter().filter(|named| *named != alg) {
            let confused = jws(alg, json!({"alg": named, "kid": alg}).to_string(), claims("t").to_string());
            check(&proxy, "default", [invalid(format!("{alg} that says {named}"), &confused)]);
        }
    }
    proxy.finish();
}

fn header(alg: &str) -> String {
    json!({"alg": alg, "kid": alg, "typ": "JWT"}).to_string()
}

#[test]
fn forged_algorithms_keys_and_headers() {
    let proxy = Proxy::start("forgeries", vec![default_listener()]);
    let payload = claims("mallory").to_string();
    let nones = ["none", "None", "NONE", "nOnE", "", "null"];
    check(
        &proxy,
        "default",
        nones.into_iter().flat_map(|alg| {
            let unsigned =
                |signature: &[u8]| with_signature(json!({"alg": alg}).to_string(), &payload, signature);
            [&b""[..], b"x"].map(|signature| {
                denied(format!("alg {alg:?}"), jwt(&unsigned(signature)), 401, "").challenge(&[INVALID_TOKEN])
            })
        }),
    );

    let mut keys = rsa_public_forms();
    keys.extend([("EC as JWK", public_jwk("ES256").to_string().into_bytes()), ("nothing", Vec::new())]);
    check(
        &proxy,
        "default",
        keys.iter().flat_map(|(name, key)| {
            [json!({"alg": "HS256"}), json!({"alg": "HS256", "kid": "RS256"})].map(|header| {
                let forged = hs256(key, header.to_string(), &payload);
                invalid(format!("HS256 keyed with the public key as {name}"), &forged)
            })
        }),
    );

    let es256 = |header: &str| jws("ES256", header, &payload);
    let embedded = json!({"alg": "EdDSA", "kid": "mine", "jwk": public_jwk("EdDSA")}).to_string();
    check(
        &proxy,
        "default",
        [
            denied("crit", jwt(&es256(r#"{"alg":"ES256","kid":"ES256","crit":["exp"]}"#)), 401, "")
                .challenge(&[INVALID_TOKEN]),
            denied("an empty crit", jwt(&es256(r#"{"alg":"ES256","kid":"ES256","crit":[]}"#)), 401, "")
                .challenge(&[INVALID_TOKEN]),
            denied("b64", jwt(&es256(r#"{"alg":"ES256","kid":"ES256","b64":true}"#)), 401, "")
                .challenge(&[INVALID_TOKEN]),
            denied("alg twice", jwt(&es256(r#"{"alg":"none","alg":"ES256","kid":"ES256"}"#)), 401, "")
                .challenge(&[INVALID_TOKEN]),
            denied("alg twice, escaped", jwt(&es256(r#"{"alg":"ES256","al\u0067":"ES256"}"#)), 401, "")
                .challenge(&[INVALID_TOKEN]),
            denied("alg is a number", jwt(&es256(r#"{"alg":256}"#)), 401, "").challenge(&[INVALID_TOKEN]),
            denied("kid is a number", jwt(&es256(r#"{"alg":"ES256","kid":1}"#)), 401, "")
                .challenge(&[INVALID_TOKEN]),
            denied("no alg", jwt(&es256(r#"{"kid":"ES256"}"#)), 401, "").challenge(&[INVALID_TOKEN]),
            denied("a header that is no object", jwt(&es256("[]")), 401, "").challenge(&[INVALID_TOKEN]),
            invalid(
                "ES256 with DER",
                &with_signature(header("ES256"), &payload, &[0x30, 6, 2, 1, 1, 2, 1, 1]),
            ),
            invalid_for("an embedded key is not followed", &jws("EdDSA", embedded, &payload), "unknown_key"),
            invalid_for(
                "a kid that no key has",
                &es256(r#"{"alg":"ES256","kid":"../ES256"}"#),
                "unknown_key",
            ),
            passes("without a kid every key that fits is tried", jwt(&es256(r#"{"alg":"ES256"}"#))),
        ],
    );
    proxy.finish();
}

#[test]
fn claims_of_every_wrong_kind() {
    let proxy = Proxy::start("claims", vec![default_listener()]);
    let now = now();
    let with = |changes: Value| token("ES256", &claims_but("t", changes));
    check(
        &proxy,
        "default",
        [
            passes("an audience among others", jwt(&with(json!({"aud": ["x", "api"]}))))
                .identity("t", "partners"),
            passes("within the skew", jwt(&with(json!({"exp": now - 20, "nbf": now + 20})))),
            passes("a fraction of a second", jwt(&with(json!({"exp": now as f64 + 60.5})))),
            passes(
                "typ at+jwt",
                jwt(&jws("ES256", r#"{"alg":"ES256","typ":"application/AT+jwt"}"#, claims("t").to_string())),
            ),
            invalid_for("expired", &with(json!({"exp": now - 120})), "expired"),
            invalid_for("not yet valid", &with(json!({"nbf": now + 120})), "not_yet_valid"),
            invalid_for("issued in the future", &with(json!({"iat": now + 120})), "not_yet_valid"),
            invalid_for("no exp", &with(json!({"exp": null})), "missing_claim"),
            invalid_for("no subject", &with(json!({"sub": null})), "missing_claim"),
            invalid_for("an empty subject", &with(json!({"sub": ""})), "missing_claim"),
            invalid_for("another audience", &with(json!({"aud": "ap"})), "wrong_audience"),
            invalid_for("no audience among many", &with(json!({"aud": ["x", "API"]})), "wrong_audience"),
            invalid("another issuer", &with(json!({"iss": "https://idp.example.com/"}))),
            invalid("no issuer", &with(json!({"iss": null}))),
            invalid_for(
                "another type",
                &jws("ES256", r#"{"alg":"ES256","typ":"logout+jwt"}"#, claims("t").to_string()),
                "wrong_type",
            ),
        ],
    );

    let wrong: [Value; 6] =
        ["4102444800".into(), true.into(), json!([]), json!({}), (-1).into(), Value::from("")];
    let odd = |name: &str, text: &str| {
        let quoted = format!("\"{name}\":");
        let mut claims = claims("t");
        claims.as_object_mut().expect("claims").remove(name);
        let payload = claims.to_string().replacen('{', &format!("{{{quoted}{text},"), 1);
        let token = jws("ES256", header("ES256"), payload);
        denied(format!("{name} {text}"), jwt(&token), 401, "").challenge(&[INVALID_TOKEN])
    };
    let texts = wrong.iter().map(Value::to_string).chain(["1e400".to_owned(), "null".to_owned()]);
    let numbers = texts.clone().flat_map(|text| ["exp", "nbf", "iat"].map(|name| odd(name, &text)));
    check(&proxy, "default", numbers.collect::<Vec<_>>());
    let texts = ["1", "true", "[]", "{}", "null", "[\"t\"]"];
    check(&proxy, "default", texts.into_iter().flat_map(|text| ["iss", "sub"].map(|name| odd(name, text))));
    check(&proxy, "default", ["1", "true", "{}", "[1]", "[]", "[[\"api\"]]"].map(|text| odd("aud", text)));
    check(
        &proxy,
        "default",
        [odd("exp", "4102444800,\"exp\":4102444800"), odd("x", "{\"a\":1,\"\\u0061\":2}")],
    );
    proxy.finish();
}

#[test]
fn two_issuers_keep_their_keys_apart() {
    let proxy = Proxy::start("issuers", vec![default_listener()]);
    let to = |path: &str, token: &str| get(path).bearer(token);
    let crossed = token("HS256", &claims("mallory"));
    let crossed_back = token("ES256", &claims_but("mallory", json!({"iss": OTHER_ISSUER})));
    let stranger = token("ES256", &claims_but("mallory", json!({"iss": "https://evil.example.com"})));
    check(
        &proxy,
        "default",
        [
            passes("the first", to("/issuers", &token_for("a"))).identity("a", "partners"),
            passes("the second", to("/issuers", &other_token("b"))).identity("b", "others"),
            denied("the second's key for the first", to("/issuers", &crossed), 401, "invalid_token")
                .challenge(&[INVALID_TOKEN]),
            denied("the first's key for the second", to("/issuers", &crossed_back), 401, "invalid_token")
                .challenge(&[INVALID_TOKEN]),
            denied("an issuer that none knows", to("/issuers", &stranger), 401, "invalid_token")
                .challenge(&[INVALID_TOKEN]),
            denied(
                "an issuer that the rule does not take",
                to("/jwt", &other_token("b")),
                401,
                "invalid_token",
            )
            .challenge(&[INVALID_TOKEN]),
        ],
    );
    proxy.finish();
}

#[test]
fn istios_demo_tokens_are_accepted() {
    let folder = std::env::var("AUTHGATE_VECTORS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors").to_owned());
    if !std::path::Path::new(&folder).exists() {
        // The vectors are not part of the repository; `.ci/run` says where they are.
        assert!(std::env::var_os("AUTHGATE_VECTORS").is_none(), "AUTHGATE_VECTORS names no folder: {folder}");
        eprintln!("skipped: no vectors at {folder}; AUTHGATE_VECTORS says where they are");
        return;
    }
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("{folder}/istio/{name}")).expect("a file of the vectors");
        text.trim().to_owned()
    };
    let policy = policy(&format!(
        r#"
        authenticators:
          istio: {{jwt: {{issuer: testing@secure.istio.io, any_audience: true, keys: {{jwks: {}}}}}}}
        rules:
          - {{match: {{prefix: /scope}}, require: istio, authorize: {{scopes: [scope1, scope2]}}}}
          - {{match: {{prefix: /group}}, require: istio, authorize: {{claims: {{groups: group2}}}}}}
          - {{require: istio}}
        "#,
        read("jwks.json")
    ));
    let (demo, groups) = (read("demo.jwt"), read("groups-scope.jwt"));
    let subject = "testing@secure.istio.io";
    let proxy = Proxy::start("istio", vec![listener("istio", policy, get("/").bearer(&demo))]);
    check(
        &proxy,
        "istio",
        [
            passes("demo.jwt", get("/").bearer(&demo)).upstream("x-auth-user", subject),
            passes("groups-scope.jwt", get("/").bearer(&groups)).upstream("x-auth-user", subject),
            passes("scopes from an array", get("/scope").bearer(&groups)),
            passes("a group from an array", get("/group").bearer(&groups)),
            denied("demo.jwt has no scopes", get("/scope").bearer(&demo), 403, "insufficient_scope")
                .challenge(&[
                    r#"Bearer realm="restricted", error="insufficient_scope", …scope="scope1 scope2""#,
                ]),
            denied("demo.jwt has no groups", get("/group").bearer(&demo), 403, "not_authorized"),
            denied("a token of ours", get("/").bearer(&token_for("x")), 401, "invalid_token")
                .challenge(&[INVALID_TOKEN]),
            denied("nothing", get("/"), 401, "missing_credentials").challenge(&[BEARER]),
        ],
    );
    proxy.finish();
}

#[test]
fn limits_that_an_authenticator_sets() {
    let mut short = default_policy();
    let jwt = &mut short["authenticators"]["partners"]["jwt"];
    jwt["max_lifetime"] = "5m".into();
    jwt["algorithms"] = json!(["ES256"]);
    jwt["claims"] = json!({"email_verified": true});
    jwt["revoked"] = json!({"jti": ["stolen"], "subjects": ["gone"]});
    let now = now();
    let with = |changes: Value| {
        let mut all = json!({"email_verified": true, "exp": now + 60});
        all.as_object_mut().expect("claims").extend(changes.as_object().expect("claims").clone());
        claims_but("t", all)
    };
    let es256 = |changes: Value| token("ES256", &with(changes));
    let passing = get("/jwt").bearer(&es256(json!({})));
    let proxy = Proxy::start(
        "limits",
        vec![listener("short", short, passing.clone()), listener("default", default_policy(), good())],
    );
    check(
        &proxy,
        "short",
        [
            passes("within all limits", passing),
            invalid_for(
                "an algorithm off the list",
                &token("RS256", &with(json!({}))),
                "algorithm_not_allowed",
            ),
            invalid_for("too long a life", &es256(json!({"exp": now + 3600})), "too_long_lived"),
            invalid("no iat to measure it by", &es256(json!({"iat": null}))),
            invalid("a claim that does not hold", &es256(json!({"email_verified": false}))),
            invalid("a claim of another type", &es256(json!({"email_verified": "true"}))),
            invalid_for("a revoked token", &es256(json!({"jti": "stolen"})), "revoked"),
            invalid_for("a revoked subject", &es256(json!({"sub": "gone"})), "revoked"),
        ],
    );
    proxy.finish();
}
