//! Timing side channels: tests if the duration of a denial depends on what was wrong with a credential (`make timing`).
//!
//! Each case has two classes of credentials, all of which are denied with the same message. The core decides them in
//! random order, from the same buffer. [`welch::compare`] then compares the times of both classes by Welch's t-test.
//! The test fails from [`LEAKS`] on; from [`PROBABLE`] on the table says so.
//!
//! Two cases test the test itself: a comparison that ends at the first wrong byte, which must be found, and a class
//! compared with itself, in which nothing may be found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

#[path = "timing/cases.rs"]
mod cases;
#[allow(dead_code)]
#[path = "envoy/table.rs"]
mod table;
#[path = "timing/welch.rs"]
mod welch;

use authgate_testing::e2e::mint;
use std::hint::black_box;
use std::time::Instant;

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::decision::state::State;
use authgate::decision::{Decision, Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::Policy;
use authgate::response::Form;
use authgate::timestamp::NumericDate;

use crate::table::{Table, median};
use authgate_testing::digest_client::Challenge;

/// Value of |t| from which on a leak is almost certain. Over 100,000 calls it corresponds to about a twentieth of the
/// usual deviation of a call.
const LEAKS: f64 = 10.0;
/// |t| from which on a leak is possible; repeat the test on an idle machine.
const PROBABLE: f64 = 4.5;
/// Calls for each class, if a call takes microseconds.
const CALLS: usize = 100_000;
/// Number of blocks of a case, each with different users, keys and inputs. With only a few inputs, each with its own
/// path through the caches, their mean would differ without a leak.
const BLOCKS: usize = 64;
/// First calls of a block, which do not count, since caches are cold.
const WARM_UP: usize = 100;

/// Two classes of credentials that are compared.
struct Case {
    name: String,
    calls: usize,
    must_leak: bool,
    block: Box<dyn Fn(usize) -> Block>,
}

/// Credentials of both classes, and the subject that decides them.
struct Block {
    classes: [Vec<Vec<u8>>; 2],
    subject: Subject,
}

/// The code under test.
enum Subject {
    Policy(Box<Policy>),
    /// Compares with this secret, byte by byte, until one differs.
    EarlyExit(Vec<u8>),
}

fn main() {
    let text = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let filter = text.unwrap_or_default().to_lowercase();
    let cases = cases::cases().into_iter().filter(|case| case.name.to_lowercase().contains(&filter));
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
            // A smaller difference is noise.
            if t < PROBABLE { String::new() } else { format!("{difference:+.1}") },
            format!("{t:.1}"),
            verdict.to_owned(),
        ]);
    }
    println!("Refusals by the core, native; medians in nanoseconds. Fails from |t| = {LEAKS} on.\n");
    Table::new(vec!["case", "calls each", "first", "second", "difference", "|t|", ""], rows).print(false);
    assert!(faults.is_empty(), "{}", faults.join(", "));
}

impl Case {
    /// Returns the nanoseconds of each call, by class.
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
    /// Returns the nanoseconds of a denial.
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
            Subject::Policy(policy) => decided(policy, credential, |decision, time| {
                let Verdict::Deny(denial) = decision.verdict else { panic!("let in") };
                assert!(["invalid_credentials", "invalid_token"].contains(&denial.reason.code()));
                time
            }),
        }
    }

    /// Returns the challenge for a client without credentials.
    fn challenge(&self, algorithm: &str) -> Challenge {
        let Subject::Policy(policy) = self else { panic!("no policy") };
        decided(policy, b"", |decision, _| {
            let Verdict::Deny(denial) = decision.verdict else { panic!("let in") };
            let fields = denial.response(&policy.denials, Form::Text).fields;
            let mut challenges = fields.iter().filter_map(|(_, value)| Challenge::parse(value));
            challenges.find(|challenge| challenge.algorithm == algorithm).expect("a challenge")
        })
    }

    fn lets_in(&self, credential: &[u8]) -> bool {
        let Subject::Policy(policy) = self else { panic!("no policy") };
        decided(policy, credential, |decision, _| matches!(decision.verdict, Verdict::Allow(_)))
    }
}

/// Decides a request with this credential, or without one if it is empty, and passes the decision and its nanoseconds
/// to `look`.
fn decided<T>(policy: &Policy, credential: &[u8], look: impl FnOnce(Decision<'_>, f64) -> T) -> T {
    let mut fields: Vec<(&[u8], &[u8])> =
        vec![(b":method", b"GET"), (b":authority", b"api.example.com"), (b":path", b"/x")];
    if !credential.is_empty() {
        fields.push((b"authorization", credential));
    }
    let request = Request::new(fields.into_iter(), None);
    let mut state = State::new(policy, CredentialCache::new([1; 16], policy.limits));
    let now = NumericDate::from_seconds(mint::now() as f64).unwrap();
    let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
    let start = Instant::now();
    let decision = black_box(decide(policy, black_box(&request), &mut state, context));
    let time = start.elapsed().as_nanos() as f64;
    look(decision, time)
}

/// A linear congruential generator: the same order in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
