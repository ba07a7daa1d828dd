//! The Bearer scheme ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) with opaque tokens, verified by token
//! introspection ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)).

use std::rc::Rc;

use super::sender_constraint::SenderConstraint;
use super::{AuthError, Context, MatchRank, Verified};
use crate::cache::CacheKey;
use crate::http::location::CredentialLocation;
use crate::jose::jwt::{Jwt, TokenError};
use crate::remote::introspection::{Introspector, Outcome, Plan};
use crate::remote::state::RemoteState;
use crate::response::Reason;

/// The Bearer scheme with tokens that an introspection endpoint verifies.
pub struct Introspection {
    /// Locations of tokens.
    pub locations: Vec<CredentialLocation>,
    /// Auth-scheme of the challenges.
    pub challenge_scheme: String,
    /// The endpoint, and requirements on its responses.
    pub plan: Rc<Plan>,
    /// Maximum length of a token, in bytes.
    pub max_token_bytes: usize,
    /// True if a credential in a cookie is accepted on unsafe methods without proof of the request's origin.
    pub csrf_disabled: bool,
    /// Seconds that a request waits for a response of the endpoint.
    pub max_wait: f64,
    /// Binding of tokens to a key or certificate of their holder.
    pub bound: SenderConstraint,
}

impl Introspection {
    /// True if the length and the characters of a token are allowed: `access-token = 1*VSCHAR`
    /// ([RFC 6749 Appendix A.12](https://www.rfc-editor.org/rfc/rfc6749#appendix-A.12)).
    fn is_token(&self, credential: &[u8]) -> bool {
        (1..=self.max_token_bytes).contains(&credential.len())
            && credential.iter().all(|byte| (0x20..=0x7e).contains(byte))
    }

    /// True if the token is a JWT of another issuer, so that the endpoint must not see it.
    fn is_anothers(&self, credential: &[u8]) -> bool {
        self.plan.issuers.is_some()
            && Jwt::parse(credential).is_ok_and(|jwt| !self.plan.accepts_issuer(jwt.issuer()))
    }

    /// Returns the rank of a token. A token that no other authenticator claims may be from the endpoint's issuer.
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
