//! Whether the time that a refusal takes says what was wrong with a credential: `make timing`.
//!
//! Each case has two classes of credentials, all of them refused in the same words. The core decides them one after the
//! other, in random order, from one and the same buffer; the times of both classes are then compared by Welch's t-test,
//! as [`welch::compare`] says. From [`LEAKS`] on the test fails, from [`PROBABLE`] on the table says so.
//!
//! Two cases look at the test itself: a comparison that ends at the first wrong octet, which must be found, and one class
//! against itself, in which nothing may be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

#[allow(dead_code)]
#[path = "../tests/envoy/mint.rs"]
mod mint;
#[allow(dead_code)]
#[path = "envoy/table.rs"]
mod table;
#[path = "timing/welch.rs"]
mod welch;

use std::hint::black_box;
use std::time::Instant;

use argon2::{Algorithm, Argon2, Params, Version};
use authgate::config;
use authgate::decision::{Verdict, decide};
use authgate::jwt::SoftwareVerifier;
use authgate::memory::Memory;
use authgate::numeric_date::NumericDate;
use authgate::policy::{Policy, build};
use authgate::request::Request;
use authgate::scheme::{NoHost, Surroundings};
use authgate::state::State;
use base64::prelude::{
    BASE64_STANDARD as BASE64, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _,
};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::mint::{OTHER_ISSUER, SECRET, claims_but, token};
use crate::table::{Table, median};

/// From this |t| on there is a leak, as good as certainly. Over 100,000 calls it stands for about a twentieth of what
/// calls usually differ by.
const LEAKS: f64 = 10.0;
/// From this on there may be one: worth another run, on an idle machine.
const PROBABLE: f64 = 4.5;
/// Calls for each class, where one takes microseconds.
const CALLS: usize = 100_000;
/// A case is measured in so many blocks, each with users, keys and inputs of its own: of few inputs, each of which has its
/// own way through the caches, the mean would tell.
const BLOCKS: usize = 64;
/// How many users or keys there are in a block: so few that all stay in the first cache. Of 64 some do not, and whoever
/// looks for all alike, as a hit does, waits for those 2 ns more often.
const MANY: usize = 8;
/// How many inputs of each class.
const INPUTS: usize = 128;
/// The first calls of a block find caches cold; they do not count.
const WARM_UP: usize = 100;

/// The password of every user.
const PASSWORD: &str = "correct horse battery staple";
/// What `authgate hash --cost 4` makes of it.
const BCRYPT: &str = "$2b$04$c6oMKiDJh66sXqq6gAmDoeRxMA2YM/TFCx4DQHJJWKlD3XL8zoooq";

/// What is compared.
struct Case {
    name: String,
    calls: usize,
    must_leak: bool,
    block: Box<dyn Fn(usize) -> Block>,
}

/// Credentials of both classes, and what decides over them.
struct Block {
    classes: [Vec<Vec<u8>>; 2],
    subject: Subject,
}

/// What decides over a credential.
enum Subject {
    Policy(Box<Policy>),
    /// Compares with this, octet by octet, until one differs.
    EarlyExit(Vec<u8>),
}

fn main() {
    let text = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let filter = text.unwrap_or_default().to_lowercase();
    let cases = cases().into_iter().filter(|case| case.name.to_lowercase().contains(&filter));
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for case in cases {
        let times = case.measure();
        let welch::Finding { t, difference } = welch::compare(&times);
        let [first, second] = times.each_ref().map(|times| median(times));
        let verdict = match (t >= LEAKS, case.must_leak) {
            (true, true) => "found, as it must be",
            (false, false) if t >= PROBABLE => "perhaps",
            (false, false) => "",
            (true, false) => "LEAKS",
            (false, true) => "NOT FOUND",
        };
        if (t >= LEAKS) != case.must_leak {
            faults.push(case.name.clone());
        }
        eprintln!("{}: |t| {t:.1}", case.name);
        let cell = |number: f64| format!("{number:.0}");
        rows.push(vec![
            case.name,
            case.calls.to_string(),
            cell(first),
            cell(second),
            // Below that it is noise.
            if t < PROBABLE { String::new() } else { format!("{difference:+.1}") },
            format!("{t:.1}"),
            verdict.to_owned(),
        ]);
    }
    println!("Refusals by the core, native; medians in nanoseconds. Fails from |t| = {LEAKS} on.\n");
    Table::new(vec!["case", "calls each", "first", "second", "difference", "|t|", ""], rows).print(false);
    assert!(faults.is_empty(), "{}", faults.join(", "));
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("early-exit comparison: first octet wrong, last wrong", CALLS, |at| early_exit(at, [0, 63])),
        case("early-exit comparison: the same twice", CALLS, |at| early_exit(at, [0, 0])),
    ];
    cases[0].must_leak = true;
    for (kind, hash, calls) in [
        ("{PLAIN}", format!("{{PLAIN}}{PASSWORD}"), CALLS),
        ("{SHA}", format!("{{SHA}}{}", BASE64.encode(Sha1::digest(PASSWORD))), CALLS),
        ("argon2id, 8 KiB", argon2id(), CALLS),
        ("bcrypt, cost 4", BCRYPT.to_owned(), CALLS / 4),
    ] {
        // Whose names start with this, and where the password is wrong.
        let mut add = |what: &str, classes: [(&'static str, usize); 2]| {
            let hash = hash.clone();
            cases.push(case(&format!("{kind}: {what}"), calls, move |at| Block {
                classes: classes.map(|(start, wrong)| {
                    inputs(|n| basic(&format!("{start}-{at:02}{:03}", n % MANY), &wrong_password(n, wrong)))
                }),
                subject: subject(users(at, &hash)),
            }));
        };
        add("known user, unknown user", [("user", 0), ("none", 0)]);
        if calls == CALLS {
            add("unknown user, unknown user", [("some", 0), ("none", 0)]);
        }
        add("first letter wrong, last letter wrong", [("user", 0), ("user", PASSWORD.len() - 1)]);
    }
    let key = |text: String| format!("ApiKey {text}").into_bytes();
    let near = move |at, n| key(format!("{}{n:04}", &held(at, n)[..held(at, n).len() - 4]));
    let far = move |at, n| key(format!("{n:04}{}", &held(at, n)[4..]));
    cases.push(case("API key: last letters wrong, first letters wrong", CALLS, move |at| Block {
        classes: [inputs(|n| near(at, n)), inputs(|n| far(at, n))],
        subject: subject(api_keys(at)),
    }));
    cases.push(case("API key: past its end, unknown", CALLS, move |at| Block {
        classes: [inputs(|n| key(held(at, n))), inputs(|n| far(at, n))],
        subject: subject(api_keys(at)),
    }));
    cases.push(case("HS256: first octet of the MAC wrong, last wrong", CALLS, |at| Block {
        classes: [inputs(|n| forged(at, n, 0)), inputs(|n| forged(at, n, 31))],
        subject: subject(shared_secret()),
    }));
    cases
}

fn case(name: &str, calls: usize, block: impl Fn(usize) -> Block + 'static) -> Case {
    Case { name: name.to_owned(), calls, must_leak: false, block: Box::new(block) }
}

impl Case {
    /// Nanoseconds of each call, by class.
    fn measure(&self) -> [Vec<f64>; 2] {
        let mut times = [Vec::with_capacity(self.calls), Vec::with_capacity(self.calls)];
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for at in 0..BLOCKS {
            let Block { classes, subject } = (self.block)(at);
            let length = classes[0][0].len();
            let same = classes.iter().flatten().all(|input| input.len() == length);
            assert!(same, "{}: lengths differ", self.name);
            let mut buffer = vec![0; length];
            let mut left = WARM_UP.min(self.calls / BLOCKS / 10);
            let wanted = self.calls * (at + 1) / BLOCKS;
            while times.iter().any(|times| times.len() < wanted) {
                let class = random.below(2);
                if times[class].len() == wanted {
                    continue;
                }
                let inputs = &classes[class];
                buffer.copy_from_slice(&inputs[random.below(inputs.len())]);
                let time = subject.time(black_box(&buffer));
                if left > 0 {
                    left -= 1;
                } else {
                    times[class].push(time);
                }
            }
        }
        times
    }
}

impl Subject {
    /// Nanoseconds of one refusal.
    fn time(&self, credential: &[u8]) -> f64 {
        match self {
            Subject::EarlyExit(secret) => {
                let start = Instant::now();
                let same =
                    secret.iter().zip(credential).all(|(ours, theirs)| black_box(ours) == black_box(theirs));
                let time = start.elapsed();
                assert!(!black_box(same));
                time.as_nanos() as f64
            }
            Subject::Policy(policy) => {
                let fields: [(&[u8], &[u8]); 4] = [
                    (b":method", b"GET"),
                    (b":authority", b"api.example.com"),
                    (b":path", b"/x"),
                    (b"authorization", credential),
                ];
                let request = Request::new(fields.into_iter(), None);
                let mut state = State::new(policy, Memory::new([1; 16], policy.limits));
                let now = NumericDate::from_seconds(mint::now() as f64).unwrap();
                let surroundings =
                    Surroundings { now, signatures: &SoftwareVerifier, on_demand: &NoHost, may_wait: false };
                let start = Instant::now();
                let decision = decide(policy, black_box(&request), &mut state, surroundings);
                let time = start.elapsed();
                let Verdict::Deny(denial) = black_box(decision).verdict else { panic!("let in") };
                assert!(["invalid_credentials", "invalid_token"].contains(&denial.reason.code()));
                time.as_nanos() as f64
            }
        }
    }
}

fn inputs(input: impl Fn(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..INPUTS).map(input).collect()
}

/// A secret, and copies that are wrong in one octet.
fn early_exit(at: usize, wrong: [usize; 2]) -> Block {
    let secret = random_octets(at as u64, 64);
    let wrong_in = |octet: usize, n: usize| {
        let mut octets = secret.clone();
        octets[octet] ^= 1 + (n % 255) as u8;
        octets
    };
    Block {
        classes: wrong.map(|octet| inputs(|n| wrong_in(octet, n))),
        subject: Subject::EarlyExit(secret.clone()),
    }
}

fn basic(user: &str, password: &str) -> Vec<u8> {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}"))).into_bytes()
}

/// The password with another letter in this place.
fn wrong_password(n: usize, at: usize) -> String {
    let letter = char::from(b'A' + (n % 26) as u8);
    format!("{}{letter}{}", &PASSWORD[..at], &PASSWORD[at + 1..])
}

fn argon2id() -> String {
    let (salt, mut digest) = ([7; 16], [0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, Some(32)).unwrap());
    argon2.hash_password_into(PASSWORD.as_bytes(), &salt, &mut digest).unwrap();
    let encode = |octets: &[u8]| BASE64_STANDARD_NO_PAD.encode(octets);
    format!("$argon2id$v=19$m=8,t=1,p=1${}${}", encode(&salt), encode(&digest))
}

fn users(at: usize, hash: &str) -> Value {
    let users: serde_json::Map<_, _> =
        (0..MANY).map(|n| (format!("user-{at:02}{n:03}"), json!(hash))).collect();
    json!({
        "authenticators": {"staff": {"basic": {"users": users, "allow_plaintext": true}}},
        "rules": [{"require": "staff"}],
        "cache": {"max_entries": 0},
        "slow_hashes": {"cpu_share": 1},
    })
}

/// A key that somebody holds.
fn held(at: usize, n: usize) -> String {
    format!("key-{at:02}{:03}-{}", n % MANY, "k".repeat(32))
}

/// Keys that all are past their end.
fn api_keys(at: usize) -> Value {
    let entry = |n: usize| {
        let digest = hmac_sha256::Hash::hash(held(at, n).as_bytes());
        let sha256 = digest.map(|octet| format!("{octet:02x}")).concat();
        json!({"id": format!("holder-{n}"), "sha256": sha256, "not_after": "2020-01-01T00:00:00Z"})
    };
    json!({
        "authenticators": {"machines": {"api_key": {
            "from": [{"header": "authorization", "scheme": "ApiKey"}],
            "keys": (0..MANY).map(entry).collect::<Vec<_>>(),
        }}},
        "rules": [{"require": "machines"}],
        "cache": {"max_entries": 0},
    })
}

/// A token with one octet of its MAC wrong.
fn forged(at: usize, n: usize, octet: usize) -> Vec<u8> {
    let claims = claims_but(&format!("user-{at:02}{n:03}"), json!({"iss": OTHER_ISSUER}));
    let token = token("HS256", &claims);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut octets = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    octets[octet] ^= 1 + (n % 255) as u8;
    format!("Bearer {input}.{}", BASE64_URL_SAFE_NO_PAD.encode(octets)).into_bytes()
}

fn shared_secret() -> Value {
    json!({
        "authenticators": {"shared": {"jwt": {
            "issuer": OTHER_ISSUER,
            "audiences": ["api"],
            "keys": {"secret": {"value": SECRET, "algorithm": "HS256", "encoding": "utf8"}},
        }}},
        "rules": [{"require": "shared"}],
        "cache": {"max_entries": 0},
    })
}

fn subject(configuration: Value) -> Subject {
    let config = config::from_value(configuration).expect("a configuration");
    let built = build(&config, &|_| None).unwrap_or_else(|errors| panic!("{errors:?}"));
    Subject::Policy(Box::new(built.policy))
}

fn random_octets(seed: u64, count: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..count).map(|_| random.below(256) as u8).collect()
}

/// A linear congruential generator: the same order in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
