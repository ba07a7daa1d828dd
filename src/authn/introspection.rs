//! The Bearer scheme, RFC 6750, with tokens that only their issuer can read, RFC 7662.

use std::rc::Rc;

use super::bound::Bound;
use super::{Affinity, Presented, Proof, Scheme, Setback, Surroundings, same_origin};
use crate::cache::Slot;
use crate::cache::nonces::Nonces;
use crate::cache::replays::{ProofUse, Replays};
use crate::http::challenge::{Challenge, Realm};
use crate::http::location::Place;
use crate::http::request::Request;
use crate::jose::jwt::{Jwt, TokenError};
use crate::principal::Principal;
use crate::remote::introspection::{Introspector, Outcome, Plan};
use crate::remote::source::Source;
use crate::response::Reason;

/// How tokens are found and asked for.
pub struct Introspection {
    /// Where tokens stand.
    pub places: Vec<Place>,
    /// The auth-scheme that challenges name.
    pub challenge_scheme: String,
    /// Whom to ask, and what its answers must say.
    pub plan: Rc<Plan>,
    /// The longest token, in octets.
    pub max_token_bytes: usize,
    /// Whether a cookie counts on its own on unsafe methods.
    pub trusts_cookies: bool,
    /// For how long a request waits for an answer, in seconds.
    pub max_wait: f64,
    /// What shows that a token is used by whom it was issued to.
    pub bound: Bound,
}

impl Introspection {
    /// RFC 6749 Appendix A.12: `access-token = 1*VSCHAR`.
    fn is_token(&self, credential: &[u8]) -> bool {
        (1..=self.max_token_bytes).contains(&credential.len())
            && credential.iter().all(|octet| (0x20..=0x7e).contains(octet))
    }

    /// Whether the token says that somebody else issued it, so that the endpoint need not see it.
    fn is_anothers(&self, credential: &[u8]) -> bool {
        self.plan.issuers.is_some()
            && Jwt::parse(credential).is_ok_and(|jwt| !self.plan.takes_issuer(jwt.issuer()))
    }
}

impl Scheme for Introspection {
    fn places(&self) -> &[Place] {
        &self.places
    }

    fn challenges(&self, realm: &Realm, _: Surroundings<'_>, _: &mut Nonces) -> Vec<Challenge> {
        self.bound.challenges(&self.challenge_scheme, realm)
    }

    fn proof_places(&self) -> &[Place] {
        self.bound.proof_places()
    }

    fn is_bearer(&self) -> bool {
        true
    }

    /// What nobody else claims may be the endpoint's.
    fn affinity(&self, credential: &[u8]) -> Affinity {
        if !self.is_token(credential) {
            Affinity::Unreadable
        } else if self.is_anothers(credential) {
            Affinity::Foreign
        } else {
            Affinity::Unclaimed
        }
    }

    fn takes_unclaimed(&self) -> bool {
        true
    }

    fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        if self.trusts_cookies { Ok(()) } else { same_origin::prove(presented, request) }
    }

    fn prove_possession(
        &self,
        principal: &Principal,
        presented: Presented<'_>,
        request: &Request<'_>,
        surroundings: Surroundings<'_>,
        replays: &Replays,
    ) -> Result<Option<ProofUse>, Reason> {
        self.bound.prove(&principal.claims, presented, request, surroundings, replays)
    }

    fn source(&self) -> Source {
        Source::Tokens(Introspector::new(Rc::clone(&self.plan)))
    }

    fn authenticate(
        &self,
        credential: &[u8],
        slot: Slot,
        surroundings: Surroundings<'_>,
        source: &mut Source,
    ) -> Result<Proof, Setback> {
        if !self.is_token(credential) {
            return Err(Reason::MalformedCredentials.into());
        }
        if self.is_anothers(credential) {
            return Err(Reason::InvalidToken(TokenError::WrongIssuer).into());
        }
        let Source::Tokens(introspector) = source else { return Err(Reason::Unavailable.into()) };
        match introspector.look_up(slot, credential, || surroundings.on_demand.peer(), surroundings.now) {
            Outcome::Holds(principal, until) => {
                Ok(Proof { principal: principal.as_ref().clone(), valid_until: Some(until) })
            }
            Outcome::Refused(error) => Err(Reason::InvalidToken(error).into()),
            Outcome::Unknown => Err(Reason::Unavailable.into()),
            Outcome::Awaited(ticket) => {
                Err(Setback::Pending { ticket, max_wait: self.max_wait, otherwise: Reason::Unavailable })
            }
        }
    }
}
