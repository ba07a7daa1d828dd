//! Protected resource metadata, as an MCP client requests it.

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::check::{check, denied};
use authgate_testing::e2e::client::{get, request};
use authgate_testing::e2e::fixture::{default_policy, good};
use authgate_testing::e2e::mint::expired_token;
use authgate_testing::e2e::proxy::Proxy;

const URL: &str = "https://api.example.com/.well-known/oauth-protected-resource/jwt";

#[test]
fn metadata_is_served_and_named_in_challenges() {
    let mut policy = default_policy();
    policy["protected_resource"] = json!({
        "resource": "https://api.example.com/jwt",
        "authorization_servers": ["https://idp.example.com"],
        "scopes_supported": ["read"],
    });
    let proxy = Proxy::start("metadata", vec![listener("metadata", policy.clone(), good())]);
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/jwt"] {
        let found = proxy.send("metadata", &get(path).field("Origin", "https://app.example.com"));
        assert_eq!((found.status, found.upstream.len()), (200, 0), "{path}: {:?}", found.answer);
        assert_eq!(found.answer.all("content-type"), ["application/json"]);
        assert_eq!(found.answer.all("access-control-allow-origin"), ["*"]);
        let metadata: Value = serde_json::from_str(&found.answer.body).unwrap();
        assert_eq!(metadata, policy["protected_resource"]);
        let head = proxy.send("metadata", &request("HEAD", path));
        assert_eq!((head.status, head.upstream.len()), (200, 0), "{path}: {:?}", head.answer);
        assert_eq!(head.answer.all("content-type"), ["application/json"]);
        let preflight = request("OPTIONS", path)
            .field("Origin", "https://app.example.com")
            .field("Access-Control-Request-Method", "GET")
            .field("Access-Control-Request-Headers", "mcp-protocol-version");
        let preflight = proxy.send("metadata", &preflight);
        assert_eq!((preflight.status, preflight.upstream.len()), (204, 0), "{:?}", preflight.answer);
        assert_eq!(preflight.answer.all("access-control-allow-headers"), ["*"]);
        let posted = proxy.send("metadata", &request("POST", path).chunked("{}", &[]));
        assert_eq!((posted.status, posted.upstream.len()), (405, 0), "{:?}", posted.answer);
    }
    let bare = format!(r#"Bearer realm="restricted", resource_metadata="{URL}""#);
    let wrong = format!(
        r#"Bearer realm="restricted", error="invalid_token", error_description="The token has expired.", resource_metadata="{URL}""#
    );
    let cases = vec![
        denied("below the resource", get("/jwt/x"), 401, "missing_credentials").challenge(&[&bare]),
        denied("with an error", get("/jwt").bearer(&expired_token()), 401, "expired").challenge(&[&wrong]),
        denied("beside it", get("/issuers"), 401, "missing_credentials")
            .challenge(&[authgate_testing::e2e::fixture::BEARER]),
        denied("another path", get("/.well-known/oauth-protected-resource/basic"), 403, "no_rule"),
    ];
    check(&proxy, "metadata", cases);
    proxy.finish();
}
