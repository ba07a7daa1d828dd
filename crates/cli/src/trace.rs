//! Authenticators that are watched: they decide as always, and what they were asked and said is written down.
//!
//! So a request can be explained by the one decision that there is, and the filter pays nothing for it.

use std::cell::RefCell;
use std::rc::Rc;

use authgate::authn::{AuthError, Context, MatchRank, OneTime, Presented, Scheme, ThrottleSubject, Verified};
use authgate::cache::CacheKey;
use authgate::cache::nonces::Nonces;
use authgate::cache::replays::{JtiUse, ReplayCache};
use authgate::http::location::CredentialLocation;
use authgate::http::request::Request;
use authgate::policy::Policy;
use authgate::principal::Principal;
use authgate::remote::state::RemoteState;
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

    fn locations(&self) -> &[CredentialLocation] {
        self.scheme.locations()
    }

    fn match_rank(&self, credential: &[u8]) -> MatchRank {
        self.scheme.match_rank(credential)
    }

    fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        let result = self.scheme.admit(presented, request);
        self.note(What::Admitted(result));
        result
    }

    fn authenticate(
        &self,
        credential: &[u8],
        cache_key: CacheKey,
        context: Context<'_>,
        source: &mut RemoteState,
    ) -> Result<Verified, AuthError> {
        let result = self.scheme.authenticate(credential, cache_key, context, source);
        self.note_principal(result.as_ref().map(|proof| &proof.principal).map_err(|setback| match setback {
            AuthError::Refused(reason) | AuthError::Pending { otherwise: reason, .. } => reason,
        }));
        result
    }

    fn prove_possession(
        &self,
        principal: &Principal,
        presented: Presented<'_>,
        request: &Request<'_>,
        context: Context<'_>,
        replays: &ReplayCache,
    ) -> Result<Option<JtiUse>, Reason> {
        let result = self.scheme.prove_possession(principal, presented, request, context, replays);
        self.note(What::Possessed(result.as_ref().map(|_| ()).map_err(|reason| *reason)));
        result
    }

    fn throttle_subject<'c>(&self, credential: &'c [u8]) -> ThrottleSubject<'c> {
        self.scheme.throttle_subject(credential)
    }

    fn needs_slow_hash(&self, credential: &[u8]) -> bool {
        self.scheme.needs_slow_hash(credential)
    }
}

impl OneTime for Witness {
    fn authenticate(
        &self,
        credential: &[u8],
        request: &Request<'_>,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Result<Principal, Reason> {
        let Some(scheme) = self.scheme.one_time() else { return Err(Reason::Unavailable) };
        let result = scheme.authenticate(credential, request, context, nonces);
        self.note_principal(result.as_ref());
        result
    }
}
