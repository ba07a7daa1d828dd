//! Keys that are fetched: a provider that is well, and one that fails in every way. Whatever it does, nothing gets through
//! that should not, and what should does again as soon as the provider is well.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bootstrap::{Listener, listener};
use crate::client::get;
use crate::mint::ProviderKey;
use crate::provider::{Provider, answers, keys};
use crate::proxy::Proxy;

/// One authenticator with these keys for all requests.
pub fn policy(issuer: &str, keys: Value) -> Value {
    json!({
        "authenticators": {"partners": {"jwt": {"issuer": issuer, "audiences": ["api"], "keys": keys}}},
        "rules": [{"match": {"prefix": "/public"}, "public": true}, {"require": "partners"}],
    })
}

/// A listener whose keys are at `/NAME` of the provider.
fn gate(name: &'static str, provider: &Provider, signer: &ProviderKey) -> Listener {
    let uri = format!("http://idp.example.com/{name}");
    let keys = json!({"remote": {"uri": uri, "cluster": "idp", "refresh": "1s", "timeout": "500ms", "max_wait": "1s"}});
    let good = get("/").bearer(&signer.token("https://idp", "good"));
    listener(name, policy("https://idp", keys), good).cluster("idp", provider.port)
}

/// Waits until it is so, at most ten seconds.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn keys_are_fetched_before_anybody_asks() {
    let provider = Provider::start();
    let signer = ProviderKey::new("a");
    provider.on("/well", keys(&[signer.jwk()]));
    let proxy = Proxy::start("remote-keys", vec![gate("well", &provider, &signer)]);
    eventually("a fetch", || !provider.asked("/well").is_empty());
    let asked = &provider.asked("/well")[0];
    assert_eq!(asked.all("host"), ["idp.example.com"]);
    let good = get("/").bearer(&signer.token("https://idp", "ann"));
    let exchange = proxy.send("well", &good);
    assert_eq!(exchange.status, 200, "{:?}", exchange.answer);
    assert_eq!(exchange.upstream[0].all("x-auth-user"), ["ann"]);
    let other = get("/").bearer(&ProviderKey::new("a").token("https://idp", "ann"));
    assert_eq!(proxy.send("well", &other).status, 401);
    // Nothing that happens to the provider later matters.
    provider.on("/well", answers(500, ""));
    eventually("a report", || {
        proxy.log().contains("expected status 200, found 500; the keys of before are kept")
    });
    assert_eq!(proxy.send("well", &good).status, 200);
    proxy.finish();
}
