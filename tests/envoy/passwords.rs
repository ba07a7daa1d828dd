//! Every htpasswd format, with entries from the real tools.

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{check, denied, passes};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::fixture::{BASIC, policy};
use authgate_testing::e2e::proxy::Proxy;

const HTPASSWD: &str = include_str!("../data/e2e/htpasswd");

/// Returns the users. The password of each is the user's name followed by `-secret`.
fn users() -> Vec<&'static str> {
    let lines = HTPASSWD.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(':').expect("user:hash").0).collect()
}

fn with(user: &str, password: &str) -> Request {
    get("/basic").basic(user, password)
}

#[test]
fn every_format_of_htpasswd() {
    let mut policy = policy(
        "{authenticators: {staff: {basic: {allow_plaintext: true}}}, rules: [{require: staff}], slow_hashes: {cpu_share: 1}}",
    );
    policy["authenticators"]["staff"]["basic"]["htpasswd"] = HTPASSWD.into();
    let good = with("bcrypt-y", "bcrypt-y-secret");
    let proxy = Proxy::start("passwords", vec![listener("formats", policy, good)]);
    let users = users();
    assert_eq!(users.len(), 15, "a format is missing: {users:?}");

    check(
        &proxy,
        "formats",
        users.iter().flat_map(|user| {
            let secret = format!("{user}-secret");
            [
                passes(format!("{user}: right"), with(user, &secret)).upstream("x-auth-user", user),
                wrong(user, &format!("{user}-secreT")),
                wrong(user, &format!("{user}-secret ")),
                wrong(user, &format!("{user}-secre")),
            ]
        }),
    );
    proxy.finish();
}

fn wrong(user: &str, password: &str) -> authgate_testing::e2e::check::Case {
    denied(format!("{user}: {password:?}"), with(user, password), 401, "invalid_credentials")
        .challenge(&[BASIC])
}

#[test]
fn users_and_htpasswd_together_and_a_user_with_scopes() {
    let policy = policy(
        r#"
        authenticators:
          staff:
            basic:
              realm: 'the "staff" \ area'
              htpasswd: $ALICE_LINE
              users: {bob: {hash: $BOB, scopes: [read, write], claims: {team: web}}}
        rules:
          - {match: {prefix: /write}, require: staff, authorize: {scopes: [write]}}
          - {match: {prefix: /web}, require: staff, authorize: {claims: {team: web}}}
          - {require: staff}
        identity: {headers: {x-auth-user: "{subject}", x-auth-scopes: "{scopes}", x-auth-team: "{claim:team}"}}
        "#,
    );
    let bob = |path| get(path).basic("bob", authgate_testing::e2e::fixture::BOB);
    let alice = |path| get(path).basic("alice", authgate_testing::e2e::fixture::ALICE);
    let proxy = Proxy::start("users", vec![listener("users", policy, bob("/"))]);
    let challenge = r#"Basic realm="the \"staff\" \\ area", charset="UTF-8""#;
    check(
        &proxy,
        "users",
        [
            passes("from htpasswd", alice("/"))
                .upstream("x-auth-user", "alice")
                .upstream_lacks("x-auth-team"),
            passes("from users", bob("/")).upstream("x-auth-user", "bob").upstream("x-auth-team", "web"),
            passes("a scope that the file gives", bob("/write")).upstream_lacks("authorization"),
            passes("a claim that the file gives", bob("/web")).upstream("x-auth-team", "web"),
            denied("no scope, and no Bearer to say so", alice("/write"), 403, "insufficient_scope"),
            denied("no claim", alice("/web"), 403, "not_authorized"),
            denied("a realm is escaped", get("/"), 401, "missing_credentials").challenge(&[challenge]),
        ],
    );
    proxy.finish();
}
