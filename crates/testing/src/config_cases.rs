//! The cases of `tests/cases/config-errors.yaml`: invalid configurations, and the messages for each.

use std::collections::BTreeMap;

use authgate::jose::jwk::Algorithm;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::mint;

/// Parts of every secret in the cases, in plain text and in base64. No message may contain one.
const MARKERS: [&str; 2] = ["hunter2", "aHVudGVyMg"];

/// A configuration and the messages for it. A case has exactly one of `config`, `text`, `authenticator`, `jwt`, `rule`,
/// `identity` and `denials`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// A whole configuration.
    pub config: Option<Value>,
    /// A whole configuration as JSON text.
    pub text: Option<String>,
    /// An authenticator named `a`; a rule that requires it is added.
    pub authenticator: Option<Value>,
    /// Members of a JWT authenticator named `a`, merged over the required ones; null removes a member.
    pub jwt: Option<serde_json::Map<String, Value>>,
    /// A rule; the authenticators `staff` (Basic), `people` (JWT) and `edge` (JWT in `x-jwt`) are added.
    pub rule: Option<Value>,
    /// The `identity` member of a configuration with the same authenticators.
    pub identity: Option<Value>,
    /// The `denials` member of a configuration with the same authenticators.
    pub denials: Option<Value>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// All errors, in order.
    #[serde(default)]
    pub errors: Vec<String>,
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Returns all cases.
pub fn cases() -> Vec<Case> {
    let path = crate::root().join("tests/cases/config-errors.yaml");
    serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn shows_secret(text: &str) -> bool {
    MARKERS.iter().any(|marker| text.contains(marker))
}

impl Case {
    /// Returns the configuration, unless the case has a `text`.
    pub fn configuration(&self) -> Value {
        configuration(self)
    }
}

fn configuration(case: &Case) -> Value {
    let several = json!({
        "staff": {"basic": {"htpasswd": "alice:$2y$04$AgKC0tVjHl6q6.OUSYdLg.tFhYXYGVHSFCaSTgMlsi2OO2ADRhpP2"}},
        "people": {"jwt": jwt(&serde_json::Map::new())},
        "edge": {"jwt": jwt(json!({"from": [{"header": "x-jwt"}]}).as_object().unwrap())},
    });
    let mut value = if let Some(config) = &case.config {
        config.clone()
    } else if let Some(authenticator) = &case.authenticator {
        json!({"authenticators": {"a": authenticator}, "rules": [{"require": "a"}]})
    } else if let Some(members) = &case.jwt {
        json!({"authenticators": {"a": {"jwt": jwt(members)}}, "rules": [{"require": "a"}]})
    } else if let Some(rule) = &case.rule {
        json!({"authenticators": several, "rules": [rule]})
    } else if let Some(denials) = &case.denials {
        json!({"authenticators": several, "rules": [{"require": "staff"}], "denials": denials})
    } else {
        json!({"authenticators": several, "rules": [{"require": "staff"}], "identity": case.identity})
    };
    insert_keys(&mut value);
    value
}

fn jwt(members: &serde_json::Map<String, Value>) -> Value {
    let mut jwt = json!({
        "issuer": "https://idp.example.com", "audiences": ["api"], "keys": {"jwks": {"keys": [{"jwk": "ES256"}]}},
    });
    for (name, value) in members {
        match value {
            Value::Null => drop(jwt.as_object_mut().unwrap().remove(name)),
            value => jwt[name] = value.clone(),
        }
    }
    jwt
}

/// Replaces `{jwk: ALG, …}` by a public key with these additional members, and `{file: NAME}` by the text of a file.
fn insert_keys(value: &mut Value) {
    match value {
        Value::Object(members) if members.contains_key("jwk") => {
            let algorithm = Algorithm::from_name(members["jwk"].as_str().unwrap()).unwrap();
            members.remove("jwk");
            *value =
                mint::SigningKey::for_algorithm(algorithm).jwk_with(Value::Object(std::mem::take(members)));
        }
        Value::Object(members) if members.contains_key("file") => {
            let name = members["file"].as_str().unwrap();
            let path = crate::root().join("tests/data/keys").join(name);
            *value = std::fs::read_to_string(path).unwrap().into();
        }
        Value::Object(members) => members.values_mut().for_each(insert_keys),
        Value::Array(elements) => elements.iter_mut().for_each(insert_keys),
        _ => {}
    }
}
