//! `/admin` in every disguise, with and without Envoy's normalisation: none bypasses its rule.

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{check, denied, passes, refused};
use authgate_testing::e2e::client::{get, request};
use authgate_testing::e2e::fixture::{BEARER_ADMIN, good, policy};
use authgate_testing::e2e::mint::{scoped_token, token_for};
use authgate_testing::e2e::proxy::Proxy;

/// A policy that guards `/admin`; all other paths are denied, or public if `rest` says so.
fn guarded(name: &'static str, rest: &str) -> Listener {
    let policy = policy(&format!(
        r#"
        authenticators:
          partners: {{jwt: {{issuer: $ISSUER, audiences: [api], keys: {{jwks: $JWKS}}}}}}
        rules:
          - {{match: {{prefix: /admin}}, require: partners, authorize: {{scopes: [admin]}}}}
          - {{match: {{template: "/users/{{id}}/keys"}}, deny: true}}
          - {{match: {{prefix: /jwt}}, require: partners}}
          - {{match: {{prefix: /open}}, public: true}}
          {rest}
        "#
    ));
    listener(name, policy, good())
}

/// Paths that a router or service could interpret as `/admin`.
const DISGUISES: [&str; 44] = [
    "/admin",
    "/admin/",
    "/admin?x",
    "/admin#x",
    "/admin/x",
    "//admin",
    "///admin",
    "/./admin",
    "/x/../admin",
    "/x/..//admin",
    "/open/../admin",
    "/open/../../admin",
    "/open/%2e%2e/admin",
    "/open/%2E%2e/admin",
    "/open/.%2e/admin",
    "/open/..%2fadmin",
    "/open/..%2Fadmin",
    "/open/..%5cadmin",
    "/open/..\\admin",
    "/open\\..\\admin",
    "/\\admin",
    "/%5cadmin",
    "/%2fadmin",
    "/%2Fadmin",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/admi%6E",
    "/admin%2f",
    "/admin%2fx",
    "/admin%5cx",
    "/admin\\x",
    "/admin;x",
    "/admin;x=1/y",
    "/x/..;/admin",
    "/x/..;a=b/admin",
    "/;/admin",
    "/open;/../admin",
    "/open/..;/admin",
    "/admin/.",
    "/admin/x/..",
    "/admin//x",
    "/admin%00",
    "/admin%",
    "/admin%2",
];

#[test]
fn no_disguise_of_a_path_gets_past_its_rule() {
    let open = "- {public: true}";
    let listeners = vec![
        guarded("closed", ""),
        guarded("closed-raw", "").raw(),
        guarded("open", open),
        guarded("open-raw", open).raw(),
    ];
    let names: Vec<&str> = listeners.iter().map(|listener| listener.name).collect();
    let proxy = Proxy::start("paths", listeners);
    for name in names {
        check(&proxy, name, DISGUISES.map(|path| refused(path, get(path))));
        check(
            &proxy,
            name,
            DISGUISES.map(|path| refused(path, get(path).bearer(&scoped_token("x", "read")))),
        );
        check(
            &proxy,
            name,
            ["/users/1/keys", "/users//1/keys", "/users/1/./keys", "/users/1/keys;x"]
                .map(|path| refused(path, get(path))),
        );
        check(
            &proxy,
            name,
            [
                denied("as it is written", get("/admin"), 401, "missing_credentials")
                    .challenge(&[BEARER_ADMIN]),
                denied("a query is no path", get("/admin?/../open"), 401, "missing_credentials")
                    .challenge(&[BEARER_ADMIN]),
                passes("with the scope", get("/admin/x").bearer(&scoped_token("root", "admin"))),
                passes("an open path", get("/open/x")).upstream_target("/open/x"),
                passes("an encoded space", get("/open/a%20b?c=%2F..%2Fadmin"))
                    .upstream_target("/open/a%20b?c=%2F..%2Fadmin"),
                refused("CONNECT", request("CONNECT", "admin:80").host("admin:80")),
                refused("an asterisk", request("OPTIONS", "*")),
                refused("no slash at all", get("admin")),
            ],
        );
    }
    // Paths are case-sensitive: this is another resource, which only a rule for all other paths makes public.
    check(&proxy, "closed", [denied("another case", get("/ADMIN"), 403, "no_rule")]);
    check(&proxy, "closed-raw", [denied("another case", get("/ADMIN"), 403, "no_rule")]);
    check(&proxy, "open", [passes("another case", get("/ADMIN")).upstream_target("/ADMIN")]);
    check(&proxy, "open-raw", [passes("another case", get("/ADMIN")).upstream_target("/ADMIN")]);
    // Paths that Envoy does not reject are denied as ambiguous, even with valid credentials.
    check(
        &proxy,
        "open-raw",
        ["/open/../admin", "/open/..%2fadmin", "/admin/../open", "/%00"].map(|path| {
            denied(path, get(path).bearer(&scoped_token("root", "admin")), 400, "ambiguous_path")
        }),
    );
    proxy.finish();
}

#[test]
fn a_path_in_absolute_form_counts_as_its_path_and_host() {
    let proxy = Proxy::start(
        "absolute",
        vec![guarded("open", "- {public: true}"), guarded("raw", "- {public: true}").raw()],
    );
    for name in ["open", "raw"] {
        check(
            &proxy,
            name,
            [
                refused("absolute form", get("http://api.example.com/admin")),
                refused("absolute form, disguised", get("http://api.example.com//admin")),
                refused("with a user", get("http://u@api.example.com/admin")),
                refused(
                    "with a token that may not",
                    get("http://api.example.com/admin").bearer(&token_for("x")),
                ),
            ],
        );
    }
    proxy.finish();
}
