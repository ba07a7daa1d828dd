//! Placeholders in the cases of `tests/cases/convert`.

const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters.http";

/// Replaces placeholders: `$jwt_authn` and others by type URLs, `$jwks` by a key set in JSON.
pub fn expand(text: &str) -> String {
    let urls = [
        ("$jwt_authn_per_route", "jwt_authn.v3.PerRouteConfig"),
        ("$jwt_authn", "jwt_authn.v3.JwtAuthentication"),
        ("$basic_auth_per_route", "basic_auth.v3.BasicAuthPerRoute"),
        ("$basic_auth", "basic_auth.v3.BasicAuth"),
        ("$api_key_auth_per_route", "api_key_auth.v3.ApiKeyAuthPerRoute"),
        ("$api_key_auth", "api_key_auth.v3.ApiKeyAuth"),
        ("$rbac_per_route", "rbac.v3.RBACPerRoute"),
        ("$rbac", "rbac.v3.RBAC"),
        ("$router", "router.v3.Router"),
    ];
    let mut text = text.to_owned();
    for (name, url) in urls {
        text = text.replace(name, &format!("{FILTERS}.{url}"));
    }
    let manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let keys = r#"{"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1", "x": "X0yEKFbM9atMGtGsILoN4_bIV5HTxYugZVWdfqCGPoo", "y": "5BlPdtnJKTd5Exauxf2n01eXcUpyuCdzNPm6h0JbdVc"}]}"#;
    text.replace("$manager", manager)
        .replace("$off", "type.googleapis.com/envoy.config.route.v3.FilterConfig")
        .replace("$jwks", keys)
}
