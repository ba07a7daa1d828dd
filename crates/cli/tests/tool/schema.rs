//! The JSON Schema and the reader accept the same forms of configurations.

use authgate::config;
use serde_json::Value;

use super::run::tool;
use authgate_testing::config_cases::cases;

fn committed() -> Value {
    let path = authgate_testing::path("envoy/authgate.schema.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The committed schema is current; `UPDATE=1` rewrites it.
#[test]
fn the_committed_schema_is_fresh() {
    let path = authgate_testing::path("envoy/authgate.schema.json");
    let fresh = tool(&["schema"], "").output;
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(fresh == committed, "make it anew: UPDATE=1 cargo test -p authgate-cli --test tool schema");
}

#[test]
fn the_schema_takes_what_the_reader_takes() {
    let schema = jsonschema::validator_for(&committed()).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for case in cases().into_iter().filter(|case| case.text.is_none()) {
        let configuration = case.configuration();
        let has_form = config::from_value(configuration.clone()).is_ok();
        let errors: Vec<String> = schema.iter_errors(&configuration).map(|error| error.to_string()).collect();
        if has_form {
            taken += 1;
            assert!(errors.is_empty(), "{}: the schema refuses it: {errors:?}", case.name);
        } else {
            refused += 1;
            assert!(!errors.is_empty(), "{}: the schema accepts it: {configuration}", case.name);
        }
    }
    assert!(taken > 150 && refused > 60, "{taken} taken, {refused} refused");
}

/// The schema accepts the sample, and `$schema` at the top.
#[test]
fn the_schema_takes_what_editors_see() {
    let schema = jsonschema::validator_for(&committed()).unwrap();
    let accepts = |configuration: Value| assert!(schema.is_valid(&configuration), "{configuration}");
    let refuses = |configuration: Value| assert!(!schema.is_valid(&configuration), "{configuration}");
    let rules = serde_json::json!([{"public": true}]);
    accepts(serde_json::json!({"$schema": "x", "version": 1, "x-anchors": [1], "rules": rules}));
    refuses(serde_json::json!({"version": 2, "rules": rules}));
    refuses(serde_json::json!({"rules": rules, "realm": null}));
    refuses(serde_json::json!({"rules": rules, "rulez": rules}));
}

/// The module has no schema, so its list of fields is compared with the types here.
#[test]
fn exactly_the_fields_without_secrets_count_in_the_fingerprint() {
    let fields = config::disclosure::authenticator_fields();
    let fingerprint = |name: &str, text: &str| {
        config::fingerprint(&serde_json::json!({"authenticators": {"a": {"scheme": {name: text}}}}))
    };
    for (name, is_public) in &fields {
        assert_eq!(fingerprint(name, "1") != fingerprint(name, "2"), *is_public, "{name}");
    }
    for secret in
        ["htpasswd", "hash", "sha256", "htdigest", "nonce_key", "client_secret", "value", "key", "jwks"]
    {
        assert_eq!(fields.get(secret), Some(&false), "{secret}");
    }
    assert_eq!(fields.get("issuer"), Some(&true));
}

#[test]
fn only_authenticators_contain_secrets() {
    let all = committed();
    let mut names: Vec<&String> = all["properties"].as_object().unwrap().keys().collect();
    names.retain(|name| *name != "authenticators");
    let mut public = config::disclosure::public_members();
    public.sort();
    assert_eq!(public.iter().collect::<Vec<_>>(), names);
}
