//! Decides whether a request may pass.
//!
//! [`decide`] is the only way in, and a [`Permit`] is issued in one place, behind authentication and authorisation. What
//! cannot be decided is refused. The functions stand in the order in which a request meets them.

mod evaluation;
mod guard;
pub mod mutations;
mod shadow;
pub mod state;
mod trace;

use std::rc::Rc;

use crate::authn::Context;
use crate::http::authorization::{Credentials, CredentialsError};
use crate::http::cors;
use crate::http::host::Host;
use crate::http::location::CredentialLocation;
use crate::http::path::PathInterpretations;
use crate::http::request::Request;
use crate::policy::authorization::{Authorized, authorize};
use crate::policy::rules::{RuleId, Target};
use crate::policy::{Access, Policy, Protection, Rule};
use crate::principal::{AuthenticatorId, Permit};
use crate::remote::callout::Pending;
use crate::response::protected_resource::LocalReply;
use crate::response::{Denial, Reason};
use evaluation::{FailedGuesses, Failure, Outcome};
use mutations::{HeaderMutations, VerifiedLocations};
use state::State;
pub use trace::Trace;

/// What becomes of a request.
pub struct Decision<'a> {
    /// Whether it passes.
    pub verdict: Verdict,
    /// What changes in its header section, whether it passes or not: what is logged of it must not show a token.
    pub mutations: HeaderMutations<'a>,
    /// The rule that decided, if one did.
    pub rule: Option<&'a Rule>,
    /// In shadow: what was decided, while the request goes on untouched but for forged identity.
    pub shadowed: Option<Verdict>,
}

/// Whether a request passes.
pub enum Verdict {
    /// It does; with a permit where somebody was authenticated.
    Allow(Option<Permit>),
    /// It does not.
    Deny(Denial),
    /// It does not have to: it asks for what we know ourselves.
    Reply(LocalReply),
    /// It is to be decided again, from the start, when what it waits for is there or it has waited long enough. Until
    /// then nothing of it goes on.
    Pending(Pending),
}

impl Verdict {
    /// Whose credentials held, or were refused.
    pub fn authenticator(&self) -> Option<AuthenticatorId> {
        match self {
            Verdict::Allow(permit) => permit.as_ref().map(|permit| permit.first().authenticator),
            Verdict::Deny(denial) => denial.authenticator,
            Verdict::Reply(_) | Verdict::Pending(_) => None,
        }
    }
}

/// Decides what becomes of a request.
///
/// `state` is the policy's own: what it holds was decided by this policy. A request that cannot wait is decided by what
/// is there.
pub fn decide<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    state: &mut State,
    context: Context<'_>,
) -> Decision<'a> {
    decide_traced(policy, request, state, context, &mut ())
}

/// Decides what becomes of a request, as [`decide`] does, under the eyes of a tool that explains or tests the policy.
pub fn decide_traced<'a, T: Trace>(
    policy: &'a Policy,
    request: &Request<'a>,
    state: &mut State,
    context: Context<'_>,
    trace: &mut T,
) -> Decision<'a> {
    shadow::cast(policy, request, judge(policy, request, state, context, trace))
}

/// What is decided, in shadow or not.
fn judge<'a, T: Trace>(
    policy: &'a Policy,
    request: &Request<'a>,
    state: &mut State,
    context: Context<'_>,
    trace: &mut T,
) -> Decision<'a> {
    if let Some(answer) = policy.resources.answer(request) {
        return Decision {
            verdict: Verdict::Reply(answer),
            mutations: mutations::of_denied(policy, request),
            rule: None,
            shadowed: None,
        };
    }
    // A preflight is no request yet: what counts is the one that it asks for, and it carries no credentials.
    let asked = if policy.allow_preflight { cors::asked_method(request) } else { None };
    let selected = select(policy, request, asked.unwrap_or(request.method));
    let rule = selected.as_ref().ok().copied();
    let (verdict, held) = match selected {
        Err(Unselected { reason, is_hidden }) => {
            let denial = Denial::of(reason);
            (Verdict::Deny(if is_hidden { denial.hidden() } else { denial }), VerifiedLocations::new())
        }
        Ok(rule) => match &rule.access {
            // Before anything else: `denials.status` may hide that there is such a rule.
            Access::Denied => (Verdict::Deny(Denial::of(Reason::RuleDenied)), VerifiedLocations::new()),
            _ if policy.has_bad_connection(request) => {
                (Verdict::Deny(Denial::of(Reason::BadConnection)), VerifiedLocations::new())
            }
            Access::Public => (Verdict::Allow(None), VerifiedLocations::new()),
            Access::Protected(protection)
                if asked.is_some() && evaluation::hidden(policy, protection, request).is_none() =>
            {
                (Verdict::Allow(None), VerifiedLocations::new())
            }
            Access::Protected(protection) => protect(policy, protection, request, state, context, trace),
        },
    };
    let permit = match &verdict {
        Verdict::Allow(permit) => permit.as_ref(),
        Verdict::Deny(_) | Verdict::Reply(_) | Verdict::Pending(_) => None,
    };
    let mutations = match (&verdict, rule.map(|rule| &rule.access)) {
        (Verdict::Allow(_), Some(Access::Protected(protection))) => {
            mutations::of_protected(policy, protection, request, permit, &held)
        }
        (Verdict::Allow(_), _) => mutations::of_public(policy, request),
        (Verdict::Pending(_), _) => mutations::of_waiting(policy, request),
        (Verdict::Deny(_) | Verdict::Reply(_), _) => mutations::of_denied(policy, request),
    };
    Decision { verdict, mutations, rule, shadowed: None }
}

/// The reason why a request selects no rule, and whether its answer is that of hidden reasons in any case.
struct Unselected {
    reason: Reason,
    is_hidden: bool,
}

impl From<Reason> for Unselected {
    fn from(reason: Reason) -> Self {
        Unselected { reason, is_hidden: false }
    }
}

/// The rule that the request selects, with `method` as its method.
fn select<'p>(policy: &'p Policy, request: &Request<'_>, method: &[u8]) -> Result<&'p Rule, Unselected> {
    let host = Host::parse(request.authority.unwrap_or_default()).map_err(|_| Reason::BadAuthority)?;
    let path = request.path.filter(|path| *path != b"*").ok_or(Reason::NoRule)?;
    let readings = PathInterpretations::of(path).map_err(|_| Reason::AmbiguousPath)?;
    // A rule for some addresses, perhaps one that denies, cannot be passed over because the address is not known.
    if policy.index.wants_peer() && request.peer.is_none() {
        return Err(Reason::Unavailable.into());
    }
    let target = Target { method, host: host.as_ref(), peer: request.peer, readings: &readings };
    let selected = policy.index.select(&target);
    let selected = selected.map_err(|_| ambiguous(policy, Reason::AmbiguousPath, &target))?;
    // Methods are case-sensitive (RFC 9110 §9.1), but many frameworks turn them into upper case.
    if method.iter().any(u8::is_ascii_lowercase) {
        let upper_case = Target { method: &method.to_ascii_uppercase(), ..target };
        if policy.index.select(&upper_case) != Ok(selected) {
            return Err(ambiguous(policy, Reason::AmbiguousMethod, &target));
        }
    }
    selected.and_then(|id| policy.rules.get(id.index())).ok_or(Reason::NoRule.into())
}

/// Refuses a request that can be read in several ways. If one of them would be answered as if nothing were there
/// (`denials.status`), this is, too: any other answer would show that there is a rule.
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

/// Authentication, then authorisation, then the permit. Wrong guesses count unless the request as a whole is allowed.
fn protect<'p, T: Trace>(
    policy: &'p Policy,
    protection: &'p Protection,
    request: &Request<'_>,
    state: &mut State,
    context: Context<'_>,
    trace: &mut T,
) -> (Verdict, VerifiedLocations<'p>) {
    // A credential that only a lenient reader finds would go on unverified, whatever else holds.
    let (outcome, wrong) = match evaluation::hidden(policy, protection, request) {
        Some(failure) => (Outcome::Refused(failure), FailedGuesses::new()),
        None => evaluation::evaluate(policy, protection, request, state, context, trace),
    };
    let (verdict, held) = conclude(policy, protection, request, state, context, outcome);
    if let Some(throttle) = state.memory.throttle() {
        for guess in &wrong {
            match &verdict {
                Verdict::Allow(_) => throttle.allowed(guess, context.now),
                Verdict::Pending(_) => throttle.waits(guess, context.now),
                Verdict::Deny(_) | Verdict::Reply(_) => throttle.refused(guess, context.now),
            }
        }
    }
    (verdict, held)
}

/// What follows from the outcome of authentication.
fn conclude<'p>(
    policy: &'p Policy,
    protection: &'p Protection,
    request: &Request<'_>,
    state: &mut State,
    context: Context<'_>,
    outcome: Outcome<'p>,
) -> (Verdict, VerifiedLocations<'p>) {
    let mut deny = |reason, authenticator, location: Option<&CredentialLocation>, scope| {
        let challenge_sets = policy.challenge_sets(protection, context, state.memory.nonces());
        let metadata = policy.resources.metadata_url(request);
        let denial = Denial::by_rule(reason, authenticator, challenge_sets, scope, metadata);
        (
            Verdict::Deny(denial.presented_under(location.and_then(CredentialLocation::scheme))),
            VerifiedLocations::new(),
        )
    };
    match outcome {
        Outcome::Absent => match stray_authorization(request) {
            None if protection.optional => (Verdict::Allow(None), VerifiedLocations::new()),
            None => deny(Reason::MissingCredentials, None, None, protection.scope()),
            Some(reason) => deny(reason, None, None, protection.scope()),
        },
        Outcome::Pending(pending_on) => (Verdict::Pending(pending_on), VerifiedLocations::new()),
        Outcome::Refused(Failure { reason, authenticator, location }) => {
            deny(reason, authenticator, location, protection.scope())
        }
        Outcome::Verified(proofs) => {
            let location = proofs.first().and_then(|proof| proof.location);
            let held = proofs
                .iter()
                .filter_map(|proof| Some((proof.authenticated.authenticator, proof.location?)))
                .collect();
            let mut proofs = proofs.into_iter().map(|proof| proof.authenticated);
            // A requirement that held has at least one; were there none, nobody would be known.
            let Some(first) = proofs.next() else { return deny(Reason::Unavailable, None, None, None) };
            let by = Some(first.authenticator);
            let mut deny_known = |reason, scope| {
                let (mut verdict, held) = deny(reason, by, location, scope);
                if let Verdict::Deny(denial) = &mut verdict {
                    denial.caller = Some(Rc::clone(&first.principal));
                }
                (verdict, held)
            };
            match authorize(&protection.ways, &first) {
                Authorized::Yes => (Verdict::Allow(Some(Permit::issue(first, proofs.collect()))), held),
                Authorized::LacksScope(scope) => deny_known(Reason::InsufficientScope, Some(scope)),
                Authorized::No => deny_known(Reason::NotAuthorized, None),
            }
        }
    }
}

/// What an Authorization field says that no member reads. It counts as credentials, so nothing passes as anonymous.
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
