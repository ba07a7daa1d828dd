//! Digest credentials for measurements: a nonce from the core, made with the listener's key, and responses to it.

use std::sync::OnceLock;
use std::time::SystemTime;

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::build;
use authgate::response::Form;
use authgate::timestamp::NumericDate;
use serde_json::{Value, json};

use crate::policy::PASSWORD;
use authgate_testing::digest_client::{Answer, Challenge, sha256};

/// Returns a policy with one rule and one user.
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

/// Returns the response with this count to a nonce that all responses share.
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
    let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
    let mut state = State::new(&built.policy, CredentialCache::new([0; 16], built.policy.limits));
    let request = Request::new([(&b":path"[..], &b"/x"[..])].into_iter(), None);
    let Verdict::Deny(denial) = decide(&built.policy, &request, &mut state, context).verdict else {
        panic!("a challenge")
    };
    let response = denial.response(&built.policy.denials, Form::Text);
    response.fields.iter().find_map(|(_, value)| Challenge::parse(value)).expect("a challenge")
}
