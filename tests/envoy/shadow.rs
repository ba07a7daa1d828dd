//! Shadow: denials that are not enforced are visible to the operator and to nobody else.

use std::time::Duration;

use serde_json::json;

use authgate_testing::e2e::bootstrap::{bootstrap, listener};
use authgate_testing::e2e::check::{check, denied, passes};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::{ALICE, BASIC, default_listener, default_policy, good};
use authgate_testing::e2e::mint::{expired_token, token_for};
use authgate_testing::e2e::process::validate;
use authgate_testing::e2e::proxy::Proxy;

/// The default policy, in shadow except for `/jwt`.
fn shadow() -> serde_json::Value {
    let mut policy = default_policy();
    policy["shadow"] = json!(true);
    policy["protected_resource"] = json!({"resource": "https://api.example.com"});
    let rules = policy["rules"].as_array_mut().expect("rules");
    rules.iter_mut().find(|rule| rule["name"] == "jwt").expect("a rule")["shadow"] = json!(false);
    policy
}

/// Adds forged headers to a request, which must not reach the upstream.
fn forged(request: Request) -> Request {
    request.field("X-Auth-User", "root").field("x_auth.by", "root").field("x-forwarded-user", "root")
}

fn untouched(hazard: &str, request: Request) -> authgate_testing::e2e::check::Case {
    passes(hazard, forged(request)).anonymous().upstream_lacks("x-forwarded-user")
}

/// True if the admin interface shows the line within a few seconds: counters are published once a second.
fn shows(proxy: &Proxy, line: &str) {
    let shown = (0..150).any(|_| {
        let is_there = proxy.admin("/stats").lines().any(|found| found == line);
        if !is_there {
            std::thread::sleep(Duration::from_millis(40));
        }
        is_there
    });
    assert!(shown, "{line} is not in\n{}", proxy.admin("/stats?filter=authgate"));
}

#[test]
fn a_request_goes_on_untouched_but_for_forged_identity() {
    let shadow = listener("shadow", shadow(), good());
    let proxy = Proxy::start("shadow", vec![shadow, default_listener()]);
    let basic = get("/basic").basic("alice", ALICE);
    let credentials = "Basic YWxpY2U6d29uZGVybGFuZC0xODY1";
    let late = expired_token();
    check(
        &proxy,
        "shadow",
        [
            untouched("nothing is presented", get("/basic")),
            untouched("right credentials", basic.clone()).upstream("authorization", credentials),
            untouched("wrong credentials", get("/basic").basic("x", "y"))
                .upstream("authorization", "Basic eDp5"),
            untouched("unreadable ones", get("/basic").authorization("Basic !"))
                .upstream("authorization", "Basic !"),
            untouched("an expired token", get("/either").bearer(&late))
                .upstream("authorization", &format!("Bearer {late}")),
            untouched("a key in another field", get("/any").field("x-jwt", "abc")).upstream("x-jwt", "abc"),
            untouched("a rule that denies", get("/denied")),
            untouched("a scope that is missing", get("/admin").bearer(&token_for("t"))),
            untouched("no rule", get("/elsewhere")),
            untouched("an ambiguous path", get("/public/..%252fadmin"))
                .upstream_target("/public/..%252fadmin"),
            untouched("metadata", get("/.well-known/oauth-protected-resource")),
            untouched(
                "trailers",
                request("POST", "/basic").chunked("body", &[("x-checksum", "1"), ("X_Auth_User", "root")]),
            )
            .upstream("x-checksum", "1"),
            passes("a rule that is enforced", forged(get("/jwt").bearer(&token_for("t"))))
                .identity("t", "partners")
                .upstream_lacks("authorization"),
            authgate_testing::e2e::check::refused("and refuses", get("/jwt")),
        ],
    );
    check(
        &proxy,
        "default",
        [denied("another configuration", get("/basic"), 401, "missing_credentials").challenge(&[BASIC])],
    );

    let name = "wasmcustom.authgate_requests_total.outcome";
    shows(
        &proxy,
        &format!("{name}.shadow_denied.reason.missing_credentials.authenticator.none.rule.basic: 2"),
    );
    shows(
        &proxy,
        &format!("{name}.shadow_denied.reason.malformed_credentials.authenticator.staff.rule.basic: 1"),
    );
    shows(&proxy, &format!("{name}.shadow_denied.reason.expired.authenticator.partners.rule.either: 1"));
    shows(&proxy, &format!("{name}.shadow_denied.reason.no_rule.authenticator.none.rule.none: 1"));
    shows(&proxy, &format!("{name}.shadow_allowed.reason.none.authenticator.staff.rule.basic: 1"));
    shows(&proxy, &format!("{name}.shadow_answered.reason.none.authenticator.none.rule.none: 1"));
    shows(&proxy, &format!("{name}.denied.reason.missing_credentials.authenticator.none.rule.basic: 1"));
    // All rules but one, plus the implicit one for requests that no rule matches; the other configuration has none.
    shows(&proxy, "wasmcustom.authgate_shadow_rules: 18");
    let log = proxy.log();
    for line in [
        "authgate: shadow: NOT ENFORCED, requests are allowed whatever is decided: public, denied, optional, basic, \
         either,",
        "authgate: NOT ENFORCED: would be denied: reason=invalid_token detail=expired rule=either authenticator=partners",
        "authgate: NOT ENFORCED: would be answered: status=200",
    ] {
        assert!(log.contains(line), "{line} is not in the log");
    }
    proxy.finish();
}

#[test]
fn a_flood_in_shadow_does_not_flood_the_log() {
    let proxy = Proxy::start("shadow-flood", vec![listener("shadow", shadow(), good())]);
    let mut connection = proxy.connect("shadow");
    for _ in 0..500 {
        assert_eq!(proxy.send_over(&mut connection, &get("/denied")).status, 200);
    }
    std::thread::sleep(Duration::from_millis(1500));
    let log = proxy.log();
    let shown = log.matches("NOT ENFORCED: would be denied").count();
    let suppressed: usize = log
        .lines()
        .filter_map(|line| line.split_once("NOT ENFORCED: ")?.1.split_once(" more since"))
        .map(|(count, _)| count.parse::<usize>().expect("a number"))
        .sum();
    assert!((1..=100).contains(&shown), "{shown} lines");
    assert_eq!(shown + suppressed, 500);
    proxy.finish();
}

#[test]
fn enforcement_shows_no_shadow_and_a_wrong_configuration_is_refused_all_the_same() {
    let proxy = Proxy::start("no-shadow", vec![default_listener()]);
    assert_eq!(proxy.send("default", &get("/basic")).status, 401);
    shows(&proxy, "wasmcustom.authgate_shadow_rules: 0");
    assert!(!proxy.admin("/stats").contains("shadow_denied"));
    assert!(!proxy.log().contains("NOT ENFORCED"));
    proxy.finish();

    let mut wrong = shadow();
    wrong["rules"][3]["require"] = json!("nobody");
    let validation =
        validate("shadow-wrong", &bootstrap(&[listener("wrong", wrong, good())], 1, "/dev/null"));
    assert!(!validation.accepted, "{}", validation.output);
}
