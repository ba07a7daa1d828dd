//! Decides whether a request may pass.
//!
//! [`decide`] is the only way in, and a [`Permit`] is issued in one place, behind authentication and authorisation. What
//! cannot be decided is refused. The functions stand in the order in which a request meets them.

use std::borrow::Cow;
use std::rc::Rc;

use smallvec::{SmallVec, smallvec};

use crate::authority::Host;
use crate::credentials::{Credentials, CredentialsError};
use crate::denial::{Denial, Reason};
use crate::edits::{self, Edits, Held};
use crate::memory::{Memory, Slot};
use crate::path::Readings;
use crate::place::{Found, Place};
use crate::policy::authorization::{Authorized, authorize};
use crate::policy::requirement::Requirement;
use crate::policy::rules::Target;
use crate::policy::{Access, Policy, Protection, Rule};
use crate::preflight;
use crate::principal::{Authenticated, Permit, Principal};
use crate::protected_resource::Answer;
use crate::request::Request;
use crate::scheme::{Affinity, OneTime, Presented, Scheme, Surroundings};

/// What becomes of a request.
pub struct Decision<'a> {
    /// Whether it passes.
    pub verdict: Verdict,
    /// What changes in its header section, whether it passes or not: what is logged of it must not show a token.
    pub edits: Edits<'a>,
    /// The rule that decided, if one did.
    pub rule: Option<&'a Rule>,
}

/// Whether a request passes.
pub enum Verdict {
    /// It does; with a permit where somebody was authenticated.
    Allow(Option<Permit>),
    /// It does not.
    Deny(Denial),
    /// It does not have to: it asks for what we know ourselves.
    Answer(Answer),
}

/// Decides what becomes of a request.
///
/// `memory` is the policy's own: what it holds was decided by this policy.
pub fn decide<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    memory: &mut Memory,
    surroundings: Surroundings<'_>,
) -> Decision<'a> {
    if let Some(answer) = policy.resources.answer(request) {
        return Decision {
            verdict: Verdict::Answer(answer),
            edits: edits::of_denied(policy, request),
            rule: None,
        };
    }
    // A preflight is no request yet: what counts is the one that it asks for, and it carries no credentials.
    let asked = if policy.lets_preflights_pass { preflight::asked_method(request) } else { None };
    let rule = select(policy, request, asked.unwrap_or(request.method));
    let (verdict, held) = match &rule {
        Err(reason) => (Verdict::Deny(Denial::of(*reason)), Held::new()),
        Ok(rule) => match &rule.access {
            Access::Public => (Verdict::Allow(None), Held::new()),
            Access::Denied => (Verdict::Deny(Denial::of(Reason::RuleDenied)), Held::new()),
            Access::Protected(_) if asked.is_some() => (Verdict::Allow(None), Held::new()),
            Access::Protected(protection) => protect(policy, protection, request, memory, surroundings),
        },
    };
    let rule = rule.ok();
    let permit = match &verdict {
        Verdict::Allow(permit) => permit.as_ref(),
        Verdict::Deny(_) | Verdict::Answer(_) => None,
    };
    let edits = match (&verdict, rule.map(|rule| &rule.access)) {
        (Verdict::Allow(_), Some(Access::Protected(protection))) => {
            edits::of_protected(policy, protection, request, permit, &held)
        }
        (Verdict::Allow(_), _) => edits::of_public(policy, request),
        (Verdict::Deny(_) | Verdict::Answer(_), _) => edits::of_denied(policy, request),
    };
    Decision { verdict, edits, rule }
}

/// The rule that the request selects, with `method` as its method.
fn select<'p>(policy: &'p Policy, request: &Request<'_>, method: &[u8]) -> Result<&'p Rule, Reason> {
    let host = Host::parse(request.authority.unwrap_or_default()).map_err(|_| Reason::BadAuthority)?;
    let path = request.path.filter(|path| *path != b"*").ok_or(Reason::NoRule)?;
    let readings = Readings::of(path).map_err(|_| Reason::AmbiguousPath)?;
    // A rule for some addresses, perhaps one that denies, cannot be passed over because the address is not known.
    if policy.index.wants_peer() && request.peer.is_none() {
        return Err(Reason::Unavailable);
    }
    let target = Target { method, host: host.as_ref(), peer: request.peer, readings: &readings };
    let selected = policy.index.select(&target).map_err(|_| Reason::AmbiguousPath)?;
    selected.and_then(|at| policy.rules.get(at)).ok_or(Reason::NoRule)
}

/// Authentication, then authorisation, then the permit.
fn protect<'p>(
    policy: &'p Policy,
    protection: &'p Protection,
    request: &Request<'_>,
    memory: &mut Memory,
    surroundings: Surroundings<'_>,
) -> (Verdict, Held<'p>) {
    let presented = present(policy, protection, request);
    let used = Vec::new();
    let mut evaluation = Evaluation { policy, request, memory, surroundings, presented: &presented, used };
    let outcome = evaluation.evaluate(&protection.requirement);
    let mut deny = |reason, authenticator, scope| {
        let offers = policy.offers(protection, surroundings, memory.nonces());
        let metadata = policy.resources.metadata_url(request);
        (Verdict::Deny(Denial::by_rule(reason, authenticator, offers, scope, metadata)), Held::new())
    };
    match outcome {
        Outcome::Absent => match stray_authorization(request) {
            None if protection.optional => (Verdict::Allow(None), Held::new()),
            None => deny(Reason::MissingCredentials, None, protection.scope()),
            Some(reason) => deny(reason, None, protection.scope()),
        },
        Outcome::Refused(failure) => deny(failure.reason, failure.authenticator, protection.scope()),
        Outcome::Held(proofs) => {
            let held = proofs.iter().map(|proof| (proof.authenticated.authenticator, proof.place)).collect();
            let mut proofs = proofs.into_iter().map(|proof| proof.authenticated);
            // A requirement that held has at least one; were there none, nobody would be known.
            let Some(first) = proofs.next() else { return deny(Reason::Unavailable, None, None) };
            let by = Some(first.authenticator);
            match authorize(&protection.ways, &first) {
                Authorized::Yes => (Verdict::Allow(Some(Permit::issue(first, proofs.collect()))), held),
                Authorized::LacksScope(scope) => deny(Reason::InsufficientScope, by, Some(scope)),
                Authorized::No => deny(Reason::NotAuthorized, by, None),
            }
        }
    }
}

/// What each member of a rule finds at its places.
type AllPresented<'p, 'r> = SmallVec<[(usize, Claimed<'p, 'r>); 4]>;

enum Claimed<'p, 'r> {
    Nothing,
    Credential(Cow<'r, [u8]>, &'p Place),
    Unusable(Reason),
}

/// Looks at the places of all members.
fn present<'p, 'r>(
    policy: &'p Policy,
    protection: &Protection,
    request: &Request<'r>,
) -> AllPresented<'p, 'r> {
    let members = protection.members.iter().filter_map(|at| Some((*at, policy.authenticators.get(*at)?)));
    members.map(|(at, authenticator)| (at, find_one(authenticator.scheme.as_ref(), request))).collect()
}

/// The one credential of this scheme. Two are as ambiguous in two places as in one, unless all but one of them are
/// somebody else's.
fn find_one<'p, 'r>(scheme: &'p dyn Scheme, request: &Request<'r>) -> Claimed<'p, 'r> {
    let mut found = scheme.places().iter().filter_map(|place| match place.find(request) {
        Found::Nothing => None,
        Found::Value(credential) => Some(Claimed::Credential(credential, place)),
        Found::Malformed => Some(Claimed::Unusable(Reason::MalformedCredentials)),
        Found::Ambiguous => Some(Claimed::Unusable(Reason::AmbiguousCredentials)),
    });
    let Some(first) = found.next() else { return Claimed::Nothing };
    let Some(second) = found.next() else { return first };
    let is_own = |claimed: &Claimed<'_, '_>| match claimed {
        Claimed::Credential(credential, _) => scheme.affinity(credential) != Affinity::Foreign,
        _ => true,
    };
    let mut own = [first, second].into_iter().chain(found).filter(is_own);
    match (own.next(), own.next()) {
        (Some(only), None) => only,
        _ => Claimed::Unusable(Reason::AmbiguousCredentials),
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

/// Tries a requirement on a request.
struct Evaluation<'a, 'p, 'r> {
    policy: &'p Policy,
    request: &'a Request<'r>,
    memory: &'a mut Memory,
    surroundings: Surroundings<'a>,
    presented: &'a AllPresented<'p, 'r>,
    /// What came of credentials for one request: a requirement may ask for one twice, and it holds once.
    used: Vec<(usize, Result<Rc<Principal>, Reason>)>,
}

enum Outcome<'p> {
    /// It held, by these; never none.
    Held(Members<'p>),
    /// Nothing was presented.
    Absent,
    /// Something was presented, and it was not enough.
    Refused(Failure),
}

type Members<'p> = SmallVec<[Member<'p>; 2]>;

/// A member that held, and where its credential stood.
struct Member<'p> {
    authenticated: Authenticated,
    place: &'p Place,
}

struct Failure {
    reason: Reason,
    /// Whose credentials were presented; `None` where they are missing.
    authenticator: Option<usize>,
}

impl<'p> Evaluation<'_, 'p, '_> {
    fn evaluate(&mut self, requirement: &Requirement) -> Outcome<'p> {
        match requirement {
            Requirement::One(at) => self.one(*at),
            Requirement::AnyOf(parts) => self.any_of(parts),
            Requirement::AllOf(parts) => self.all_of(parts),
        }
    }

    fn one(&mut self, at: usize) -> Outcome<'p> {
        let refused = |reason| Outcome::Refused(Failure { reason, authenticator: Some(at) });
        let claimed = self.presented.iter().find(|(member, _)| *member == at).map(|(_, claimed)| claimed);
        let (Some(claimed), Some(authenticator)) = (claimed, self.policy.authenticators.get(at)) else {
            return refused(Reason::Unavailable);
        };
        let (credential, place) = match claimed {
            Claimed::Nothing => return Outcome::Absent,
            Claimed::Unusable(reason) => return refused(*reason),
            Claimed::Credential(credential, place) => (credential.as_ref(), *place),
        };
        let scheme = authenticator.scheme.as_ref();
        let slot = self.memory.slot(at, credential);
        let known = match scheme.one_time() {
            None => self.memory.held(slot, self.surroundings.now),
            Some(_) => None,
        };
        // What has held here before is meant for this authenticator.
        if known.is_none() && self.is_anothers(at, credential, place) {
            return Outcome::Absent;
        }
        if known.is_none() {
            match place.vet(credential) {
                Ok(()) => {}
                Err(CredentialsError::Malformed) => return refused(Reason::MalformedCredentials),
                Err(CredentialsError::Ambiguous) => return refused(Reason::AmbiguousCredentials),
            }
        }
        if let Err(reason) = scheme.admit(Presented { credential, place }, self.request) {
            return refused(reason);
        }
        let principal = match (known, scheme.one_time()) {
            (Some(principal), _) => Ok(principal),
            (None, None) => self.authenticate(scheme, slot, credential),
            (None, Some(one_time)) => self.authenticate_once(at, one_time, credential),
        };
        match principal {
            Ok(principal) => Outcome::Held(smallvec![Member {
                authenticated: Authenticated { authenticator: at, principal },
                place,
            }]),
            Err(reason) => refused(reason),
        }
    }

    /// Checks a credential that is not remembered, and remembers the outcome where that is worth it.
    fn authenticate(
        &mut self,
        scheme: &dyn Scheme,
        slot: Slot,
        credential: &[u8],
    ) -> Result<Rc<Principal>, Reason> {
        let now = self.surroundings.now;
        if scheme.failures_are_slow() && self.memory.failed(slot, now) {
            return Err(Reason::InvalidCredentials);
        }
        match scheme.authenticate(credential, self.surroundings) {
            Ok(proof) => {
                let principal = Rc::new(proof.principal);
                self.memory.remember_held(slot, &principal, now, proof.valid_until);
                Ok(principal)
            }
            Err(reason) => {
                if reason == Reason::InvalidCredentials && scheme.failures_are_slow() {
                    self.memory.remember_failed(slot, now);
                }
                Err(reason)
            }
        }
    }

    /// Checks a credential that is made for this request alone.
    fn authenticate_once(
        &mut self,
        at: usize,
        scheme: &dyn OneTime,
        credential: &[u8],
    ) -> Result<Rc<Principal>, Reason> {
        if let Some((_, result)) = self.used.iter().find(|(used, _)| *used == at) {
            return result.clone();
        }
        let nonces = self.memory.nonces();
        let result = scheme.authenticate(credential, self.request, self.surroundings, nonces).map(Rc::new);
        self.used.push((at, result.clone()));
        result
    }

    /// Whether the credential is meant for another member that reads the same place. Of several that it fits equally,
    /// all may try it.
    fn is_anothers(&self, at: usize, credential: &[u8], place: &Place) -> bool {
        let affinity = |at: usize| {
            let authenticator = self.policy.authenticators.get(at);
            authenticator
                .map_or(Affinity::Unreadable, |authenticator| authenticator.scheme.affinity(credential))
        };
        let mut rivals = self.presented.iter().filter(|(other, claimed)| {
            let same = |there: &Place, found: &[u8]| there.overlaps(place) && found == credential;
            *other != at && matches!(claimed, Claimed::Credential(found, there) if same(there, found))
        });
        rivals.any(|(other, _)| affinity(*other) > affinity(at))
    }

    /// The first that holds. If none does: what could not be decided, else the first whose credential was presented.
    fn any_of(&mut self, parts: &[Requirement]) -> Outcome<'p> {
        let mut answer: Option<Failure> = None;
        for part in parts {
            match self.evaluate(part) {
                Outcome::Held(proofs) => return Outcome::Held(proofs),
                Outcome::Absent => {}
                Outcome::Refused(failure) => match &answer {
                    Some(first)
                        if failure.reason != Reason::Unavailable || first.reason == Reason::Unavailable => {}
                    _ => answer = Some(failure),
                },
            }
        }
        answer.map_or(Outcome::Absent, Outcome::Refused)
    }

    /// Each of them. If one does not hold: the first that is missing or wrong.
    fn all_of(&mut self, parts: &[Requirement]) -> Outcome<'p> {
        let mut proofs = Members::new();
        for part in parts {
            match self.evaluate(part) {
                Outcome::Held(more) => proofs.extend(more),
                Outcome::Refused(failure) => return Outcome::Refused(failure),
                Outcome::Absent if parts.iter().any(|part| self.is_presented(part)) => {
                    return Outcome::Refused(Failure {
                        reason: Reason::MissingCredentials,
                        authenticator: None,
                    });
                }
                Outcome::Absent => return Outcome::Absent,
            }
        }
        if proofs.is_empty() { Outcome::Absent } else { Outcome::Held(proofs) }
    }

    /// Whether anything was presented to any member.
    fn is_presented(&self, requirement: &Requirement) -> bool {
        let members = requirement.members();
        self.presented
            .iter()
            .any(|(at, claimed)| members.contains(at) && !matches!(claimed, Claimed::Nothing))
    }
}
