//! CORS preflights with `cors_preflight: allow`.

use serde_json::json;

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{check, denied, passes};
use authgate_testing::e2e::client::{Request, request};
use authgate_testing::e2e::fixture::{BASIC, BEARER, default_listener, default_policy, good};
use authgate_testing::e2e::proxy::Proxy;

fn preflight(path: &str, method: &str) -> Request {
    request("OPTIONS", path)
        .field("Origin", "https://app.example.com")
        .field("Access-Control-Request-Method", method)
}

#[test]
fn only_a_real_preflight_passes_and_only_where_it_is_allowed() {
    let mut policy = default_policy();
    policy["cors_preflight"] = json!("allow");
    let proxy = Proxy::start("preflights", vec![listener("allow", policy, good()), default_listener()]);
    let cases = vec![
        passes("a preflight", preflight("/either", "PUT").field("X_Auth_User", "root")).anonymous(),
        passes("credentials do not go on", preflight("/either", "PUT").basic("alice", "guess"))
            .anonymous()
            .upstream_lacks("authorization"),
        passes("the rule of the method that it asks for", preflight("/writes", "GET")),
        denied("which may deny", preflight("/writes", "POST"), 403, "rule_denied"),
        denied("a rule that denies", preflight("/denied", "GET"), 403, "rule_denied"),
        denied("no rule", preflight("/elsewhere", "GET"), 403, "no_rule"),
        denied("OPTIONS alone", request("OPTIONS", "/basic"), 401, "missing_credentials").challenge(&[BASIC]),
        denied(
            "two origins",
            preflight("/jwt", "PUT").field("Origin", "https://app.example.com"),
            401,
            "missing_credentials",
        )
        .challenge(&[BEARER]),
        denied("no method", preflight("/jwt", ""), 401, "missing_credentials").challenge(&[BEARER]),
        denied(
            "another method with the same fields",
            request("POST", "/jwt")
                .field("Origin", "https://app.example.com")
                .field("Access-Control-Request-Method", "PUT"),
            401,
            "missing_credentials",
        )
        .challenge(&[BEARER]),
    ];
    check(&proxy, "allow", cases);
    check(
        &proxy,
        "default",
        [denied("unless it is allowed", preflight("/jwt", "PUT"), 401, "missing_credentials")
            .challenge(&[BEARER])],
    );
    proxy.finish();
}
