//! Throttling: a client address, as determined by Envoy, is blocked after too many failures, for a limited time. Slow
//! hashes use no more than their share of a worker's time.

use std::time::{Duration, Instant};

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::client::{Connection, Request, get};
use authgate_testing::e2e::fixture::{ALICE, BOB, policy};
use authgate_testing::e2e::proxy::{Exchange, Proxy};
use authgate_testing::e2e::wire::Message;

const THROTTLE: &str = r#"
authenticators:
  staff: {basic: {users: {alice: $ALICE, bob: $BOB}}}
rules:
  - {name: public, match: {prefix: /public}, public: true}
  - {name: shadow, match: {prefix: /shadow}, require: staff, shadow: true}
  - {name: rest, require: staff}
throttle: {failures: 10, window: 1m, block: 4s}
"#;

/// Hash of `wonderland` from `htpasswd -nB -C 10`.
const BCRYPT_10: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";

fn alice() -> Request {
    get("/").basic("alice", ALICE)
}

/// A valid credential that is not cached, unless it has passed before.
fn bob() -> Request {
    get("/").basic("bob", BOB)
}

/// A different wrong password for each number, since wrong ones are cached too.
fn wrong(n: usize) -> Request {
    get("/").basic("alice", &format!("wrong-password-{n}"))
}

fn seconds(answer: &Message) -> u64 {
    match answer.all("retry-after").as_slice() {
        [seconds] => seconds.parse().expect("seconds"),
        found => panic!("Retry-After {found:?} of {answer:?}"),
    }
}

/// Fails ten times, and returns the time at which the last failure was sent.
fn fails_ten_times(proxy: &Proxy) -> Instant {
    let mut last = Instant::now();
    for n in 0..10 {
        last = Instant::now();
        let exchange = proxy.send("gate", &wrong(n));
        assert_eq!(exchange.status, 401, "{n}: {:?}", exchange.answer);
    }
    last
}

fn is_throttled(exchange: &Exchange) {
    assert_eq!(exchange.status, 429, "{:?}", exchange.answer);
    assert!(exchange.answer.start.ends_with(" 429 Too Many Requests"), "{:?}", exchange.answer);
    assert!(exchange.answer.body.contains("throttled"), "{:?}", exchange.answer);
    assert_eq!(exchange.answer.all("www-authenticate"), Vec::<&str>::new());
    assert!((1..=4).contains(&seconds(&exchange.answer)), "{:?}", exchange.answer);
    assert!(exchange.upstream.is_empty(), "a request that was refused went on");
}

#[test]
fn the_eleventh_failure_is_blocked_and_the_block_ends() {
    let proxy = Proxy::start("throttle", vec![listener("gate", policy(THROTTLE), alice()).at_the_edge()]);
    assert_eq!(proxy.send("gate", &alice()).status, 200);
    let start = fails_ten_times(&proxy);
    let blocked = Instant::now();
    is_throttled(&proxy.send("gate", &wrong(10)));
    is_throttled(&proxy.send("gate", &bob()));
    // An address in a client's header has no effect.
    is_throttled(&proxy.send("gate", &bob().field("x-forwarded-for", "10.9.8.7")));
    let grpc = proxy.send("gate", &bob().field("content-type", "application/grpc"));
    assert_eq!((grpc.status, grpc.answer.all("grpc-status")), (200, vec!["8"]), "{:?}", grpc.answer);
    // Credentials that this address presented before pass, and so do requests without a guess.
    assert_eq!(proxy.send("gate", &alice()).status, 200);
    assert_eq!(proxy.send("gate", &get("/")).status, 401);
    assert_eq!(proxy.send("gate", &get("/public")).status, 200);

    // Another address is not affected.
    let mut other = Connection::open_from("127.0.0.2", proxy.port("gate")).expect("a connection");
    let mut send = |request: &Request| other.send(request, "other").expect("an answer");
    assert_eq!(send(&wrong(11)).second_word(), "401");
    assert_eq!(send(&bob()).second_word(), "200");
    // The password is cached now, but not for this address.
    is_throttled(&proxy.send("gate", &bob()));
    assert_eq!(proxy.send("gate", &alice()).status, 200);

    // The block lasts for its duration from the last failure, and not much longer.
    is_throttled(&proxy.send("gate", &wrong(12)));
    loop {
        let sent = Instant::now();
        let exchange = proxy.send("gate", &wrong(13));
        if exchange.status == 401 {
            assert!(Instant::now() - start >= Duration::from_millis(3990), "the block ended early");
            break;
        }
        is_throttled(&exchange);
        assert!(sent - blocked < Duration::from_secs(4), "the block lasts too long");
        std::thread::sleep(Duration::from_millis(20));
    }
    proxy.finish();
}

#[test]
fn a_shadowed_rule_counts_failures_and_blocks_nobody() {
    let proxy = Proxy::start("throttle-shadow", vec![listener("gate", policy(THROTTLE), alice())]);
    for n in 0..30 {
        let guess = get("/shadow").basic("alice", &format!("wrong-password-{n}"));
        assert_eq!(proxy.send("gate", &guess).status, 200, "{n}");
    }
    assert_eq!(proxy.send("gate", &bob()).status, 200, "blocked elsewhere");
    proxy.finish();
}

#[test]
fn slow_hashes_leave_a_worker_time_for_others() {
    let rationed = |share| {
        policy(&format!(
            "{{authenticators: {{staff: {{basic: {{users: {{bob: \"{BCRYPT_10}\"}}}}}}}}, rules: [{{require: staff}}],
              slow_hashes: {{cpu_share: {share}}}}}"
        ))
    };
    let good = get("/").basic("bob", "wonderland");
    let guess = |n: usize| get("/").basic("bob", &format!("wrong-password-{n}"));
    let listeners = ["free", "rationed"].into_iter().zip(["1", "0.05"]);
    let listeners = listeners.map(|(name, share)| listener(name, rationed(share), good.clone())).collect();
    let proxy = Proxy::start("slow-hashes", listeners);
    // The first hashes take longer, until V8 has compiled their code with optimisation. Both listeners share a VM.
    for n in 0..15 {
        assert_eq!(proxy.send("free", &guess(n)).status, 401, "without a limit");
    }
    assert_eq!(proxy.send("rationed", &good).status, 200);
    let mut answers = Vec::new();
    // A hash takes 50 ms, so half a second is soon spent.
    while answers.last() != Some(&429) {
        assert!(answers.len() < 200, "hashes without end: {answers:?}");
        answers.push(proxy.send("rationed", &guess(answers.len())).status);
    }
    assert!(answers.len() > 1, "not even one beside the good one");
    assert!(answers.iter().rev().skip(1).all(|status| *status == 401), "{answers:?}");
    // Credentials that this address presented before still pass. A client cannot tell whether a guess was made before.
    assert_eq!(proxy.send("rationed", &guess(0)).status, 429);
    let start = Instant::now();
    for n in 0..100 {
        assert_eq!(proxy.send("rationed", &good).status, 200, "{n}");
        assert_eq!(proxy.send("rationed", &get("/")).status, 401, "{n}");
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    proxy.finish();
}
