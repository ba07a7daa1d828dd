//! Two policies that differ visibly, and configurations that must be rejected.

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::digest_client::sha256;
use crate::e2e::mint::{ISSUER, OTHER_ISSUER, SECRET, jwks};

/// A policy that can be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Has the user `anna`; `/turn` requires credentials.
    A,
    /// Has the user `bert`; `/turn` is public.
    B,
}

impl Policy {
    /// Returns the other policy.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Returns the name that upstreams receive.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// Returns the user that only this policy has.
    pub fn user(self) -> &'static str {
        match self {
            Self::A => "anna",
            Self::B => "bert",
        }
    }
}

/// Password of all users with a {SHA} hash, and of Digest.
pub const PASSWORD: &str = "correct horse battery staple";
/// Password of `bob`, hashed by `htpasswd -nbB -C 4 bob can-we-fix-it`.
pub const BOB: &str = "can-we-fix-it";
const BOB_HASH: &str = "$2y$04$KeCgq7RqQortuAPMmfexbuqPr6Dp/n9Abdp5vXC6W4mU0iRkZ00jC";
/// API key of `robot`.
pub const ROBOT: &str = "robot-key-0123456789abcdef";

/// Returns the configuration of a policy.
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
        // A worker's share of CPU time for slow hashes does not affect its responses.
        "slow_hashes": {"cpu_share": 1},
    })
}

/// Returns an invalid configuration, a different one for each number. Each would allow every request if it were
/// accepted.
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
