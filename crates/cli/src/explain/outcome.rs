//! The outcome of a request: the response, or the upstream request.

use authgate::decision::{Decision, Verdict};
use authgate::http::location::{self, CredentialLocation};
use authgate::http::request::Request;
use authgate::policy::{Access, Policy};
use authgate::response::{Form, Reason};
use serde::Serialize;

use super::credentials::coded;
use crate::trace::{Check, Event};

/// The outcome of a request.
#[derive(Serialize)]
pub struct Outcome {
    /// `allow`, `deny` or `answer`.
    pub decision: &'static str,
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'static str>,
    /// The decision that shadow mode does not carry out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadowed: Option<String>,
    /// The part that the request or the caller lacks, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
}

#[derive(Serialize)]
pub struct Response {
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<u8>,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// The upstream request.
#[derive(Serialize)]
pub struct Upstream {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub removed: Vec<String>,
}

/// The outcome of a decision on `request`.
pub fn of(policy: &Policy, request: &Request<'_>, decision: &Decision<'_>, heard: &[Event]) -> Outcome {
    let name = |id| policy.authenticator(id).map(|authenticator| authenticator.name.clone());
    let mut outcome = Outcome {
        decision: "allow",
        rule: decision.rule.map(|rule| rule.name.clone()),
        access: decision.rule.map(|rule| match &rule.access {
            Access::Public => "public",
            Access::Denied => "denied",
            Access::Protected(protection) if protection.optional => "optional",
            Access::Protected(_) => "required",
        }),
        subject: None,
        authenticator: None,
        reason: None,
        detail: None,
        shadowed: decision.shadowed.as_ref().map(|verdict| match verdict {
            Verdict::Allow(_) => "allow".to_owned(),
            Verdict::Reply(answer) => format!("{} answer", answer.status),
            Verdict::Pending(_) => "awaited".to_owned(),
            Verdict::Deny(denial) => {
                let status = denial.response(&policy.denials, Form::Text).status;
                format!("{status} {}", coded(denial.reason))
            }
        }),
        lacks: None,
        response: None,
        upstream: None,
    };
    match &decision.verdict {
        Verdict::Allow(permit) => {
            if let Some(first) = permit.as_ref().map(|permit| permit.first()) {
                outcome.subject = Some(first.principal.subject.clone());
                outcome.authenticator = name(first.authenticator);
            }
            outcome.upstream = Some(upstream(policy, request, decision));
        }
        Verdict::Reply(answer) => {
            outcome.decision = "answer";
            let headers = answer.fields.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            outcome.response = Some(Response {
                status: answer.status,
                grpc_status: None,
                headers: headers.collect(),
                body: answer.body.to_string(),
            });
        }
        // Unreachable: the context does not allow requests to wait.
        Verdict::Pending(_) => outcome.decision = "await",
        Verdict::Deny(denial) => {
            let response = denial.response(&policy.denials, policy.denials.form(request));
            outcome.decision = "deny";
            outcome.authenticator = denial.authenticator.and_then(name);
            outcome.reason = Some(denial.reason.code());
            outcome.detail = denial.reason.detail_code();
            if denial.reason == Reason::InsufficientScope {
                outcome.lacks = lacks(decision, heard);
            }
            let headers = response.fields.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            outcome.response = Some(Response {
                status: response.status,
                grpc_status: response.grpc_status,
                headers: headers.collect(),
                body: response.body.clone(),
            });
        }
    }
    outcome
}

/// The scopes that `authorize` requires, and those of the caller.
fn lacks(decision: &Decision<'_>, heard: &[Event]) -> Option<String> {
    let Access::Protected(protection) = &decision.rule?.access else { return None };
    let known = heard.iter().find_map(|heard| match &heard.check {
        Check::Credential(Ok(known)) => Some(known),
        _ => None,
    })?;
    let scopes = protection.authorizations.iter().map(|authorization| authorization.scope());
    let scopes: Vec<String> = scopes.filter(|scope| !scope.is_empty()).collect();
    let has = known.scopes.join(" ");
    let wants = scopes.join("\" or \"");
    Some(format!("{:?} has the scopes {has:?}; `authorize` requires {wants:?}", known.subject))
}

/// The upstream request of an allowed request.
fn upstream(policy: &Policy, request: &Request<'_>, decision: &Decision<'_>) -> Upstream {
    let mutations = &decision.mutations;
    let is_set = |name: &[u8]| mutations.set.iter().any(|(set, _)| set.as_bytes() == name);
    let kept = request.fields.iter().filter(|(name, _)| !mutations.remove.contains(name) && !is_set(name));
    let kept = kept.map(|(name, value)| (*name, *value));
    let written = mutations.set.iter().filter(|(name, _)| *name != ":path");
    let written = written.map(|(name, value)| (name.as_bytes(), value.as_slice()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = kept.chain(written).map(|(name, value)| {
        let value = if is_secret(policy, name) { "***".to_owned() } else { text(value) };
        (text(name), value)
    });
    let path = mutations.set.iter().find(|(name, _)| *name == ":path").map(|(_, path)| path.as_slice());
    let shown = Request { path: path.or(request.path), ..request.clone() };
    Upstream {
        method: text(request.method),
        path: text(&without_credentials(policy, &shown)),
        headers: headers.collect(),
        removed: mutations.remove.iter().filter(|name| !is_set(name)).map(|name| text(name)).collect(),
    }
}

/// Returns true if a header may contain a credential.
fn is_secret(policy: &Policy, name: &[u8]) -> bool {
    let locations = policy.authenticators.iter().flat_map(|authenticator| authenticator.scheme.locations());
    let mut fields = locations.filter_map(|place| match place {
        CredentialLocation::Field { name, .. } => Some(name.as_str()),
        CredentialLocation::Query(_) | CredentialLocation::Cookie(_) => None,
    });
    let is_known =
        ["authorization", "proxy-authorization", "cookie"].iter().any(|known| known.as_bytes() == name);
    is_known || fields.any(|field| field.as_bytes() == name)
}

/// The path without query parameters that may contain tokens.
pub fn without_credentials(policy: &Policy, request: &Request<'_>) -> Vec<u8> {
    let path = request.path.unwrap_or_default();
    let names: Vec<&str> = policy.token_parameters.iter().map(String::as_str).collect();
    location::without_parameters(path, &names).unwrap_or_else(|| path.to_vec())
}

impl Outcome {
    /// Returns true if the request is allowed, or the response is metadata.
    pub fn passes(&self) -> bool {
        matches!(self.decision, "allow" | "answer")
    }

    /// The reason and detail, as `reason/detail`.
    pub fn coded(&self) -> String {
        match (self.reason, self.detail) {
            (Some(reason), Some(detail)) => format!("{reason}/{detail}"),
            (Some(reason), None) => reason.to_owned(),
            (None, _) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_may_contain_credentials_are_not_shown() {
        let json = br#"{"authenticators": {"a": {"api_key": {
            "from": [{"header": "x-api-key"}, {"cookie": "session"}],
            "keys": [{"id": "ci", "sha256": "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"}]
        }}}, "rules": [{"require": "a"}]}"#;
        let config = authgate::config::parse(json).unwrap();
        let policy = authgate::policy::build(&config, &|_| None).unwrap().policy;
        for name in ["authorization", "proxy-authorization", "cookie", "x-api-key"] {
            assert!(is_secret(&policy, name.as_bytes()), "{name}");
        }
        assert!(!is_secret(&policy, b"x-request-id"));
    }
}
