//! Filters of Envoy and their conversions, side by side: every request of a grid at the boundaries of the rules.
//! authgate never allows a request that the original denied. If the tool reports a complete conversion, authgate also
//! allows the requests that the original allowed, except those that the case lists.

use serde_json::{Value, json};

use super::{BASIC_AUTH, JWT_AUTHN, authorization, converted, users};
use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::mint::{
    ISSUER, OTHER_ISSUER, claims_but, hs256, jwks, other_token, token, token_for,
};
use authgate_testing::e2e::proxy::Proxy;

const API_KEY_AUTH: &str = "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth";
pub const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

/// A filter, its routes, and the requests that are sent to the filter and its conversion.
pub struct Pair {
    pub names: [&'static str; 2],
    pub filter: Value,
    /// A filter after it, which is converted together with it.
    pub behind: Option<Value>,
    pub is_disabled: bool,
    pub hosts: Value,
    /// True if the conversion is complete.
    pub is_whole: bool,
    /// A request that both allow.
    pub good: Request,
    pub requests: Vec<(String, Request)>,
    /// Parts of the names of requests that authgate alone denies.
    pub stricter: &'static [&'static str],
}

pub fn everywhere() -> Value {
    json!([{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]}])
}

/// A route to the service, with settings for the filter.
pub fn route(matched: Value, settings: Value) -> Value {
    let mut route = json!({"match": matched, "route": {"cluster": "upstream"}});
    if !settings.is_null() {
        route["typed_per_filter_config"] = json!({"authgate": settings});
    }
    route
}

pub fn per_route(kind: &str, mut settings: Value) -> Value {
    settings["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.http.{kind}"));
    settings
}

impl Pair {
    fn listeners(&self) -> [Listener; 2] {
        let [native, ours] = self.names;
        let manager = json!({
            "strip_any_host_port": true, "strip_trailing_host_dot": true,
            "route_config": {"name": "r", "virtual_hosts": self.hosts},
            "http_filters": [{"name": "authgate", "disabled": self.is_disabled, "typed_config": self.filter}],
        });
        let mut manager = manager;
        if let Some(behind) = &self.behind {
            let filters = manager["http_filters"].as_array_mut().unwrap();
            filters.push(json!({"name": "behind", "typed_config": behind}));
        }
        let (configuration, is_whole) = converted(&manager);
        assert_eq!(is_whole, self.is_whole, "{native}: {configuration:#}");
        let good = self.good.clone();
        // Envoy rejects settings for a filter that the listener does not have.
        let mut plain = self.hosts.clone();
        for host in plain.as_array_mut().unwrap() {
            host.as_object_mut().unwrap().remove("typed_per_filter_config");
            for route in host["routes"].as_array_mut().unwrap() {
                route.as_object_mut().unwrap().remove("typed_per_filter_config");
            }
        }
        [
            listener(native, json!({}), good.clone())
                .native(self.filter.clone())
                .behind(self.behind.clone())
                .disabled(self.is_disabled)
                .hosts(self.hosts.clone()),
            listener(ours, configuration, good).hosts(plain),
        ]
    }

    /// Sends all requests to both, and returns the numbers that the original allowed and denied.
    fn ask(&self, proxy: &Proxy) -> (usize, usize) {
        let [native, ours] = self.names;
        let (mut allowed, mut refused) = (0, 0);
        for (what, asked) in &self.requests {
            let (theirs, own) = (proxy.send(native, asked).status, proxy.send(ours, asked).status);
            match (theirs == 200, own == 200) {
                (false, true) => proxy.fault(format!("{native}: {what}: {theirs} became {own}")),
                (true, false) if self.is_whole && !self.stricter.iter().any(|part| what.contains(part)) => {
                    proxy.fault(format!("{native}: {what}: {theirs} became {own}"));
                }
                _ => {}
            }
            allowed += usize::from(theirs == 200);
            refused += usize::from(theirs != 200);
        }
        (allowed, refused)
    }
}

/// A credential: its description, and a function that adds it to a request.
pub type Credential = (&'static str, Box<dyn Fn(Request) -> Request>);

pub fn credential(what: &'static str, put: impl Fn(Request) -> Request + 'static) -> Credential {
    (what, Box::new(put))
}

/// Each path with each method and each credential.
pub fn grid(
    methods: &[&str],
    targets: &[(&str, &str)],
    credentials: &[Credential],
) -> Vec<(String, Request)> {
    let mut requests = Vec::new();
    for method in methods {
        for (host, target) in targets {
            for (what, put) in credentials {
                let asked = request(method, *target);
                let asked = if host.is_empty() { asked } else { asked.host(*host) };
                requests.push((format!("{method} {host}{target} with {what}"), put(asked)));
            }
        }
    }
    requests
}

pub fn paths<'a>(paths: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    paths.iter().map(|path| ("", *path)).collect()
}

pub fn nothing() -> Credential {
    credential("nothing", |request| request)
}

pub fn bearers() -> Vec<Credential> {
    let good = token_for("alice");
    // The last character is left alone, since Envoy ignores surplus bits there.
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let bad = format!("{signed}.{first}{}", &signature[1..]);
    let expired = token("ES256", &claims_but("alice", json!({"exp": 1_600_000_000, "iat": 1_599_999_000})));
    vec![
        nothing(),
        credential("a good token", move |request| request.bearer(&good)),
        credential("a bad token", move |request| request.bearer(&bad)),
        credential("an expired token", move |request| request.bearer(&expired)),
        credential("another issuer's token", |request| request.bearer(&other_token("bob"))),
    ]
}

pub fn provider(more: Value) -> Value {
    let mut provider =
        json!({"issuer": ISSUER, "audiences": ["api"], "local_jwks": {"inline_string": jwks().to_string()}});
    provider.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    provider
}

/// Paths, methods and requirements of rules.
fn rules() -> Pair {
    let filter = json!({
        "@type": JWT_AUTHN,
        "providers": {"p": provider(json!({}))},
        "requirement_map": {"p": {"provider_name": "p"}},
        "rules": [
            {"match": {"path": "/exact"}, "requires": {"provider_name": "p"}},
            {"match": {"prefix": "/pre"}, "requires": {"provider_name": "p"}},
            {"match": {"prefix": "/dir/"}, "requirement_name": "p"},
            {"match": {"path_separated_prefix": "/Seg", "case_sensitive": false}, "requires": {"provider_name": "p"}},
            {"match": {"prefix": "/CaSe", "case_sensitive": false}, "requires": {"provider_name": "p"}},
            {"match": {"safe_regex": {"regex": "/x[0-9]+(/y)?"}}, "requires": {"provider_name": "p"}},
            {"match": {"path_match_policy": {"name": "envoy.path.match.uri_template.uri_template_matcher", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
                "path_template": "/t/{id}/**"}}}, "requires": {"provider_name": "p"}},
            {"match": {"prefix": "/m", "headers": [{"name": ":method", "string_match": {"exact": "GET"}, "invert_match": true}]},
                "requires": {"provider_name": "p"}},
            {"match": {"prefix": "/l", "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "GET|PUT"}}}]},
                "requires": {"provider_name": "p"}},
            {"match": {"prefix": "/o"}, "requires": {"requires_any": {"requirements": [{"provider_name": "p"}, {"allow_missing": {}}]}}},
        ],
    });
    let targets = [
        "/exact",
        "/exact/",
        "/exactl",
        "/Exact",
        "/exact?a=b",
        "/pre",
        "/prefix",
        "/pre/x",
        "/pr",
        "/dir",
        "/dir/",
        "/dir/x",
        "/seg",
        "/SEG/x",
        "/segment",
        "/case",
        "/CASES",
        "/cas",
        "/x1",
        "/x12/y",
        "/x",
        "/x1/z",
        "/x1/y/",
        "/t/1/",
        "/t/1/2/3",
        "/t/1",
        "/t",
        "/m",
        "/l",
        "/o",
        "/other",
        "/",
    ];
    Pair {
        names: ["rules", "rules-ours"],
        filter,
        behind: None,
        is_disabled: false,
        hosts: everywhere(),
        is_whole: true,
        good: get("/other"),
        requests: grid(&["GET", "POST", "PUT"], &paths(&targets), &bearers()),
        stricter: &[],
    }
}

/// Conditions without an equivalent.
fn lost() -> Pair {
    let filter = json!({
        "@type": JWT_AUTHN,
        "providers": {"p": provider(json!({})), "any": {"local_jwks": {"inline_string": jwks().to_string()}}},
        "rules": [
            {"match": {"prefix": "/header", "headers": [{"name": "x-open", "present_match": true}]}},
            {"match": {"prefix": "/query", "query_parameters": [{"name": "open", "present_match": true}]}},
            {"match": {"prefix": "/failed"}, "requires": {"allow_missing_or_failed": {}}},
            {"match": {"prefix": "/issuer"}, "requires": {"provider_name": "any"}},
            {"match": {"prefix": "/"}, "requires": {"provider_name": "p"}},
        ],
    });
    let mut requests = grid(
        &["GET"],
        &paths(&["/header", "/query", "/query?open=1", "/failed", "/issuer", "/other"]),
        &bearers(),
    );
    requests.push(("the header".to_owned(), get("/header").field("x-open", "1")));
    Pair {
        names: ["lost", "lost-ours"],
        filter,
        behind: None,
        is_disabled: false,
        hosts: everywhere(),
        is_whole: false,
        good: get("/other").bearer(&token_for("alice")),
        requests,
        stricter: &[],
    }
}

/// Requirements over providers that read different locations.
fn groups() -> Pair {
    let any = |list: Value| json!({"requires_any": {"requirements": list}});
    let all = |list: Value| json!({"requires_all": {"requirements": list}});
    let [a, b] = ["a", "b"].map(|name| json!({"provider_name": name}));
    let filter = json!({
        "@type": JWT_AUTHN,
        "providers": {
            "a": provider(json!({"from_headers": [{"name": "x-a"}]})),
            "b": provider(json!({"from_headers": [{"name": "x-b"}], "subjects": {"prefix": "ali"}})),
        },
        "rules": [
            {"match": {"path": "/any"}, "requires": any(json!([a, b]))},
            {"match": {"path": "/all"}, "requires": all(json!([a, b]))},
            {"match": {"path": "/optional"}, "requires": any(json!([a, b, {"allow_missing": {}}]))},
            {"match": {"path": "/nested"}, "requires": any(json!([all(json!([a, b])), b]))},
            {"match": {"path": "/audience"}, "requires": {"provider_and_audiences": {"provider_name": "a", "audiences": ["admin"]}}},
            {"match": {"path": "/b"}, "requires": b},
        ],
    });
    let tokens = [
        ("none", String::new()),
        ("alice's", token_for("alice")),
        ("bob's", token_for("bob")),
        ("an admin's", token("ES256", &claims_but("alice", json!({"aud": "admin"})))),
        ("a bad one", "a.b.c".to_owned()),
    ];
    let mut requests = Vec::new();
    for path in ["/any", "/all", "/optional", "/nested", "/audience", "/b", "/other"] {
        for (first, one) in &tokens {
            for (second, other) in &tokens {
                let mut asked = get(path);
                if !one.is_empty() {
                    asked = asked.field("x-a", one);
                }
                if !other.is_empty() {
                    asked = asked.field("x-b", other);
                }
                requests.push((format!("{path} with {first} and {second}"), asked));
            }
        }
    }
    Pair {
        names: ["groups", "groups-ours"],
        filter,
        behind: None,
        is_disabled: false,
        hosts: everywhere(),
        is_whole: true,
        good: get("/other"),
        requests,
        stricter: &[],
    }
}

/// `PerRouteConfig` of routes and virtual hosts.
fn by_route() -> Pair {
    let kind = "jwt_authn.v3.PerRouteConfig";
    let disabled = || per_route(kind, json!({"disabled": true}));
    let named = |name: &str| per_route(kind, json!({"requirement_name": name}));
    let other =
        json!({"keys": [{"kty": "oct", "alg": "HS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]});
    let filter = json!({
        "@type": JWT_AUTHN,
        "providers": {
            "p": provider(json!({})),
            "o": {"issuer": OTHER_ISSUER, "audiences": ["api"], "local_jwks": {"inline_string": other.to_string()}},
        },
        "requirement_map": {"o": {"provider_name": "o"}, "open": {}},
        "rules": [{"match": {"prefix": "/healthz"}}, {"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}],
    });
    let hosts = json!([
        {"name": "one", "domains": ["one.example.com"], "routes": [
            route(json!({"path": "/open"}), disabled()),
            route(json!({"prefix": "/admin/x"}), Value::Null),
            route(json!({"prefix": "/admin"}), named("o")),
            route(json!({"prefix": "/"}), Value::Null),
        ]},
        {"name": "wild", "domains": ["*.example.com"], "typed_per_filter_config": {"authgate": named("o")}, "routes": [
            route(json!({"path": "/free"}), named("open")),
            route(json!({"prefix": "/"}), Value::Null),
        ]},
        {"name": "rest", "domains": ["*"], "routes": [route(json!({"prefix": "/static"}), disabled()), route(json!({"prefix": "/"}), Value::Null)]},
    ]);
    let mut credentials = bearers();
    let header = r#"{"alg":"HS256"}"#;
    let claims = claims_but("bob", json!({"iss": OTHER_ISSUER})).to_string();
    let signed = hs256(b"0123456789abcdef0123456789abcdef", header, claims);
    credentials.push(credential("the other provider's token", move |request| request.bearer(&signed)));
    let paths = ["/open", "/open/", "/admin", "/admin/x", "/admin/y", "/healthz", "/static", "/free", "/"];
    let hosts_asked = ["one.example.com", "two.example.com", "other.test"];
    let targets: Vec<(&str, &str)> =
        hosts_asked.iter().flat_map(|host| paths.iter().map(move |path| (*host, *path))).collect();
    Pair {
        names: ["by-route", "by-route-ours"],
        filter,
        behind: None,
        is_disabled: false,
        hosts,
        is_whole: true,
        good: get("/").host("one.example.com").bearer(&token_for("alice")),
        requests: grid(&["GET"], &targets, &credentials),
        stricter: &[],
    }
}

/// `basic_auth`, disabled except where routes enable it.
fn basic() -> Pair {
    let kind = "basic_auth.v3.BasicAuthPerRoute";
    let root = "root:{SHA}jD1ccYcpd1bZi1bi32NWIU5RuHE=\n";
    let hosts = json!([{"name": "all", "domains": ["*"], "routes": [
        route(json!({"prefix": "/admin"}), per_route(kind, json!({"users": {"inline_string": root}}))),
        route(json!({"prefix": "/staff"}), per_route(kind, json!({"users": {"inline_string": users()}}))),
        route(json!({"prefix": "/"}), Value::Null),
    ]}]);
    let credentials = [
        nothing(),
        credential("alice", |request| request.basic("alice", "wonderland")),
        credential("a wrong password", |request| request.basic("alice", "x")),
        credential("root", |request| request.basic("root", "looking-glass")),
    ];
    Pair {
        names: ["basic", "basic-ours"],
        filter: json!({"@type": BASIC_AUTH, "users": {"inline_string": users()}}),
        behind: None,
        is_disabled: true,
        hosts,
        is_whole: true,
        good: get("/other"),
        requests: grid(&["GET"], &paths(&["/admin", "/administer", "/staff", "/other"]), &credentials),
        stricter: &[],
    }
}

/// `basic_auth` that allows requests without credentials.
fn basic_optional() -> Pair {
    let credentials = [
        nothing(),
        credential("alice", |request| request.basic("alice", "wonderland")),
        credential("a wrong password", |request| request.basic("alice", "x")),
        credential("another scheme", |request| request.bearer("x")),
    ];
    Pair {
        names: ["optional", "optional-ours"],
        filter: json!({"@type": BASIC_AUTH, "users": {"inline_string": users()}, "allow_missing": true}),
        behind: None,
        is_disabled: false,
        hosts: everywhere(),
        is_whole: true,
        good: get("/"),
        requests: grid(&["GET"], &paths(&["/"]), &credentials),
        stricter: &["another scheme"],
    }
}

/// `api_key_auth` with locations, keys and clients that depend on the route.
fn api_keys() -> Pair {
    let kind = "api_key_auth.v3.ApiKeyAuthPerRoute";
    let hosts = json!([{"name": "all", "domains": ["*"], "routes": [
        route(json!({"prefix": "/clients"}), per_route(kind, json!({"allowed_clients": ["two"]}))),
        route(json!({"prefix": "/places"}), per_route(kind, json!({"key_sources": [{"query": "q"}, {"cookie": "c"}]}))),
        route(json!({"prefix": "/keys"}), per_route(kind, json!({"credentials": [{"key": "key-3", "client": "three"}]}))),
        route(json!({"prefix": "/off"}), json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true})),
        route(json!({"prefix": "/"}), Value::Null),
    ]}]);
    let filter = json!({
        "@type": API_KEY_AUTH,
        "credentials": [{"key": "key-1", "client": "one"}, {"key": "key-2", "client": "two"}],
        "key_sources": [{"header": "X-Api-Key"}, {"header": "Authorization"}],
        "forwarding": {"header": "x-client", "hide_credentials": true},
    });
    let header = |what, key: &'static str| credential(what, move |request| request.field("x-api-key", key));
    let credentials = [
        nothing(),
        header("one's key", "key-1"),
        header("two's key", "key-2"),
        header("three's key", "key-3"),
        header("a wrong key", "key-4"),
        header("an empty key", ""),
        credential("one's key as a token", |request| request.bearer("key-1")),
        credential("one's key in a cookie", |request| request.field("cookie", "a=b; c=key-1")),
        credential("two keys", |request| request.field("x-api-key", "key-1").bearer("key-2")),
    ];
    let targets = ["/", "/clients", "/places", "/places?q=key-1", "/places?q=key-4", "/keys", "/off"];
    Pair {
        names: ["keys", "keys-ours"],
        filter,
        behind: None,
        is_disabled: false,
        hosts,
        is_whole: true,
        good: get("/").field("x-api-key", "key-1"),
        requests: grid(&["GET"], &paths(&targets), &credentials),
        // Envoy accepts a request if one of several keys is valid.
        stricter: &["two keys", "?q=key-1 with one's key in a cookie", "?q=key-4 with one's key in a cookie"],
    }
}

#[test]
fn what_is_converted_never_allows_what_the_original_refused() {
    let pairs = [
        rules(),
        lost(),
        groups(),
        by_route(),
        basic(),
        basic_optional(),
        api_keys(),
        authorization::plain("ALLOW"),
        authorization::plain("DENY"),
        authorization::claims("ALLOW"),
        authorization::claims("DENY"),
        authorization::excluded("ALLOW"),
        authorization::excluded("DENY"),
        authorization::by_route(),
    ];
    let listeners = pairs.iter().flat_map(Pair::listeners).collect();
    let proxy = Proxy::start("converted-pairs", listeners);
    for pair in &pairs {
        let (allowed, refused) = pair.ask(&proxy);
        // A pair whose responses are all the same would prove nothing.
        assert!(allowed > 0 && refused > 0, "{}: {allowed} allowed, {refused} refused", pair.names[0]);
    }
    proxy.finish();
}
