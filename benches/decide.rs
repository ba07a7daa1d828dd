//! Cost of a decision in the core alone, compiled for the machine that runs it: no proxy, no VM, signatures in
//! software. `make bench` runs it; `docs/performance.md` explains the output.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

#[allow(dead_code)]
#[path = "envoy/policy.rs"]
mod policy;
#[path = "envoy/table.rs"]
mod table;

use authgate_testing::e2e::mint;
use std::hint::black_box;
use std::time::{Duration, Instant};

use authgate::authn::{Context, NullHost};
use authgate::cache::{CredentialCache, Limits};
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::http::host::Host;
use authgate::http::path::PathInterpretations;
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::rules::{RuleId, Target};
use authgate::policy::{Policy, build};
use authgate::timestamp::NumericDate;
use serde_json::{Value, json};

use crate::policy::{BOB, PASSWORD, basic, default_policy, keys, objects, rules, users};
use crate::table::{Table, median, spread};
use authgate_testing::e2e::mint::{claims, claims_but, other_token, token};

/// Number of samples of each figure.
const SAMPLES: usize = 31;
/// Duration of each sample, unless one call takes longer.
const SAMPLE: Duration = Duration::from_millis(3);
/// Most of the headers that a browser sends and a proxy adds.
const FIELDS: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "api.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.7"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
];

/// A request and a policy.
struct Case<'p> {
    name: &'static str,
    policy: &'p Policy,
    path: &'static str,
    authorization: Option<String>,
    allowed: bool,
}

fn main() {
    let text = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let filter = text.unwrap_or_default().to_lowercase();
    let (default, many_users) = (policy_of(default_policy()), policy_of(users(100_000)));
    let (one_rule, many_rules) = (policy_of(rules(1)), policy_of(rules(1000)));
    let (one_object, many_objects) = (policy_of(objects(1)), policy_of(objects(1000)));
    let (one_key, many_keys) = (policy_of(keys(1)), policy_of(keys(100)));
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let signed = |alg: &str| bearer(token(alg, &claims("alice")));
    let alice = Some(basic("alice", PASSWORD));
    let case =
        |name, policy, path, authorization, allowed| Case { name, policy, path, authorization, allowed };
    let cases = [
        case("public route", &default, "/public/x", None, true),
        case("Basic {SHA}", &default, "/basic/x", alice.clone(), true),
        case("Basic bcrypt", &default, "/bcrypt/x", Some(basic("bob", BOB)), true),
        case("RS256", &default, "/jwt/x", signed("RS256"), true),
        case("ES256", &default, "/jwt/x", signed("ES256"), true),
        case("EdDSA", &default, "/jwt/x", signed("EdDSA"), true),
        case("HS256", &default, "/shared/x", bearer(other_token("alice")), true),
        case("missing", &default, "/basic/x", None, false),
        case("malformed", &default, "/basic/x", Some("Basic !!!!".to_owned()), false),
        case("wrong password", &default, "/basic/x", Some(basic("alice", "no")), false),
        case("expired", &default, "/jwt/x", bearer(policy::expired()), false),
        case("bad signature", &default, "/jwt/x", bearer(policy::badly_signed()), false),
        case(
            "insufficient scope",
            &default,
            "/admin/x",
            bearer(token("EdDSA", &claims_but("alice", json!({"scope": "read"})))),
            false,
        ),
        case("no rule", &default, "/nowhere", alice.clone(), false),
        case("100,000 users", &many_users, "/x", Some(basic("user-7", PASSWORD)), true),
        case("1 rule", &one_rule, "/team-last/x", alice.clone(), true),
        case("1,000 rules", &many_rules, "/team-last/x", alice.clone(), true),
        case("1 object rule", &one_object, "/team-last/members/alice/x", alice.clone(), true),
        case("1,000 object rules", &many_objects, "/team-last/members/alice/x", alice, true),
        case("1 key, HS256", &one_key, "/x", bearer(policy::token_of_first_key(1)), true),
        case("100 keys, HS256", &many_keys, "/x", bearer(policy::token_of_first_key(1)), true),
    ];
    let rows = cases.iter().filter(|case| case.name.to_lowercase().contains(&filter)).map(Case::row);
    println!("The core alone, native; medians in nanoseconds.\n");
    Table::new(
        vec!["case", "parse", "select", "decide, first sight", "decide, remembered", "spread"],
        rows.collect(),
    )
    .print(false);
}

fn policy_of(configuration: Value) -> Policy {
    let config = config::from_value(configuration).expect("a configuration");
    build(&config, &|_| None).expect("a policy").policy
}

impl Case<'_> {
    fn row(&self) -> Vec<String> {
        let fields: Vec<_> = self.fields();
        let parse = || Request::new(black_box(&fields).iter().copied(), None);
        let request = parse();
        let nothing = Limits { max_entries: 0, ..Limits::default() };
        let mut forgetful = State::new(self.policy, CredentialCache::new([1; 16], nothing));
        let mut remembering = State::new(self.policy, CredentialCache::new([1; 16], Limits::default()));
        let now = context();
        let mut first = || decide(self.policy, black_box(&request), &mut forgetful, now);
        let allowed = matches!(first().verdict, Verdict::Allow(_));
        assert_eq!(allowed, self.allowed, "{} is decided otherwise", self.name);
        let again = || decide(self.policy, black_box(&request), &mut remembering, now);

        let (parsing, selecting) = (time(parse), time(|| self.select(&request)));
        let (first, again) = (time(first), time(again));
        let cell = |samples: &[f64]| format!("{:.0}", median(samples));
        let spread = format!("±{:.0}", spread(&again));
        vec![self.name.to_owned(), cell(&parsing), cell(&selecting), cell(&first), cell(&again), spread]
    }

    fn fields(&self) -> Vec<(&[u8], &[u8])> {
        let authorization = self.authorization.iter().map(|value| ("authorization", value.as_str()));
        let all = FIELDS.iter().copied().chain([(":path", self.path)]).chain(authorization);
        all.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    }

    /// Selects the rule by host and path, as `decide` does first.
    fn select(&self, request: &Request<'_>) -> Option<usize> {
        let request = black_box(request);
        let host = Host::parse(request.authority.unwrap_or_default()).expect("a host");
        let interpretations = PathInterpretations::of(request.path.expect("a path")).expect("a plain path");
        let target = Target {
            method: request.method,
            host: host.as_ref(),
            peer: request.peer,
            interpretations: &interpretations,
            mcp: None,
        };
        self.policy.index.select(&target).expect("one rule or none").map(RuleId::index)
    }
}

fn context() -> Context<'static> {
    let now = NumericDate::from_seconds(mint::now() as f64).expect("a time");
    Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false }
}

/// Returns several samples of the nanoseconds that a call takes.
fn time<T>(mut call: impl FnMut() -> T) -> Vec<f64> {
    let mut batch = |count: u32| {
        let start = Instant::now();
        for _ in 0..count {
            black_box(call());
        }
        start.elapsed()
    };
    let once = batch(1).max(Duration::from_nanos(1)).min(batch(1).max(Duration::from_nanos(1)));
    let count = (SAMPLE.as_nanos() / once.as_nanos()).clamp(1, 100_000) as u32;
    (0..SAMPLES).map(|_| batch(count).as_nanos() as f64 / f64::from(count)).collect()
}
