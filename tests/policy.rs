//! Configurations that are wrong: what an operator is told, word by word. The cases are in `tests/cases/config-errors.yaml`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

mod mint;

use std::collections::BTreeMap;

use authgate::config::{self, ConfigError};
use authgate::jwk::Algorithm;
use authgate::policy::build;
use serde::Deserialize;
use serde_json::{Value, json};

/// Part of every secret in the cases, as it is and in base64. No message shows it.
const MARKERS: [&str; 2] = ["hunter2", "aHVudGVyMg"];

/// One configuration and what is said of it. Exactly one of the first seven is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// A whole configuration.
    config: Option<Value>,
    /// A whole configuration as JSON text.
    text: Option<String>,
    /// One authenticator, named `a`, and a rule that requires it.
    authenticator: Option<Value>,
    /// Members of one JWT authenticator, named `a`, over those that it needs; null takes one out.
    jwt: Option<serde_json::Map<String, Value>>,
    /// One rule, beside the authenticators `staff` (Basic), `people` (JWT) and `edge` (JWT in `x-jwt`).
    rule: Option<Value>,
    /// The `identity` beside the same.
    identity: Option<Value>,
    /// The `denials` beside the same.
    denials: Option<Value>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// All errors, in their order.
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[test]
fn every_fault_is_told_as_its_case_says() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/config-errors.yaml"));
    let cases: Vec<Case> = serde_yaml_ng::from_str(&text.unwrap()).unwrap();
    let count = cases.len();
    let failures: Vec<String> = cases
        .into_iter()
        .filter_map(|case| {
            let name = case.name.clone();
            check(case).err().map(|why| format!("{name}:\n{why}"))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
}

fn check(case: Case) -> Result<(), String> {
    let parsed = match &case.text {
        Some(text) => config::parse(text.as_bytes()),
        None => config::from_value(configuration(&case)),
    };
    let built = parsed.and_then(|config| {
        assert!(!shows_secret(&format!("{config:?}")), "{}: Debug shows a secret", case.name);
        build(&config, &|name| case.environment.get(name).cloned())
    });
    let (errors, warnings) = match built {
        Ok(built) => (Vec::new(), built.warnings.iter().map(ToString::to_string).collect()),
        Err(errors) => (errors.iter().map(ConfigError::to_string).collect(), Vec::new()),
    };
    let show = |texts: &[String]| texts.iter().map(|text| format!("      - {text:?}\n")).collect::<String>();
    if errors != case.errors || warnings != case.warnings {
        let (errors, warnings) = (show(&errors), show(&warnings));
        return Err(format!("    errors:\n{errors}    warnings:\n{warnings}"));
    }
    let shown = [errors, warnings].concat().concat();
    if shows_secret(&shown) { Err(format!("a secret is shown: {shown}")) } else { Ok(()) }
}

fn shows_secret(text: &str) -> bool {
    MARKERS.iter().any(|marker| text.contains(marker))
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

/// Puts public keys where `{jwk: ALG, …}` stands, with these members too, and the texts of files where `{file: NAME}`
/// does.
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
            let path = format!("{}/tests/data/keys/{name}", env!("CARGO_MANIFEST_DIR"));
            *value = std::fs::read_to_string(path).unwrap().into();
        }
        Value::Object(members) => members.values_mut().for_each(insert_keys),
        Value::Array(elements) => elements.iter_mut().for_each(insert_keys),
        _ => {}
    }
}
