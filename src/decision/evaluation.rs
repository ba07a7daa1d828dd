//! Evaluation of a rule's requirement on the credentials of a request.

use std::borrow::Cow;
use std::rc::Rc;

use smallvec::{SmallVec, smallvec};

use super::guard::Guard;
use super::trace::Trace;
use crate::authn::{
    AuthError, Authenticator, Context, MatchRank, OneTimeScheme, Presented, Scheme, SecretScheme,
    TokenScheme, Verified,
};
use crate::cache::CacheKey;
use crate::cache::replays::JtiUse;
use crate::cache::throttle::FailedGuess;
use crate::decision::state::State;
use crate::http::authorization::CredentialsError;
use crate::http::location::{CredentialLocation, Found};
use crate::http::request::Request;
use crate::policy::requirement::Requirement;
use crate::policy::{Policy, Protection};
use crate::principal::{Authenticated, AuthenticatorId, Principal};
use crate::remote::callout::Pending;
use crate::remote::state::RemoteState;
use crate::response::Reason;

/// Evaluates a rule's requirement on a request. Also returns the wrong guesses among its credentials, whatever the
/// outcome.
pub fn evaluate<'p, T: Trace>(
    policy: &'p Policy,
    protection: &Protection,
    request: &Request<'_>,
    state: &mut State,
    context: Context<'_>,
    trace: &mut T,
) -> (Outcome<'p>, FailedGuesses) {
    let presented = present(policy, protection, request, trace);
    // A request in shadow mode is allowed in any case, so it need not wait.
    let may_wait = context.may_wait && !protection.is_shadowed;
    let context = Context { may_wait, ..context };
    let guard = Guard::new(request, context, protection.is_shadowed);
    let mut evaluation = Evaluation {
        policy,
        request,
        state,
        context,
        guard,
        presented: &presented,
        used: Vec::new(),
        proofs: Vec::new(),
        wrong: FailedGuesses::new(),
        trace,
    };
    let outcome = evaluation.evaluate(&protection.requirement);
    // Noted after the outcome is known, since a requirement may check one proof twice, and a pending request is decided
    // again.
    let Evaluation { proofs, wrong, .. } = evaluation;
    if !matches!(outcome, Outcome::Pending(_)) {
        proofs.into_iter().for_each(|proof| state.cache.note_jti(proof));
    }
    (outcome, wrong)
}

/// Wrong credentials, each once, since several members may try the same one.
pub type FailedGuesses = SmallVec<[FailedGuess; 1]>;

/// Returns a failure if a lenient parser would find a credential for a member in this request where the member's own
/// parser finds none.
pub fn hidden<'p>(policy: &Policy, protection: &Protection, request: &Request<'_>) -> Option<Failure<'p>> {
    let hides = |at: &&AuthenticatorId| {
        policy.authenticator(**at).is_some_and(|member| {
            member.scheme.locations().iter().any(|location| location.is_hidden_in(request))
        })
    };
    let at = protection.members.iter().find(hides)?;
    Some(Failure { reason: Reason::AmbiguousCredentials, authenticator: Some(*at), location: None })
}

/// Outcome of a requirement.
pub enum Outcome<'p> {
    /// The requirement is met by these credentials, at least one.
    Verified(VerifiedCredentials<'p>),
    /// No credential was presented.
    Absent,
    /// Credentials were presented, but they do not meet the requirement.
    Refused(Failure<'p>),
    /// The outcome depends on a fetch, and the request can wait for it.
    Pending(Pending),
}

/// The verified credentials, in the order of the requirement.
pub type VerifiedCredentials<'p> = SmallVec<[VerifiedCredential<'p>; 2]>;

/// A verified credential and its location.
pub struct VerifiedCredential<'p> {
    /// The principal, and the authenticator that verified it.
    pub authenticated: Authenticated,
    /// The location of the credential; `None` for an assumed principal.
    pub location: Option<&'p CredentialLocation>,
}

/// Reason why a requirement is not met.
pub struct Failure<'p> {
    /// The reason.
    pub reason: Reason,
    /// The authenticator of the presented credential; `None` if a credential is missing.
    pub authenticator: Option<AuthenticatorId>,
    /// The location of the credential, if it is known.
    pub location: Option<&'p CredentialLocation>,
}

/// Credentials that each member of a rule finds at its locations.
type AllPresented<'p, 'r> = SmallVec<[(AuthenticatorId, Claimed<'p, 'r>); 4]>;

enum Claimed<'p, 'r> {
    Nothing,
    /// A principal that a test assumes to be authenticated, without any credential.
    Assumed(Rc<Principal>),
    Credential(Cow<'r, [u8]>, &'p CredentialLocation),
    Unusable(Reason),
}

/// Looks for credentials at the locations of all members.
fn present<'p, 'r>(
    policy: &'p Policy,
    protection: &Protection,
    request: &Request<'r>,
    trace: &impl Trace,
) -> AllPresented<'p, 'r> {
    let members = protection.members.iter().filter_map(|at| Some((*at, policy.authenticator(*at)?)));
    let claim = |(at, authenticator): (AuthenticatorId, &'p Authenticator)| match trace.assumed(at) {
        Some(principal) => (at, Claimed::Assumed(Rc::new(principal))),
        None => (at, find_one(&authenticator.scheme, request)),
    };
    members.map(claim).collect()
}

/// Returns the only credential for a scheme. Several are ambiguous, whether in one location or in different ones,
/// unless all but one are meant for other schemes.
fn find_one<'p, 'r>(scheme: &'p Scheme, request: &Request<'r>) -> Claimed<'p, 'r> {
    let mut found = scheme.locations().iter().filter_map(|location| match location.find(request) {
        Found::Nothing => None,
        Found::Value(credential) => Some((location, Claimed::Credential(credential, location))),
        Found::Malformed => Some((location, Claimed::Unusable(Reason::MalformedCredentials))),
        Found::Ambiguous => Some((location, Claimed::Unusable(Reason::AmbiguousCredentials))),
    });
    let Some((location, first)) = found.next() else { return Claimed::Nothing };
    // One header may be read with two auth-schemes. If it cannot be parsed, it counts once.
    let is_read = matches!(first, Claimed::Credential(..));
    let mut found =
        found.filter(|(other, _)| is_read || !other.overlaps(location)).map(|(_, claimed)| claimed);
    let Some(second) = found.next() else { return first };
    let is_own = |claimed: &Claimed<'_, '_>| match claimed {
        Claimed::Credential(credential, _) => scheme.match_rank(credential) != MatchRank::Foreign,
        _ => true,
    };
    let mut own = [first, second].into_iter().chain(found).filter(is_own);
    match (own.next(), own.next()) {
        (Some(only), None) => only,
        _ => Claimed::Unusable(Reason::AmbiguousCredentials),
    }
}

/// Evaluation of one request.
struct Evaluation<'a, 'p, 'r, T> {
    policy: &'p Policy,
    request: &'a Request<'r>,
    state: &'a mut State,
    context: Context<'a>,
    guard: Guard<'a, 'r>,
    presented: &'a AllPresented<'p, 'r>,
    /// Results of one-time credentials. A requirement may check one twice, but the nonce accepts it only once.
    used: Vec<(AuthenticatorId, Result<Rc<Principal>, Reason>)>,
    /// Uses of valid proofs of possession.
    proofs: Vec<JtiUse>,
    wrong: FailedGuesses,
    trace: &'a mut T,
}

impl<'p, T: Trace> Evaluation<'_, 'p, '_, T> {
    fn evaluate(&mut self, requirement: &Requirement) -> Outcome<'p> {
        match requirement {
            Requirement::One(at) => self.one(*at),
            Requirement::AnyOf(parts) => self.any_of(parts),
            Requirement::AllOf(parts) => self.all_of(parts),
        }
    }

    fn one(&mut self, at: AuthenticatorId) -> Outcome<'p> {
        let refused_at =
            |location, reason| Outcome::Refused(Failure { reason, authenticator: Some(at), location });
        let refused = |reason| refused_at(None, reason);
        let claimed = self.presented.iter().find(|(member, _)| *member == at).map(|(_, claimed)| claimed);
        let (Some(claimed), Some(authenticator)) = (claimed, self.policy.authenticator(at)) else {
            return refused(Reason::Unavailable);
        };
        let (credential, location) = match claimed {
            Claimed::Nothing => return Outcome::Absent,
            Claimed::Assumed(principal) => {
                let authenticated = Authenticated { authenticator: at, principal: Rc::clone(principal) };
                return Outcome::Verified(smallvec![VerifiedCredential { authenticated, location: None }]);
            }
            Claimed::Unusable(reason) => return refused(*reason),
            Claimed::Credential(credential, location) => (credential.as_ref(), *location),
        };
        let refused = |reason| refused_at(Some(location), reason);
        let presented = Presented { credential, location };
        let scheme = &authenticator.scheme;
        let generation = self.state.remote_states.get(at.index()).map_or(0, RemoteState::generation);
        let cache_key = self.state.cache.cache_key(at, generation, credential);
        let recall = self.guard.recall(&mut self.state.cache, scheme, cache_key, credential);
        let known = recall.known;
        // This authenticator verified a cached credential, so the credential is its own, unless it accepts unclaimed
        // tokens.
        let may_be_anothers = known.is_none() || scheme.accepts_unclaimed();
        if may_be_anothers && self.is_anothers(at, credential, location) {
            return Outcome::Absent;
        }
        if known.is_none() {
            match location.vet(credential) {
                Ok(()) => {}
                Err(CredentialsError::Malformed) => return refused(Reason::MalformedCredentials),
                Err(CredentialsError::Ambiguous) => return refused(Reason::AmbiguousCredentials),
            }
        }
        let admitted = scheme.admit(presented, self.request);
        self.trace.admitted(at, admitted);
        if let Err(reason) = admitted {
            return refused(reason);
        }
        if known.is_none() {
            if let Some(reason) = recall.refused {
                return refused(reason);
            }
            if let Err(reason) = self.guard.vet(&mut self.state.cache, scheme, credential) {
                return refused(reason);
            }
        }
        let principal = match (known, scheme) {
            (Some(principal), _) => Ok(principal),
            (None, Scheme::Secret(secret)) => {
                self.authenticate_secret(at, scheme, secret, cache_key, credential).map_err(AuthError::from)
            }
            (None, Scheme::Token(token)) => self.authenticate_token(at, token, cache_key, credential),
            (None, Scheme::OneTime(one_time)) => {
                self.authenticate_once(at, one_time, credential).map_err(AuthError::from)
            }
        };
        if let Err(AuthError::Refused(Reason::InvalidCredentials)) = principal {
            let wrong = self.guard.wrong_guess(&mut self.state.cache, scheme, credential);
            self.wrong.extend(wrong.filter(|guess| !self.wrong.contains(guess)));
        }
        let principal = match principal {
            Ok(principal) => principal,
            Err(AuthError::Pending { fetch_id, max_wait, .. }) if self.context.may_wait => {
                return Outcome::Pending(Pending { authenticator: at, fetch_id, max_wait });
            }
            Err(AuthError::Pending { otherwise: reason, .. } | AuthError::Refused(reason)) => {
                return refused(reason);
            }
        };
        if let Scheme::Token(token) = scheme {
            let (cache, request) = (&self.state.cache, self.request);
            let proved = self.guard.with_rationed_signatures(cache, |context| {
                token.prove_possession(&principal, presented, request, context, cache.replays())
            });
            self.trace.possession(at, proved.as_ref().map(|_| ()).map_err(|reason| *reason));
            match proved {
                Ok(proof) => self.proofs.extend(proof),
                Err(reason) => return refused(reason),
            }
        }
        let authenticated = Authenticated { authenticator: at, principal };
        Outcome::Verified(smallvec![VerifiedCredential { authenticated, location: Some(location) }])
    }

    /// Verifies a secret that is not cached, and caches the result: a success together with the source that presented
    /// the secret, a failure only if the check is slow.
    fn authenticate_secret(
        &mut self,
        at: AuthenticatorId,
        scheme: &Scheme,
        secret: &SecretScheme,
        cache_key: CacheKey,
        credential: &[u8],
    ) -> Result<Rc<Principal>, Reason> {
        let now = self.context.now;
        let cache = &mut self.state.cache;
        if scheme.failures_are_slow() && cache.failed(cache_key, now) {
            self.trace.authenticated(at, Err(Reason::InvalidCredentials));
            return Err(Reason::InvalidCredentials);
        }
        cache.note_miss();
        let checked = self.guard.ration(cache, scheme, credential, || secret.authenticate(credential, now));
        self.trace.authenticated(at, result(&checked));
        match checked {
            Ok(Verified { principal, valid_until }) => {
                let principal = Rc::new(principal);
                let source = self.guard.source(cache);
                cache.remember_held(cache_key, &principal, now, valid_until, Some(source));
                Ok(principal)
            }
            Err(reason) => {
                if reason == Reason::InvalidCredentials && scheme.failures_are_slow() {
                    cache.remember_failed(cache_key, now);
                }
                Err(reason)
            }
        }
    }

    /// Verifies a token that is not cached, and caches it if it is valid.
    fn authenticate_token(
        &mut self,
        at: AuthenticatorId,
        token: &TokenScheme,
        cache_key: CacheKey,
        credential: &[u8],
    ) -> Result<Rc<Principal>, AuthError> {
        let State { cache, remote_states, .. } = &mut *self.state;
        cache.note_miss();
        let remote = remote_states.get_mut(at.index()).ok_or(Reason::Unavailable)?;
        let checked = self.guard.with_rationed_signatures(cache, |context| {
            token.authenticate(credential, cache_key, context, remote)
        });
        self.trace.authenticated(at, result(&checked));
        let Verified { principal, valid_until } = checked?;
        let principal = Rc::new(principal);
        cache.remember_held(cache_key, &principal, self.context.now, valid_until, None);
        Ok(principal)
    }

    /// Verifies a one-time credential, at most once for each decision.
    fn authenticate_once(
        &mut self,
        at: AuthenticatorId,
        scheme: &OneTimeScheme,
        credential: &[u8],
    ) -> Result<Rc<Principal>, Reason> {
        if let Some((_, result)) = self.used.iter().find(|(used, _)| *used == at) {
            return result.clone();
        }
        let nonces = self.state.cache.nonces();
        let result = scheme.authenticate(credential, self.request, self.context, nonces).map(Rc::new);
        self.trace.authenticated(at, result.as_deref().map_err(|reason| *reason));
        self.used.push((at, result.clone()));
        result
    }

    /// True if the credential is meant for another member that reads the same location. If it fits several members
    /// equally, all of them try it.
    fn is_anothers(&self, at: AuthenticatorId, credential: &[u8], location: &CredentialLocation) -> bool {
        let match_rank = |at: AuthenticatorId| {
            let authenticator = self.policy.authenticator(at);
            authenticator
                .map_or(MatchRank::Unreadable, |authenticator| authenticator.scheme.match_rank(credential))
        };
        let mut rivals = self.presented.iter().filter(|(other, claimed)| {
            let same =
                |there: &CredentialLocation, found: &[u8]| there.overlaps(location) && found == credential;
            *other != at && matches!(claimed, Claimed::Credential(found, there) if same(there, found))
        });
        rivals.any(|(other, _)| match_rank(*other) > match_rank(at))
    }

    /// Returns the first part that is verified or pending; a pending part may turn out to be the first that is
    /// verified. If there is none, returns the failure that says least about its credential, the first one among
    /// equals.
    fn any_of(&mut self, parts: &[Requirement]) -> Outcome<'p> {
        let mut answer: Option<Failure<'p>> = None;
        for part in parts {
            match self.evaluate(part) {
                Outcome::Verified(proofs) => return Outcome::Verified(proofs),
                Outcome::Pending(pending_on) => return Outcome::Pending(pending_on),
                Outcome::Absent => {}
                Outcome::Refused(failure) => match &answer {
                    Some(first) if undecided(failure.reason) <= undecided(first.reason) => {}
                    _ => answer = Some(failure),
                },
            }
        }
        answer.map_or(Outcome::Absent, Outcome::Refused)
    }

    /// Returns the credentials of all parts, or the failure of the first part that is not met. One-time credentials are
    /// checked last: while another part is pending they must not be used up, since the request is decided again.
    fn all_of(&mut self, parts: &[Requirement]) -> Outcome<'p> {
        let mut outcomes: SmallVec<[Option<Outcome<'p>>; 4]> = SmallVec::new();
        for part in parts {
            let outcome = if self.is_one_time(part) { None } else { Some(self.evaluate(part)) };
            match outcome {
                Some(Outcome::Pending(pending_on)) => return Outcome::Pending(pending_on),
                Some(Outcome::Absent | Outcome::Refused(_)) => {
                    outcomes.push(outcome);
                    break;
                }
                _ => outcomes.push(outcome),
            }
        }
        let mut outcomes = outcomes.into_iter();
        let mut proofs = VerifiedCredentials::new();
        for part in parts {
            match outcomes.next().flatten().unwrap_or_else(|| self.evaluate(part)) {
                Outcome::Pending(pending_on) => return Outcome::Pending(pending_on),
                Outcome::Verified(more) => proofs.extend(more),
                Outcome::Refused(failure) => return Outcome::Refused(failure),
                Outcome::Absent if parts.iter().any(|part| self.is_presented(part)) => {
                    return Outcome::Refused(Failure {
                        reason: Reason::MissingCredentials,
                        authenticator: None,
                        location: None,
                    });
                }
                Outcome::Absent => return Outcome::Absent,
            }
        }
        if proofs.is_empty() { Outcome::Absent } else { Outcome::Verified(proofs) }
    }

    /// True if the requirement contains a scheme with one-time credentials.
    fn is_one_time(&self, requirement: &Requirement) -> bool {
        match requirement {
            Requirement::One(at) => self
                .policy
                .authenticator(*at)
                .is_some_and(|member| matches!(member.scheme, Scheme::OneTime(_))),
            Requirement::AnyOf(parts) | Requirement::AllOf(parts) => {
                parts.iter().any(|part| self.is_one_time(part))
            }
        }
    }

    /// True if a credential was presented to some member of the requirement.
    fn is_presented(&self, requirement: &Requirement) -> bool {
        let members = requirement.members();
        self.presented
            .iter()
            .any(|(at, claimed)| members.contains(at) && !matches!(claimed, Claimed::Nothing))
    }
}

/// Converts the result of a check for a trace.
fn result<E: Copy + Into<AuthError>>(checked: &Result<Verified, E>) -> Result<&Principal, Reason> {
    checked.as_ref().map(|verified| &verified.principal).map_err(|error| (*error).into().reason())
}

/// Rank of a failure by how little it says about the credential. A higher rank replaces an earlier failure.
fn undecided(reason: Reason) -> u8 {
    match reason {
        Reason::Unavailable => 2,
        Reason::Throttled { .. } => 1,
        _ => 0,
    }
}
