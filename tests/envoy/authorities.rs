//! Host rules, and authorities that are crafted to bypass them.

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{check, denied, passes, refused};
use authgate_testing::e2e::client::get;
use authgate_testing::e2e::fixture::{BEARER, good, policy};
use authgate_testing::e2e::mint::token_for;
use authgate_testing::e2e::proxy::Proxy;

/// A policy that guards two hosts; all others are public.
fn hosts(name: &'static str) -> Listener {
    let policy = policy(
        r#"
        authenticators:
          partners: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}
        rules:
          - {match: {hosts: [admin.example.com, "*.example.net"]}, require: partners}
          - {match: {hosts: [public.example.com, api.example.com, example.net]}, public: true}
        "#,
    );
    listener(name, policy, good())
}

const GUARDED: [&str; 11] = [
    "admin.example.com",
    "admin.example.com:8443",
    "admin.example.com.",
    "admin.example.com.:8443",
    "ADMIN.example.com",
    "Admin.Example.Com:80",
    "a.example.net",
    "a.b.example.net",
    "a.example.net:1",
    "A.EXAMPLE.NET.",
    "public.example.com.example.net",
];

const BAD: [&str; 16] = [
    "u@admin.example.com",
    "u:p@admin.example.com",
    "public.example.com@admin.example.com",
    "admin.example.com,public.example.com",
    "public.example.com,admin.example.com",
    "a,b",
    "admin.example.com/",
    "public.example.com/admin.example.com",
    "public.example.com?admin.example.com",
    "public.example.com#admin.example.com",
    "admin.example.com:x",
    "admin.example.com:80:80",
    "admin.example.com..",
    "[admin.example.com]",
    "public.example.com\\admin.example.com",
    "[::1",
];

#[test]
fn no_authority_gets_past_its_rule() {
    let proxy = Proxy::start("authorities", vec![hosts("hosts"), hosts("raw").raw()]);
    for name in ["hosts", "raw"] {
        check(
            &proxy,
            name,
            GUARDED.map(|host| {
                denied(host, get("/").host(host), 401, "missing_credentials").challenge(&[BEARER])
            }),
        );
        check(&proxy, name, GUARDED.map(|host| passes(host, get("/").host(host).bearer(&token_for("t")))));
        check(&proxy, name, BAD.map(|host| refused(host, get("/").host(host))));
        check(
            &proxy,
            name,
            [
                passes("an open host", get("/").host("public.example.com")),
                passes("with a port", get("/").host("public.example.com:8080")),
                passes("the name itself is not below itself", get("/").host("example.net")),
                refused(
                    "two Host fields",
                    get("/").host("public.example.com").field("host", "admin.example.com"),
                ),
                refused(
                    "absolute form beats Host",
                    get("http://admin.example.com/").host("public.example.com"),
                ),
                denied("a host that no rule names", get("/").host("elsewhere.example.org"), 403, "no_rule"),
                denied("an address", get("/").host("127.0.0.1:80"), 403, "no_rule"),
                denied("an address of version 6", get("/").host("[::1]:80"), 403, "no_rule"),
            ],
        );
    }
    // Credentials do not help either. (Where Envoy strips ports and dots, some of these become valid names.)
    check(&proxy, "raw", BAD.map(|host| refused(host, get("/").host(host).bearer(&token_for("t")))));
    // Authorities that Envoy accepts are denied by authgate.
    check(
        &proxy,
        "raw",
        ["a,b", "public.example.com,admin.example.com"]
            .map(|host| denied(host, get("/").host(host), 400, "bad_authority")),
    );
    proxy.finish();
}
