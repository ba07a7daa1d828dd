//! Tries what a rule requires on what a request presents.

use std::borrow::Cow;
use std::rc::Rc;

use smallvec::{SmallVec, smallvec};

use crate::credentials::CredentialsError;
use crate::denial::Reason;
use crate::memory::{Memory, Slot};
use crate::place::{Found, Place};
use crate::policy::requirement::Requirement;
use crate::policy::{Policy, Protection};
use crate::principal::{Authenticated, Principal};
use crate::request::Request;
use crate::scheme::{Affinity, OneTime, Presented, Scheme, Surroundings};

/// Tries a rule's requirement on a request.
pub fn evaluate<'p>(
    policy: &'p Policy,
    protection: &Protection,
    request: &Request<'_>,
    memory: &mut Memory,
    surroundings: Surroundings<'_>,
) -> Outcome<'p> {
    let presented = present(policy, protection, request);
    let mut evaluation =
        Evaluation { policy, request, memory, surroundings, presented: &presented, used: Vec::new() };
    evaluation.evaluate(&protection.requirement)
}

/// What came of it.
pub enum Outcome<'p> {
    /// It held, by these; never none.
    Held(Members<'p>),
    /// Nothing was presented.
    Absent,
    /// Something was presented, and it was not enough.
    Refused(Failure),
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
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// Whose credentials were presented; `None` where they are missing.
    pub authenticator: Option<usize>,
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
        self.memory.note_miss();
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
