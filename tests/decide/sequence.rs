//! Requests that a single worker receives one after the other, so its caches matter.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use authgate::authn::sender_constraint::CertificateDigest;
use authgate::authn::{Context, HostInfo};
use authgate::cache::CredentialCache;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::Policy;
use authgate::response::Form;
use authgate::timestamp::NumericDate;
use serde::Deserialize;
use serde_json::Value;

use super::providers::Providers;
use super::{NOW, after, expand, expect, outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    pub name: String,
    steps: Vec<Step>,
}

/// A request, possibly sent several times; see `Case` for fields of the same name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Time of the request, in seconds after the start.
    #[serde(default)]
    at: f64,
    /// Number of times that the request is sent, with the same outcome each time.
    #[serde(default = "once")]
    times: u32,
    #[serde(default = "get")]
    request: String,
    /// Headers; `<n>` is replaced by the number of the repetition.
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default = "super::peer")]
    peer: String,
    /// Responses of identity providers before the request, as in `Later`.
    #[serde(default)]
    fetched: BTreeMap<String, Value>,
    /// True if the request may wait.
    #[serde(default = "yes")]
    may_wait: bool,
    /// Duration of a slow hash, or of a signature in software, in seconds.
    #[serde(default)]
    hash: f64,
    expect: String,
    /// The Retry-After of the response.
    retry_after: Option<String>,
    /// All headers of the forwarded request, exactly.
    upstream: Option<Vec<String>>,
}

fn once() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn get() -> String {
    "GET /".to_owned()
}

/// A host whose clock advances each time it is read, as if a hash were computed between two reads.
struct Host {
    hash: Duration,
    asked: Cell<u32>,
    peer: Option<IpAddr>,
}

impl HostInfo for Host {
    fn time(&self) -> NumericDate {
        let asked = self.asked.replace(self.asked.get() + 1);
        NumericDate::EPOCH.plus(self.hash * asked)
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        None
    }
}

impl Sequence {
    pub fn check(&self, policy: &Policy, tokens: &BTreeMap<String, String>) -> Result<(), String> {
        let mut state = State::new(policy, CredentialCache::new([0; 16], policy.limits));
        let mut providers = Providers::new(policy, &mut state, NOW);
        for (number, step) in self.steps.iter().enumerate() {
            providers.answer(&mut state, &step.fetched, NOW + step.at);
            for time in 1..=step.times {
                let checked = step.check(policy, tokens, &mut state, time);
                checked.map_err(|why| format!("step {}, time {time}: {why}", number + 1))?;
            }
        }
        Ok(())
    }
}

impl Step {
    fn check(
        &self,
        policy: &Policy,
        tokens: &BTreeMap<String, String>,
        state: &mut State,
        time: u32,
    ) -> Result<(), String> {
        let (method, path) = self.request.split_once(' ').unwrap();
        let mut pairs: Vec<(String, Vec<u8>)> = vec![
            (":method".to_owned(), method.into()),
            (":scheme".to_owned(), b"https".to_vec()),
            (":authority".to_owned(), b"api.example.com".to_vec()),
            (":path".to_owned(), path.into()),
        ];
        for field in &self.fields {
            let (name, value) = field.split_once(':').unwrap();
            let value = value.trim().replace("<n>", &time.to_string());
            pairs.push((name.to_owned(), expand(&value, tokens)));
        }
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        // As in the filter, the address is looked up only if it is needed.
        let request = Request::new(pairs, None);
        let host = Host {
            hash: Duration::from_secs_f64(self.hash),
            asked: Cell::new(0),
            peer: self.peer.parse().ok(),
        };
        let now = NumericDate::from_seconds(NOW + self.at).unwrap();
        let context = Context { now, signatures: &SoftwareVerifier, host: &host, may_wait: self.may_wait };
        let decision = decide(policy, &request, state, context);
        expect("decision", &self.expect, &outcome(policy, &decision))?;
        if let Some(expected) = &self.retry_after {
            let verdict = decision.shadowed.as_ref().unwrap_or(&decision.verdict);
            let Verdict::Deny(denial) = verdict else { return Err("not denied".to_owned()) };
            let response = denial.response(&policy.denials, Form::Text);
            let found = response.fields.iter().find(|(name, _)| *name == "retry-after");
            expect("retry-after", expected, found.map_or("none", |(_, value)| value.as_ref()))?;
        }
        if let Some(expected) = &self.upstream {
            let expected: Vec<_> =
                expected.iter().map(|field| String::from_utf8(expand(field, tokens)).unwrap()).collect();
            expect("upstream", &expected.join("\n"), &after(&request, &decision.mutations).join("\n"))?;
        }
        Ok(())
    }
}
