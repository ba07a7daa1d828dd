//! Fetched keys: a working provider, and one that fails in every way. Whatever it does, invalid tokens never pass, and
//! valid ones pass again as soon as the provider works.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::mint::{ProviderKey, encode};
use authgate_testing::e2e::provider::{Does, Provider, answers, keys};
use authgate_testing::e2e::proxy::Proxy;

const ISSUER: &str = "https://idp";

/// A policy with one authenticator of this name, with these keys for all requests.
pub fn policy(name: &str, issuer: &str, keys: Value) -> Value {
    json!({
        "authenticators": {name: {"jwt": {"issuer": issuer, "audiences": ["api"], "keys": keys}}},
        "rules": [{"match": {"prefix": "/public"}, "public": true}, {"require": name}],
    })
}

/// Returns a listener whose keys are at `/NAME` of the provider, or are discovered from metadata below it.
fn fetching_listener(name: &'static str, how: &str, provider: &Provider, key: &ProviderKey) -> Listener {
    let site = format!("http://idp.example.com/{name}");
    let mut keys =
        json!({"cluster": "idp", "refresh": "1s", "timeout": "500ms", "max_wait": "1s", "max_stale": "2s"});
    let issuer = if how == "discovery" { site.as_str() } else { ISSUER };
    if how == "remote" {
        keys["uri"] = json!(site);
    }
    let good = get("/").bearer(&key.token(issuer, "good"));
    listener(name, policy(name, issuer, json!({how: keys})), good).cluster("idp", provider.port)
}

/// Waits until a condition is true, for at most ten seconds.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn keys_are_fetched_before_anybody_asks_and_found_by_metadata() {
    let (provider, key) = (Provider::start(), ProviderKey::new("a"));
    provider.on("/well", keys(&[key.jwk()]));
    let metadata = |name: &str| {
        let site = format!("http://idp.example.com/{name}");
        answers(200, &json!({"issuer": site, "jwks_uri": format!("{site}/keys?v=1")}).to_string())
    };
    provider.on("/openid/.well-known/openid-configuration", metadata("openid"));
    provider.on("/.well-known/oauth-authorization-server/oauth", metadata("oauth"));
    provider.on("/openid/keys?v=1", keys(&[key.jwk()]));
    provider.on("/oauth/keys?v=1", keys(&[key.jwk()]));
    let proxy = Proxy::start(
        "remote-keys",
        vec![
            fetching_listener("well", "remote", &provider, &key),
            fetching_listener("openid", "discovery", &provider, &key),
            fetching_listener("oauth", "discovery", &provider, &key),
        ],
    );
    eventually("a fetch", || !provider.asked("/well").is_empty());
    assert_eq!(provider.asked("/well")[0].all("host"), ["idp.example.com"]);
    let token = |issuer: &str, key: &ProviderKey| get("/").bearer(&key.token(issuer, "ann"));
    for (listener, issuer) in [
        ("well", ISSUER),
        ("openid", "http://idp.example.com/openid"),
        ("oauth", "http://idp.example.com/oauth"),
    ] {
        let exchange = proxy.send(listener, &token(issuer, &key));
        assert_eq!(exchange.status, 200, "{listener}: {:?}", exchange.answer);
        assert_eq!(exchange.upstream[0].all("x-auth-user"), ["ann"]);
        let forged = proxy.send(listener, &token(issuer, &ProviderKey::new("a")));
        assert_eq!((forged.status, forged.upstream.len()), (401, 0), "{listener}");
        assert!(forged.answer.body.contains("invalid_token"), "{:?}", forged.answer.body);
    }

    // The next refresh replaces the key with this `kid`, and drops cached tokens of the old one.
    let (old, new) = (token(ISSUER, &key), ProviderKey::new("a"));
    assert_eq!(proxy.send("well", &old).status, 200);
    provider.on("/well", keys(&[new.jwk()]));
    eventually("the new key", || proxy.send("well", &token(ISSUER, &new)).status == 200);
    assert_eq!(proxy.send("well", &old).status, 401);
    provider.on("/well", keys(&[key.jwk()]));
    eventually("the old key", || proxy.send("well", &old).status == 200);
    proxy.finish();
}

/// A fault of the provider, and its log line.
struct Fault {
    name: &'static str,
    how: &'static str,
    path: &'static str,
    bad: Does,
    good: Does,
    why: &'static str,
}

fn faults(key: &ProviderKey) -> Vec<Fault> {
    let set = |name, bad, why| Fault { name, how: "remote", path: name, bad, good: keys(&[key.jwk()]), why };
    let mut private = key.jwk();
    private["d"] = json!(encode(b"0123456789abcdef0123456789abcdef"));
    let secret =
        json!({"kty": "oct", "alg": "HS256", "kid": "a", "k": encode(b"0123456789abcdef0123456789abcdef")});
    let slow = Does::Waits(Duration::from_millis(1200), Box::new(keys(&[key.jwk()])));
    let metadata = |issuer: &str, jwks_uri: &str| {
        answers(200, &json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string())
    };
    vec![
        set("/slow", slow, "expected status 200, found 504"),
        set("/resetting", Does::Resets, "expected status 200, found 503"),
        set(
            "/failing",
            answers(500, &json!({"keys": [key.jwk()]}).to_string()),
            "expected status 200, found 500",
        ),
        set(
            "/html",
            answers(200, "<!doctype html><title>Login</title>"),
            "not valid JSON (line 1, column 1)",
        ),
        set("/huge", answers(200, &" ".repeat(10 << 20)), "expected at most 262144 bytes"),
        set("/empty", keys(&[]), "expected at least one key that can verify signatures"),
        set("/private", keys(&[key.jwk(), private]), "keys[1]: this is a private key"),
        set("/secrets", keys(&[secret]), "expected at least one key that can verify signatures; keys[0]: "),
        Fault {
            name: "/stranger",
            how: "discovery",
            path: "/stranger/.well-known/openid-configuration",
            bad: metadata("http://evil.example.com", "http://idp.example.com/stranger/keys"),
            good: metadata("http://idp.example.com/stranger", "http://idp.example.com/stranger/keys"),
            why: "openid-configuration: `issuer` does not match the configured issuer; oauth-",
        },
        Fault {
            name: "/elsewhere",
            how: "discovery",
            path: "/elsewhere/.well-known/openid-configuration",
            bad: metadata("http://idp.example.com/elsewhere", "http://keys.example.com/elsewhere/keys"),
            good: metadata("http://idp.example.com/elsewhere", "http://idp.example.com/elsewhere/keys"),
            why: "openid-configuration: `jwks_uri` has another origin than the issuer, which requires `jwks_cluster`",
        },
    ]
}

#[test]
fn whatever_the_provider_does_nothing_gets_through_and_it_recovers() {
    let (key, provider, other) = (ProviderKey::new("a"), Provider::start(), Provider::start());
    let faults = faults(&key);
    for fault in &faults {
        provider.on(fault.path, fault.bad.clone());
        provider.on(&format!("{}/keys", fault.name), keys(&[key.jwk()]));
    }
    other.on("/down", keys(&[key.jwk()]));
    other.set_down(true);
    let mut listeners: Vec<_> =
        faults.iter().map(|fault| fetching_listener(&fault.name[1..], fault.how, &provider, &key)).collect();
    let mut down = policy(
        "down",
        ISSUER,
        json!({"remote": {"uri": "http://idp/down", "cluster": "other",
        "refresh": "1s", "timeout": "500ms", "max_wait": "1s", "max_stale": "2s"}}),
    );
    down["realm"] = json!("down");
    listeners.push(
        listener("down", down, get("/").bearer(&key.token(ISSUER, "good"))).cluster("other", other.port),
    );
    let nowhere = policy(
        "nowhere",
        ISSUER,
        json!({"remote": {"uri": "http://idp/k", "cluster": "idq", "max_wait": "1s"}}),
    );
    listeners.push(listener("nowhere", nowhere, get("/public")));
    let proxy = Proxy::start("remote-faults", listeners);

    let mut listeners: Vec<(&str, String, &str)> = faults
        .iter()
        .map(|fault| {
            let issuer = format!("http://idp.example.com{}", fault.name);
            (&fault.name[1..], if fault.how == "discovery" { issuer } else { ISSUER.to_owned() }, fault.why)
        })
        .collect();
    listeners.push(("down", ISSUER.to_owned(), "expected status 200, found 503"));
    let request = |(_, issuer, _): &(&str, String, &str), key: &ProviderKey, subject: &str| {
        get("/").bearer(&key.token(issuer, subject))
    };
    let statuses = |key: &ProviderKey, subject: &str| -> Vec<(u16, usize)> {
        let send = |listener: &str, request: &Request| {
            let exchange = proxy.send(listener, request);
            if exchange.status == 503 {
                assert_eq!(exchange.answer.all("retry-after"), ["5"], "{listener}");
                assert!(
                    exchange.answer.body.contains("unavailable"),
                    "{listener}: {:?}",
                    exchange.answer.body
                );
            }
            (exchange.status, exchange.upstream.len())
        };
        thread::scope(|scope| {
            let sent: Vec<_> = listeners
                .iter()
                .map(|gate| (gate.0, request(gate, key, subject)))
                .map(|(listener, request)| scope.spawn(move || send(listener, &request)))
                .collect();
            sent.into_iter().map(|sent| sent.join().expect("an exchange")).collect()
        })
    };
    let all = |status, upstream| vec![(status, upstream); listeners.len()];
    let all_say = |and: &str| {
        for (name, _, why) in &listeners {
            let is_it = |line: &str| {
                line.contains(&format!("authenticator \"{name}\": "))
                    && line.contains(why)
                    && line.ends_with(and)
            };
            eventually(&format!("{name} says {why}, {and}"), || proxy.log().lines().any(is_it));
        }
    };

    // The provider fails from the start.
    let start = Instant::now();
    assert_eq!(statuses(&key, "early"), all(503, 0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    all_say("there are no keys yet");
    let exchange = proxy.send("nowhere", &get("/").bearer(&key.token(ISSUER, "ann")));
    assert_eq!((exchange.status, exchange.upstream.len()), (503, 0));
    let log = proxy.log();
    let line = log.lines().find(|line| line.contains("\"nowhere\"")).expect("a line for the unknown cluster");
    for part in ["\"idq\"", "`static_resources.clusters`", "`outbound|443||idp.example.com`", "`httproute/"] {
        assert!(line.contains(part), "{line} lacks {part}");
    }

    // The provider recovers.
    let heal = || {
        faults.iter().for_each(|fault| provider.on(fault.path, fault.good.clone()));
        other.set_down(false);
    };
    heal();
    eventually("all are well", || statuses(&key, "ann") == all(200, 1));

    // The provider fails again: the keys are kept for a limited time.
    faults.iter().for_each(|fault| provider.on(fault.path, fault.bad.clone()));
    other.set_down(true);
    assert_eq!(statuses(&key, "bob"), all(200, 1));
    assert_eq!(statuses(&ProviderKey::new("a"), "mallory"), all(401, 0));
    all_say("the previous keys stay in use");
    eventually("all are stale", || statuses(&key, "ann") == all(503, 0));
    assert_eq!(statuses(&ProviderKey::new("a"), "mallory"), all(503, 0));
    heal();
    eventually("all are well again", || statuses(&key, "ann") == all(200, 1));
    let log = proxy.log();
    for secret in ["Login", "evil.example.com", &encode(b"0123456789abcdef0123456789abcdef")] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
    proxy.finish();
}
