//! Fingerprint of a configuration: a number that distinguishes configurations without revealing anything else about
//! them.

use hmac_sha256::Hash;
use serde_json::Value;

/// A number of 48 bits, so that a floating-point number represents it exactly. It is the same for equal configurations,
/// whatever their format and the order of their members.
///
/// More people read metrics than configurations, and a digest of a secret can be tested against a list of guesses. So a
/// text in an authenticator counts only if its field is known to contain no secret.
pub fn fingerprint(configuration: &Value) -> u64 {
    let mut hash = Hash::new();
    put(configuration, Telling::Configuration, &mut hash);
    let [a, b, c, d, e, f, ..] = hash.finalize();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// Fields of authenticators that contain no secret. The texts of all other fields are left out. A test compares this
/// list with the types of the fields.
const PUBLIC_FIELDS: &[&str] = &[
    "algorithm",
    "algorithms",
    "allow_plaintext",
    "any_audience",
    "audiences",
    "bound",
    "cache_ttl",
    "client_auth",
    "client_id",
    "clock_skew",
    "cluster",
    "cookie",
    "csrf",
    "encoding",
    "endpoint",
    "env",
    "forward_credentials",
    "header",
    "id",
    "issued_before",
    "issuer",
    "jti",
    "jwks_cluster",
    "kid",
    "max_age",
    "max_concurrent",
    "max_lifetime",
    "max_stale",
    "max_token_bytes",
    "max_wait",
    "negative_ttl",
    "nonce_lifetime",
    "not_after",
    "not_before",
    "origin",
    "query",
    "realm",
    "refresh",
    "require_exp",
    "scheme",
    "scope_claims",
    "scopes",
    "subject_claim",
    "subjects",
    "timeout",
    "typ",
    "uri",
];

/// Members of a JWK that contain no secret, whatever its type.
const PUBLIC_JWK_MEMBERS: &[&str] = &["alg", "crv", "e", "kty", "n", "use", "x", "y"];

/// Texts of a value that count.
#[derive(Clone, Copy)]
enum Telling {
    /// All texts but those of authenticators. This is the state of the configuration as a whole.
    Configuration,
    /// All texts.
    All,
    /// Texts of members whose names are in [`PUBLIC_FIELDS`] or [`PUBLIC_JWK_MEMBERS`]. `own` is true if the text of the value itself counts.
    Fields { own: bool },
    /// No text of the value itself. The names of its members are user names, which say nothing about their values.
    Users,
    /// No texts.
    None,
}

impl Telling {
    /// The texts of a member that count; `None` if the member is not part of the configuration.
    fn of(self, name: &str) -> Option<Telling> {
        match self {
            Telling::Configuration if name.starts_with("x-") || name == "$schema" => None,
            Telling::Configuration if name == "authenticators" => Some(Telling::Fields { own: false }),
            Telling::Configuration | Telling::All => Some(Telling::All),
            Telling::Fields { .. } if name == "users" => Some(Telling::Users),
            Telling::Fields { .. } if name == "claims" => Some(Telling::None),
            Telling::Fields { .. } => {
                let own = PUBLIC_FIELDS.contains(&name) || PUBLIC_JWK_MEMBERS.contains(&name);
                Some(Telling::Fields { own })
            }
            Telling::Users => Some(Telling::Fields { own: false }),
            Telling::None => Some(Telling::None),
        }
    }
}

/// Hashes a letter for the kind of the value, its length and its content.
fn put(value: &Value, telling: Telling, hash: &mut Hash) {
    match value {
        Value::Null => hash.update(b"0"),
        Value::Bool(truth) => hash.update(if *truth { b"t" } else { b"f" }),
        Value::Number(number) => {
            hash.update(b"n");
            // All numbers of a Struct are doubles.
            hash.update(number.as_f64().unwrap_or_default().to_be_bytes());
        }
        Value::String(text) => match telling {
            Telling::Configuration | Telling::All | Telling::Fields { own: true } => put_text(text, hash),
            Telling::Fields { own: false } | Telling::Users | Telling::None => hash.update(b"x"),
        },
        Value::Array(elements) => {
            hash.update(b"a");
            hash.update((elements.len() as u64).to_be_bytes());
            elements.iter().for_each(|element| put(element, telling, hash));
        }
        Value::Object(members) => {
            let members = members.iter().filter_map(|(name, value)| Some((name, value, telling.of(name)?)));
            let mut members: Vec<_> = members.collect();
            members.sort_unstable_by_key(|(name, ..)| name.as_str());
            hash.update(b"o");
            hash.update((members.len() as u64).to_be_bytes());
            for (name, value, telling) in members {
                put_text(name, hash);
                put(value, telling, hash);
            }
        }
    }
}

fn put_text(text: &str, hash: &mut Hash) {
    hash.update(b"s");
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole() -> Value {
        json!({
            "realm": "r",
            "x-anchors": {"hash": "$2y$10$a"},
            "authenticators": {
                "staff": {"basic": {"htpasswd": "bob:{SHA}a", "users": {"issuer": "$2y$10$a", "eve": {"hash": "h", "scopes": ["read"]}}}},
                "idp": {"jwt": {"issuer": "https://a", "keys": {"secret": {"value": "s", "algorithm": "HS256"}}, "clock_skew": "60s"}},
                "set": {"jwt": {"issuer": "https://b", "keys": {"jwks": {"keys": [{"kty": "oct", "k": "s", "kid": "1"}]}}}},
                "machines": {"api_key": {"keys": [{"id": "ci", "sha256": "9f86", "claims": {"id": "x"}}]}},
                "legacy": {"digest": {"htdigest": "a:b:c", "nonce_key": {"env": "NONCE_KEY"}}},
            },
            "rules": [{"require": {"any_of": ["staff", "idp"]}, "authorize": {"claims": {"k": "v"}}}],
        })
    }

    fn changed(pointer: &str, to: Value) -> u64 {
        let mut value = whole();
        *value.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = to;
        fingerprint(&value)
    }

    #[test]
    fn what_is_a_secret_or_could_be_one_does_not_count() {
        for pointer in [
            "/x-anchors/hash",
            "/authenticators/staff/basic/htpasswd",
            "/authenticators/staff/basic/users/issuer",
            "/authenticators/staff/basic/users/eve/hash",
            "/authenticators/idp/jwt/keys/secret/value",
            "/authenticators/set/jwt/keys/jwks/keys/0/k",
            "/authenticators/machines/api_key/keys/0/sha256",
            "/authenticators/machines/api_key/keys/0/claims/id",
            "/authenticators/legacy/digest/htdigest",
        ] {
            assert_eq!(changed(pointer, json!("another")), fingerprint(&whole()), "{pointer}");
        }
    }

    #[test]
    fn all_else_counts() {
        let mut seen = vec![fingerprint(&whole())];
        for (pointer, to) in [
            ("/realm", json!("s")),
            ("/authenticators/staff/basic/users/eve/scopes/0", json!("write")),
            ("/authenticators/idp/jwt/issuer", json!("https://c")),
            ("/authenticators/idp/jwt/clock_skew", json!("61s")),
            ("/authenticators/set/jwt/keys/jwks/keys/0/kid", json!("2")),
            ("/authenticators/machines/api_key/keys/0/id", json!("cd")),
            ("/authenticators/legacy/digest/nonce_key/env", json!("OTHER")),
            ("/authenticators/legacy/digest/nonce_key", json!("inline")),
            ("/rules/0/require/any_of", json!(["idp", "staff"])),
            ("/rules/0/authorize/claims/k", json!("w")),
            ("/rules/0/authorize", json!(null)),
        ] {
            let found = changed(pointer, to);
            assert!(!seen.contains(&found), "{pointer}");
            assert!(found < 1 << 48);
            seen.push(found);
        }
    }

    #[test]
    fn the_form_does_not_count() {
        let one = serde_json::from_str(r#"{"a": 1, "b": [2.0, "c"]}"#).unwrap();
        let other = serde_json::from_str(r#"{"b": [2, "c"], "x-d": 0, "a": 1.0}"#).unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&other));
    }
}
