//! Tries what a rule requires on what a request presents.

use std::borrow::Cow;
use std::rc::Rc;

use smallvec::{SmallVec, smallvec};

use super::guard::Guard;
use crate::authn::{Affinity, OneTime, Presented, Scheme, Setback, Surroundings};
use crate::cache::Slot;
use crate::cache::replays::ProofUse;
use crate::cache::throttle::Guess;
use crate::decision::state::State;
use crate::http::authorization::CredentialsError;
use crate::http::location::{Found, Place};
use crate::http::request::Request;
use crate::policy::requirement::Requirement;
use crate::policy::{Policy, Protection};
use crate::principal::{Authenticated, Principal};
use crate::remote::callout::Awaited;
use crate::remote::source::Source;
use crate::response::Reason;

/// Tries a rule's requirement on a request. Gives the wrong guesses among its credentials too, whatever else came of it.
pub fn evaluate<'p>(
    policy: &'p Policy,
    protection: &Protection,
    request: &Request<'_>,
    state: &mut State,
    surroundings: Surroundings<'_>,
) -> (Outcome<'p>, WrongGuesses) {
    let presented = present(policy, protection, request);
    // A request in shadow goes on as it is, so it has nothing to wait for.
    let may_wait = surroundings.may_wait && !protection.is_shadowed;
    let surroundings = Surroundings { may_wait, ..surroundings };
    let guard = Guard::new(request, surroundings, protection.is_shadowed);
    let mut evaluation = Evaluation {
        policy,
        request,
        state,
        surroundings,
        guard,
        presented: &presented,
        used: Vec::new(),
        proofs: Vec::new(),
        wrong: WrongGuesses::new(),
    };
    let outcome = evaluation.evaluate(&protection.requirement);
    // Not before the outcome is known: a requirement may look at one proof twice, and so does a request that waits.
    let Evaluation { proofs, wrong, .. } = evaluation;
    if !matches!(outcome, Outcome::Pending(_)) {
        proofs.into_iter().for_each(|proof| state.memory.note_proof(proof));
    }
    (outcome, wrong)
}

/// Credentials that were found wrong, each once: several members may have tried the same one.
pub type WrongGuesses = SmallVec<[Guess; 1]>;

/// Refuses a request with a credential that a lenient reader finds for a member and that the member does not see.
pub fn hidden<'p>(policy: &Policy, protection: &Protection, request: &Request<'_>) -> Option<Failure<'p>> {
    let hides = |at: &&usize| {
        policy
            .authenticators
            .get(**at)
            .is_some_and(|member| member.scheme.places().iter().any(|place| place.is_hidden_in(request)))
    };
    let at = protection.members.iter().find(hides)?;
    Some(Failure { reason: Reason::AmbiguousCredentials, authenticator: Some(*at), place: None })
}

/// What came of it.
pub enum Outcome<'p> {
    /// It held, by these; never none.
    Held(Members<'p>),
    /// Nothing was presented.
    Absent,
    /// Something was presented, and it was not enough.
    Refused(Failure<'p>),
    /// What decides is on its way, and the request can wait for it.
    Pending(Awaited),
}

/// All that held.
pub type Members<'p> = SmallVec<[Member<'p>; 2]>;

/// A member that held, and where its credential stood.
pub struct Member<'p> {
    /// Who came by it.
    pub authenticated: Authenticated,
    /// Where its credential stood.
    pub place: &'p Place,
}

/// Why a requirement did not hold.
pub struct Failure<'p> {
    /// Why.
    pub reason: Reason,
    /// Whose credentials were presented; `None` where they are missing.
    pub authenticator: Option<usize>,
    /// Where they stood, if in one place.
    pub place: Option<&'p Place>,
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
        Found::Value(credential) => Some((place, Claimed::Credential(credential, place))),
        Found::Malformed => Some((place, Claimed::Unusable(Reason::MalformedCredentials))),
        Found::Ambiguous => Some((place, Claimed::Unusable(Reason::AmbiguousCredentials))),
    });
    let Some((place, first)) = found.next() else { return Claimed::Nothing };
    // A field may be read for two auth-schemes; what cannot be read in it is one thing all the same.
    let is_read = matches!(first, Claimed::Credential(..));
    let mut found = found.filter(|(other, _)| is_read || !other.overlaps(place)).map(|(_, claimed)| claimed);
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

/// Tries a requirement on a request.
struct Evaluation<'a, 'p, 'r> {
    policy: &'p Policy,
    request: &'a Request<'r>,
    state: &'a mut State,
    surroundings: Surroundings<'a>,
    guard: Guard<'a, 'r>,
    presented: &'a AllPresented<'p, 'r>,
    /// What came of credentials for one request: a requirement may ask for one twice, and it holds once.
    used: Vec<(usize, Result<Rc<Principal>, Reason>)>,
    /// The proofs of possession that held.
    proofs: Vec<ProofUse>,
    wrong: WrongGuesses,
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
        let refused_at = |place, reason| Outcome::Refused(Failure { reason, authenticator: Some(at), place });
        let refused = |reason| refused_at(None, reason);
        let claimed = self.presented.iter().find(|(member, _)| *member == at).map(|(_, claimed)| claimed);
        let (Some(claimed), Some(authenticator)) = (claimed, self.policy.authenticators.get(at)) else {
            return refused(Reason::Unavailable);
        };
        let (credential, place) = match claimed {
            Claimed::Nothing => return Outcome::Absent,
            Claimed::Unusable(reason) => return refused(*reason),
            Claimed::Credential(credential, place) => (credential.as_ref(), *place),
        };
        let refused = |reason| refused_at(Some(place), reason);
        let presented = Presented { credential, place };
        let scheme = authenticator.scheme.as_ref();
        let generation = self.state.sources.get(at).map_or(0, Source::generation);
        let slot = self.state.memory.slot(at, generation, credential);
        let recall = self.guard.recall(&mut self.state.memory, scheme, slot, credential);
        let known = recall.known;
        // What has held here before is mostly meant for this authenticator.
        let may_be_anothers = known.is_none() || scheme.takes_unclaimed();
        if may_be_anothers && self.is_anothers(at, credential, place) {
            return Outcome::Absent;
        }
        if known.is_none() {
            match place.vet(credential) {
                Ok(()) => {}
                Err(CredentialsError::Malformed) => return refused(Reason::MalformedCredentials),
                Err(CredentialsError::Ambiguous) => return refused(Reason::AmbiguousCredentials),
            }
        }
        if let Err(reason) = scheme.admit(presented, self.request) {
            return refused(reason);
        }
        if known.is_none() {
            if let Some(reason) = recall.refused {
                return refused(reason);
            }
            if let Err(reason) = self.guard.vet(&mut self.state.memory, scheme, credential) {
                return refused(reason);
            }
        }
        let principal = match (known, scheme.one_time()) {
            (Some(principal), _) => Ok(principal),
            (None, None) => self.authenticate(at, scheme, slot, credential),
            (None, Some(one_time)) => self.authenticate_once(at, one_time, credential).map_err(Setback::from),
        };
        if let Err(Setback::Refused(Reason::InvalidCredentials)) = principal {
            let wrong = self.guard.wrong_guess(&mut self.state.memory, scheme, credential);
            self.wrong.extend(wrong.filter(|guess| !self.wrong.contains(guess)));
        }
        let principal = match principal {
            Ok(principal) => principal,
            Err(Setback::Pending { ticket, max_wait, .. }) if self.surroundings.may_wait => {
                return Outcome::Pending(Awaited { source: at, ticket, max_wait });
            }
            Err(Setback::Pending { otherwise: reason, .. } | Setback::Refused(reason)) => {
                return refused(reason);
            }
        };
        let (memory, request) = (&self.state.memory, self.request);
        let proved = self.guard.with_rationed_signatures(memory, |surroundings| {
            scheme.prove_possession(&principal, presented, request, surroundings, memory.replays())
        });
        match proved {
            Ok(proof) => self.proofs.extend(proof),
            Err(reason) => return refused(reason),
        }
        Outcome::Held(smallvec![Member {
            authenticated: Authenticated { authenticator: at, principal },
            place
        }])
    }

    /// Checks a credential that is not remembered, and remembers the outcome where that is worth it.
    fn authenticate(
        &mut self,
        at: usize,
        scheme: &dyn Scheme,
        slot: Slot,
        credential: &[u8],
    ) -> Result<Rc<Principal>, Setback> {
        let now = self.surroundings.now;
        if scheme.failures_are_slow() && self.state.memory.failed(slot, now) {
            return Err(Reason::InvalidCredentials.into());
        }
        self.state.memory.note_miss();
        let State { memory, sources, .. } = &mut *self.state;
        let source = sources.get_mut(at).ok_or(Reason::Unavailable)?;
        let guard = &self.guard;
        let checked = if scheme.has_fixed_secrets() {
            let check = || scheme.authenticate(credential, slot, self.surroundings, source);
            guard.ration(memory, scheme, credential, check)
        } else {
            guard.with_rationed_signatures(memory, |surroundings| {
                scheme.authenticate(credential, slot, surroundings, source)
            })
        };
        match checked {
            Ok(proof) => {
                let principal = Rc::new(proof.principal);
                let presented_by = scheme.has_fixed_secrets().then(|| guard.source(memory));
                memory.remember_held(slot, &principal, now, proof.valid_until, presented_by);
                Ok(principal)
            }
            Err(setback) => {
                if setback == Setback::Refused(Reason::InvalidCredentials) && scheme.failures_are_slow() {
                    memory.remember_failed(slot, now);
                }
                Err(setback)
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
        let nonces = self.state.memory.nonces();
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

    /// The first that holds; one that is pending may be it. If none does: what could not be decided, else the first whose
    /// credential was presented.
    fn any_of(&mut self, parts: &[Requirement]) -> Outcome<'p> {
        let mut answer: Option<Failure<'p>> = None;
        for part in parts {
            match self.evaluate(part) {
                Outcome::Held(proofs) => return Outcome::Held(proofs),
                Outcome::Pending(awaited) => return Outcome::Pending(awaited),
                Outcome::Absent => {}
                Outcome::Refused(failure) => match &answer {
                    Some(first) if undecided(failure.reason) <= undecided(first.reason) => {}
                    _ => answer = Some(failure),
                },
            }
        }
        answer.map_or(Outcome::Absent, Outcome::Refused)
    }

    /// Each of them. If one does not hold: the first that is missing or wrong. While one is pending no credential that is
    /// made for one request is used up: the request is decided again.
    fn all_of(&mut self, parts: &[Requirement]) -> Outcome<'p> {
        let mut outcomes: SmallVec<[Option<Outcome<'p>>; 4]> = SmallVec::new();
        for part in parts {
            let outcome = if self.is_one_time(part) { None } else { Some(self.evaluate(part)) };
            match outcome {
                Some(Outcome::Pending(awaited)) => return Outcome::Pending(awaited),
                Some(Outcome::Absent | Outcome::Refused(_)) => {
                    outcomes.push(outcome);
                    break;
                }
                _ => outcomes.push(outcome),
            }
        }
        let mut outcomes = outcomes.into_iter();
        let mut proofs = Members::new();
        for part in parts {
            match outcomes.next().flatten().unwrap_or_else(|| self.evaluate(part)) {
                Outcome::Pending(awaited) => return Outcome::Pending(awaited),
                Outcome::Held(more) => proofs.extend(more),
                Outcome::Refused(failure) => return Outcome::Refused(failure),
                Outcome::Absent if parts.iter().any(|part| self.is_presented(part)) => {
                    return Outcome::Refused(Failure {
                        reason: Reason::MissingCredentials,
                        authenticator: None,
                        place: None,
                    });
                }
                Outcome::Absent => return Outcome::Absent,
            }
        }
        if proofs.is_empty() { Outcome::Absent } else { Outcome::Held(proofs) }
    }

    /// Whether any of it is a credential that is made for one request.
    fn is_one_time(&self, requirement: &Requirement) -> bool {
        match requirement {
            Requirement::One(at) => {
                self.policy.authenticators.get(*at).is_some_and(|member| member.scheme.one_time().is_some())
            }
            Requirement::AnyOf(parts) | Requirement::AllOf(parts) => {
                parts.iter().any(|part| self.is_one_time(part))
            }
        }
    }

    /// Whether anything was presented to any member.
    fn is_presented(&self, requirement: &Requirement) -> bool {
        let members = requirement.members();
        self.presented
            .iter()
            .any(|(at, claimed)| members.contains(at) && !matches!(claimed, Claimed::Nothing))
    }
}

/// How little a refusal says of the credential: the larger ones go before the first.
fn undecided(reason: Reason) -> u8 {
    match reason {
        Reason::Unavailable => 2,
        Reason::Throttled { .. } => 1,
        _ => 0,
    }
}
