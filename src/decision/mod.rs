//! Decisions: whether a request may pass, and how its headers change.
//!
//! This room is the top of the core. It may use all others, and none of them uses it.
//!
//! [`decide`] is the entry point; [`decide_traced`] is the same with an observer. The functions are in the order in
//! which a request meets them: `judge` selects the rule, `protect` authenticates, and `conclude` authorizes. Permits
//! are issued in this file alone, after both checks. A request that cannot be decided is denied. In shadow mode the
//! verdict is kept, but not enforced.
//!
//! - `evaluation`: the requirement of the rule, evaluated on the credentials of the request
//! - `guard`: throttling, and the time for expensive checks
//! - [`mutations`]: changes to the headers of the request
//! - [`state`]: cached credentials and fetched data
//! - `trace`: observers

mod evaluation;
mod guard;
pub mod mutations;
pub mod state;
mod trace;

use std::rc::Rc;

use crate::authn::Context;
use crate::http::authorization::{Credentials, CredentialsError};
use crate::http::cors;
use crate::http::host::Host;
use crate::http::location::CredentialLocation;
use crate::http::mcp::McpCall;
use crate::http::path::PathInterpretations;
use crate::http::request::Request;
use crate::policy::authorization::{Authorized, authorize};
use crate::policy::rules::{RuleId, SelectError, Target};
use crate::policy::variables::{AmbiguousVariable, VariableValues};
use crate::policy::{Access, Policy, Protection, Rule};
use crate::principal::{AuthenticatorId, Permit};
use crate::remote::callout::Pending;
use crate::response::protected_resource::LocalReply;
use crate::response::{Denial, Reason, Wanted};
use evaluation::{FailedGuesses, Failure, Outcome};
use mutations::{HeaderMutations, VerifiedLocations};
use state::State;
pub use trace::Trace;

/// Result of deciding a request.
pub struct Decision<'a> {
    /// The verdict, as the filter enforces it.
    pub verdict: Verdict,
    /// Changes to the request's headers. A denied or pending request has some too: the access log must not show a
    /// token.
    pub mutations: HeaderMutations<'a>,
    /// The rule that the request selects, if any.
    pub rule: Option<&'a Rule>,
    /// In shadow mode, the verdict that is not enforced. The request is allowed, and only forged identity is removed
    /// from it.
    pub shadowed: Option<Verdict>,
}

/// Verdict on a request.
pub enum Verdict {
    /// The request is allowed; with a permit if a caller was authenticated.
    Allow(Option<Permit>),
    /// The request is denied.
    Deny(Denial),
    /// The filter replies itself, with protected resource metadata
    /// ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)). The request never goes upstream.
    Reply(LocalReply),
    /// The request waits for a fetch, and nothing of it goes upstream. When the fetch or the wait ends, the request is
    /// decided again from the start.
    Pending(Pending),
}

impl Verdict {
    /// Returns the authenticator whose credential was verified or rejected.
    pub fn authenticator(&self) -> Option<AuthenticatorId> {
        match self {
            Verdict::Allow(permit) => permit.as_ref().map(|permit| permit.first().authenticator),
            Verdict::Deny(denial) => denial.authenticator,
            Verdict::Reply(_) | Verdict::Pending(_) => None,
        }
    }
}

/// Decides a request.
///
/// `state` must be used with this policy only, since its cached results depend on the policy. If `context.may_wait` is
/// false, the request is decided with the data that was already fetched.
pub fn decide<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    state: &mut State,
    context: Context<'_>,
) -> Decision<'a> {
    decide_traced(policy, request, state, context, &mut ())
}

/// Decides a request like [`decide`], and reports each check to `trace`, for tools that explain or test a policy.
pub fn decide_traced<'a, T: Trace>(
    policy: &'a Policy,
    request: &Request<'a>,
    state: &mut State,
    context: Context<'_>,
    trace: &mut T,
) -> Decision<'a> {
    let (verdict, rule, verified) = judge(policy, request, state, context, trace);
    let verdict = match verdict {
        Verdict::Deny(denial) => Verdict::Deny(denial.for_request(request)),
        verdict => verdict,
    };
    // A request without a rule is in shadow mode if the policy as a whole is.
    if rule.map_or(policy.is_shadowed, |rule| rule.is_shadowed) {
        let mutations = mutations::of_public(policy, request);
        return Decision { verdict: Verdict::Allow(None), mutations, rule, shadowed: Some(verdict) };
    }
    let mutations = match (&verdict, rule.map(|rule| &rule.access)) {
        (Verdict::Allow(permit), Some(Access::Protected(protection))) => {
            mutations::of_protected(policy, protection, request, permit.as_ref(), &verified)
        }
        (Verdict::Allow(_), _) => mutations::of_public(policy, request),
        (Verdict::Pending(_), _) => mutations::of_waiting(policy, request),
        (Verdict::Deny(_) | Verdict::Reply(_), _) => mutations::of_denied(policy, request),
    };
    Decision { verdict, mutations, rule, shadowed: None }
}

/// Judges a request without regard to shadow mode. Returns the verdict, the rule and the verified credentials.
fn judge<'a, T: Trace>(
    policy: &'a Policy,
    request: &Request<'_>,
    state: &mut State,
    context: Context<'_>,
    trace: &mut T,
) -> (Verdict, Option<&'a Rule>, VerifiedLocations<'a>) {
    if let Some(answer) = policy.resources.answer(request) {
        return (Verdict::Reply(answer), None, VerifiedLocations::new());
    }
    // A CORS preflight has no credentials. The rule of the method that it asks for applies.
    let asked = if policy.allow_preflight { cors::asked_method(request) } else { None };
    let selected = select(policy, request, asked);
    let rule = selected.as_ref().ok().map(|selected| selected.rule);
    let (verdict, verified) = match selected {
        Err(Unselected { reason, is_hidden }) => {
            let denial = Denial::of(reason);
            (Verdict::Deny(if is_hidden { denial.hidden() } else { denial }), VerifiedLocations::new())
        }
        Ok(Selected { rule, values }) => match &rule.access {
            // Checked first: `denials.status` may hide that this rule exists.
            Access::Denied => (Verdict::Deny(Denial::of(Reason::RuleDenied)), VerifiedLocations::new()),
            _ if policy.has_bad_connection(request) => {
                (Verdict::Deny(Denial::of(Reason::BadConnection)), VerifiedLocations::new())
            }
            _ if rule.origins.as_ref().is_some_and(|origins| !origins.allow(request)) => {
                (Verdict::Deny(Denial::of(Reason::OriginNotAllowed)), VerifiedLocations::new())
            }
            Access::Public => (Verdict::Allow(None), VerifiedLocations::new()),
            Access::Protected(protection)
                if asked.is_some() && evaluation::hidden(policy, protection, request).is_none() =>
            {
                (Verdict::Allow(None), VerifiedLocations::new())
            }
            Access::Protected(protection) => match values {
                Ok(values) => protect(policy, protection, request, &values, state, context, trace),
                // The rule is known, so it counts, and may be in shadow mode.
                Err(AmbiguousVariable) => {
                    (Verdict::Deny(Denial::of(Reason::AmbiguousPath)), VerifiedLocations::new())
                }
            },
        },
    };
    (verdict, rule, verified)
}

/// Result of a request that selects a rule.
struct Selected<'p> {
    rule: &'p Rule,
    values: Result<VariableValues, AmbiguousVariable>,
}

/// Result of a request that selects no rule.
struct Unselected {
    reason: Reason,
    /// True if the response is that of hidden reasons, whatever `denials.status` says of this reason.
    is_hidden: bool,
}

impl From<Reason> for Unselected {
    fn from(reason: Reason) -> Self {
        Unselected { reason, is_hidden: false }
    }
}

/// Returns the rule for the request, or for the method that a CORS preflight asks for.
fn select<'p>(
    policy: &'p Policy,
    request: &Request<'_>,
    asked: Option<&[u8]>,
) -> Result<Selected<'p>, Unselected> {
    let method = asked.unwrap_or(request.method);
    let host = Host::parse(request.authority.unwrap_or_default()).map_err(|_| Reason::BadAuthority)?;
    let path = request.path.filter(|path| *path != b"*").ok_or(Reason::NoRule)?;
    let interpretations = PathInterpretations::of(path).map_err(|_| Reason::AmbiguousPath)?;
    // Without an address, a rule for certain addresses, which may deny, must not be skipped.
    if policy.index.wants_peer() && request.peer.is_none() {
        return Err(Reason::Unavailable.into());
    }
    let mcp = match asked {
        _ if !policy.index.wants_mcp() => None,
        Some(_) => Some(McpCall::of_preflight()),
        None => McpCall::of(request).ok(),
    };
    let (host, peer) = (host.as_ref(), request.peer);
    let target = Target { method, host, peer, interpretations: &interpretations, mcp: mcp.as_ref() };
    let selected = policy.index.select(&target).map_err(|error| match error {
        SelectError::AmbiguousPath => ambiguous(policy, Reason::AmbiguousPath, &target),
        SelectError::McpHeaders => Reason::McpHeaders.into(),
    })?;
    // Methods are case-sensitive (RFC 9110 §9.1), but many frameworks convert them to upper case.
    if method.iter().any(u8::is_ascii_lowercase) {
        let upper_case = Target { method: &method.to_ascii_uppercase(), ..target };
        if policy.index.select(&upper_case) != Ok(selected) {
            return Err(ambiguous(policy, Reason::AmbiguousMethod, &target));
        }
    }
    let rule = selected.and_then(|id| policy.rules.get(id.index())).ok_or(Reason::NoRule)?;
    let values = match &rule.access {
        Access::Protected(protection) => protection.variables.values(request, &target),
        Access::Public | Access::Denied => Ok(VariableValues::default()),
    };
    Ok(Selected { rule, values })
}

/// Denies a request with several interpretations. If `denials.status` hides the rule of one of them, the response is the
/// same: any other response would reveal that the rule exists.
fn ambiguous(policy: &Policy, reason: Reason, target: &Target<'_>) -> Unselected {
    let hides = |rule: Option<RuleId>| match rule.and_then(|id| policy.rules.get(id.index())) {
        None => policy.denials.hides(Reason::NoRule),
        Some(rule) => {
            matches!(rule.access, Access::Denied)
                && !rule.is_shadowed
                && policy.denials.hides(Reason::RuleDenied)
        }
    };
    let hides_any = policy.denials.hides(Reason::NoRule) || policy.denials.hides(Reason::RuleDenied);
    if !hides_any {
        return reason.into();
    }
    let upper_case = Target { method: &target.method.to_ascii_uppercase(), ..*target };
    let is_hidden = [target, &upper_case].iter().any(|target| policy.index.may_select(target, hides));
    Unselected { reason, is_hidden }
}

/// Authenticates, then concludes. Wrong guesses count unless the request as a whole is allowed.
fn protect<'p, T: Trace>(
    policy: &'p Policy,
    protection: &'p Protection,
    request: &Request<'_>,
    values: &VariableValues,
    state: &mut State,
    context: Context<'_>,
    trace: &mut T,
) -> (Verdict, VerifiedLocations<'p>) {
    // A hidden credential would be forwarded unverified, even if another one is valid.
    let (outcome, wrong) = match evaluation::hidden(policy, protection, request) {
        Some(failure) => (Outcome::Refused(failure), FailedGuesses::new()),
        None => evaluation::evaluate(policy, protection, request, state, context, trace),
    };
    if let Outcome::Verified(credentials) = &outcome
        && let Some(first) = credentials.first()
    {
        trace.authorizing(protection, &first.authenticated, values);
    }
    let (verdict, locations) = conclude(policy, protection, request, values, state, context, outcome);
    if let Some(throttle) = state.cache.throttle() {
        for guess in &wrong {
            match &verdict {
                Verdict::Allow(_) => throttle.allowed(guess, context.now),
                Verdict::Pending(_) => throttle.waits(guess, context.now),
                Verdict::Deny(_) | Verdict::Reply(_) => throttle.refused(guess, context.now),
            }
        }
    }
    (verdict, locations)
}

/// Authorizes the caller, and returns the verdict that follows from the outcome of authentication.
fn conclude<'p>(
    policy: &'p Policy,
    protection: &'p Protection,
    request: &Request<'_>,
    values: &VariableValues,
    state: &mut State,
    context: Context<'_>,
    outcome: Outcome<'p>,
) -> (Verdict, VerifiedLocations<'p>) {
    let mut deny = |reason, authenticator, location: Option<&CredentialLocation>, wanted| {
        let challenge_sets = policy.challenge_sets(protection, context, state.cache.nonces());
        let metadata = policy.resources.metadata_url(request);
        let denial = Denial::by_rule(reason, authenticator, challenge_sets, wanted, metadata);
        (
            Verdict::Deny(denial.presented_under(location.and_then(CredentialLocation::scheme))),
            VerifiedLocations::new(),
        )
    };
    match outcome {
        Outcome::Absent => match stray_authorization(request) {
            None if protection.optional => (Verdict::Allow(None), VerifiedLocations::new()),
            None => deny(Reason::MissingCredentials, None, None, protection.wanted()),
            Some(reason) => deny(reason, None, None, protection.wanted()),
        },
        Outcome::Pending(pending_on) => (Verdict::Pending(pending_on), VerifiedLocations::new()),
        Outcome::Refused(Failure { reason, authenticator, location }) => {
            deny(reason, authenticator, location, protection.wanted())
        }
        Outcome::Verified(verified) => {
            let location = verified.first().and_then(|credential| credential.location);
            let locations = verified
                .iter()
                .filter_map(|credential| Some((credential.authenticated.authenticator, credential.location?)))
                .collect();
            let mut callers = verified.into_iter().map(|credential| credential.authenticated);
            // A verified requirement has at least one credential. Without one the caller is unknown, so fail closed.
            let Some(first) = callers.next() else {
                return deny(Reason::Unavailable, None, None, Wanted::default());
            };
            let by = Some(first.authenticator);
            let mut deny_known = |reason, wanted| {
                let (mut verdict, locations) = deny(reason, by, location, wanted);
                if let Verdict::Deny(denial) = &mut verdict {
                    denial.caller = Some(Rc::clone(&first.principal));
                }
                (verdict, locations)
            };
            match authorize(&protection.authorizations, &first, values, context.now) {
                Authorized::Yes => (Verdict::Allow(Some(Permit::issue(first, callers.collect()))), locations),
                Authorized::Wants(reason, wanted) => deny_known(reason, wanted),
                Authorized::No => deny_known(Reason::NotAuthorized, Wanted::default()),
            }
        }
    }
}

/// Returns the reason to deny a request with an `Authorization` header that no member of the rule reads. Such a header
/// counts as credentials, so the request does not pass as anonymous.
fn stray_authorization(request: &Request<'_>) -> Option<Reason> {
    let mut values = request.values("authorization");
    match (values.next(), values.next()) {
        (None, _) => None,
        (Some(_), Some(_)) => Some(Reason::AmbiguousCredentials),
        (Some(value), None) => Some(match Credentials::parse(value) {
            Ok(_) => Reason::UnsupportedScheme,
            Err(CredentialsError::Malformed) => Reason::MalformedCredentials,
            Err(CredentialsError::Ambiguous) => Reason::AmbiguousCredentials,
        }),
    }
}
