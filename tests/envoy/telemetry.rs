//! Telemetry for operators: metrics in Prometheus format, access logs, log lines, and the dashboard of these metrics.

use std::collections::BTreeSet;
use std::io::{BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, bootstrap, listener};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::fixture::{ALICE, BOB, default_policy, good, policy};
use authgate_testing::e2e::mint::{ISSUER, claims_but, expired_token, scoped_token, token, token_for};
use authgate_testing::e2e::process::{Envoy, directory};
use authgate_testing::e2e::proxy::Proxy;
use authgate_testing::e2e::wire::Message;

/// The default policy with an API key that expires, and all properties for access logs.
fn told(name: &'static str) -> Listener {
    let mut policy = default_policy();
    let digest = |key: &str| hex(&hmac_sha256::Hash::hash(key.as_bytes()));
    policy["authenticators"]["machines"] = json!({"api_key": {"keys": [
        {"id": "ci", "sha256": digest("key-of-the-ci"), "not_after": "2099-01-01T00:00:00Z"},
        {"id": "old", "sha256": digest("key-of-the-old"), "not_after": "2020-01-01T00:00:00Z"},
    ]}});
    policy["authenticators"]["fetched"] = json!({"jwt": {
        "issuer": "https://idp.example.com", "any_audience": true,
        "keys": {"remote": {"uri": "https://idp.example.com/jwks.json", "cluster": "nowhere"}},
    }});
    let rules = policy["rules"].as_array_mut().expect("rules");
    rules.push(json!({"name": "keys", "match": {"prefix": "/keys"}, "require": "machines"}));
    policy["telemetry"] = json!({"filter_state": ["subject", "authenticator", "rule", "reason"]});
    listener(name, policy, good())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the metrics once they contain a line, and another one that starts with `start`.
fn metrics_with(proxy: &Proxy, line: &str, start: &str) -> String {
    let mut metrics = String::new();
    for _ in 0..100 {
        metrics = proxy.admin("/stats/prometheus?filter=authgate");
        if metrics.lines().any(|found| found == line) && metrics.lines().any(|found| found.starts_with(start))
        {
            return metrics;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{line} is not in\n{metrics}");
}

/// Returns the value of the only line with this start.
fn value(metrics: &str, start: &str) -> f64 {
    let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(start));
    let found = lines.next().unwrap_or_else(|| panic!("{start} is not in\n{metrics}"));
    assert_eq!(lines.next(), None, "{start}");
    found.trim().parse().unwrap_or_else(|_| panic!("{start}{found}"))
}

#[test]
fn metrics_have_labels_and_the_dashboard_knows_each() {
    let proxy = Proxy::start(
        "metrics",
        vec![told("edge"), told("same"), listener("other", default_policy(), good())],
    );
    let basic = |password: &str| get("/basic").basic("alice", password);
    for (request, status) in [
        (basic(ALICE), 200),
        (basic(ALICE), 200),
        (basic("wrong"), 401),
        (basic("wrong"), 401),
        (get("/jwt").bearer(&expired_token()), 401),
        (get("/keys").field("x-api-key", "key-of-the-ci"), 200),
        (get("/keys").field("x-api-key", "key-of-the-old"), 401),
    ] {
        assert_eq!(proxy.send("edge", &request).status, status, "{request}");
    }
    let cache =
        |result: &str, count: u32| format!("authgate_credential_cache_total{{result=\"{result}\"}} {count}");
    // Five cache misses: two lookups of Basic, two of keys and one of a token. The repeated wrong password is a
    // `hit_wrong`.
    let metrics = metrics_with(&proxy, &cache("miss", 5), "authgate_configuration_hash{plugin=\"other\"} ");
    for line in [
        cache("hit", 1),
        cache("hit_wrong", 1),
        "authgate_requests_total{outcome=\"denied\",reason=\"expired\",authenticator=\"partners\",rule=\"jwt\"} 1".to_owned(),
        "authgate_requests_total{outcome=\"allowed\",reason=\"none\",authenticator=\"machines\",rule=\"keys\"} 1".to_owned(),
        "# TYPE authgate_requests_total counter".to_owned(),
        "# TYPE authgate_credential_cache_total counter".to_owned(),
        "# TYPE authgate_api_key_expiry_timestamp_seconds gauge".to_owned(),
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let gauge = |start: &str| value(&metrics, start);
    let expiry = |key: &str| {
        gauge(&format!(
            "authgate_api_key_expiry_timestamp_seconds{{authenticator=\"machines\",key=\"{key}\"}} "
        ))
    };
    assert_eq!((expiry("ci"), expiry("old")), (4_070_908_800.0, 1_577_836_800.0));
    // The cluster of `fetched` does not exist, which the second tick reports.
    let failures = || {
        let metrics = proxy.admin("/stats/prometheus?filter=authgate");
        value(&metrics, "authgate_jwks_fetch_failures_total{authenticator=\"fetched\"} ")
    };
    assert!((0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        failures() >= 1.0
    }));
    let age = gauge("authgate_jwks_age_seconds{authenticator=\"fetched\"} ");
    assert!((0.0..60.0).contains(&age), "{age}");
    assert_eq!((gauge("authgate_waiting_requests{} "), gauge("authgate_shadow_rules{} ")), (0.0, 0.0));
    let hash = |plugin: &str| gauge(&format!("authgate_configuration_hash{{plugin=\"{plugin}\"}} "));
    assert!(hash("edge") > 0.0);
    assert_eq!(hash("edge"), hash("same"));
    assert_ne!(hash("edge"), hash("other"));
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    assert!(gauge(&format!("authgate_version_timestamp_seconds{{version=\"{version}\"}} ")) > 1e9);
    let since = gauge("authgate_configured_timestamp_seconds{plugin=\"edge\"} ");
    let age = authgate_testing::e2e::mint::now() as f64 - since;
    assert!((0.0..300.0).contains(&age), "{age}");
    // No label remains in a name, and no label is empty.
    assert!(
        metrics.lines().filter(|line| !line.starts_with('#')).all(|line| {
            let (name, labels) = line.split_once('{').unwrap_or((line, ""));
            name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !labels.contains("=\"\"")
        }),
        "{metrics}"
    );
    let published: BTreeSet<String> = metrics
        .lines()
        .filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned()))
        .collect();
    assert_eq!(names_in_the_dashboard(), published);
    proxy.finish();
}

/// Returns the metrics in the dashboard's queries.
fn names_in_the_dashboard() -> BTreeSet<String> {
    let dashboard: Value =
        serde_json::from_str(include_str!("../../envoy/grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("a query")).collect();
    assert!(queries.len() > 10, "{queries:?}");
    let variables = dashboard["templating"]["list"].as_array().expect("variables").iter();
    let variables = variables.filter_map(|variable| variable["definition"].as_str());
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = queries.into_iter().chain(variables).flat_map(|query| query.split(move |c| !is_word(c)));
    words.filter(|word| word.starts_with("authgate_")).map(str::to_owned).collect()
}

#[test]
fn the_access_log_says_who_and_why() {
    let silent = listener("silent", default_policy(), good());
    let proxy = Proxy::start("access-log", vec![told("told"), silent]);
    let check = |listener: &str, request: Request, expected: &str| {
        let exchange = proxy.send(listener, &request);
        let line = proxy.access_log_line(&exchange);
        let found = line.splitn(4, ' ').nth(3).unwrap_or_default();
        assert_eq!(found, expected, "{request}");
    };
    let passes = "200 via_upstream";
    let cases = [
        (get("/basic").basic("alice", ALICE), format!("{passes} subject=alice authenticator=staff rule=basic reason=-")),
        (get("/jwt").bearer(&token_for("zoë x")), format!("{passes} subject=zo%C3%AB%20x authenticator=partners rule=jwt reason=-")),
        (get("/optional"), format!("{passes} subject=- authenticator=- rule=optional reason=-")),
        (get("/public").basic("alice", ALICE), format!("{passes} subject=- authenticator=- rule=public reason=-")),
        (get("/basic"), "401 DETAILS:missing_credentials subject=- authenticator=- rule=basic reason=missing_credentials".to_owned()),
        (get("/basic").basic("alice", BOB), "401 DETAILS:invalid_credentials subject=- authenticator=staff rule=basic reason=invalid_credentials".to_owned()),
        (get("/jwt").bearer(&expired_token()), "401 DETAILS:invalid_token/expired subject=- authenticator=partners rule=jwt reason=invalid_token/expired".to_owned()),
        (get("/admin").bearer(&scoped_token("eve", "read")), "403 DETAILS:insufficient_scope subject=eve authenticator=partners rule=admin reason=insufficient_scope".to_owned()),
        (get("/alice").basic("bob", BOB), "403 DETAILS:not_authorized subject=bob authenticator=staff rule=alice-only reason=not_authorized".to_owned()),
        (get("/elsewhere"), "403 DETAILS:no_rule subject=- authenticator=- rule=- reason=no_rule".to_owned()),
        (get("/jwt").field("content-type", "application/grpc"), "200 DETAILS:missing_credentials subject=- authenticator=- rule=jwt reason=missing_credentials".to_owned()),
    ];
    for (request, expected) in cases {
        check("told", request, &expected.replace("DETAILS", "authgate"));
    }
    // Without `filter_state` nothing is set, but the response code details are still there.
    check(
        "silent",
        get("/basic").basic("alice", ALICE),
        &format!("{passes} subject=- authenticator=- rule=- reason=-"),
    );
    check(
        "silent",
        get("/basic"),
        "401 authgate:missing_credentials subject=- authenticator=- rule=- reason=-",
    );
    proxy.finish();
}

/// A rule with `sources` cannot be decided if the client has no address, as on a pipe.
#[test]
fn what_cannot_be_decided_is_a_warning_at_a_bounded_rate() {
    let yaml = "{rules: [{match: {prefix: /in, sources: [10.0.0.0/8]}, public: true}, {public: true}]}";
    let directory = directory("log-rate");
    let pipe = directory.join("pipe");
    let mut bootstrap = bootstrap(&[listener("gate", policy(yaml), get("/"))], 1, "/dev/null");
    bootstrap["static_resources"]["listeners"][0]["address"] = json!({"pipe": {"path": pipe}});
    let envoy = Envoy::start(&directory, &bootstrap, &[]);
    let start = Instant::now();
    let mut connection = BufReader::new(UnixStream::connect(&pipe).expect("a connection to envoy"));
    for _ in 0..60 {
        connection.get_mut().write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").expect("room for a request");
        let answer = Message::read(&mut connection, false).expect("an answer").expect("an answer");
        assert_eq!(answer.second_word(), "503", "{answer:?}");
    }
    // The number of lines written, and the number that ticks report as suppressed.
    let is_told = "denied: reason=unavailable detail=- rule=- authenticator=-";
    let word_before =
        |line: &str| line.split(" more since").next()?.rsplit(' ').next()?.parse::<usize>().ok();
    let count = || {
        let log = envoy.log();
        let warnings = log.lines().filter(|line| line.contains("][warning][wasm]"));
        let told = warnings.clone().filter(|line| line.contains(is_told)).count();
        (told, warnings.filter_map(word_before).sum::<usize>())
    };
    for _ in 0..200 {
        let (told, suppressed) = count();
        if told + suppressed == 60 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let (told, suppressed) = count();
    assert_eq!(told + suppressed, 60, "{told} and {suppressed}: {}", envoy.log());
    // Ticks come once a second.
    let most = 5 * (start.elapsed().as_secs() as usize + 1);
    assert!((5..=most).contains(&told) && suppressed > 0, "{told} of {most}: {}", envoy.log());
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
}

#[test]
fn refusals_are_logged_where_the_log_is_asked_for_them() {
    let proxy = Proxy::start("log-level", vec![told("gate")]);
    let line = "authgate: denied: reason=invalid_credentials detail=- rule=basic authenticator=staff";
    let refused = || assert_eq!(proxy.send("gate", &get("/basic").basic("alice", "guess")).status, 401);
    refused();
    proxy.admin_post("/logging?wasm=debug");
    // The module learns of the change with the next tick.
    thread::sleep(Duration::from_millis(1500));
    refused();
    let seen = proxy.log().lines().filter(|found| found.contains(line)).count();
    assert_eq!(seen, 1, "{}", proxy.log());
    // The client sees the identifier that Envoy gave the request, and the log has the same.
    let forged = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    let response = proxy.send("gate", &get("/basic").field("x-request-id", forged));
    let id =
        response.answer.body.lines().find_map(|line| line.strip_prefix("Request ID: ")).map(str::to_owned);
    let id = id.unwrap_or_else(|| panic!("no identifier in {}", response.answer.body));
    let line = format!("reason=missing_credentials detail=- rule=basic authenticator=- request={id}");
    assert!(proxy.log().contains(&line), "{line} is not in {}", proxy.log());
    let lines = || proxy.log().lines().filter(|line| line.contains("authgate: ")).count();
    let before = lines();
    assert_eq!(proxy.send("gate", &get("/basic").basic("alice", ALICE)).status, 200);
    assert_eq!(lines(), before, "a request that passes leaves a line");
    // Both issuers are named, and what a token makes up is escaped.
    let foreign = token("ES256", &claims_but("m", json!({"iss": "https://idp.example.com/\nauthgate"})));
    assert_eq!(proxy.send("gate", &get("/jwt").bearer(&foreign)).status, 401);
    let line = format!(
        "denied: reason=invalid_token detail=wrong_issuer rule=jwt authenticator=partners: issuer \
         \"https://idp.example.com/\\nauthgate\" does not match configured {ISSUER:?} request="
    );
    assert!(proxy.log().contains(&line), "{line} is not in {}", proxy.log());
    // Envoy names the module before each line.
    assert!(!proxy.log().contains("authgate: authgate:"), "{}", proxy.log());
    proxy.finish();
}
