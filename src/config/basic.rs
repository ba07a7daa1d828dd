//! `basic`: user names and passwords.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::shape::Named;
use super::value::Secret;

/// User names and passwords (RFC 7617).
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// Text of an htpasswd file.
    pub htpasswd: Option<Secret>,
    /// Users, by name.
    #[serde(default)]
    pub users: Named<User>,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Allows `{PLAIN}` entries.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Forwards verified credentials to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

/// Shows nothing: an htpasswd line in place of a user name would put a hash into the name.
impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic").finish_non_exhaustive()
    }
}

/// A user: a hash, or a hash with scopes and claims.
#[derive(Debug)]
pub struct User {
    /// Hash of the password.
    pub hash: Secret,
    /// Scopes of the user.
    pub scopes: Vec<String>,
    /// Claims of the user.
    pub claims: serde_json::Map<String, Value>,
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FIELDS: &[&str] = &["hash", "scopes", "claims", "env"];
        struct HashOrMore;
        impl<'de> Visitor<'de> for HashOrMore {
            type Value = User;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hash, {env: NAME} or {hash: …, scopes: […], claims: {…}}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<User, E> {
                Ok(User {
                    hash: Secret::Inline(text.to_owned()),
                    scopes: Vec::new(),
                    claims: Default::default(),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<User, A::Error> {
                let (mut hash, mut scopes, mut claims) = (None, Vec::new(), Default::default());
                while let Some(name) = members.next_key::<String>()? {
                    match name.as_str() {
                        "hash" if hash.is_none() => hash = Some(members.next_value()?),
                        "env" if hash.is_none() => hash = Some(Secret::Environment(members.next_value()?)),
                        "scopes" => scopes = members.next_value()?,
                        "claims" => claims = members.next_value()?,
                        _ => return Err(A::Error::custom("expected `hash` or `env`, and not both")),
                    }
                }
                let hash = hash.ok_or_else(|| A::Error::missing_field("hash"))?;
                Ok(User { hash, scopes, claims })
            }
        }
        deserializer.deserialize_struct("User", FIELDS, HashOrMore)
    }
}
