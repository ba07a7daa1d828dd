//! Invalid configurations: every message, word by word. The cases are in `tests/cases/config-errors.yaml`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use authgate::authn::Scheme;
use authgate::config::{self, ConfigError};
use authgate::policy::build;
use authgate_testing::config_cases;

use config_cases::{Case, cases, shows_secret};

#[test]
fn every_fault_is_told_as_its_case_says() {
    let cases = cases();
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
        None => config::from_value(case.configuration()),
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

/// The properties of schemes on which decisions depend.
#[test]
fn each_scheme_has_its_properties() {
    let configuration = serde_json::json!({
        "authenticators": {
            "plain": {"basic": {"users": {"a": "{PLAIN}pw"}, "allow_plaintext": true}},
            "slow": {"basic": {"users": {"a": "$2b$08$c6oMKiDJh66sXqq6gAmDoeRxMA2YM/TFCx4DQHJJWKlD3XL8zoooq"}}},
            "keys": {"api_key": {"from": [{"header": "x-api-key"}], "keys": [{"id": "ci", "sha256": "0".repeat(64)}]}},
            "opaque": {"introspection": {"endpoint": "https://idp/introspect", "cluster": "idp", "client_id": "g", "client_secret": "hunter2", "any_audience": true}},
        },
        "rules": [{"require": {"any_of": ["plain", "slow", "keys", "opaque"]}}],
    });
    let config = config::from_value(configuration).unwrap();
    let policy = build(&config, &|_| None).unwrap().policy;
    let names_of = |has: fn(&Scheme) -> bool| -> Vec<&str> {
        let found = policy.authenticators.iter().filter(|authenticator| has(&authenticator.scheme));
        found.map(|authenticator| authenticator.name.as_str()).collect()
    };
    assert_eq!(names_of(Scheme::accepts_unclaimed), ["opaque"]);
    assert_eq!(names_of(Scheme::failures_are_slow), ["slow"]);
}
