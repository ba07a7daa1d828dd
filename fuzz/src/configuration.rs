//! Configurations: any input is accepted or rejected with messages, and an accepted one has the same meaning in every
//! form.

use authgate::config::{self, ConfigError};
use authgate::policy;
use serde_json::Value;

use super::structure;

pub fn check(bytes: &[u8]) {
    let Ok(value) = config::value(bytes) else { return };
    let text = value.to_string();
    let read = config::value(text.as_bytes()).expect("our own JSON");
    // For some unusual numbers the JSON parser gets the last bit wrong.
    if read != value {
        return;
    }
    assert_eq!(config::fingerprint(&read), config::fingerprint(&value));
    let outcome = outcome(value.clone());
    assert_eq!(self::outcome(read), outcome);
    if let Some(encoded) = structure::encode(&value) {
        // A decoder of Structs supports fewer levels than the 64 of JSON.
        let Ok(decoded) = config::value(&encoded) else { return };
        assert_eq!(config::fingerprint(&decoded), config::fingerprint(&value));
        assert_eq!(self::outcome(decoded), outcome, "as a Struct: {text}");
    }
}

/// Returns all messages about a configuration: its warnings, or its errors.
fn outcome(value: Value) -> Result<Vec<String>, Vec<String>> {
    let told = |errors: Vec<ConfigError>| {
        assert!(!errors.is_empty(), "refused without a word");
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let config = config::from_value(value).map_err(told)?;
    let environment = |name: &str| (name == "SECRET").then(|| "0123456789abcdef0123456789abcdef".to_owned());
    let built = policy::build(&config, &environment).map_err(told)?;
    Ok(built.warnings.iter().map(ToString::to_string).collect())
}
