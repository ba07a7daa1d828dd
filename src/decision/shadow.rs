//! Shadow mode: a request is decided in full, but the verdict is not enforced.

use super::{Decision, Verdict};
use crate::decision::mutations;
use crate::http::request::Request;
use crate::policy::Policy;

/// Allows a request in shadow mode, and keeps the verdict in [`Decision::shadowed`]. A request without a rule is in
/// shadow mode if the policy as a whole is.
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
