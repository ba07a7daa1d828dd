//! Shadow: what would be decided is decided in full, and the request goes on as on a public route.

use super::{Decision, Verdict};
use crate::decision::mutations;
use crate::http::request::Request;
use crate::policy::Policy;

/// Lets a request go on whatever was decided. Where no rule is known, what the top of the configuration says counts.
pub fn cast<'a>(policy: &Policy, request: &Request<'a>, decision: Decision<'a>) -> Decision<'a> {
    if !decision.rule.map_or(policy.is_shadowed, |rule| rule.is_shadowed) {
        return decision;
    }
    Decision {
        verdict: Verdict::Allow(None),
        mutations: mutations::of_public(policy, request),
        rule: decision.rule,
        shadowed: Some(decision.verdict),
    }
}
