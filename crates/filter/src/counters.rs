//! Counters of decisions, published by [`metrics`](crate::metrics). Labels come from the policy and from a fixed list
//! of reasons, so their number is bounded whatever clients send.

use std::collections::BTreeMap;

use authgate::decision::{Decision, Verdict};
use authgate::policy::Policy;
use authgate::principal::AuthenticatorId;

/// Labels of a counted decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// `allowed`, `denied`, or `answered` for a reply without authentication. A `shadow_` prefix marks the decision
    /// about a request in shadow, which continued.
    outcome: &'static str,
    /// Reason code of a denial.
    reason: Option<&'static str>,
    /// Index of the authenticator in the policy.
    authenticator: Option<AuthenticatorId>,
    /// Index of the rule in the policy.
    rule: Option<usize>,
}

/// Number of decisions since they were last taken.
#[derive(Default)]
pub struct Counters {
    counts: BTreeMap<Labels, u64>,
}

impl Counters {
    /// Counts a decision. A pending request is counted when it is decided.
    pub fn count(&mut self, decision: &Decision<'_>) {
        let (verdict, is_enforced) = match &decision.shadowed {
            None => (&decision.verdict, true),
            Some(shadowed) => (shadowed, false),
        };
        let outcome = |enforced, shadowed| if is_enforced { enforced } else { shadowed };
        let (outcome, reason, authenticator) = match verdict {
            Verdict::Pending(_) => return,
            Verdict::Allow(permit) => {
                let by = permit.as_ref().map(|permit| permit.first().authenticator);
                (outcome("allowed", "shadow_allowed"), None, by)
            }
            Verdict::Deny(denial) => {
                let reason = denial.reason;
                let code = reason.detail_code().unwrap_or(reason.code());
                (outcome("denied", "shadow_denied"), Some(code), denial.authenticator)
            }
            Verdict::Reply(_) => (outcome("answered", "shadow_answered"), None, None),
        };
        let labels = Labels { outcome, reason, authenticator, rule: decision.rule.map(|rule| rule.number) };
        *self.counts.entry(labels).or_default() += 1;
    }

    /// Takes the counts since the last call.
    pub fn take(&mut self) -> BTreeMap<Labels, u64> {
        std::mem::take(&mut self.counts)
    }
}

impl Labels {
    /// Returns the counter name. It contains the labels, since the ABI has none. A dot separates labels, so no label
    /// contains one.
    ///
    /// `authgate_requests_total.outcome.denied.reason.expired.authenticator.partners.rule.admin`
    pub fn name(&self, policy: &Policy) -> String {
        let authenticator = self.authenticator.and_then(|at| policy.authenticator(at));
        let rule = self.rule.and_then(|at| policy.rules.get(at));
        format!(
            "authgate_requests_total.outcome.{}.reason.{}.authenticator.{}.rule.{}",
            self.outcome,
            self.reason.unwrap_or("none"),
            authenticator.map_or("none", |authenticator| &authenticator.name),
            rule.map_or("none", |rule| &rule.name).replace('.', "_"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use authgate::authn::{Context, NullHost};
    use authgate::cache::CredentialCache;
    use authgate::decision::decide;
    use authgate::decision::state::State;
    use authgate::http::request::Request;
    use authgate::jose::jwt::SoftwareVerifier;
    use authgate::timestamp::NumericDate;

    #[test]
    fn a_counter_is_named_by_what_the_policy_says_of_a_request() {
        let configuration = serde_json::json!({
            "authenticators": {"staff": {"basic": {"allow_plaintext": true, "users": {"alice": "{PLAIN}secret"}}}},
            "rules": [
                {"name": "v1.public", "match": {"prefix": "/public"}, "public": true},
                {"name": "trial", "match": {"prefix": "/trial"}, "require": "staff", "shadow": true},
                {"require": "staff"},
            ],
        });
        let configuration = authgate::config::from_value(configuration).unwrap();
        let policy = authgate::policy::build(&configuration, &|_| None).unwrap().policy;
        let mut state = State::new(&policy, CredentialCache::new([0; 16], policy.limits));
        let mut counters = Counters::default();
        let context = Context {
            now: NumericDate::EPOCH,
            signatures: &SoftwareVerifier,
            host: &NullHost,
            may_wait: false,
        };
        let alice: &[u8] = b"Basic YWxpY2U6c2VjcmV0";
        for (path, authorization) in [
            ("/public", None),
            ("/x", Some(alice)),
            ("/x", Some(alice)),
            ("/x", None),
            ("/x", Some(&b"Basic YWxpY2U6bm8="[..])),
            ("/trial", None),
            ("/trial", Some(alice)),
            ("*", None),
        ] {
            let path = [(&b":path"[..], path.as_bytes())];
            let authorization = authorization.map(|value| (&b"authorization"[..], value));
            let request = Request::new(path.into_iter().chain(authorization), None);
            counters.count(&decide(&policy, &request, &mut state, context));
        }
        let counted: Vec<_> =
            counters.take().into_iter().map(|(labels, count)| (labels.name(&policy), count)).collect();
        let name = |rest: &str| format!("authgate_requests_total.outcome.{rest}");
        assert_eq!(
            counted,
            [
                (name("allowed.reason.none.authenticator.none.rule.v1_public"), 1),
                (name("allowed.reason.none.authenticator.staff.rule.rule-2"), 2),
                (name("denied.reason.invalid_credentials.authenticator.staff.rule.rule-2"), 1),
                (name("denied.reason.missing_credentials.authenticator.none.rule.rule-2"), 1),
                (name("denied.reason.no_rule.authenticator.none.rule.none"), 1),
                (name("shadow_allowed.reason.none.authenticator.staff.rule.trial"), 1),
                (name("shadow_denied.reason.missing_credentials.authenticator.none.rule.trial"), 1),
            ]
        );
        assert!(counters.take().is_empty());
    }
}
