//! Cases in tables: a request and its expected result.

use crate::e2e::client::Request;
use crate::e2e::proxy::{Exchange, Proxy};
use crate::e2e::wire::Message;

/// A request and its expected result.
#[derive(Debug, Clone)]
pub struct Case {
    hazard: String,
    request: Request,
    statuses: Vec<u16>,
    code: Option<&'static str>,
    challenges: Option<Vec<String>>,
    more_challenges: bool,
    upstream: Vec<Upstream>,
}

#[derive(Debug, Clone)]
enum Upstream {
    Has(String, Vec<String>),
    Target(String),
}

/// A request that passes. `hazard` names what the case guards against.
pub fn passes(hazard: impl Into<String>, request: Request) -> Case {
    Case {
        hazard: hazard.into(),
        request,
        statuses: vec![200],
        code: None,
        challenges: None,
        more_challenges: false,
        upstream: Vec::new(),
    }
}

/// A request that authgate denies, with this reason code in the body and without a challenge.
pub fn denied(hazard: impl Into<String>, request: Request, status: u16, code: &'static str) -> Case {
    let case = passes(hazard, request);
    Case { statuses: vec![status], code: Some(code), challenges: Some(Vec::new()), ..case }
}

/// A request that must not pass, whether Envoy or authgate rejects it; status 0 means that the connection is closed.
pub fn refused(hazard: impl Into<String>, request: Request) -> Case {
    Case { statuses: vec![0, 400, 401, 403, 404, 405, 431], ..passes(hazard, request) }
}

impl Case {
    /// Expects exactly these `WWW-Authenticate` headers, in order. A `…` matches any text.
    pub fn challenge(mut self, challenges: &[&str]) -> Self {
        self.challenges = Some(challenges.iter().map(|&c| c.to_owned()).collect());
        self
    }

    /// Expects these `WWW-Authenticate` headers first; others may follow, without an error.
    pub fn challenge_first(mut self, challenges: &[&str]) -> Self {
        self.more_challenges = true;
        self.challenge(challenges)
    }

    /// Allows any challenges; a 401 has at least one.
    pub fn any_challenge(mut self) -> Self {
        self.challenges = None;
        self
    }

    /// Expects this header upstream, once, with this value.
    pub fn upstream(mut self, name: &str, value: &str) -> Self {
        self.upstream.push(Upstream::Has(name.to_owned(), vec![value.to_owned()]));
        self
    }

    /// Expects no such header or trailer upstream, in any spelling.
    pub fn upstream_lacks(mut self, name: &str) -> Self {
        self.upstream.push(Upstream::Has(name.to_owned(), Vec::new()));
        self
    }

    /// Expects this request target upstream, byte for byte.
    pub fn upstream_target(mut self, target: &str) -> Self {
        self.upstream.push(Upstream::Target(target.to_owned()));
        self
    }

    /// Expects this user, authenticated by this authenticator, in the identity headers upstream.
    pub fn identity(self, user: &str, by: &str) -> Self {
        self.upstream("x-auth-user", user).upstream("x-auth-by", by)
    }

    /// Expects no identity headers upstream.
    pub fn anonymous(self) -> Self {
        self.upstream_lacks("x-auth-user").upstream_lacks("x-auth-by")
    }

    fn faults(&self, exchange: &Exchange) -> Vec<String> {
        let mut faults = Vec::new();
        let answer = &exchange.answer;
        if !self.statuses.contains(&exchange.status) {
            faults.push(format!("status {} instead of {:?}", exchange.status, self.statuses));
        }
        let arrived = usize::from(self.statuses == [200]);
        if exchange.upstream.len() != arrived {
            faults.push(format!("reached upstream {} times instead of {arrived}", exchange.upstream.len()));
        }
        if let Some(code) = self.code {
            let plain = answer.all("content-type").iter().any(|v| v.starts_with("text/plain"));
            let explained = plain && answer.body.contains(code);
            if !explained && !self.request.is_head() {
                faults.push(format!("a body that does not name {code} in plain text"));
            }
        }
        if exchange.status == 401 && answer.all("www-authenticate").is_empty() {
            faults.push("401 without a challenge".to_owned());
        }
        if let Some(expected) = &self.challenges {
            faults.extend(self.challenge_fault(expected, &answer.all("www-authenticate")));
        }
        if let Some(seen) = exchange.upstream.first() {
            faults.extend(self.upstream.iter().filter_map(|expected| expected.fault(seen)));
        }
        if self.request.secrets().iter().any(|secret| answer.body.contains(secret.as_str())) {
            faults.push("the body shows the credential".to_owned());
        }
        faults
    }

    fn challenge_fault(&self, expected: &[String], found: &[&str]) -> Option<String> {
        let (first, rest) = found.split_at(expected.len().min(found.len()));
        let alike = first.len() == expected.len()
            && expected.iter().zip(first).all(|(pattern, text)| fits(pattern, text));
        let rest_is_plain = rest.iter().all(|challenge| !challenge.contains("error="));
        let rest_is_wanted = rest.is_empty() || self.more_challenges && rest_is_plain;
        (!alike || !rest_is_wanted).then(|| format!("challenges {found:?} instead of {expected:?}"))
    }
}

impl Upstream {
    fn fault(&self, seen: &Message) -> Option<String> {
        match self {
            Self::Target(target) => (seen.second_word() != target)
                .then(|| format!("upstream got {} instead of {target}", seen.second_word())),
            Self::Has(name, values) => {
                let found = every_spelling(seen, name);
                (found != *values).then(|| format!("upstream got {name} {found:?} instead of {values:?}"))
            }
        }
    }
}

/// Returns the values of a header or trailer in any spelling that a CGI-like service would map to the same name.
fn every_spelling(seen: &Message, name: &str) -> Vec<String> {
    let folded = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
    let fields = seen.fields.iter().chain(&seen.trailers);
    fields.filter(|(found, _)| folded(found) == folded(name)).map(|(_, value)| value.clone()).collect()
}

/// True if a text matches a pattern in which `…` matches any text.
pub fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

/// Sends each case to a listener, followed by a good request unless the case is expected to pass. Faults are reported
/// by [`Proxy::finish`], so a single run shows all of them.
pub fn check(proxy: &Proxy, listener: &str, cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let exchange = proxy.send(listener, &case.request);
        let mut found = case.faults(&exchange);
        if case.statuses != [200] {
            found.extend(proxy.still_serves(listener).err());
        }
        if !found.is_empty() {
            let answer = format!("{} {:?}", exchange.answer.start, exchange.answer.body);
            let fault =
                format!("{listener}: {}\n    {}\n    answer: {answer}", case.hazard, found.join("\n    "));
            proxy.fault(fault);
        }
    }
}
