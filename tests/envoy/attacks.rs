//! Honest clients while an attacker sends the requests that cost a worker most. No honest request may be lost. `make
//! attacks` runs each attack for 30 s and also compares latencies, which requires an idle machine.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bound::{Holder, bound};
use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::client::{Connection, Request, get, request, stream_from};
use authgate_testing::e2e::endpoint::{Endpoint, Reply};
use authgate_testing::e2e::fixture::policy;
use authgate_testing::e2e::mint::{self, claims, now, with_signature};
use authgate_testing::e2e::process::seconds;
use authgate_testing::e2e::proxy::Proxy;

/// Pause between two requests of an honest client.
const PACE: Duration = Duration::from_millis(20);

/// An attack that continues until it is stopped.
struct Attack<'a> {
    name: &'a str,
    /// Returns the next request of the honest client with this number.
    honest: &'a (dyn Fn(usize) -> Request + Sync),
    attack: &'a (dyn Fn(&AtomicBool) + Sync),
}

impl Attack<'_> {
    /// Sends honest requests from three addresses, first alone and then during the attack.
    fn run(&self, proxy: &Proxy, listener: &str) {
        let lasts = seconds(4);
        let alone = self.honest_clients(proxy, listener, lasts / 3);
        let stop = AtomicBool::new(false);
        let beside = thread::scope(|scope| {
            scope.spawn(|| (self.attack)(&stop));
            thread::sleep(lasts / 10);
            let beside = self.honest_clients(proxy, listener, lasts);
            stop.store(true, Ordering::SeqCst);
            beside
        });
        let (before, during) = (median(&alone), median(&beside));
        let ratio = during.as_secs_f64() / before.as_secs_f64();
        println!(
            "{}: {} honest requests in {lasts:?}, none lost; median {before:.2?} alone, {during:.2?} beside: {ratio:.2}",
            self.name,
            beside.len(),
        );
        // A few seconds on a busy machine say nothing about latencies.
        if lasts >= Duration::from_secs(30) {
            assert!(ratio <= 2.0, "{}: the median grew by {ratio:.2}", self.name);
        }
    }

    fn honest_clients(&self, proxy: &Proxy, listener: &str, lasts: Duration) -> Vec<Duration> {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let (end, port) = (Instant::now() + lasts, proxy.port(listener));
        let waits = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for n in 0..3 {
                let waits = &waits;
                scope.spawn(move || {
                    let source = format!("127.0.0.{}", 20 + n);
                    let mut connection = Connection::open_from(&source, port).expect("a connection");
                    while Instant::now() < end {
                        let request = (self.honest)(SERIAL.fetch_add(1, Ordering::SeqCst));
                        let start = Instant::now();
                        let answer = connection.send(&request, "honest").expect("an answer");
                        let wait = start.elapsed();
                        assert_eq!(answer.second_word(), "200", "{}: {answer:?} to {request}", self.name);
                        waits.lock().expect("waits").push(wait);
                        thread::sleep(PACE);
                    }
                });
            }
        });
        waits.into_inner().expect("waits")
    }
}

fn median(waits: &[Duration]) -> Duration {
    let mut waits = waits.to_vec();
    waits.sort();
    waits[waits.len() / 2]
}

/// Sends requests from one address over several connections, with a pause after each response.
fn attack(
    port: u16,
    connections: usize,
    pause: Duration,
    stop: &AtomicBool,
    make: &(dyn Fn() -> Request + Sync),
) {
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut connection = None;
                while !stop.load(Ordering::SeqCst) {
                    let open = || Connection::open_from("127.0.0.2", port).ok();
                    let request = make();
                    let Some(opened) = connection.as_mut() else {
                        connection = open();
                        continue;
                    };
                    if opened.send(&request, "attack").is_err() {
                        connection = None;
                    }
                    thread::sleep(pause);
                }
            });
        }
    });
}

fn introspecting(name: &'static str, endpoint: &Endpoint) -> Listener {
    let mut policy = policy("{rules: [{match: {prefix: /public}, public: true}, {require: opaque}]}");
    policy["authenticators"] = json!({"opaque": {"introspection": {
        "endpoint": "https://idp.example.com/introspect", "cluster": name, "audiences": ["api"],
        "client_id": "gateway", "client_secret": "the secret of the gateway",
    }}});
    listener(name, policy, get("/public")).cluster(name, endpoint.port)
}

fn active(changes: Value) -> Value {
    let mut answer = json!({"active": true, "sub": "ann", "aud": "api", "exp": now() + 600});
    answer.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    answer
}

/// Each honest client has a new token, which the endpoint knows.
fn know(endpoint: &Endpoint) -> impl Fn(usize) -> Request + Sync {
    (0..20_000).for_each(|n| endpoint.reply(&format!("honest-{n}"), Reply::Json(active(json!({})))));
    |n| get("/").bearer(&format!("honest-{n}"))
}

#[test]
fn requests_that_wait_leave_room_for_others() {
    let endpoint = Endpoint::start();
    endpoint.otherwise(Reply::Late(Duration::from_millis(1500), json!({"active": false})));
    let honest = know(&endpoint);
    let proxy = Proxy::start("attack-waiting", vec![introspecting("gate", &endpoint)]);
    let port = proxy.port("gate");
    let (serial, most_memory) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let before = resident(proxy.pid());
    let sockets_with_one_token = |stop: &AtomicBool| {
        while !stop.load(Ordering::SeqCst) {
            let open = |token: &str, upload: bool| {
                let (method, framing) =
                    if upload { ("POST", "Transfer-Encoding: chunked\r\n") } else { ("GET", "") };
                let head = format!(
                    "{method} / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{framing}\r\n"
                );
                let mut stream = stream_from("127.0.0.2", port).ok()?;
                stream.set_write_timeout(Some(Duration::from_millis(20))).ok()?;
                stream.write_all(head.as_bytes()).ok()?;
                if upload {
                    // As much as the proxy buffers before it stops reading.
                    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
                    let _ = stream.write_all(&chunk);
                }
                Some(stream)
            };
            // One junk token over and over, different junk tokens, and uploads.
            let mut streams: Vec<_> = (0..1100).map(|_| open("junk", false)).collect();
            streams.extend(
                (0..300).map(|_| open(&format!("junk-{}", serial.fetch_add(1, Ordering::SeqCst)), false)),
            );
            streams.extend((0..100).map(|_| open("junk-upload", true)));
            thread::sleep(Duration::from_millis(1500));
            most_memory.fetch_max(resident(proxy.pid()), Ordering::SeqCst);
        }
    };
    Attack { name: "waiting", honest: &honest, attack: &sockets_with_one_token }.run(&proxy, "gate");
    let grown = most_memory.load(Ordering::SeqCst).saturating_sub(before) >> 20;
    println!("waiting: Envoy grew by {grown} MiB");
    // It stops growing at 130 MiB; with uploads that are not bounded it grows by hundreds.
    assert!(grown < 160, "{grown} MiB");
    proxy.finish();
}

/// Returns the resident memory of a process, in bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

#[test]
fn signatures_in_software_leave_time_for_others() {
    let mut keys = mint::jwks();
    // RSA keys without `alg` and `kid`, which allow as many algorithms as keys can.
    let rsa: Value = keys["keys"][0].clone();
    let bare = json!({"kty": "RSA", "n": rsa["n"], "e": rsa["e"]});
    keys["keys"].as_array_mut().expect("keys").extend(vec![bare; 8]);
    let with = |algorithms: Value| {
        let mut policy = policy(
            "{authenticators: {partners: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}}, \
              rules: [{match: {prefix: /public}, public: true}, {require: partners}]}",
        );
        policy["authenticators"]["partners"]["jwt"]["keys"]["jwks"] = keys.clone();
        if !algorithms.is_null() {
            policy["authenticators"]["partners"]["jwt"]["algorithms"] = algorithms;
        }
        policy
    };
    let proxy = Proxy::start(
        "attack-signatures",
        vec![
            listener("default", with(Value::Null), get("/public")),
            listener("named", with(json!(["ES256", "PS256"])), get("/public")),
        ],
    );
    let serial = AtomicUsize::new(0);
    for name in ["default", "named"] {
        let honest = |n: usize| get("/").bearer(&mint::token_for(&format!("user-{n}")));
        let junk = || {
            let n = serial.fetch_add(1, Ordering::SeqCst);
            let signature: Vec<u8> = (0..256).map(|at| (n * 7 + at * 31) as u8).collect();
            let claims = claims(&format!("attacker-{n}")).to_string();
            get("/").bearer(&with_signature(r#"{"alg":"PS256","typ":"JWT"}"#, claims, &signature))
        };
        let port = proxy.port(name);
        let flood = |stop: &AtomicBool| attack(port, 8, Duration::from_millis(10), stop, &junk);
        Attack { name: &format!("signatures, {name}"), honest: &honest, attack: &flood }.run(&proxy, name);
    }
    proxy.finish();
}

#[test]
fn proofs_dated_ahead_leave_room_for_others() {
    /// Proofs that the attacker sends in a second. In 30 s they exceed what the store holds in total.
    const RATE: usize = 4_000;
    let dpop = json!({"dpop": {"origin": "https://api.example.com", "max_age": "60s"}});
    let proxy = Proxy::start("attack-proofs", vec![bound("gate", dpop, get("/public"))]);
    let (attacker, client) = (Holder::new("ES256"), Holder::new("EdDSA"));
    let honest = |n: usize| client.send("/", &client.proof("/", &format!("honest-{n}"), json!({})));
    let ahead = |n: usize, sent: u64| attacker.proof("/", &format!("ahead-{n}"), json!({"iat": sent + 9}));
    // Signing costs the client more than verification costs Envoy, so the proofs are signed before they are needed.
    let count = RATE * (seconds(4).as_secs() as usize * 5 / 4 + 1);
    let signing = {
        let started = Instant::now();
        (0..200).for_each(|n| drop(ahead(count + n, now())));
        started.elapsed() * (count / 200) as u32
    };
    let start = now() + (signing + seconds(4) / 3).as_secs() + 1;
    let proofs: Vec<String> = thread::scope(|scope| {
        let sign =
            |half: usize| (half..count).step_by(2).map(|n| ahead(n, start + (n / RATE) as u64)).collect();
        let odd = scope.spawn(move || sign(1));
        let even: Vec<String> = sign(0);
        let odd: Vec<String> = odd.join().expect("signed proofs");
        even.into_iter().zip(odd).flat_map(|(even, odd)| [even, odd]).collect()
    });
    // Clients are alone for a third of the time before the attack starts.
    let early = start.saturating_sub(now() + seconds(4).as_secs() / 3);
    thread::sleep(Duration::from_secs(early));
    let (port, serial) = (proxy.port("gate"), AtomicUsize::new(0));
    let flood = |stop: &AtomicBool| {
        let started = Instant::now();
        let next = || {
            let n = serial.fetch_add(1, Ordering::SeqCst);
            let due = Duration::from_secs_f64(n as f64 / RATE as f64);
            thread::sleep(due.saturating_sub(started.elapsed()));
            attacker.send("/", &proofs[n % count])
        };
        attack(port, 16, Duration::ZERO, stop, &next);
    };
    Attack { name: "proofs dated ahead", honest: &honest, attack: &flood }.run(&proxy, "gate");
    println!("proofs dated ahead: {} proofs", serial.into_inner());
    proxy.finish();
}

#[test]
fn many_scopes_leave_time_for_others() {
    let endpoint = Endpoint::start();
    let scopes: Vec<String> = (0..30_000).map(|n| format!("{n:x}")).collect();
    endpoint.otherwise(Reply::Json(active(json!({"scope": scopes.join(" ")}))));
    let honest = know(&endpoint);
    let proxy = Proxy::start("attack-scopes", vec![introspecting("gate", &endpoint)]);
    let serial = AtomicUsize::new(0);
    let many = || request("GET", "/").bearer(&format!("scopes-{}", serial.fetch_add(1, Ordering::SeqCst)));
    let port = proxy.port("gate");
    let flood = |stop: &AtomicBool| attack(port, 2, Duration::from_millis(50), stop, &many);
    Attack { name: "30,000 scopes", honest: &honest, attack: &flood }.run(&proxy, "gate");
    println!("30,000 scopes: {} answers", serial.into_inner());
    proxy.finish();
}
