//! Digest under measurement: a nonce from the core, made with the key that the listener has too, and answers to it.

use std::sync::OnceLock;
use std::time::SystemTime;

use authgate::config;
use authgate::decision::{Verdict, decide};
use authgate::denial::Form;
use authgate::jwt::SoftwareVerifier;
use authgate::memory::Memory;
use authgate::numeric_date::NumericDate;
use authgate::policy::build;
use authgate::request::Request;
use authgate::scheme::{NoHost, Surroundings};
use authgate::state::State;
use serde_json::{Value, json};

use crate::digest_client::{Answer, Challenge, sha256};
use crate::policy::PASSWORD;

/// One rule over one user.
pub fn digest() -> Value {
    let secret = sha256(&format!("alice:bench:{PASSWORD}"));
    json!({
        "authenticators": {"legacy": {"digest": {
            "htdigest": format!("alice:bench:{secret}"),
            "nonce_key": "known to the bench and the filter",
            "nonce_lifetime": "1d",
        }}},
        "rules": [{"require": "legacy"}],
    })
}

/// The answer with this count to one nonce for all.
pub fn answer(serial: u64) -> String {
    static CHALLENGE: OnceLock<Challenge> = OnceLock::new();
    let challenge = CHALLENGE.get_or_init(challenge);
    let answer = Answer::new(challenge, "alice", PASSWORD, "GET", "/x").with("nc", &format!("{serial:08x}"));
    answer.signed().field()
}

fn challenge() -> Challenge {
    let config = config::from_value(digest()).expect("a configuration");
    let Ok(built) = build(&config, &|_| None) else { panic!("a policy") };
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("a clock");
    let now = NumericDate::from_seconds(since.as_secs_f64()).expect("a time");
    let surroundings =
        Surroundings { now, signatures: &SoftwareVerifier, on_demand: &NoHost, may_wait: false };
    let mut state = State::new(&built.policy, Memory::new([0; 16], built.policy.limits));
    let request = Request::new([(&b":path"[..], &b"/x"[..])].into_iter(), None);
    let Verdict::Deny(denial) = decide(&built.policy, &request, &mut state, surroundings).verdict else {
        panic!("a challenge")
    };
    let response = denial.response(&built.policy.denials, Form::Text);
    response.fields.iter().find_map(|(_, value)| Challenge::parse(value)).expect("a challenge")
}
