//! Requests that wait for keys: nothing of them reaches the service before the decision, however Envoy is configured
//! for bodies and trailers. Their time and number are limited, and a request that leaves frees its slot.

use std::collections::BTreeSet;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::reload::put;
use crate::remote_keys::{eventually, policy};
use authgate_testing::e2e::bootstrap::{Listener, bootstrap_from_file, listener};
use authgate_testing::e2e::client::{Connection, Request, get, request, stream, stream_from};
use authgate_testing::e2e::mint::ProviderKey;
use authgate_testing::e2e::process::{Envoy, directory};
use authgate_testing::e2e::provider::{Does, Provider, keys};
use authgate_testing::e2e::proxy::{Exchange, Proxy};
use authgate_testing::e2e::upstream::Upstream;
use authgate_testing::e2e::wire::Message;

const ISSUER: &str = "https://idp";

/// Returns a listener whose keys are at `/NAME` of the provider, with this `max_wait`.
fn waiting_listener(name: &'static str, max_wait: &str, provider: &Provider, key: &ProviderKey) -> Listener {
    let uri = format!("http://idp.example.com/{name}");
    let keys = json!({"remote": {"uri": uri, "cluster": "idp", "max_wait": max_wait}});
    listener(name, policy("partners", ISSUER, keys), good(key)).cluster("idp", provider.port)
}

fn good(key: &ProviderKey) -> Request {
    get("/good").bearer(&key.token(ISSUER, "ann"))
}

fn after(time: Duration, does: Does) -> Does {
    Does::Waits(time, Box::new(does))
}

/// Sends all requests at once, each over a new connection.
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
            waiting_listener("plain", "5s", &provider, &key),
            waiting_listener("alone", "5s", &provider, &key).stopping_at_headers_alone(),
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
        assert!(*took > Duration::from_millis(700) && *took < Duration::from_secs(5), "{what}: {took:?}");
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
    // Envoy also runs the module on its main thread.
    assert!(provider.asked("/plain").len() <= 2, "all wait for one call");
    proxy.finish();
}

/// Envoy answers `Expect: 100-continue` by itself, before it asks the filter, and the stream has a response code then.
#[test]
fn a_request_that_expects_100_continue_waits_as_any_other() {
    let (provider, key) = (Provider::start(), ProviderKey::new("a"));
    provider.on("/expects", after(Duration::from_millis(1500), keys(&[key.jwk()])));
    let proxy = Proxy::start("waiting-expects", vec![waiting_listener("expects", "5s", &provider, &key)]);
    let mut stream = stream(proxy.port("expects")).expect("a connection");
    let token = key.token(ISSUER, "ann");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nx-case: expects-0\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a header section");
    let mut reader = BufReader::new(stream.try_clone().expect("the stream"));
    let interim = Message::read(&mut reader, true).expect("a response").expect("an open connection");
    assert_eq!(interim.second_word(), "100", "{interim:?}");
    stream.write_all(b"content").expect("content");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(proxy.upstream_connections(), 0, "before the decision");
    let answer = Message::read(&mut reader, false).expect("a response").expect("an open connection");
    assert_eq!(answer.second_word(), "200", "{answer:?}");
    let arrived = proxy.arrived("expects-0");
    let [arrived] = arrived.as_slice() else { panic!("{arrived:?}") };
    assert_eq!((arrived.all("x-auth-user"), arrived.body.as_str()), (vec!["ann"], "content"));
    proxy.finish();
}

#[test]
fn a_request_waits_for_a_provider_that_starts_late_but_not_for_ever() {
    let (provider, key) = (Provider::start(), ProviderKey::new("a"));
    for name in ["/late", "/never", "/never-alone"] {
        provider.on(name, keys(&[key.jwk()]));
    }
    provider.set_down(true);
    let proxy = Proxy::start(
        "waiting-late",
        vec![
            waiting_listener("late", "8s", &provider, &key),
            waiting_listener("never", "1s", &provider, &key),
            waiting_listener("never-alone", "1s", &provider, &key).stopping_at_headers_alone(),
        ],
    );
    let content =
        || request("POST", "/").bearer(&key.token(ISSUER, "ann")).chunked("content", &[("x-a", "b")]);
    let exchanges = thread::scope(|scope| {
        let sent = scope.spawn(|| {
            let all = [
                ("late", good(&key)),
                ("never", good(&key)),
                ("never", content()),
                ("never-alone", content()),
            ];
            send_all(&proxy, &all)
        });
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(proxy.upstream_connections(), 0);
        provider.set_down(false);
        sent.join().expect("all exchanges")
    });
    assert_eq!(
        (exchanges[0].0.status, exchanges[0].0.upstream.len()),
        (200, 1),
        "{:?}",
        exchanges[0].0.answer
    );
    for (exchange, took) in &exchanges[1..] {
        assert_eq!((exchange.status, exchange.upstream.len()), (503, 0), "{:?}", exchange.answer);
        assert_eq!(exchange.answer.all("retry-after"), ["5"]);
        assert!(*took >= Duration::from_secs(1) && *took < Duration::from_secs(4), "{took:?}");
    }
    eventually("all gates have keys", || {
        ["late", "never", "never-alone"]
            .iter()
            .all(|listener| proxy.send(listener, &good(&key)).status == 200)
    });
    proxy.finish();
}

/// Limit on pending requests for each authenticator on each worker, and the share of one source address.
const MAX_WAITING: usize = 1024;
const MAX_WAITING_OF_SOURCE: usize = 256;

#[test]
fn those_that_wait_are_bounded_and_whoever_leaves_takes_the_place_along() {
    let (provider, key) = (Provider::start(), ProviderKey::new("a"));
    provider.on("/full", keys(&[key.jwk()]));
    provider.on("/other", after(Duration::from_secs(2), keys(&[key.jwk()])));
    provider.set_down(true);
    let proxy = Proxy::start(
        "waiting-bound",
        vec![
            waiting_listener("full", "30s", &provider, &key),
            waiting_listener("other", "30s", &provider, &key),
        ],
    );
    let token = key.token(ISSUER, "ann");
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    let enter_at = |listener, source: usize| {
        let source = format!("127.0.0.{}", source + 1);
        let mut stream = stream_from(&source, proxy.port(listener)).expect("a connection");
        stream.write_all(head.as_bytes()).expect("a request");
        stream
    };
    let enter = || enter_at("full", 8);
    let status = |stream: &mut TcpStream, patience: Duration| {
        stream.set_read_timeout(Some(patience)).expect("a time limit");
        let mut start = [0; 12];
        stream.read_exact(&mut start).ok().map(|()| String::from_utf8_lossy(&start[9..]).into_owned())
    };
    let moment = Duration::from_millis(300);
    let is_full =
        |source| status(&mut enter_at("full", source), moment).is_some_and(|status| status == "503");
    let they_wait = |count: usize| {
        eventually("so many wait", || {
            let stats = proxy.admin("/stats?filter=authgate_waiting_requests");
            stats.trim().ends_with(&format!(": {count}"))
        });
    };
    let mut waiting = Vec::new();
    for source in 0..MAX_WAITING / MAX_WAITING_OF_SOURCE {
        waiting.extend((0..MAX_WAITING_OF_SOURCE).map(|_| enter_at("full", source)));
        they_wait(waiting.len());
        assert!(is_full(source), "the source has more than its share");
        if waiting.len() < MAX_WAITING {
            assert!(!is_full(8), "another source has no room");
            they_wait(waiting.len());
        }
    }
    assert!(is_full(8), "there is room for more than all");
    for stream in &mut waiting {
        stream.set_nonblocking(true).expect("a stream that does not block");
        let refused = stream.read(&mut [0; 1]).is_ok();
        stream.set_nonblocking(false).expect("a stream that blocks");
        assert!(!refused, "one of the first has been answered");
    }
    // Another configuration has its own slots, and requests that need no keys need no slot.
    assert_eq!(status(&mut enter_at("other", 0), moment), None);
    assert_eq!(proxy.send("full", &get("/public")).status, 200);
    assert_eq!(proxy.send("full", &get("/")).status, 401);
    // Some clients disconnect: their slots are freed, and only theirs.
    waiting.drain(..3).for_each(drop);
    thread::sleep(Duration::from_millis(800)); // longer than a tick
    let mut late: Vec<_> = (0..4).map(|_| (enter(), thread::sleep(Duration::from_millis(20))).0).collect();
    let statuses: Vec<_> = late.iter_mut().map(|stream| status(stream, moment)).collect();
    assert_eq!(statuses, [None, None, None, Some("503".to_owned())]);
    // The provider is available: all requests are decided.
    provider.set_down(false);
    waiting.extend(late.into_iter().take(3));
    let statuses: BTreeSet<_> = waiting
        .iter_mut()
        .map(|stream| status(stream, Duration::from_secs(10)).unwrap_or_default())
        .collect();
    assert_eq!(statuses, BTreeSet::from(["200".to_owned()]));
    // Keys are available now. Tokens with another `kid` cause a single fetch, not one each.
    let asked = provider.asked("/full").len();
    let stranger = ProviderKey::new("b");
    for n in 0..20 {
        let exchange = proxy.send("full", &get("/").bearer(&stranger.token(ISSUER, &n.to_string())));
        assert_eq!((exchange.status, exchange.upstream.len()), (401, 0));
    }
    assert_eq!(provider.asked("/full").len(), asked + 1);
    proxy.finish();
}

#[test]
fn a_request_that_waits_while_its_configuration_is_replaced_is_decided() {
    let directory = directory("waiting-reload");
    let listeners = directory.join("listeners.json");
    let (service, key) = (Upstream::start(), ProviderKey::new("a"));
    // The service responds to all requests, including those for keys, with a body that is not a key set.
    let waits = json!({"remote": {"uri": "http://idp/keys", "cluster": "upstream", "max_wait": "3s"}});
    let known = json!({"jwks": {"keys": [key.jwk()]}});
    put(None, &listeners, policy("partners", ISSUER, waits), "update_success");
    let envoy = Envoy::start(&directory, &bootstrap_from_file(&listeners, service.port), &[]);
    let port = envoy.ports["gate"];
    let status = move |request: &Request| {
        let mut connection = Connection::open(port).expect("a connection to envoy");
        connection.send(request, "reload").expect("an answer").second_word().to_owned()
    };
    let content = request("POST", "/").bearer(&key.token(ISSUER, "ann")).chunked("content", &[("x-a", "b")]);
    thread::scope(|scope| {
        let early: Vec<_> = [&good(&key), &content]
            .map(|request| {
                let request = request.clone();
                scope.spawn(move || (status(&request), Instant::now()))
            })
            .into();
        thread::sleep(Duration::from_millis(500));
        put(Some(&envoy), &listeners, policy("partners", ISSUER, known), "update_success");
        assert_eq!(status(&good(&key)), "200", "under the new configuration");
        assert!(early.iter().all(|early| !early.is_finished()));
        for early in early {
            assert_eq!(early.join().expect("an answer").0, "503", "under the old one");
        }
    });
    assert_eq!(service.seen("reload").len(), 1);
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
}
