//! The configurations in `tests/cases/convert` that Envoy accepts, each side by side with its conversion in one Envoy.
//! The requests are those of the case, at the boundaries of its rules, with no, bad and good credentials.
//!
//! authgate never allows a request that the original denied. The summary reports the requests that authgate alone
//! denies: with exit code 0, it allows every request that the original allowed, without credentials and with good ones.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde::Deserialize as _;
use serde_json::{Value, json};

use authgate_testing::convert_cases::expand;

use authgate_testing::e2e::bootstrap::{Listener, bootstrap, listener};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::mint::{claims_but, public_jwk, token};
use authgate_testing::e2e::process::validate;
use authgate_testing::e2e::proxy::Proxy;

/// A case that Envoy accepts.
struct Case {
    name: String,
    native: Listener,
    ours: Listener,
    names: [&'static str; 2],
    is_whole: bool,
    requests: Vec<(String, bool, Request)>,
}

/// The hash in all cases, whose password is unknown, and its replacement with a known password.
const HASHES: [&str; 2] = ["{SHA}pD06tgAKLEpJDJ5HUSmPdPEA8Cw=", "{SHA}tiY7sUhYKUwI5L3866kDY+ENcrQ="];

/// A member by its snake_case name, in snake_case or camelCase.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    let camel = parts.fold(first, |text, part| text + &part[..1].to_uppercase() + &part[1..]);
    value.get(name).or_else(|| value.get(camel))
}

/// The only object with filters in the value, if there is exactly one.
fn manager(value: &Value) -> Option<Value> {
    if member(value, "http_filters").is_some() {
        return Some(value.clone());
    }
    let children: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(elements) => elements.iter().collect(),
        _ => Vec::new(),
    };
    let mut found = children.into_iter().filter_map(manager);
    found.next().filter(|_| found.next().is_none())
}

/// A connection manager with a filter, or a list of filters, that is alone in the value.
fn lone(value: &Value) -> Option<Value> {
    let filter = |at: usize, value: &Value| {
        let is_config =
            value.get("@type").is_some_and(|kind| kind.as_str().unwrap().contains(".filters.http."));
        if member(value, "typed_config").is_some() {
            return Some(value.clone());
        }
        is_config.then(|| json!({"name": format!("filter-{at}"), "typed_config": value}))
    };
    let filters = match value {
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(at, element)| filter(at, element))
            .collect::<Option<Vec<_>>>()?,
        value => vec![filter(0, value)?],
    };
    Some(json!({"http_filters": filters}))
}

/// Replaces fetched keys by the keys of the test.
fn with_known_keys(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["remote_jwks", "remoteJwks"] {
                if members.remove(name).is_some() {
                    members.insert("local_jwks".to_owned(), json!({"inline_string": keys()}));
                }
            }
            members.values_mut().for_each(with_known_keys);
        }
        Value::Array(elements) => elements.iter_mut().for_each(with_known_keys),
        _ => {}
    }
}

fn keys() -> String {
    json!({"keys": [public_jwk("ES256")]}).to_string()
}

/// Collects all members with this name in the value.
fn all<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    found.extend(member(value, name));
    match value {
        Value::Object(members) => members.values().for_each(|inner| all(inner, name, found)),
        Value::Array(elements) => elements.iter().for_each(|inner| all(inner, name, found)),
        _ => {}
    }
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    all(value, name, &mut found);
    let one_or_many = |value: &Value| match value {
        Value::Array(elements) => elements.clone(),
        value => vec![value.clone()],
    };
    found.into_iter().flat_map(one_or_many).filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Adds a credential to a request: a header, a cookie, a parameter.
type Put = Box<dyn Fn(Request, &str) -> Request>;

/// The locations of the tokens or keys of a part of the configuration.
fn places(part: &Value) -> Vec<Put> {
    let mut places: Vec<Put> = Vec::new();
    let list = |name: &str| match member(part, name) {
        Some(Value::Array(elements)) => elements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    for from in list("from_headers") {
        let name = from["name"].as_str().unwrap_or_default().to_owned();
        let prefix = member(&from, "value_prefix").and_then(Value::as_str).unwrap_or_default().to_owned();
        places.push(Box::new(move |request, token| request.field(&name, format!("{prefix}{token}"))));
    }
    for name in list("from_cookies").iter().filter_map(Value::as_str) {
        let name = name.to_owned();
        places.push(Box::new(move |request, token| request.field("cookie", format!("{name}={token}"))));
    }
    for source in list("key_sources") {
        if let Some(name) = source.get("header").and_then(Value::as_str).map(str::to_owned) {
            let prefix = if name.eq_ignore_ascii_case("authorization") { "Bearer " } else { "" };
            places.push(Box::new(move |request, key| request.field(&name, format!("{prefix}{key}"))));
        }
        if let Some(name) = source.get("cookie").and_then(Value::as_str).map(str::to_owned) {
            places.push(Box::new(move |request, key| request.field("cookie", format!("{name}={key}"))));
        }
    }
    if places.is_empty() {
        places.push(Box::new(|request, token| request.bearer(token)));
    }
    places
}

/// A credential: its description, true if it is good or absent, and a function that adds it to a request.
type Credential = (String, bool, Box<dyn Fn(Request) -> Request>);

fn credentials(manager: &Value) -> Vec<Credential> {
    let mut credentials: Vec<Credential> = vec![("nothing".to_owned(), true, Box::new(|request| request))];
    let mut audiences = texts(manager, "audiences");
    audiences.push("api".to_owned());
    let mut providers = Vec::new();
    all(manager, "providers", &mut providers);
    for (name, provider) in providers.iter().filter_map(|map| map.as_object()).flatten() {
        let Some(issuer) = provider.get("issuer").and_then(Value::as_str) else { continue };
        let claims = |changes: Value| {
            let mut claims = claims_but("alice", json!({"iss": issuer, "aud": audiences, "name": "alice"}));
            claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            claims
        };
        let good = token("ES256", &claims(json!({})));
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        let tokens = [
            ("a good token", true, good.clone()),
            ("a token with a wrong signature", false, format!("{signed}.{first}{}", &signature[1..])),
            (
                "an expired token",
                false,
                token("ES256", &claims(json!({"iat": 1_599_999_000, "exp": 1_600_000_000}))),
            ),
            ("a token for somebody else", false, token("ES256", &claims(json!({"aud": "nobody"})))),
            ("bob's token", false, token("ES256", &claims(json!({"sub": "bob", "name": "bob"})))),
        ];
        for (at, put) in places(provider).into_iter().enumerate() {
            let put = std::rc::Rc::new(put);
            for (what, is_good, token) in tokens.clone() {
                let put = put.clone();
                let what = format!("{what} of {name} in place {at}");
                credentials.push((what, is_good, Box::new(move |request| put(request, &token))));
            }
        }
    }
    let has = |name: &str| manager.to_string().contains(name);
    if has(".basic_auth.") {
        for (what, is_good, user, password) in [
            ("alice", true, "alice", "wonderland"),
            ("a wrong password", false, "alice", "wonder"),
            ("bob", false, "bob", "wonderland"),
            ("root", false, "root", "wonderland"),
            ("nobody", false, "nobody", "wonderland"),
        ] {
            credentials.push((
                what.to_owned(),
                is_good,
                Box::new(move |request| request.basic(user, password)),
            ));
        }
    }
    if has(".api_key_auth.") {
        let mut sources = vec![manager];
        all(manager, "typed_config", &mut sources);
        let mut routes = Vec::new();
        all(manager, "typed_per_filter_config", &mut routes);
        sources.extend(routes.into_iter().filter_map(Value::as_object).flat_map(|map| map.values()));
        let mut keys = texts(manager, "key");
        keys.push("wrong".to_owned());
        for source in sources.into_iter().filter(|source| member(source, "key_sources").is_some()) {
            for (at, put) in places(source).into_iter().enumerate() {
                let put = std::rc::Rc::new(put);
                for key in &keys {
                    let (put, key) = (put.clone(), key.clone());
                    let what = format!("the key {key} in place {at}");
                    credentials.push((what, key != "wrong", Box::new(move |request| put(request, &key))));
                }
            }
        }
    }
    credentials
}

/// The routes of a connection manager, to the service of the test: with settings for filters, and without.
fn hosts(manager: &Value) -> Option<[Value; 2]> {
    let everywhere = json!([{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}}]}]);
    let table = member(manager, "route_config");
    let mut hosts = table.and_then(|table| member(table, "virtual_hosts")).cloned().unwrap_or(everywhere);
    // The listeners of these tests do not support settings of the whole table.
    if table.is_some_and(|table| member(table, "typed_per_filter_config").is_some()) {
        return None;
    }
    for host in hosts.as_array_mut()? {
        let routes = host.get_mut("routes")?.as_array_mut()?;
        for route in routes.iter_mut() {
            if route.to_string().contains("eighted") {
                return None;
            }
            let route = route.as_object_mut()?;
            route.remove("direct_response");
            route.insert("route".to_owned(), json!({"cluster": "upstream"}));
        }
    }
    let mut plain = hosts.clone();
    for host in plain.as_array_mut()? {
        let host = host.as_object_mut()?;
        for name in ["typed_per_filter_config", "typedPerFilterConfig"] {
            host.remove(name);
            for route in host["routes"].as_array_mut()? {
                route.as_object_mut()?.remove(name);
            }
        }
    }
    Some([hosts, plain])
}

/// Parses `METHOD [HOST]/PATH [from ADDRESS]`.
fn asked(text: &str) -> Request {
    let (text, from) = text.split_once(" from ").unwrap_or((text, "192.0.2.1"));
    let (method, target) = text.split_once(' ').unwrap();
    let (host, path) = target.split_at(target.find('/').unwrap());
    let request = request(method, path).field("x-forwarded-for", from);
    if host.is_empty() { request } else { request.host(host) }
}

fn convert(manager: &Value) -> (Vec<Value>, bool) {
    let mut child = Command::new(authgate_testing::tool())
        .args(["convert", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(manager.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    (documents.map(|document| Value::deserialize(document).unwrap()).collect(), output.status.success())
}

/// Converts a case to two listeners; `None` if it is not a plain configuration of Envoy.
fn read(number: usize, case: &Value) -> Option<Case> {
    let text = expand(case["input"].as_str()?).replace(HASHES[0], HASHES[1]);
    let documents: Vec<Value> = serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).ok())
        .collect::<Option<_>>()?;
    let [document] = documents.as_slice() else { return None };
    if document.get("apiVersion").is_some() {
        return None;
    }
    let mut manager = manager(document).or_else(|| lone(document))?;
    with_known_keys(&mut manager);
    let kept = |name: &str| member(&manager, name).cloned();
    if kept("rds").is_some() || kept("scoped_routes").is_some() {
        return None;
    }
    let filters: Vec<Value> = kept("http_filters")?.as_array()?.clone();
    let filters: Vec<Value> =
        filters.into_iter().filter(|filter| !filter.to_string().contains(".router.v3.Router")).collect();
    let [special, plain] = hosts(&manager)?;
    let mut whole = json!({"http_filters": filters, "route_config": {"virtual_hosts": special}});
    let mut settings = json!({"strip_any_host_port": false, "strip_trailing_host_dot": false});
    for name in ["strip_any_host_port", "strip_trailing_host_dot"] {
        if kept(name) == Some(json!(true)) {
            settings[name] = json!(true);
            whole[name] = json!(true);
        }
    }
    let (outputs, is_whole) = convert(&whole);
    let (first, more) = outputs.split_first()?;
    let names = ["case", "ours"].map(|side| &*format!("{side}-{number}").leak());
    let [native, ours] = names.map(|name| listener(name, first.clone(), get("/")).settings(settings.clone()));
    let credentials = credentials(&whole);
    let mut requests = Vec::new();
    for (text, _) in case.get("decides")?.as_object()? {
        for (what, is_good, put) in &credentials {
            requests.push((format!("{text} with {what}"), *is_good, put(asked(text))));
        }
    }
    Some(Case {
        name: case["name"].as_str()?.to_owned(),
        native: native.chain(filters).hosts(special),
        ours: ours.more(more).hosts(plain),
        names,
        is_whole,
        requests,
    })
}

/// All cases whose original Envoy accepts.
fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/convert");
    let mut texts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    texts.sort();
    let read_all = |path: &std::path::PathBuf| -> Vec<Value> {
        serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let values: Vec<Value> = texts.iter().flat_map(read_all).collect();
    let cases: Vec<Case> =
        values.iter().enumerate().filter_map(|(number, value)| read(number, value)).collect();
    let accepted = Mutex::new(Vec::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let cases_left = &cases;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases_left.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let listeners = std::slice::from_ref(&case.native);
                    if validate(case.names[0], &bootstrap(listeners, 1, "/dev/null")).accepted {
                        accepted.lock().unwrap().push(case.names[0]);
                    }
                }
            });
        }
    });
    let accepted = accepted.into_inner().unwrap();
    cases.into_iter().filter(|case| accepted.contains(&case.names[0])).collect()
}

#[test]
fn every_case_that_envoy_accepts_is_no_more_open_after_the_conversion() {
    let cases = cases();
    let whole = cases.iter().filter(|case| case.is_whole).count();
    let listeners = cases.iter().flat_map(|case| [case.native.clone(), case.ours.clone()]).collect();
    let mut proxy = Proxy::start("converted-cases", listeners);
    let (mut allowed, mut refused) = (0, 0);
    for case in &cases {
        let [native, ours] = case.names;
        let mut last = None;
        for (what, is_good, asked) in &case.requests {
            let (theirs, own) = (proxy.send(native, asked).status, proxy.send(ours, asked).status);
            let told = || format!("{}: {what}: {theirs} became {own}", case.name);
            match (theirs == 200, own == 200) {
                (false, true) => proxy.fault(told()),
                (true, false) if case.is_whole && *is_good => proxy.fault(told()),
                _ => {}
            }
            allowed += usize::from(theirs == 200);
            refused += usize::from(theirs != 200);
            last = Some((asked, theirs, own));
        }
        let (asked, theirs, own) = last.expect("a case with requests");
        proxy.expect(native, asked, theirs);
        proxy.expect(ours, asked, own);
    }
    assert!(cases.len() >= 90 && whole >= 50, "{} cases, {whole} of them as a whole", cases.len());
    assert!(allowed >= 500 && refused >= 500, "{allowed} allowed, {refused} refused");
    proxy.finish();
}
