//! Two policies that differ visibly, and those that have to be refused.

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::digest_client::sha256;
use crate::e2e::mint::{ISSUER, OTHER_ISSUER, SECRET, jwks};

/// A policy that is in force or may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Knows `anna`; asks for credentials on `/turn`.
    A,
    /// Knows `bert`; `/turn` is public.
    B,
}

impl Policy {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// What upstreams see of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The user that it alone knows.
    pub fn user(self) -> &'static str {
        match self {
            Self::A => "anna",
            Self::B => "bert",
        }
    }
}

/// The password of all users with a {SHA} hash, and of Digest.
pub const PASSWORD: &str = "correct horse battery staple";
/// `bob`'s password: what `htpasswd -nbB -C 4 bob can-we-fix-it` hashed.
pub const BOB: &str = "can-we-fix-it";
const BOB_HASH: &str = "$2y$04$KeCgq7RqQortuAPMmfexbuqPr6Dp/n9Abdp5vXC6W4mU0iRkZ00jC";
/// The key of `robot`.
pub const ROBOT: &str = "robot-key-0123456789abcdef";

/// The configuration of a policy.
pub fn policy(which: Policy) -> Value {
    let realm = format!("turn-{}", which.name());
    let turn = match which {
        Policy::A => json!({"name": "turn", "match": {"prefix": "/turn"}, "require": "turn"}),
        Policy::B => json!({"name": "turn", "match": {"prefix": "/turn"}, "public": true}),
    };
    let digest = sha256(&format!("carol:legacy:{PASSWORD}"));
    json!({
        "authenticators": {
            "staff": {"basic": {"users": {"alice": sha(PASSWORD), which.user(): sha(PASSWORD), "bob": BOB_HASH}}},
            "tokens": {"jwt": {
                "issuer": ISSUER, "audiences": ["api"], "keys": {"jwks": jwks()}, "max_token_bytes": 60_000,
            }},
            "shared": {"jwt": {
                "issuer": OTHER_ISSUER,
                "audiences": ["api"],
                "keys": {"secret": {"value": SECRET, "algorithm": "HS256", "encoding": "utf8"}},
            }},
            "machines": {"api_key": {"keys": [{"id": "robot", "sha256": sha256(ROBOT)}]}},
            "legacy": {"digest": {
                "realm": "legacy",
                "htdigest": format!("carol:legacy:{digest}"),
                "nonce_key": "of both policies, and of all workers",
            }},
            "turn": {"basic": {"realm": realm, "users": {"alice": sha(PASSWORD)}}},
        },
        "rules": [
            {"name": "public", "match": {"prefix": "/public"}, "public": true},
            {"name": "basic", "match": {"prefix": "/basic"}, "require": "staff"},
            {"name": "jwt", "match": {"prefix": "/jwt"}, "require": "tokens"},
            {"name": "shared", "match": {"prefix": "/shared"}, "require": "shared"},
            {"name": "key", "match": {"prefix": "/key"}, "require": "machines"},
            {"name": "digest", "match": {"prefix": "/digest"}, "require": "legacy"},
            {"name": "admin", "match": {"prefix": "/admin"}, "require": "tokens", "authorize": {"scopes": ["admin"]}},
            turn,
        ],
        "identity": {"headers": {
            "x-auth-user": "{subject}", "x-auth-by": "{authenticator}", "x-policy": which.name(),
        }},
        // How much of its time a worker spends on hashes does not change what it answers.
        "slow_hashes": {"cpu_share": 1},
    })
}

/// One that has to be refused, another for each number. Each would let everything in if it were taken.
pub fn refused(number: usize) -> Value {
    let open = |change: Value| {
        let mut policy = json!({"rules": [{"public": true}]});
        for (name, value) in change.as_object().into_iter().flatten() {
            policy[name] = value.clone();
        }
        policy
    };
    match number % 6 {
        0 => open(json!({"no_such_field": 1})),
        1 => json!({"rules": [{"public": true}, {"require": "nobody"}]}),
        2 => open(json!({"authenticators": {"staff": {"basic": {"users": {"alice": "$2y$99$no-hash"}}}}})),
        3 => json!({"rules": [{"public": true, "deny": true}]}),
        4 => open(json!({"authenticators": {"tokens": {"jwt": {"issuer": ISSUER, "audiences": ["api"]}}}})),
        _ => open(json!({"identity": {"headers": {"x-auth-user": "{subject"}}})),
    }
}

fn sha(password: &str) -> String {
    format!("{{SHA}}{}", BASE64.encode(Sha1::digest(password)))
}
