//! Random AuthorizationPolicies, compared with a small model of their evaluation by Istio.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use super::{Asked, ISSUER, Worker, convert, policies};

const OTHER: &str = "https://other.example.com";

const PATHS: &[&str] = &["/a", "/a/*", "/a*", "*.txt", "/a/{*}", "/a/{**}", "/{*}/x", "/b", "*"];
const METHODS: &[&str] = &["GET", "POST", "*"];
const HOSTS: &[&str] = &["x.com", "*.x.com", "y.x.com", "*"];
const BLOCKS: &[&str] = &["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1"];
const PRINCIPALS: &[&str] = &[
    "*",
    "https://idp.example.com/*",
    "https://idp.example.com/al*",
    "https://idp.example.com/alice",
    "https://other.example.com/bob",
    "*/alice",
    "*ob",
    "https://idp*",
];
const GROUPS: &[&str] = &["a", "b", "c*", "*d"];

/// A list of some of these values, and a list of values that must not match.
fn lists(
    names: (&'static str, &'static str),
    values: &'static [&'static str],
) -> impl Strategy<Value = Map<String, Value>> {
    let some = || subsequence(values.to_vec(), 1..=2.min(values.len()));
    (any::<bool>(), prop::bool::weighted(0.3), some(), some()).prop_map(
        move |(positive, negative, any, none)| {
            let mut members = Map::new();
            if positive {
                members.insert(names.0.to_owned(), json!(any));
            }
            if negative {
                members.insert(names.1.to_owned(), json!(none));
            }
            members
        },
    )
}

fn joined(parts: Vec<Map<String, Value>>) -> Map<String, Value> {
    parts.into_iter().flatten().collect()
}

fn operation() -> impl Strategy<Value = Value> {
    let parts = (
        lists(("paths", "notPaths"), PATHS),
        lists(("methods", "notMethods"), METHODS),
        lists(("hosts", "notHosts"), HOSTS),
    );
    parts.prop_map(|(a, b, c)| json!({"operation": joined(vec![a, b, c])}))
}

fn source() -> impl Strategy<Value = Value> {
    let parts = (
        lists(("requestPrincipals", "notRequestPrincipals"), PRINCIPALS),
        lists(("remoteIpBlocks", "notRemoteIpBlocks"), BLOCKS),
    );
    parts.prop_map(|(a, b)| json!({"source": joined(vec![a, b])}))
}

fn condition() -> impl Strategy<Value = Value> {
    let keyed = |key: &'static str, values: &'static [&'static str]| {
        lists(("values", "notValues"), values).prop_map(move |mut members| {
            members.insert("key".to_owned(), json!(key));
            Value::Object(members)
        })
    };
    prop_oneof![
        3 => keyed("request.auth.claims[groups]", GROUPS),
        1 => keyed("request.auth.claims[iss]", &[ISSUER, OTHER]),
        1 => keyed("request.auth.principal", PRINCIPALS),
        1 => keyed("remote.ip", BLOCKS),
    ]
}

fn is_filled(value: &Value) -> bool {
    value.as_object().is_some_and(|members| {
        members.values().all(|inner| inner.as_object().is_none_or(|inner| !inner.is_empty()))
            && (!members.contains_key("key") || members.len() > 1)
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let some = |of: BoxedStrategy<Value>, most| prop::collection::vec(of, 0..=most);
    (some(source().boxed(), 2), some(operation().boxed(), 2), some(condition().boxed(), 2)).prop_map(
        |(from, to, when)| {
            let mut rule = Map::new();
            for (name, list) in [("from", from), ("to", to), ("when", when)] {
                let list: Vec<Value> = list.into_iter().filter(is_filled).collect();
                if !list.is_empty() {
                    rule.insert(name.to_owned(), json!(list));
                }
            }
            Value::Object(rule)
        },
    )
}

fn policy() -> impl Strategy<Value = Value> {
    (select(vec!["ALLOW", "ALLOW", "DENY"]), prop::collection::vec(rule(), 0..=2))
        .prop_map(|(action, rules)| json!({"action": action, "rules": rules}))
}

fn request() -> impl Strategy<Value = Asked> {
    let paths = vec!["/", "/a", "/a/", "/a/x", "/a/x/y", "/ab", "/b", "/b.txt", "/a/x.txt", "/b/x"];
    let tokens = vec![
        json!(null),
        json!({"sub": "alice"}),
        json!({"sub": "alice", "groups": ["a", "d"]}),
        json!({"sub": "al", "groups": "cd"}),
        json!({"iss": OTHER, "sub": "bob", "groups": ["b"]}),
        json!({"iss": OTHER, "sub": "alice", "groups": []}),
    ];
    let parts = (
        select(vec!["GET", "POST", "PUT"]),
        select(paths),
        select(vec!["x.com", "y.x.com", "z.com"]),
        select(vec!["10.0.0.1", "10.1.0.1", "192.0.2.1"]),
        select(tokens),
    );
    parts.prop_map(|(method, path, host, from, token)| Asked {
        output: 0,
        to: format!("{method} {path}"),
        host: host.to_owned(),
        from: from.parse().unwrap(),
        token: token.as_object().cloned(),
        forged: false,
        fields: Vec::new(),
        basic: None,
        allow: false,
        status: None,
        shadowed: None,
    })
}

/// Returns true if Istio allows a request, whose token is valid if there is one.
fn allows(policies: &[Value], asked: &Asked) -> bool {
    let of = |action: &'static str| policies.iter().filter(move |policy| policy["action"] == action);
    let matches =
        |policy: &Value| policy["rules"].as_array().unwrap().iter().any(|rule| rule_matches(rule, asked));
    !of("DENY").any(matches) && (of("ALLOW").next().is_none() || of("ALLOW").any(matches))
}

fn rule_matches(rule: &Value, asked: &Asked) -> bool {
    let any = |name: &str, inner: &str, matches: &dyn Fn(&Value) -> bool| match rule[name].as_array() {
        Some(list) => list.iter().any(|element| matches(&element[inner])),
        None => true,
    };
    let (method, path) = asked.to.split_once(' ').unwrap();
    let (method, path) = (method.to_owned(), path.to_owned());
    any("from", "source", &|source| {
        both(source, "requestPrincipals", "notRequestPrincipals", &|text| principal(text, asked))
            && both(source, "remoteIpBlocks", "notRemoteIpBlocks", &|text| address(text, asked))
    }) && any("to", "operation", &|operation| {
        both(operation, "paths", "notPaths", &|text| path_matches(text, &path))
            && both(operation, "methods", "notMethods", &|text| wildcard(text, &method))
            && both(operation, "hosts", "notHosts", &|text| wildcard(text, &asked.host))
    }) && rule["when"].as_array().is_none_or(|list| {
        list.iter().all(|when| {
            both(when, "values", "notValues", &|text| match when["key"].as_str().unwrap() {
                "remote.ip" => address(text, asked),
                "request.auth.principal" => principal(text, asked),
                "request.auth.claims[iss]" => issuer(asked).is_some_and(|issuer| wildcard(text, &issuer)),
                _ => match asked.token.as_ref().and_then(|claims| claims.get("groups")) {
                    Some(Value::String(group)) => wildcard(text, group),
                    Some(Value::Array(groups)) => {
                        groups.iter().any(|group| wildcard(text, group.as_str().unwrap()))
                    }
                    _ => false,
                },
            })
        })
    })
}

fn both(object: &Value, positive: &str, negative: &str, matches: &dyn Fn(&str) -> bool) -> bool {
    let any = |name: &str| {
        object[name].as_array().map(|list| list.iter().any(|text| matches(text.as_str().unwrap())))
    };
    any(positive).unwrap_or(true) && !any(negative).unwrap_or(false)
}

fn wildcard(pattern: &str, text: &str) -> bool {
    match (pattern, pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        ("*", ..) => !text.is_empty(),
        (_, Some(suffix), _) => text.ends_with(suffix),
        (_, _, Some(prefix)) => text.starts_with(prefix),
        _ => pattern == text,
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern {
        "/a/{*}" => path.strip_prefix("/a/").is_some_and(|rest| !rest.is_empty() && !rest.contains('/')),
        "/a/{**}" => path.starts_with("/a/"),
        "/{*}/x" => path
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix("/x"))
            .is_some_and(|one| !one.is_empty() && !one.contains('/')),
        pattern => wildcard(pattern, path),
    }
}

fn address(block: &str, asked: &Asked) -> bool {
    match block {
        "10.0.0.0/8" => asked.from.to_string().starts_with("10."),
        "10.1.0.0/16" => asked.from.to_string().starts_with("10.1."),
        address => asked.from.to_string() == address,
    }
}

fn issuer(asked: &Asked) -> Option<String> {
    let claims = asked.token.as_ref()?;
    Some(claims.get("iss").map_or(ISSUER, |issuer| issuer.as_str().unwrap()).to_owned())
}

fn principal(pattern: &str, asked: &Asked) -> bool {
    let (Some(issuer), Some(claims)) = (issuer(asked), &asked.token) else { return false };
    let subject = claims["sub"].as_str().unwrap();
    match pattern {
        "*" => true,
        "*/alice" => subject == "alice",
        "*ob" => subject.ends_with("ob"),
        // The part before the last slash is the issuer, and no issuer is `https:/`.
        "https://idp*" => false,
        pattern => wildcard(pattern, &format!("{issuer}/{subject}")),
    }
}

/// For all policies, the output allows no request that Istio denies, and with exit code 0 every request that Istio
/// allows.
#[test]
fn random_policies_never_become_more_permissive() {
    let mut runner = TestRunner::new(Config {
        cases: 150,
        max_shrink_iters: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = (prop::collection::vec(policy(), 1..=3), prop::collection::vec(request(), 150));
    let result = runner.run(&strategy, |(given, requests)| {
        let mut input = format!(
            "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: idp}}\nspec: {{jwtRules: [{{issuer: \"{ISSUER}\", jwks: '<jwks>'}}, {{issuer: \"{OTHER}\", jwks: '<jwks>'}}]}}\n"
        );
        for policy in &given {
            let document = json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": "p"}, "spec": policy});
            input.push_str(&format!("---\n{document}\n"));
        }
        let run = convert(&input);
        prop_assert!(run.code <= 1, "{}", run.errors);
        let policies = policies(&run.output).map_err(TestCaseError::fail)?;
        prop_assert_eq!(policies.len(), 1);
        let mut worker = Worker::new(&policies[0]);
        for asked in &requests {
            let (istio, found) = (allows(&given, asked), worker.ask(asked));
            let shown = || format!("{} {} {} {:?}: Istio {istio}, {found:?}\n{input}\n{}{}", asked.to, asked.host, asked.from, asked.token, run.errors, run.output);
            prop_assert!(istio || !found.allowed, "more permissive: {}", shown());
            prop_assert!(run.code != 0 || istio == found.allowed, "stricter without a word: {}", shown());
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
