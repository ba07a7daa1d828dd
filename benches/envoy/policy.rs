//! The measured configurations, and valid credentials for them.

use base64::prelude::{BASE64_STANDARD as BASE64, BASE64_URL_SAFE_NO_PAD as BASE64URL, Engine as _};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use authgate_testing::e2e::mint::{self, ISSUER, OTHER_ISSUER, SECRET, claims, claims_but};

/// Password of every user with a {SHA} hash.
pub const PASSWORD: &str = "correct horse battery staple";
/// Password of `bob`.
pub const BOB: &str = "wonderland";
/// Hash of that password from `htpasswd -nB -C 10`.
pub const BOB_HASH: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";

/// Returns a policy of ordinary size: every scheme, each on its own path.
pub fn default_policy() -> Value {
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

/// Returns a policy with one authenticator of [`default_policy`] and one rule.
pub fn alone(name: &str) -> Value {
    json!({"authenticators": {name: default_policy()["authenticators"][name]}, "rules": [{"require": name}]})
}

/// Returns a policy with one rule and an htpasswd text of `count` users, `user-0` and so on.
pub fn users(count: usize) -> Value {
    let hash = sha(PASSWORD);
    let htpasswd: String = (0..count).map(|n| format!("user-{n}:{hash}\n")).collect();
    json!({
        "authenticators": {"staff": {"basic": {"htpasswd": htpasswd}}},
        "rules": [{"require": "staff"}],
    })
}

/// Returns a policy with `count` rules of every kind that is indexed. The last one matches `/team-last`.
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

/// Returns a policy with `count` rules by template, each for the owner of an object. The last one matches `/team-last`.
pub fn objects(count: usize) -> Value {
    let rule = |n: usize| {
        let team = if n + 1 == count { "last".to_owned() } else { n.to_string() };
        let template = format!("/team-{team}/members/{{id}}/{{rest=**}}");
        json!({"match": {"template": template}, "require": "staff", "authorize": {"subject": {"path": "id"}}})
    };
    json!({
        "authenticators": {"staff": {"basic": {"users": {"alice": sha(PASSWORD)}}}},
        "rules": (0..count).map(rule).collect::<Vec<_>>(),
    })
}

/// Returns a policy with one rule and a set of `count` keys. They are shared secrets, whose cheap arithmetic hides the
/// cost of finding a key least.
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

/// Returns a policy with one rule and `count` API keys, `key-0` and so on. Nothing is cached, so each request looks its
/// key up.
pub fn api_keys(count: usize) -> Value {
    let key = |n: usize| {
        let digest = hmac_sha256::Hash::hash(format!("key-{n}").as_bytes());
        json!({"id": format!("holder-{n}"), "sha256": digest.map(|byte| format!("{byte:02x}")).concat()})
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

/// Returns a token signed with the first key of [`keys`].
pub fn token_of_first_key(serial: u64) -> String {
    let header = json!({"alg": "HS256", "kid": "key-0", "typ": "JWT"});
    mint::hs256(&key_secret(0), header.to_string(), fresh_claims(serial).to_string())
}

fn key_secret(n: usize) -> Vec<u8> {
    format!("{n:064}").into_bytes()
}

/// Returns an HS256 token that is different for each serial.
pub fn fresh_hs256(serial: u64) -> String {
    let mut claims = fresh_claims(serial);
    claims["iss"] = OTHER_ISSUER.into();
    mint::token("HS256", &claims)
}

/// Returns an RS256 token that is different for each serial.
pub fn fresh_rs256(serial: u64) -> String {
    mint::token("RS256", &fresh_claims(serial))
}

/// Returns an ES256 token that is different for each serial.
pub fn fresh_es256(serial: u64) -> String {
    mint::token("ES256", &fresh_claims(serial))
}

fn fresh_claims(serial: u64) -> Value {
    claims_but(&format!("user-{serial}"), json!({"jti": format!("{serial:016x}")}))
}

/// Returns an expired token.
pub fn expired() -> String {
    mint::token("RS256", &claims_but("alice", json!({"iat": 1_599_999_000, "exp": 1_600_000_000})))
}

/// Returns a well-formed token with another token's signature.
pub fn badly_signed() -> String {
    let parts =
        |token: String| token.rsplit_once('.').map(|(l, r)| (l.to_owned(), r.to_owned())).expect("a JWS");
    let (input, _) = parts(mint::token("RS256", &claims("alice")));
    let (_, signature) = parts(mint::token("RS256", &claims("mallory")));
    format!("{input}.{signature}")
}

/// Returns the {SHA} form of htpasswd, which Envoy's `basic_auth` supports too.
pub fn sha(password: &str) -> String {
    format!("{{SHA}}{}", BASE64.encode(Sha1::digest(password)))
}

/// Returns the value of `Authorization` for a user and a password ([RFC 7617
/// §2](https://www.rfc-editor.org/rfc/rfc7617#section-2)).
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
}
