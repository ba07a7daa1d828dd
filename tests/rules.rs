//! Rule selection: the index gives the same result as a scan according to the documentation, rule by rule and
//! interpretation by interpretation. Rules and requests come from `tests/cases/rules.yaml` and from a random generator
//! that makes them likely to match. The smallest failing random case is added to that file, so later runs repeat it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test may panic

#[path = "rules/model.rs"]
mod model;
#[path = "rules/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{Policy, build};
use authgate::timestamp::NumericDate;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde::{Deserialize, Serialize};
use serde_json::json;

use model::{Request, Rules};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/rules.yaml");

/// Number of rule sets, unless `PROPTEST_CASES` is set; each gets [`random::REQUESTS`] requests.
const SETS: u32 = 512;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The `match` of each rule; null matches every request.
    rules: Rules,
    /// Requests `METHOD target [authority [peer]]`, where `-` means absent, and the expected rule name or denial
    /// reason.
    requests: BTreeMap<String, String>,
}

#[test]
fn a_request_selects_what_its_case_says() {
    let cases: Vec<Case> = serde_yaml_ng::from_str(&fs::read_to_string(CASES).unwrap()).unwrap();
    assert!(cases.len() > 5);
    for Case { name, rules, requests } in cases {
        let policy = policy(&rules);
        for (request, expected) in requests {
            let request = Request::parse(&request);
            let found = (selected(&policy, &request), model::selected(&rules, &request));
            assert_eq!(found, (expected.clone(), expected), "{name}: {request}");
        }
    }
}

#[test]
fn the_index_gives_what_a_scan_gives() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(SETS);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&random::rules_and_requests(), |(rules, requests)| {
        let policy = policy(&rules);
        let differs = |request: &&Request| selected(&policy, request) != model::selected(&rules, request);
        match requests.iter().find(differs) {
            None => Ok(()),
            Some(request) => Err(TestCaseError::fail(request.to_string())),
        }
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, (rules, requests))) => {
            // A panic has another message.
            let request = requests.iter().find(|request| request.to_string() == why.message());
            let case = keep(rules, request.unwrap_or_else(|| panic!("{why}")));
            panic!("added to {CASES}, with what the contract says:\n{case}");
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// Adds a case to the file, and returns its text.
fn keep(rules: Rules, request: &Request) -> String {
    let expected = model::selected(&rules, request);
    let name = "at random: say here what it was".to_owned();
    let case = Case { name, rules, requests: [(request.to_string(), expected)].into() };
    let text = serde_yaml_ng::to_string(&[case]).unwrap();
    OpenOptions::new().append(true).open(CASES).unwrap().write_all(text.as_bytes()).unwrap();
    text
}

/// Returns a policy of public rules, so each decision names its rule.
fn policy(rules: &Rules) -> Policy {
    let rule = |matches: &Option<_>| match matches {
        None => json!({"public": true}),
        Some(matches) => json!({"match": matches, "public": true}),
    };
    let configuration = json!({"rules": rules.iter().map(rule).collect::<Vec<_>>()});
    let config = config::from_value(configuration.clone());
    let built = config.and_then(|config| build(&config, &|_| None));
    built.unwrap_or_else(|errors| panic!("{configuration}: {errors:?}")).policy
}

/// Returns the name of the rule, or the reason why there is none.
fn selected(policy: &Policy, request: &Request) -> String {
    let context =
        Context { now: NumericDate::EPOCH, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
    let mut state = State::new(policy, CredentialCache::new([0; 16], policy.limits));
    let pairs = request.pairs();
    let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let asked = authgate::http::request::Request::new(pairs, request.peer);
    let decision = decide(policy, &asked, &mut state, context);
    match (decision.verdict, decision.rule) {
        (Verdict::Allow(None), Some(rule)) => rule.name.clone(),
        (Verdict::Deny(denial), None) => denial.reason.code().to_owned(),
        _ => panic!("{request}: neither let through by a rule nor refused by none"),
    }
}
