//! The configurations under measurement, and what gets past them.

use base64::prelude::{BASE64_STANDARD as BASE64, BASE64_URL_SAFE_NO_PAD as BASE64URL, Engine as _};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use authgate_testing::e2e::mint::{self, ISSUER, OTHER_ISSUER, SECRET, claims, claims_but};

/// The password of every user with a {SHA} hash.
pub const PASSWORD: &str = "correct horse battery staple";
/// `bob`'s password.
pub const BOB: &str = "wonderland";
/// What `htpasswd -nB -C 10` made of it.
pub const BOB_HASH: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";

/// A policy of ordinary size: every scheme on a path of its own.
pub fn house() -> Value {
    json!({
        "authenticators": {
            "staff": {"basic": {"users": {"alice": sha(PASSWORD)}}},
            "bcrypt": {"basic": {"users": {"bob": BOB_HASH}}},
            "tokens": {"jwt": {"issuer": ISSUER, "audiences": ["api"], "keys": {"jwks": mint::jwks()}}},
            "shared": {"jwt": {
                "issuer": OTHER_ISSUER,
                "audiences": ["api"],
                "keys": {"secret": {"value": SECRET, "algorithm": "HS256", "encoding": "utf8"}},
            }},
        },
        "rules": [
            {"name": "public", "match": [{"path": "/healthz"}, {"prefix": "/public"}], "public": true},
            {"name": "basic", "match": {"prefix": "/basic"}, "require": "staff"},
            {"name": "bcrypt", "match": {"prefix": "/bcrypt"}, "require": "bcrypt"},
            {"name": "jwt", "match": {"prefix": "/jwt"}, "require": "tokens"},
            {"name": "shared", "match": {"prefix": "/shared"}, "require": "shared"},
            {"name": "admin", "match": {"prefix": "/admin"}, "require": "tokens", "authorize": {"scopes": ["admin"]}},
        ],
    })
}

/// One authenticator of [`house`], and one rule.
pub fn alone(name: &str) -> Value {
    json!({"authenticators": {name: house()["authenticators"][name]}, "rules": [{"require": name}]})
}

/// One rule over an htpasswd text of so many users, `user-0` and so on.
pub fn users(count: usize) -> Value {
    let hash = sha(PASSWORD);
    let htpasswd: String = (0..count).map(|n| format!("user-{n}:{hash}\n")).collect();
    json!({
        "authenticators": {"staff": {"basic": {"htpasswd": htpasswd}}},
        "rules": [{"require": "staff"}],
    })
}

/// So many rules of every kind that is indexed, of which the last takes `/team-last`.
pub fn rules(count: usize) -> Value {
    let rule = |n: usize| match n % 3 {
        _ if n + 1 == count => json!({"match": {"prefix": "/team-last"}, "require": "staff"}),
        0 => json!({"match": {"prefix": format!("/team-{n}")}, "require": "staff"}),
        1 => json!({"match": {"path": format!("/team-{n}/members"), "methods": ["GET"]}, "require": "staff"}),
        _ => json!({"match": {"template": format!("/team-{n}/members/{{id}}")}, "public": true}),
    };
    json!({
        "authenticators": {"staff": {"basic": {"users": {"alice": sha(PASSWORD)}}}},
        "rules": (0..count).map(rule).collect::<Vec<_>>(),
    })
}

/// One rule over a set of so many keys. Shared secrets, since their arithmetic hides least what finding one costs.
pub fn keys(count: usize) -> Value {
    let key = |n: usize| {
        let secret = BASE64URL.encode(key_secret(n));
        json!({"kty": "oct", "alg": "HS256", "kid": format!("key-{n}"), "k": secret})
    };
    let keys: Vec<_> = (0..count).map(key).collect();
    json!({
        "authenticators": {"many": {"jwt": {
            "issuer": ISSUER, "audiences": ["api"], "keys": {"jwks": {"keys": keys}},
        }}},
        "rules": [{"require": "many"}],
    })
}

/// One rule over so many API keys, `key-0` and so on. Nothing is remembered, so that each request looks its key up.
pub fn api_keys(count: usize) -> Value {
    let key = |n: usize| {
        let digest = hmac_sha256::Hash::hash(format!("key-{n}").as_bytes());
        json!({"id": format!("holder-{n}"), "sha256": digest.map(|octet| format!("{octet:02x}")).concat()})
    };
    json!({
        "authenticators": {"machines": {"api_key": {
            "from": [{"header": "authorization", "scheme": "ApiKey"}],
            "keys": (0..count).map(key).collect::<Vec<_>>(),
        }}},
        "rules": [{"require": "machines"}],
        "cache": {"max_entries": 0},
    })
}

/// A token of the first key of [`keys`].
pub fn token_of_first_key(serial: u64) -> String {
    let header = json!({"alg": "HS256", "kid": "key-0", "typ": "JWT"});
    mint::hs256(&key_secret(0), header.to_string(), fresh_claims(serial).to_string())
}

fn key_secret(n: usize) -> Vec<u8> {
    format!("{n:064}").into_bytes()
}

/// An HS256 token that no other serial gives.
pub fn fresh_hs256(serial: u64) -> String {
    let mut claims = fresh_claims(serial);
    claims["iss"] = OTHER_ISSUER.into();
    mint::token("HS256", &claims)
}

/// An RS256 token that no other serial gives.
pub fn fresh_rs256(serial: u64) -> String {
    mint::token("RS256", &fresh_claims(serial))
}

/// An ES256 token that no other serial gives.
pub fn fresh_es256(serial: u64) -> String {
    mint::token("ES256", &fresh_claims(serial))
}

fn fresh_claims(serial: u64) -> Value {
    claims_but(&format!("user-{serial}"), json!({"jti": format!("{serial:016x}")}))
}

/// A token that has run out.
pub fn expired() -> String {
    mint::token("RS256", &claims_but("alice", json!({"iat": 1_599_999_000, "exp": 1_600_000_000})))
}

/// A well-formed token with another one's signature.
pub fn badly_signed() -> String {
    let parts =
        |token: String| token.rsplit_once('.').map(|(l, r)| (l.to_owned(), r.to_owned())).expect("a JWS");
    let (input, _) = parts(mint::token("RS256", &claims("alice")));
    let (_, signature) = parts(mint::token("RS256", &claims("mallory")));
    format!("{input}.{signature}")
}

/// The {SHA} form of htpasswd, which Envoy's `basic_auth` takes too.
pub fn sha(password: &str) -> String {
    format!("{{SHA}}{}", BASE64.encode(Sha1::digest(password)))
}

/// The value of `Authorization` for a user and a password (RFC 7617 §2).
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
}
