//! The Bearer scheme, RFC 6750, with tokens that only their issuer can read, RFC 7662.

use std::rc::Rc;

use super::sender_constraint::SenderConstraint;
use super::{AuthError, Context, MatchRank, Presented, Scheme, Verified, same_origin};
use crate::cache::CacheKey;
use crate::cache::nonces::Nonces;
use crate::cache::replays::{JtiUse, ReplayCache};
use crate::http::challenge::{Challenge, Realm};
use crate::http::location::CredentialLocation;
use crate::http::request::Request;
use crate::jose::jwt::{Jwt, TokenError};
use crate::principal::Principal;
use crate::remote::introspection::{Introspector, Outcome, Plan};
use crate::remote::state::RemoteState;
use crate::response::Reason;

/// How tokens are found and asked for.
pub struct Introspection {
    /// Where tokens stand.
    pub locations: Vec<CredentialLocation>,
    /// The auth-scheme that challenges name.
    pub challenge_scheme: String,
    /// Whom to ask, and what its answers must say.
    pub plan: Rc<Plan>,
    /// The longest token, in octets.
    pub max_token_bytes: usize,
    /// Whether a cookie counts on its own on unsafe methods.
    pub csrf_disabled: bool,
    /// For how long a request waits for an answer, in seconds.
    pub max_wait: f64,
    /// What shows that a token is used by whom it was issued to.
    pub bound: SenderConstraint,
}

impl Introspection {
    /// RFC 6749 Appendix A.12: `access-token = 1*VSCHAR`.
    fn is_token(&self, credential: &[u8]) -> bool {
        (1..=self.max_token_bytes).contains(&credential.len())
            && credential.iter().all(|byte| (0x20..=0x7e).contains(byte))
    }

    /// Whether the token says that somebody else issued it, so that the endpoint need not see it.
    fn is_anothers(&self, credential: &[u8]) -> bool {
        self.plan.issuers.is_some()
            && Jwt::parse(credential).is_ok_and(|jwt| !self.plan.accepts_issuer(jwt.issuer()))
    }
}

impl Scheme for Introspection {
    fn locations(&self) -> &[CredentialLocation] {
        &self.locations
    }

    fn challenges(&self, realm: &Realm, _: Context<'_>, _: &mut Nonces) -> Vec<Challenge> {
        self.bound.challenges(&self.challenge_scheme, realm)
    }

    fn proof_locations(&self) -> &[CredentialLocation] {
        self.bound.proof_locations()
    }

    fn is_bearer(&self) -> bool {
        true
    }

    /// What nobody else claims may be the endpoint's.
    fn match_rank(&self, credential: &[u8]) -> MatchRank {
        if !self.is_token(credential) {
            MatchRank::Unreadable
        } else if self.is_anothers(credential) {
            MatchRank::Foreign
        } else {
            MatchRank::Unclaimed
        }
    }

    fn accepts_unclaimed(&self) -> bool {
        true
    }

    fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        if self.csrf_disabled { Ok(()) } else { same_origin::prove(presented, request) }
    }

    fn prove_possession(
        &self,
        principal: &Principal,
        presented: Presented<'_>,
        request: &Request<'_>,
        context: Context<'_>,
        replays: &ReplayCache,
    ) -> Result<Option<JtiUse>, Reason> {
        self.bound.prove(&principal.claims, presented, request, context, replays)
    }

    fn source(&self) -> RemoteState {
        RemoteState::Tokens(Introspector::new(Rc::clone(&self.plan)))
    }

    fn authenticate(
        &self,
        credential: &[u8],
        cache_key: CacheKey,
        context: Context<'_>,
        source: &mut RemoteState,
    ) -> Result<Verified, AuthError> {
        if !self.is_token(credential) {
            return Err(Reason::MalformedCredentials.into());
        }
        if self.is_anothers(credential) {
            return Err(Reason::InvalidToken(TokenError::WrongIssuer).into());
        }
        let RemoteState::Tokens(introspector) = source else { return Err(Reason::Unavailable.into()) };
        match introspector.look_up(cache_key, credential, || context.host.peer(), context.now) {
            Outcome::Holds(principal, until) => {
                Ok(Verified { principal: principal.as_ref().clone(), valid_until: Some(until) })
            }
            Outcome::Refused(error) => Err(Reason::InvalidToken(error).into()),
            Outcome::Unknown => Err(Reason::Unavailable.into()),
            Outcome::Pending(fetch_id) => {
                Err(AuthError::Pending { fetch_id, max_wait: self.max_wait, otherwise: Reason::Unavailable })
            }
        }
    }
}
