//! Password guessing against the throttle and the budget for slow hashes: from one address, while others are logged in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::client::{Connection, Request, get};
use authgate_testing::e2e::fixture::{ALICE, BOB, policy};
use authgate_testing::e2e::proxy::Proxy;
use authgate_testing::e2e::wire::Message;

/// Hash of `wonderland` from `htpasswd -nB -C 10`.
const BCRYPT_10: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";

const ATTACKER: &str = "127.0.0.9";
const VICTIM: &str = "127.0.0.2";

fn open(source: &str, proxy: &Proxy, listener: &str) -> Connection {
    Connection::open_from(source, proxy.port(listener)).expect("a connection")
}

fn ask(connection: &mut Connection, request: &Request) -> Message {
    connection.send(request, "guess").expect("an answer")
}

/// Returns the parts of a response that do not change with time.
fn lasting(answer: &Message) -> (String, Vec<String>, String) {
    let mut names: Vec<String> = answer.fields.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    (answer.start.clone(), names, answer.body.clone())
}

/// Asserts that the attacker cannot distinguish the victim's credential from a wrong one, and that the victim keeps its
/// access.
fn is_no_oracle(attacker: &mut Connection, victim: &mut Connection, right: &Request, wrong: &Request) {
    let refused = ask(attacker, wrong);
    assert_eq!(refused.second_word(), "429", "{refused:?}");
    for n in 0..20 {
        let guessed = ask(attacker, right);
        assert_eq!(lasting(&guessed), lasting(&refused), "guess {n}");
        let seconds = |answer: &Message| answer.all("retry-after")[0].parse::<i64>().expect("seconds");
        assert!((seconds(&guessed) - seconds(&ask(attacker, wrong))).abs() <= 1);
        assert_eq!(ask(victim, right).second_word(), "200", "the victim, after guess {n}");
    }
}

#[test]
fn a_blocked_source_cannot_tell_right_guesses_from_wrong_ones() {
    let throttled = r#"
authenticators:
  staff: {basic: {users: {alice: $ALICE, bob: $BOB}}}
  machines: {api_key: {from: [{header: x-api-key}], keys: [{id: ci, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]}}
rules: [{match: {prefix: /key}, require: machines}, {require: staff}]
throttle: {failures: 10, window: 1m, block: 1m}
"#;
    let alice = get("/").basic("alice", ALICE);
    let key = |key: &str| get("/key").field("x-api-key", key);
    let gate = listener("gate", policy(throttled), get("/").basic("bob", BOB)).at_the_edge();
    let proxy = Proxy::start("guessing-throttled", vec![gate]);
    let mut victim = open(VICTIM, &proxy, "gate");
    let mut attacker = open(ATTACKER, &proxy, "gate");
    assert_eq!(ask(&mut victim, &alice).second_word(), "200");
    assert_eq!(ask(&mut victim, &key("test")).second_word(), "200");
    for n in 0..10 {
        let wrong = get("/").basic("alice", &format!("wrong-password-{n}"));
        assert_eq!(ask(&mut attacker, &wrong).second_word(), "401", "{n}");
    }
    let wrong = get("/").basic("alice", "another-password");
    is_no_oracle(&mut attacker, &mut victim, &alice, &wrong);
    is_no_oracle(&mut attacker, &mut victim, &key("test"), &key("another-key"));
    proxy.finish();
}

/// A policy for users with bcrypt, cost 10, whose names start with `user-`.
fn slow(more: &str) -> Value {
    let users: Vec<String> = (0..60).map(|n| format!("user-{n}: \"{BCRYPT_10}\"")).collect();
    policy(&format!(
        "{{authenticators: {{staff: {{basic: {{users: {{{}}}}}}}}}, rules: [{{match: {{prefix: /public}}, public: true}}, {{require: staff}}]{more}}}",
        users.join(", ")
    ))
}

fn user(n: usize) -> Request {
    get("/").basic(&format!("user-{n}"), "wonderland")
}

#[test]
fn a_source_that_has_spent_its_hashes_cannot_tell_right_guesses_from_wrong_ones() {
    let gate = listener("gate", slow(", slow_hashes: {cpu_share: 0.01}"), get("/public")).at_the_edge();
    let proxy = Proxy::start("guessing-spent", vec![gate]);
    let mut victim = open(VICTIM, &proxy, "gate");
    let mut attacker = open(ATTACKER, &proxy, "gate");
    // The first hashes take longer, until V8 has compiled their code with optimisation.
    logs_in(&mut victim, &user(0), Duration::from_secs(30));
    let guess = |n: usize| get("/").basic("user-0", &format!("wrong-password-{n}"));
    let mut guesses = 0;
    while ask(&mut attacker, &guess(guesses)).second_word() != "429" {
        guesses += 1;
        assert!(guesses < 200, "hashes without end");
    }
    is_no_oracle(&mut attacker, &mut victim, &user(0), &guess(guesses + 1));
    proxy.finish();
}

/// Returns the time until a client is allowed that retries as long as it gets a 429.
fn logs_in(connection: &mut Connection, request: &Request, at_most: Duration) -> Duration {
    let start = Instant::now();
    loop {
        let answer = ask(connection, request);
        if answer.second_word() == "200" {
            return start.elapsed();
        }
        assert_eq!(answer.second_word(), "429", "{answer:?}");
        assert!(start.elapsed() < at_most, "not let in within {at_most:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_stands_beside_a_wrong_secret_hides_no_failure() {
    let text = r#"
authenticators:
  staff: {basic: {users: {alice: $ALICE, bob: $BOB}}}
  session: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}, from: [{cookie: session}]}}
  partners: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}
  machines: {api_key: {from: [{header: x-api-key}], keys: [{id: ci, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]}}
rules:
  - {match: {prefix: /key}, require: {any_of: [partners, machines]}}
  - {require: {any_of: [session, staff]}}
throttle: {failures: 3, window: 1m, block: 1m}
"#;
    let gate = listener("gate", policy(text), get("/").basic("bob", BOB)).at_the_edge();
    let proxy = Proxy::start("guessing-beside", vec![gate]);
    let check = |source: &str, wrong: &dyn Fn(usize) -> Request, right: Request| {
        let mut attacker = open(source, &proxy, "gate");
        for n in 0..3 {
            assert_eq!(ask(&mut attacker, &wrong(n)).second_word(), "401", "{source} {n}");
        }
        assert_eq!(ask(&mut attacker, &wrong(3)).second_word(), "429", "{source}");
        assert_eq!(ask(&mut attacker, &right).second_word(), "429", "{source}");
    };
    let with_cookie = |password: &str| get("/").field("cookie", "session=x").basic("alice", password);
    check("127.0.0.3", &|n| with_cookie(&format!("wrong-{n}")), with_cookie(ALICE));
    let with_token = |key: &str| get("/key").bearer("x").field("x-api-key", key);
    check("127.0.0.4", &|n| with_token(&format!("wrong-{n}")), with_token("test"));
    proxy.finish();
}

/// Ends a flood, even if the test fails before.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Duration of each flood.
const FLOOD: Duration = Duration::from_secs(4);

#[test]
fn a_flood_from_one_address_costs_others_neither_a_request_nor_two_seconds() {
    let free = listener("free", slow(""), get("/public")).at_the_edge();
    let throttled = listener("throttled", slow(", throttle: {}"), get("/public")).at_the_edge();
    let proxy = Proxy::start("guessing-flood", vec![free, throttled]);
    let mut next_user = 10;
    for (listener, name) in
        [("free", "user-0"), ("free", "nobody"), ("throttled", "user-0"), ("throttled", "nobody")]
    {
        let mut victims: Vec<_> =
            ["127.0.0.2", "127.0.0.3"].map(|source| open(source, &proxy, listener)).into();
        for victim in &mut victims {
            logs_in(victim, &user(0), Duration::from_secs(30));
        }
        let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
        let logins = thread::scope(|scope| {
            let end = Ends(&is_over);
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut connection = open(ATTACKER, &proxy, listener);
                    while !is_over.load(Ordering::Relaxed) {
                        let n = sent.fetch_add(1, Ordering::Relaxed);
                        let status = ask(&mut connection, &get("/").basic(name, &format!("wrong-{n}")));
                        assert!(["401", "429"].contains(&status.second_word()), "{status:?}");
                    }
                });
            }
            let requests: Vec<_> = victims
                .into_iter()
                .map(|mut victim| {
                    scope.spawn({
                        let is_over = &is_over;
                        move || {
                            let mut lost = 0;
                            while !is_over.load(Ordering::Relaxed) {
                                lost += u32::from(ask(&mut victim, &user(0)).second_word() != "200");
                                thread::sleep(Duration::from_millis(20));
                            }
                            lost
                        }
                    })
                })
                .collect();
            let start = Instant::now();
            let mut logins = Vec::new();
            while start.elapsed() < FLOOD {
                thread::sleep(Duration::from_millis(700));
                let mut newcomer = open(&format!("127.0.1.{next_user}"), &proxy, listener);
                logins.push(logs_in(&mut newcomer, &user(next_user), Duration::from_secs(10)));
                next_user += 1;
            }
            drop(end);
            for lost in requests {
                assert_eq!(lost.join().expect("a victim"), 0, "{listener} {name}: requests lost");
            }
            logins
        });
        let slowest = logins.iter().max().expect("logins");
        println!(
            "{listener}, {name}: {} guesses, {} logins, the slowest in {slowest:?}",
            sent.into_inner(),
            logins.len()
        );
        assert!(*slowest < Duration::from_secs(2), "{listener} {name}: {logins:?}");
    }
    proxy.finish();
}
