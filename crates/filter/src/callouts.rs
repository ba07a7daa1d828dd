//! Sends the callouts that the core requests, and passes the responses to it.

use super::{Filter, HeaderMap, Host, PluginInstance};
use crate::header_map;
use crate::outstanding::Outstanding;
use authgate::principal::AuthenticatorId;
use authgate::remote::callout::{CallId, CalloutError, Effect, HttpResponse, Severity};
use authgate::remote::jwks::Tick;

impl<H: Host> Filter<H> {
    /// Returns the current time and a random number.
    pub(super) fn tick(&self) -> Tick {
        let mut bytes = [0; 4];
        let is_random = self.host.fill_random(&mut bytes);
        let jitter = f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0);
        Tick { now: self.host.now(), jitter: if is_random { jitter } else { 0.5 } }
    }

    /// Carries out the pending effects of the core. The root context must be effective: the host delivers responses to
    /// the context that sent the callout, and a stream's context may be gone by then.
    pub(super) fn carry_out(&self, instance: &PluginInstance) {
        loop {
            let effects = instance.state.try_borrow_mut().map(|mut state| state.take_effects());
            let Some(effects) = effects.ok().filter(|effects| !effects.is_empty()) else { return };
            for (authenticator, effect) in effects {
                match effect {
                    Effect::Call(call, callout) => match self.host.call(&callout) {
                        Ok(number) => {
                            let max_body = callout.max_body;
                            let outstanding = Outstanding { number, authenticator, call, max_body };
                            if let Ok(mut callouts) = instance.callouts.try_borrow_mut() {
                                callouts.push(outstanding);
                            }
                        }
                        Err(error) => self.tell(instance, authenticator, call, Err(error)),
                    },
                    Effect::Settled(fetch_id) => {
                        if let Ok(mut callouts) = instance.callouts.try_borrow_mut() {
                            callouts.settle(authenticator, fetch_id);
                        }
                    }
                    Effect::Report(severity, text) => report(instance, authenticator, severity, &text),
                }
            }
        }
    }

    /// Passes the response to the callout with this number to the core. Zero header fields mean that there is no
    /// response.
    pub(super) fn take_answer(
        &self,
        instance: &PluginInstance,
        number: u32,
        headers: usize,
        body_size: usize,
    ) {
        let taken = instance.callouts.try_borrow_mut().ok().and_then(|mut callouts| callouts.take(number));
        let Some(Outstanding { authenticator, call, max_body, .. }) = taken else { return };
        if body_size > max_body {
            return self.tell(instance, authenticator, call, Err(CalloutError::TooLong { max: max_body }));
        }
        let map = if headers == 0 { None } else { self.host.header_map(HeaderMap::CalloutHeaders) };
        let pairs = map.as_deref().and_then(header_map::pairs).unwrap_or_default();
        let value = |name: &[u8]| {
            pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        let status = value(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        let body = if body_size == 0 { Some(Vec::new()) } else { self.host.callout_body(body_size) };
        let outcome = match (status, &body) {
            (Some(status), Some(body)) => {
                Ok(HttpResponse { status, cache_control: value(b"cache-control"), body })
            }
            _ => Err(CalloutError::NoAnswer),
        };
        self.tell(instance, authenticator, call, outcome);
    }

    fn tell(
        &self,
        instance: &PluginInstance,
        authenticator: AuthenticatorId,
        call: CallId,
        outcome: Result<HttpResponse<'_>, CalloutError>,
    ) {
        if let Ok(mut state) = instance.state.try_borrow_mut() {
            state.answered(authenticator, call, outcome, self.tick());
        }
    }
}

fn report(instance: &PluginInstance, authenticator: AuthenticatorId, severity: Severity, text: &str) {
    let level = match severity {
        Severity::Info => log::Level::Info,
        Severity::Warning => log::Level::Warn,
        Severity::Error => log::Level::Error,
    };
    let authenticator = instance.policy.authenticator(authenticator);
    let name = authenticator.map_or("-", |authenticator| authenticator.name.as_str());
    log::log!(level, "authenticator \"{name}\": {text}");
}
