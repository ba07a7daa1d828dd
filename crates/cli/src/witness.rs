//! Authenticators that are watched: they decide as always, and what they were asked and said is written down.
//!
//! So a request can be explained by the one decision that there is, and the filter pays nothing for it.

use std::cell::RefCell;
use std::rc::Rc;

use authgate::authn::{Affinity, Guess, OneTime, Presented, Proof, Scheme, Setback, Surroundings};
use authgate::cache::Slot;
use authgate::cache::nonces::Nonces;
use authgate::cache::replays::{ProofUse, Replays};
use authgate::http::location::Place;
use authgate::http::request::Request;
use authgate::policy::Policy;
use authgate::principal::Principal;
use authgate::remote::source::Source;
use authgate::response::Reason;

use super::wrapping::leaves_to_scheme;

/// Something that an authenticator said.
#[derive(Clone)]
pub struct Heard {
    /// The authenticator's place in the policy.
    pub authenticator: usize,
    pub what: What,
}

/// What it was asked, and what it said.
#[derive(Clone)]
pub enum What {
    /// Whether the request around the credential is as it must be.
    Admitted(Result<(), Reason>),
    /// Whether the credential holds, and whose it is.
    Authenticated(Result<Known, Reason>),
    /// Whether it is shown that the credential is used by whom it was issued to.
    Possessed(Result<(), Reason>),
}

/// Who it is, as far as it is told.
#[derive(Clone)]
pub struct Known {
    pub subject: String,
    pub scopes: Vec<String>,
}

/// What was heard.
pub type Log = Rc<RefCell<Vec<Heard>>>;

/// Watches all authenticators of a policy.
pub fn watch(policy: &mut Policy) -> Log {
    let log = Log::default();
    let watched = std::mem::take(&mut policy.authenticators).into_iter().enumerate();
    policy.authenticators = watched
        .map(|(at, mut authenticator)| {
            authenticator.scheme = Box::new(Witness { at, scheme: authenticator.scheme, log: log.clone() });
            authenticator
        })
        .collect();
    log
}

struct Witness {
    at: usize,
    scheme: Box<dyn Scheme>,
    log: Log,
}

impl Witness {
    fn note(&self, what: What) {
        if let Ok(mut log) = self.log.try_borrow_mut() {
            log.push(Heard { authenticator: self.at, what });
        }
    }

    fn note_principal(&self, result: Result<&Principal, &Reason>) {
        let known = result
            .map_err(|reason| *reason)
            .map(|principal| Known { subject: principal.subject.clone(), scopes: principal.scopes.clone() });
        self.note(What::Authenticated(known));
    }
}

impl Scheme for Witness {
    leaves_to_scheme!();

    fn places(&self) -> &[Place] {
        self.scheme.places()
    }

    fn affinity(&self, credential: &[u8]) -> Affinity {
        self.scheme.affinity(credential)
    }

    fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        let result = self.scheme.admit(presented, request);
        self.note(What::Admitted(result));
        result
    }

    fn authenticate(
        &self,
        credential: &[u8],
        slot: Slot,
        surroundings: Surroundings<'_>,
        source: &mut Source,
    ) -> Result<Proof, Setback> {
        let result = self.scheme.authenticate(credential, slot, surroundings, source);
        self.note_principal(result.as_ref().map(|proof| &proof.principal).map_err(|setback| match setback {
            Setback::Refused(reason) | Setback::Pending { otherwise: reason, .. } => reason,
        }));
        result
    }

    fn prove_possession(
        &self,
        principal: &Principal,
        presented: Presented<'_>,
        request: &Request<'_>,
        surroundings: Surroundings<'_>,
        replays: &Replays,
    ) -> Result<Option<ProofUse>, Reason> {
        let result = self.scheme.prove_possession(principal, presented, request, surroundings, replays);
        self.note(What::Possessed(result.as_ref().map(|_| ()).map_err(|reason| *reason)));
        result
    }

    fn guess<'c>(&self, credential: &'c [u8]) -> Guess<'c> {
        self.scheme.guess(credential)
    }

    fn takes_slow_hash(&self, credential: &[u8]) -> bool {
        self.scheme.takes_slow_hash(credential)
    }
}

impl OneTime for Witness {
    fn authenticate(
        &self,
        credential: &[u8],
        request: &Request<'_>,
        surroundings: Surroundings<'_>,
        nonces: &mut Nonces,
    ) -> Result<Principal, Reason> {
        let Some(scheme) = self.scheme.one_time() else { return Err(Reason::Unavailable) };
        let result = scheme.authenticate(credential, request, surroundings, nonces);
        self.note_principal(result.as_ref());
        result
    }
}
