//! Configurations that are malformed: each fault is reported with its location, and no message shows a secret.
#![allow(clippy::unwrap_used)] // a test may panic

use authgate::config::{self, ConfigError};

/// Checks that `yaml` is rejected with exactly these messages.
fn check(yaml: &str, expected: &[&str]) {
    let value: serde_json::Value = serde_yaml_ng::from_str(yaml).unwrap();
    let found: Vec<String> = match config::from_value(value) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ConfigError::to_string).collect(),
    };
    assert_eq!(found, expected, "{yaml}");
}

#[test]
fn a_small_configuration_reads() {
    check("{$schema: x, version: 1, x-anchors: [1], rules: [{public: true}]}", &[]);
    check(
        "{authenticators: {a: {basic: {users: {u: h, v: {env: V}, w: {hash: {env: W}, scopes: [r], claims: {t: 1}}}}}}, rules: [{require: a}]}",
        &[],
    );
    check("{rules: [{require: {any_of: [a, {all_of: [b, c]}]}}]}", &[]);
    check(
        "{rules: [{match: {prefix: /a}, public: true}, {match: [{path: /b}, {path: /c}], deny: true}]}",
        &[],
    );
}

#[test]
fn faults_are_reported_together_each_with_its_place() {
    check(
        "{realmm: x, rules: [{publik: true}, {match: {prefx: /a}, public: 1}, {require: {any_off: [a]}}], authenticators: {a: {basic: {htpaswd: x}}, b: {basik: {}}}}",
        &[
            "realmm: unknown field (did you mean \"realm\"?)",
            "authenticators.a.basic.htpaswd: unknown field (did you mean \"htpasswd\"?)",
            "authenticators.b.basik: unknown field (did you mean \"basic\"?)",
            "rules[0].publik: unknown field (did you mean \"public\"?)",
            "rules[1].match.prefx: unknown field (did you mean \"prefix\"?)",
            "rules[1].public: expected a boolean, found a number",
            "rules[2].require.any_off: unknown field (did you mean \"any_of\"?)",
            "rules[2].require: expected exactly one of: any_of, all_of",
        ],
    );
}

#[test]
fn a_fault_names_what_was_expected_and_found() {
    check("[]", &["expected an object, found a list"]);
    check("{}", &["`rules` is missing"]);
    check("{version: 2, rules: []}", &["version: expected 1, the only version so far"]);
    check("{version: \"1\", rules: []}", &["version: expected 1, the only version so far"]);
    check("{rules: {}}", &["rules: expected a list, found an object"]);
    check("{rules: [7]}", &["rules[0]: expected an object, found a number"]);
    check(
        "{rules: [{require: 7}]}",
        &[
            "rules[0].require: expected the name of an authenticator, {any_of: […]} or {all_of: […]}, found a number",
        ],
    );
    check(
        "{rules: [{require: {any_of: [a, 7, {all_of: b}]}}]}",
        &[
            "rules[0].require.any_of[1]: expected the name of an authenticator, {any_of: […]} or {all_of: […]}, found a number",
            "rules[0].require.any_of[2].all_of: expected a list, found a string",
        ],
    );
    check(
        "{rules: [], authenticators: {a: {}}}",
        &["authenticators.a: expected exactly one of: basic, jwt, api_key, digest, introspection"],
    );
    check(
        "{rules: [], authenticators: {a: basic}}",
        &["authenticators.a: expected exactly one of: basic, jwt, api_key, digest, introspection"],
    );
    check(
        "{rules: [], authenticators: {a: {basic: {}, jwt: {}}}}",
        &["authenticators.a: expected exactly one of: basic, jwt, api_key, digest, introspection"],
    );
    check(
        "{rules: [], authenticators: {a: {introspection: {}}}}",
        &["authenticators.a.introspection: `endpoint` is missing"],
    );
    check(
        "{rules: [], authenticators: {a b: {basic: {x: 1}}}}",
        &[
            "authenticators[\"a b\"].basic.x: unknown field; expected one of: htpasswd, users, realm, allow_plaintext, forward_credentials",
        ],
    );
    check(
        "{rules: [], authenticators: {a: {jwt: {issuer: [x, 1], keys: {jwks: {}}}}}}",
        &["authenticators.a.jwt.issuer[1]: expected a string, found a number"],
    );
    check(
        "{rules: [], authenticators: {a: {jwt: {issuer: x, keys: {remotes: {}}}}}}",
        &["authenticators.a.jwt.keys.remotes: unknown field (did you mean \"remote\"?)"],
    );
    check(
        "{rules: [], authenticators: {a: {jwt: {issuer: x, clock_skew: 60, keys: {jwks: {}}}}}}",
        &[
            "authenticators.a.jwt.clock_skew: expected a duration such as \"250ms\", \"60s\", \"5m\", \"1h\" or \"7d\", found a number",
        ],
    );
    check(
        "{rules: [], authenticators: {a: {jwt: {issuer: x, csrf: on, keys: {jwks: {}}}}}}",
        &["authenticators.a.jwt.csrf: expected same_origin or off"],
    );
    check(
        "{rules: [], authenticators: {a: {jwt: {issuer: x}}}}",
        &["authenticators.a.jwt: `keys` is missing"],
    );
    check(
        "{rules: [], bound: 1, introspection: 2}",
        &[
            "bound: unknown field; expected one of: realm, authenticators, rules, scope_implies, identity, denials, protected_resource, cors_preflight, shadow, cache, throttle, slow_hashes, slow_signatures, telemetry",
            "introspection: unknown field; expected one of: realm, authenticators, rules, scope_implies, identity, denials, protected_resource, cors_preflight, shadow, cache, throttle, slow_hashes, slow_signatures, telemetry",
        ],
    );
}

#[test]
fn null_does_not_switch_a_check_off() {
    check("{rules: [{public: null}]}", &["rules[0].public: expected a boolean, found null"]);
    check(
        "{rules: [{require: a, authorize: null}]}",
        &["rules[0].authorize: expected an object, found null"],
    );
    check("{rules: null}", &["rules: expected a list, found null"]);
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown() {
    check("{rules: [], realm: [s3cret]}", &["realm: expected a string, found a list"]);
    check(
        "{rules: [], authenticators: {a: {basic: {htpasswd: [s3cret]}}}}",
        &["authenticators.a.basic.htpasswd: expected a string or {env: NAME}, found a list"],
    );
    check(
        "{rules: [], authenticators: {a: {basic: {allow_plaintext: s3cret}}}}",
        &["authenticators.a.basic.allow_plaintext: expected a boolean, found a string"],
    );
    check(
        "{rules: [], authenticators: {a: {basic: {htpasswd: {value: s3cret}}}}}",
        &[
            "authenticators.a.basic.htpasswd.value: unknown field; expected one of: env",
            "authenticators.a.basic.htpasswd: `env` is missing",
        ],
    );
}
