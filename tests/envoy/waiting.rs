//! Requests that wait for keys: nothing of them reaches the service before the decision, whatever Envoy is told to do with
//! content and trailers; they do not wait for ever, nor in any number, and take their place along when they leave.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bootstrap::{Listener, listener};
use crate::client::{Request, get, request};
use crate::mint::ProviderKey;
use crate::provider::{Does, Provider, keys};
use crate::proxy::{Exchange, Proxy};
use crate::remote_keys::policy;

const ISSUER: &str = "https://idp";

/// A listener whose keys are at `/NAME` of the provider, and for which requests wait so long.
fn gate(name: &'static str, max_wait: &str, provider: &Provider, key: &ProviderKey) -> Listener {
    let uri = format!("http://idp.example.com/{name}");
    let keys = json!({"remote": {"uri": uri, "cluster": "idp", "max_wait": max_wait}});
    listener(name, policy(ISSUER, keys), good(key)).cluster("idp", provider.port)
}

fn good(key: &ProviderKey) -> Request {
    get("/good").bearer(&key.token(ISSUER, "ann"))
}

fn after(time: Duration, does: Does) -> Does {
    Does::Waits(time, Box::new(does))
}

/// Sends all at once, each over a connection of its own.
fn send_all(proxy: &Proxy, requests: &[(&str, Request)]) -> Vec<(Exchange, Duration)> {
    let start = Instant::now();
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .map(|(listener, request)| scope.spawn(move || (proxy.send(listener, request), start.elapsed())))
            .collect();
        sent.into_iter().map(|sent| sent.join().expect("an exchange")).collect()
    })
}

#[test]
fn nothing_of_a_waiting_request_goes_upstream_before_the_decision() {
    let (provider, key, wrong) = (Provider::start(), ProviderKey::new("a"), ProviderKey::new("a"));
    for name in ["/plain", "/alone"] {
        provider.on(name, after(Duration::from_millis(1500), keys(&[key.jwk()])));
    }
    let proxy = Proxy::start(
        "waiting",
        vec![
            gate("plain", "5s", &provider, &key),
            gate("alone", "5s", &provider, &key).stopping_at_headers_alone(),
        ],
    );
    let trailers = &[("x-auth-user", "root"), ("x-checksum", "1")];
    let requests = |key: &ProviderKey| {
        let token = key.token(ISSUER, "ann");
        [
            get("/").bearer(&token),
            get("/").bearer(&token).field("x-auth-user", "root"),
            request("POST", "/").bearer(&token).chunked("content", &[]),
            request("POST", "/").bearer(&token).chunked(&"content".repeat(10_000), trailers),
        ]
    };
    let all: Vec<_> = ["plain", "alone"]
        .into_iter()
        .flat_map(|listener| {
            let of = |key| requests(key).map(|request| (listener, request));
            [of(&key), of(&wrong)].concat()
        })
        .collect();
    let exchanges = thread::scope(|scope| {
        let sent = scope.spawn(|| send_all(&proxy, &all));
        thread::sleep(Duration::from_millis(700));
        assert_eq!(proxy.upstream_connections(), 0, "before the decision");
        assert!(!sent.is_finished());
        sent.join().expect("all exchanges")
    });
    for (at, (exchange, took)) in exchanges.iter().enumerate() {
        let what = format!("{} {}", all[at].0, all[at].1);
        assert!(*took > Duration::from_millis(700) && *took < Duration::from_secs(4), "{what}: {took:?}");
        if at % 8 >= 4 {
            assert_eq!((exchange.status, exchange.upstream.len()), (401, 0), "{what}: {:?}", exchange.answer);
            continue;
        }
        assert_eq!(exchange.status, 200, "{what}: {:?}", exchange.answer);
        let [arrived] = exchange.upstream.as_slice() else { panic!("{what}: {:?}", exchange.upstream) };
        assert_eq!(arrived.all("x-auth-user"), ["ann"], "{what}");
        assert!(arrived.all("authorization").is_empty(), "{what}");
        match at % 4 {
            2 => assert_eq!(arrived.body, "content", "{what}"),
            3 => {
                assert_eq!(arrived.body.len(), 70_000, "{what}");
                let trailers: Vec<_> = arrived.trailers.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(trailers, ["x-checksum"], "{what}");
            }
            _ => {}
        }
    }
    // Envoy runs the module on its main thread too.
    assert!(provider.asked("/plain").len() <= 2, "all wait for one call");
    proxy.finish();
}
