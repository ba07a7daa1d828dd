//! Streams that end while their requests wait. Envoy keeps the context of such a stream until the end of the event loop
//! iteration; a decision in the same iteration must not touch it.

#[path = "resets/waves.rs"]
mod waves;

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::remote_keys::eventually;
use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::client::get;
use authgate_testing::e2e::endpoint::{Endpoint, Reply};
use authgate_testing::e2e::fixture::policy;
use authgate_testing::e2e::h2::{self, Connection};
use authgate_testing::e2e::mint::{ProviderKey, now};
use authgate_testing::e2e::process::seconds;
use authgate_testing::e2e::provider::{Does, Provider, keys};
use authgate_testing::e2e::proxy::Proxy;

/// A listener whose tokens are introspected, but for `/public`.
pub fn introspecting(name: &'static str, endpoint: &Endpoint) -> Listener {
    let mut policy = policy("{rules: [{match: {prefix: /public}, public: true}, {require: opaque}]}");
    policy["authenticators"] = json!({"opaque": {"introspection": {
        "endpoint": "https://idp.example.com/introspect", "cluster": name, "audiences": ["api"],
        "client_id": "gateway", "client_secret": "the secret of the gateway",
    }}});
    listener(name, policy, get("/public")).cluster(name, endpoint.port)
}

/// Returns a listener that fetches its keys from `/NAME`, except for `/public`.
fn fetching(name: &'static str, provider: &Provider, max_wait: &str) -> Listener {
    let mut policy = policy("{rules: [{match: {prefix: /public}, public: true}, {require: partners}]}");
    let uri = format!("http://idp.example.com/{name}");
    policy["authenticators"] = json!({"partners": {"jwt": {
        "issuer": "https://idp", "audiences": ["api"],
        "keys": {"remote": {"uri": uri, "cluster": "keys", "max_wait": max_wait}},
    }}});
    listener(name, policy, get("/public")).cluster("keys", provider.port)
}

fn active() -> Value {
    json!({"active": true, "sub": "ann", "aud": "api", "exp": now() + 600})
}

fn signal(name: &str, proxy: &Proxy) {
    let status = Command::new("kill").args([name, &proxy.pid().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {name}");
}

/// Suspends Envoy, runs `both` and resumes Envoy, so that it handles both events in one iteration, in order.
fn in_one_turn(proxy: &Proxy, both: impl FnOnce()) {
    signal("-STOP", proxy);
    thread::sleep(Duration::from_millis(50));
    both();
    thread::sleep(Duration::from_millis(100));
    signal("-CONT", proxy);
    thread::sleep(Duration::from_millis(200));
}

fn nobody_waits(proxy: &Proxy) {
    eventually("nobody waits", || {
        let stats = proxy.admin("/stats?filter=authgate_waiting_requests");
        stats.lines().any(|line| line.ends_with(": 0"))
    });
}

#[test]
fn a_stream_that_is_reset_in_the_turn_of_its_decision_is_left_alone() {
    let (provider, key) = (Provider::start(), ProviderKey::new("a"));
    provider.on("/set", Does::Waits(Duration::from_millis(1500), Box::new(keys(&[key.jwk()]))));
    provider.on("/tick", Does::Waits(Duration::from_secs(60), Box::new(keys(&[key.jwk()]))));
    let endpoints = [Endpoint::start(), Endpoint::start(), Endpoint::start()];
    let [refused, accepted, body] = &endpoints;
    for endpoint in &endpoints {
        endpoint.otherwise(Reply::Held(active()));
    }
    refused.otherwise(Reply::Held(json!({"active": false})));
    let proxy = Proxy::start(
        "resets",
        vec![
            fetching("set", &provider, "30s"),
            fetching("tick", &provider, "1s"),
            introspecting("refused", refused),
            introspecting("accepted", accepted),
            introspecting("body", body).stopping_at_headers_alone(),
        ],
    );
    let jwt = format!("Bearer {}", key.token("https://idp", "ann"));
    let open = |listener| Connection::open(proxy.port(listener)).expect("a connection");

    // The key set arrives, or the deadline passes, in the same iteration as the reset.
    let [mut set, mut tick] = ["set", "tick"].map(open);
    for connection in [&mut set, &mut tick] {
        let ids: Vec<_> =
            (0..20).map(|_| connection.get("/", &[("authorization", &jwt)]).expect("a request")).collect();
        thread::sleep(Duration::from_millis(200));
        let resets: Vec<u8> = ids.iter().flat_map(|id| h2::reset(*id)).collect();
        in_one_turn(&proxy, || {
            connection.send(&resets).expect("resets");
            thread::sleep(Duration::from_millis(1700));
        });
    }
    // The response arrives.
    for (listener, endpoint) in [("refused", refused), ("accepted", accepted), ("body", body)] {
        let mut connection = open(listener);
        let mut resets = Vec::new();
        for n in 0..20 {
            let token = format!("Bearer an-opaque-token-{n}");
            let is_alone = listener != "body";
            let (id, headers) = connection.request("POST", "/", &[("authorization", &token)], is_alone);
            connection.send(&headers).expect("a request");
            if !is_alone {
                connection.send(&h2::data(id, b"content", false)).expect("content");
            }
            // The trailers of a request and its reset arrive together.
            if !is_alone && n % 2 == 0 {
                resets.extend(h2::trailers(id, &[("x-auth-user", "root")]));
            }
            resets.extend(h2::reset(id));
        }
        eventually("the endpoint is asked", || endpoint.count() == 20);
        in_one_turn(&proxy, || {
            connection.send(&resets).expect("resets");
            endpoint.release();
        });
    }
    nobody_waits(&proxy);
    assert_eq!(proxy.upstream_connections(), 0, "a request that was reset went on");
    proxy.finish();
}

/// Lasts ten seconds, or `AUTHGATE_SECONDS`, which `make soak` increases.
#[test]
fn requests_that_are_reset_at_any_time_bring_nothing_down() {
    let endpoint = Endpoint::start();
    endpoint.otherwise(Reply::Late(waves::LATENCY, json!({"active": false})));
    let idle = json!({"stream_idle_timeout": "0.009s"});
    let proxy = Proxy::start_with_workers(
        2,
        "resets-any-time",
        vec![introspecting("gate", &endpoint), introspecting("idle", &endpoint).settings(idle)],
    );
    let (lasts, port) = (seconds(10), |listener| proxy.port(listener));
    let (outcome, idle) = thread::scope(|scope| {
        let idle = scope.spawn(|| waves::run(port("idle"), 2, lasts));
        (waves::run(port("gate"), 4, lasts), idle.join().expect("an outcome"))
    });
    for (name, outcome) in [("", &outcome), (" with idle timeouts", &idle)] {
        let waves::Outcome { refused, unavailable, reset, idle, closed, ended, .. } = outcome;
        println!(
            "{lasts:?}{name}: {reset} reset, {refused} got 401, {unavailable} got 503, {idle} timed out, \
             {closed} connections closed, {ended} ended by the proxy"
        );
    }
    assert_eq!([outcome.faults.as_slice(), &idle.faults].concat(), Vec::<String>::new());
    assert!(outcome.reset > 500 && outcome.refused > 300, "{outcome:?}");
    assert!(idle.idle > 50, "{idle:?}");
    nobody_waits(&proxy);
    proxy.finish();
}
