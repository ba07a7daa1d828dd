//! `rbac` and its conversion, side by side: with claims that a `jwt_authn` before it verified, with conditions that
//! exclude requests, and with rules of routes.

use serde_json::{Value, json};

use super::JWT_AUTHN;
use super::pairs::{
    Credential, Pair, RBAC, bearers, credential, everywhere, grid, nothing, paths, per_route, provider, route,
};
use authgate_testing::e2e::client::get;
use authgate_testing::e2e::mint::{claims_but, token, token_for};

fn path(matcher: Value) -> Value {
    json!({"url_path": {"path": matcher}})
}

fn method(name: &str) -> Value {
    json!({"header": {"name": ":method", "string_match": {"exact": name}}})
}

fn claim(path: &[&str], value: Value) -> Value {
    let path: Vec<Value> = ["claims"].iter().chain(path).map(|key| json!({"key": key})).collect();
    json!({"metadata": {"filter": "envoy.filters.http.jwt_authn", "path": path, "value": value}})
}

/// Claims of all kinds, on paths where a token is required, optional, or ignored.
pub fn claims(action: &str) -> Pair {
    let exact = |text: &str| json!({"string_match": {"exact": text}});
    let jwt_authn = json!({
        "@type": JWT_AUTHN,
        "providers": {"p": provider(json!({"payload_in_metadata": "claims",
            "normalize_payload_in_metadata": {"space_delimited_claims": ["scope"]}}))},
        "rules": [
            {"match": {"prefix": "/open"}},
            {"match": {"prefix": "/optional"}, "requires": {"requires_any": {"requirements": [{"provider_name": "p"}, {"allow_missing": {}}]}}},
            {"match": {"prefix": "/"}, "requires": {"provider_name": "p"}},
        ],
    });
    let admin = claim(&["role"], exact("admin"));
    let policies = json!({
        "admin": {"permissions": [path(json!({"prefix": "/admin"})), path(json!({"prefix": "/optional/admin"})), path(json!({"exact": "/open/admin"}))],
            "principals": [admin.clone(), claim(&["org", "team"], json!({"string_match": {"prefix": "ops-"}}))]},
        "scope": {"permissions": [{"and_rules": {"rules": [path(json!({"prefix": "/scope"})), method("GET")]}}],
            "principals": [claim(&["scope"], json!({"list_match": {"one_of": exact("read")}}))]},
        "groups": {"permissions": [path(json!({"prefix": "/groups"}))], "principals": [{"and_ids": {"ids": [
            claim(&["groups"], json!({"list_match": {"one_of": exact("a")}})), claim(&["verified"], json!({"bool_match": true}))]}}]},
        "header": {"permissions": [{"header": {"name": ":path", "string_match": {"prefix": "/header"}}}], "principals": [admin]},
        "all": {"permissions": [path(json!({"exact": "/all"})), path(json!({"prefix": "/open"}))], "principals": [{"any": true}]},
    });
    let of = |what: &'static str, changes: Value| {
        let token = token("ES256", &claims_but("alice", changes));
        credential(what, move |request| request.bearer(&token))
    };
    let mut credentials: Vec<Credential> = bearers();
    credentials.extend([
        of("an admin's token", json!({"role": "admin"})),
        of("a user's token", json!({"role": "user"})),
        of("an operator's token", json!({"org": {"team": "ops-1"}})),
        of("another team's token", json!({"org": {"team": "dev-ops-1"}})),
        of("a token to read", json!({"scope": "write read"})),
        of("a token to write", json!({"scope": "write readers"})),
        of("a token of two groups", json!({"groups": ["b", "a"], "verified": true})),
        of("a token of two groups, not verified", json!({"groups": ["b", "a"], "verified": false})),
        of("a token of another group", json!({"groups": ["b"], "verified": true})),
    ]);
    let targets = [
        "/admin",
        "/admin/x",
        "/admi",
        "/optional",
        "/optional/admin",
        "/open",
        "/open/admin",
        "/scope",
        "/groups",
        "/header",
        "/header?x=1",
        "/headed",
        "/all",
        "/all/x",
        "/",
    ];
    let names =
        if action == "ALLOW" { ["claims", "claims-ours"] } else { ["claims-deny", "claims-deny-ours"] };
    let good = if action == "ALLOW" { get("/open") } else { get("/").bearer(&token_for("alice")) };
    Pair {
        names,
        filter: jwt_authn,
        behind: Some(json!({"@type": RBAC, "rules": {"action": action, "policies": policies}})),
        is_disabled: false,
        hosts: everywhere(),
        // Rules cannot express a denied scope, or a claim whose absence allows.
        is_whole: action == "ALLOW",
        good,
        requests: grid(&["GET", "POST"], &paths(&targets), &credentials),
        stricter: &[],
    }
}

/// Conditions that exclude requests, and combinations of paths.
pub fn excluded(action: &str) -> Pair {
    let and = |list: Value| json!({"and_rules": {"rules": list}});
    let not = |rule: Value| json!({"not_rule": rule});
    let any = json!([{"any": true}]);
    let policies = json!({
        "a": {"permissions": [and(json!([path(json!({"prefix": "/a"})), not(path(json!({"exact": "/a/b"}))), not(method("PUT"))]))], "principals": any},
        "b": {"permissions": [and(json!([path(json!({"prefix": "/b/"})), path(json!({"suffix": ".txt"}))]))], "principals": any},
        "c": {"permissions": [not({
            let either = [path(json!({"prefix": "/"})), method("POST")];
            json!({"or_rules": {"rules": either}})
        })], "principals": any},
        "d": {"permissions": [and(json!([path(json!({"prefix": "/d"})), not(and(json!([path(json!({"prefix": "/d/x"})), method("GET")])))]))],
            "principals": [{"not_id": {"remote_ip": {"address_prefix": "10.0.0.0", "prefix_len": 8}}}]},
        "e": {"permissions": [path(json!({"exact": "/e"}))], "principals": [{"not_id": {"remote_ip": {"address_prefix": "127.0.0.0", "prefix_len": 8}}}]},
        "f": {"permissions": [not(not(path(json!({"exact": "/f"}))))], "principals": any},
        "g": {"permissions": [and(json!([not(json!({"header": {"name": ":path", "string_match": {"prefix": "/"}}})), method("GET")]))], "principals": any},
        "h": {"permissions": [and(json!([path(json!({"prefix": "/h"})),
            {"header": {"name": ":authority", "string_match": {"exact": "one.example.com", "ignore_case": true}}}]))], "principals": any},
    });
    let targets: Vec<(&str, &str)> = [
        "/a", "/ab", "/a/b", "/a/b/c", "/b/x.txt", "/b/.txt", "/b.txt", "/b/x", "/d", "/d/x", "/d/x/y", "/e",
        "/f", "/f/x", "/h", "/",
    ]
    .into_iter()
    .flat_map(|path| ["one.example.com", "ONE.example.com:8080", "two.example.com"].map(|host| (host, path)))
    .collect();
    let names = if action == "ALLOW" {
        ["excluded", "excluded-ours"]
    } else {
        ["excluded-deny", "excluded-deny-ours"]
    };
    Pair {
        names,
        filter: json!({"@type": RBAC, "rules": {"action": action, "policies": policies}}),
        behind: None,
        is_disabled: false,
        hosts: everywhere(),
        is_whole: true,
        good: get(if action == "ALLOW" { "/a" } else { "/" }),
        requests: grid(&["GET", "POST", "PUT"], &targets, &[nothing()]),
        stricter: &[],
    }
}

/// `rbac` with rules of routes.
pub fn by_route() -> Pair {
    let kind = "rbac.v3.RBACPerRoute";
    let any = json!([{"any": true}]);
    let allow = |permission: Value| json!({"rbac": {"rules": {"policies": {"p": {"permissions": [permission], "principals": any}}}}});
    let deny = |permission: Value| json!({"rbac": {"rules": {"action": "DENY", "policies": {"p": {"permissions": [permission], "principals": any}}}}});
    let hosts = json!([{"name": "all", "domains": ["*"], "routes": [
        route(json!({"prefix": "/read"}), per_route(kind, allow(method("GET")))),
        route(json!({"prefix": "/sub"}), per_route(kind, allow(path(json!({"prefix": "/sub/x"}))))),
        route(json!({"prefix": "/no"}), per_route(kind, deny(path(json!({"exact": "/no/x"}))))),
        route(json!({"prefix": "/free"}), per_route(kind, json!({}))),
        route(json!({"prefix": "/closed"}), per_route(kind, json!({"rbac": {"rules": {}}}))),
        route(json!({"prefix": "/"}), Value::Null),
    ]}]);
    let filter = json!({"@type": RBAC, "rules": {"policies": {"p": {"permissions": [path(json!({"prefix": "/rest"})), method("PUT")], "principals": any}}}});
    let targets = [
        "/read", "/read/x", "/sub", "/sub/x", "/sub/xy", "/no", "/no/x", "/no/x/y", "/free", "/closed",
        "/rest", "/other",
    ];
    Pair {
        names: ["rbac-routes", "rbac-routes-ours"],
        filter,
        behind: None,
        is_disabled: false,
        hosts,
        is_whole: true,
        good: get("/free"),
        requests: grid(&["GET", "POST", "PUT"], &paths(&targets), &[nothing()]),
        stricter: &[],
    }
}

/// `rbac` by path and method; ALLOW or DENY.
pub fn plain(action: &str) -> Pair {
    let method = |name: &str| json!({"header": {"name": ":method", "string_match": {"exact": name}}});
    let path = |matcher: Value| json!({"url_path": {"path": matcher}});
    let and = |list: Value| json!({"and_rules": {"rules": list}});
    let any = json!([{"any": true}]);
    let filter = json!({"@type": RBAC, "rules": {"action": action, "policies": {
        "read": {"permissions": [and(json!([method("GET"), path(json!({"prefix": "/read"}))]))], "principals": any},
        "write": {"permissions": [and(json!([{"not_rule": method("GET")}, path(json!({"exact": "/write"}))]))], "principals": any},
        "either": {"permissions": [path(json!({"suffix": ".txt"})), path(json!({"contains": "-in-"})), path(json!({"safe_regex": {"regex": "/r[0-9]+"}}))],
            "principals": [{"and_ids": {"ids": [{"any": true}, {"or_ids": {"ids": [{"header": {"name": ":method", "string_match": {"exact": "PUT"}}}]}}]}}]},
        "local": {"permissions": [path(json!({"exact": "/local"}))], "principals": [{"remote_ip": {"address_prefix": "127.0.0.0", "prefix_len": 8}}]},
        "far": {"permissions": [path(json!({"exact": "/far"}))], "principals": [{"remote_ip": {"address_prefix": "10.0.0.0", "prefix_len": 8}}]},
    }}});
    let targets = [
        "/read", "/reader", "/read/x", "/rea", "/write", "/write/", "/a.txt", "/atxt", "/x-in-y", "/r1",
        "/r", "/r1/x", "/local", "/far", "/",
    ];
    let names =
        if action == "ALLOW" { ["rbac-allow", "rbac-allow-ours"] } else { ["rbac-deny", "rbac-deny-ours"] };
    Pair {
        names,
        filter,
        behind: None,
        is_disabled: false,
        hosts: everywhere(),
        is_whole: true,
        good: get(if action == "ALLOW" { "/read" } else { "/" }),
        requests: grid(&["GET", "POST", "PUT"], &paths(&targets), &[nothing()]),
        stricter: &[],
    }
}
