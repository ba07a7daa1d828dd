//! Delivery of configurations: as a Struct or a StringValue, with secrets from the environment, and several in one VM.

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{check, denied, passes};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::fixture::{
    ALICE, BASIC, BEARER, BOB, INVALID_TOKEN, default_listener, default_policy, good, policy,
};
use authgate_testing::e2e::mint::{SECRET, claims_but, hs256, other_token, token_for};
use authgate_testing::e2e::proxy::Proxy;

#[test]
fn a_struct_and_a_string_behave_alike() {
    let string = listener("string", default_policy(), good()).in_a_string();
    let proxy = Proxy::start("forms", vec![default_listener(), string]);
    for name in ["default", "string"] {
        check(
            &proxy,
            name,
            [
                passes("public", get("/healthz")).anonymous(),
                passes("Basic", get("/basic").basic("alice", ALICE)).identity("alice", "staff"),
                passes("JWT", get("/jwt").bearer(&token_for("t"))).identity("t", "partners"),
                passes("a shared secret", get("/issuers").bearer(&other_token("o"))).identity("o", "others"),
                denied("nothing", get("/either"), 401, "missing_credentials").challenge(&[BASIC, BEARER]),
                denied("no rule", get("/elsewhere"), 403, "no_rule"),
            ],
        );
    }
    proxy.finish();
}

fn from_environment() -> Value {
    policy(
        r#"
        authenticators:
          staff: {basic: {users: {alice: {env: ALICE_HASH}, bob: {hash: {env: BOB_HASH}, scopes: [read]}}}}
          file: {basic: {htpasswd: {env: HTPASSWD}}}
          others:
            jwt:
              issuer: $OTHER_ISSUER
              audiences: [api]
              keys: {secret: {value: {env: JWT_SECRET}, algorithm: HS256}}
        rules:
          - {match: {prefix: /file}, require: file}
          - {match: {prefix: /jwt}, require: others}
          - {require: staff}
        "#,
    )
}

#[test]
fn secrets_come_from_the_environment_and_stay_out_of_the_config_dump() {
    let users = default_policy()["authenticators"]["staff"]["basic"]["users"].clone();
    let (alice, bob) = (users["alice"].as_str().expect("a hash"), users["bob"].as_str().expect("a hash"));
    let file = format!("alice:{alice}\nbob:{bob}\n");
    let names = ["ALICE_HASH", "BOB_HASH", "HTPASSWD", "JWT_SECRET"];
    let good = || get("/").basic("alice", ALICE);
    let from_host = listener("host", from_environment(), good()).environment(json!({"host_env_keys": names}));
    // A trailing newline from an editor is not part of a secret.
    let inline = listener("inline", from_environment(), good()).environment(json!({"key_values": {
        "ALICE_HASH": format!("{alice}\n"), "BOB_HASH": bob, "HTPASSWD": file, "JWT_SECRET": format!("{SECRET}-inline\n"),
    }}));
    let environment =
        [("ALICE_HASH", alice), ("BOB_HASH", bob), ("HTPASSWD", file.as_str()), ("JWT_SECRET", SECRET)];
    let proxy = Proxy::start_with("environment", vec![from_host, inline], &environment);

    let inline_token = hs256(
        format!("{SECRET}-inline").as_bytes(),
        r#"{"alg":"HS256"}"#,
        claims_but("o", json!({"iss": authgate_testing::e2e::mint::OTHER_ISSUER})).to_string(),
    );
    for (name, right, wrong) in
        [("host", other_token("o"), &inline_token), ("inline", inline_token.clone(), &other_token("o"))]
    {
        check(
            &proxy,
            name,
            [
                passes("a user's hash", good()).upstream("x-auth-user", "alice"),
                passes("a user with a hash", get("/").basic("bob", BOB)).upstream("x-auth-user", "bob"),
                passes("a whole file", get("/file").basic("bob", BOB)).upstream("x-auth-user", "bob"),
                passes("a shared secret", get("/jwt").bearer(&right)).upstream("x-auth-user", "o"),
                denied("another's secret", get("/jwt").bearer(wrong), 401, "invalid_token")
                    .challenge(&[INVALID_TOKEN]),
                denied("a wrong password", get("/").basic("alice", BOB), 401, "invalid_credentials")
                    .challenge(&[BASIC]),
            ],
        );
    }
    let dump = proxy.admin("/config_dump");
    assert!(
        dump.contains("ALICE_HASH") && dump.contains("JWT_SECRET"),
        "no config dump: {} bytes",
        dump.len()
    );
    let quoted = format!("\"{SECRET}\"");
    assert!(!dump.contains(&quoted), "the config dump shows a secret of the host's environment");
    proxy.finish();
}

/// A policy that allows a single user, with its own realm.
fn only(name: &'static str, user: &str, hash: &str, password: &str) -> Listener {
    let policy = policy(&format!(
        r#"
        realm: {name}
        authenticators: {{{name}: {{basic: {{users: {{{user}: {hash}}}}}}}}}
        rules:
          - {{match: {{prefix: /{name}}}, public: true}}
          - {{match: {{prefix: /shared}}, require: {name}}}
        identity: {{headers: {{x-auth-user: "{{subject}}", x-only-{name}: "{{authenticator}}"}}}}
        "#
    ));
    listener(name, policy, get("/shared").basic(user, password))
}

#[test]
fn two_configurations_in_one_vm_never_see_each_other() {
    let proxy = Proxy::start_with_two_workers(
        "shared-vm",
        vec![only("first", "alice", "$ALICE", ALICE), only("second", "bob", "$BOB", BOB)],
    );
    let alice = || get("/shared").basic("alice", ALICE);
    let bob = || get("/shared").basic("bob", BOB);
    let challenge = |name: &str| format!(r#"Basic realm="{name}", charset="UTF-8""#);
    let (first, second) = (challenge("first"), challenge("second"));
    let (code, missing) = ("invalid_credentials", "missing_credentials");
    // Repeated: credentials cached under one configuration must not count for the other.
    for _ in 0..3 {
        check(
            &proxy,
            "first",
            [passes("its own", alice()).upstream("x-only-first", "first").upstream_lacks("x-only-second")],
        );
        check(&proxy, "second", [denied("the other's user", alice(), 401, code).challenge(&[&second])]);
        check(
            &proxy,
            "second",
            [passes("its own", bob()).upstream("x-only-second", "second").upstream_lacks("x-only-first")],
        );
        check(&proxy, "first", [denied("the other's user", bob(), 401, code).challenge(&[&first])]);
        check(
            &proxy,
            "first",
            [passes("its own rule", get("/first")), denied("the other's", get("/second"), 403, "no_rule")],
        );
        check(
            &proxy,
            "second",
            [passes("its own rule", get("/second")), denied("the other's", get("/first"), 403, "no_rule")],
        );
        check(&proxy, "first", [denied("its own realm", get("/shared"), 401, missing).challenge(&[&first])]);
        check(
            &proxy,
            "second",
            [denied("its own realm", get("/shared"), 401, missing).challenge(&[&second])],
        );
    }
    // Interleaved over more open connections than there are workers.
    let mut pairs: Vec<_> = (0..8).map(|_| (proxy.connect("first"), proxy.connect("second"))).collect();
    for round in 0..48 {
        let (one, two) = &mut pairs[round % 8];
        let requests: [(Request, u16, u16); 2] = [(alice(), 200, 401), (bob(), 401, 200)];
        for (request, at_first, at_second) in requests {
            let statuses = (proxy.send_over(one, &request).status, proxy.send_over(two, &request).status);
            assert_eq!(statuses, (at_first, at_second), "round {round}");
        }
    }
    proxy.finish();
}
