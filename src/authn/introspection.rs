//! The Bearer scheme, RFC 6750, with tokens that only their issuer can read, RFC 7662.

use std::rc::Rc;

use super::sender_constraint::SenderConstraint;
use super::{AuthError, Context, MatchRank, Verified};
use crate::cache::CacheKey;
use crate::http::location::CredentialLocation;
use crate::jose::jwt::{Jwt, TokenError};
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

    /// What nobody else claims may be the endpoint's.
    pub(super) fn match_rank(&self, credential: &[u8]) -> MatchRank {
        if !self.is_token(credential) {
            MatchRank::Unreadable
        } else if self.is_anothers(credential) {
            MatchRank::Foreign
        } else {
            MatchRank::Unclaimed
        }
    }

    pub(super) fn remote_state(&self) -> RemoteState {
        RemoteState::Tokens(Introspector::new(Rc::clone(&self.plan)))
    }

    pub(super) fn authenticate(
        &self,
        credential: &[u8],
        cache_key: CacheKey,
        context: Context<'_>,
        introspector: &mut Introspector,
    ) -> Result<Verified, AuthError> {
        if !self.is_token(credential) {
            return Err(Reason::MalformedCredentials.into());
        }
        if self.is_anothers(credential) {
            return Err(Reason::InvalidToken(TokenError::WrongIssuer).into());
        }
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
