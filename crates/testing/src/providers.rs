//! Identity providers for the case files, with scripted responses.

use std::collections::BTreeMap;

use authgate::decision::state::State;
use authgate::policy::Policy;
use authgate::principal::AuthenticatorId;
use authgate::remote::callout::{CallId, Effect, HttpResponse};
use authgate::remote::jwks::Tick;
use authgate::timestamp::NumericDate;
use serde_json::Value;

/// The providers of all authenticators.
pub struct Providers<'a> {
    policy: &'a Policy,
    /// Requests without a response, each with its authenticator.
    asked: Vec<(AuthenticatorId, CallId)>,
}

impl<'a> Providers<'a> {
    /// Starts the providers with a first tick, which sends the requests.
    pub fn new(policy: &'a Policy, state: &mut State, now: f64) -> Self {
        state.tick(Tick { now: NumericDate::from_seconds(now).unwrap(), jitter: 0.0 });
        Providers { policy, asked: Vec::new() }
    }

    pub fn answer(&mut self, state: &mut State, answers: &BTreeMap<String, Value>, now: f64) {
        self.asked.extend(state.take_effects().into_iter().filter_map(|(source, effect)| match effect {
            Effect::Call(call, _) => Some((source, call)),
            _ => None,
        }));
        for (name, answer) in answers {
            let mut body = answer.clone();
            crate::placeholders::insert_keys(&mut body);
            let body = body.to_string();
            let status = answer.as_u64().map_or(200, |status| status as u16);
            let names = |(source, _): &(AuthenticatorId, CallId)| {
                self.policy.authenticators[source.index()].name == *name
            };
            let at = self.asked.iter().position(names).unwrap_or_else(|| panic!("{name} asks nothing"));
            let (source, call) = self.asked.remove(at);
            let answer = HttpResponse { status, cache_control: None, body: body.as_bytes() };
            let now = NumericDate::from_seconds(now).unwrap();
            state.answered(source, call, Ok(answer), Tick { now, jitter: 0.0 });
        }
    }
}
