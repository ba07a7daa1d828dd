//! The Bearer scheme ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) with opaque tokens, verified by token
//! introspection ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)).

use std::rc::Rc;
use std::time::Duration;

use super::token::{self, TokenSettings};
use super::{AuthError, Context, MatchRank, Verified};
use crate::cache::CacheKey;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, ClientAuth};
use crate::jose::jwt::{Jwt, TokenError};
use crate::remote::introspection::Client;
use crate::remote::introspection::{Introspector, Outcome, Plan};
use crate::remote::jwks::Address;
use crate::remote::state::RemoteState;
use crate::response::Reason;

/// Maximum of `max_concurrent`. No more requests can wait at a time.
const MOST_CONCURRENT: usize = crate::remote::pending::MAX_WAITING;

/// Time that a request waits beyond the timeout of the call, so that the call ends first and reports the reason.
const MARGIN: Duration = Duration::from_secs(1);

/// The Bearer scheme with tokens that an introspection endpoint verifies.
pub struct Introspection {
    /// Settings that all token schemes share.
    pub settings: TokenSettings,
    /// The endpoint, and requirements on its responses.
    pub plan: Rc<Plan>,
    /// Time that a request waits for a response of the endpoint.
    pub max_wait: Duration,
}

impl Introspection {
    /// True if the length and the characters of a token are allowed: `access-token = 1*VSCHAR`
    /// ([RFC 6749 Appendix A.12](https://www.rfc-editor.org/rfc/rfc6749#appendix-A.12)).
    fn is_token(&self, credential: &[u8]) -> bool {
        (1..=self.settings.max_token_bytes).contains(&credential.len())
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

impl Introspection {
    /// Builds the scheme from its configuration.
    pub(super) fn build(
        cx: &mut BuildContext<'_>,
        at: &ConfigPath<'_>,
        config: &config::Introspection,
    ) -> Option<Self> {
        let address = Address::parse(&config.endpoint).ok();
        if address.is_none() {
            let expected =
                "an http or https URL without a fragment, as in https://idp.example.com/introspect";
            cx.expected(&at.member("endpoint"), expected);
        }
        cx.cluster(&at.member("cluster"), &config.cluster);
        if config.client_id.is_empty() {
            cx.expected(&at.member("client_id"), "a string that is not empty");
        }
        let secret = cx.secret(&at.member("client_secret"), &config.client_secret);
        if let Some(issuers) = &config.issuer {
            cx.texts(&at.member("issuer"), &issuers.0);
        }
        if config.timeout.0.is_zero() {
            cx.expected(&at.member("timeout"), "more than 0");
        }
        if !(1..=MOST_CONCURRENT).contains(&config.max_concurrent) {
            cx.expected(&at.member("max_concurrent"), "a number from 1 to 1024");
        }
        let fields = config.token_fields();
        let settings = TokenSettings::build(cx, at, &fields);
        let rules = token::build_rules(cx, at, &fields);
        let secret = secret?;
        let client = match config.client_auth {
            ClientAuth::Basic => Client::basic(&config.client_id, &secret),
            ClientAuth::Post => Client::post(&config.client_id, &secret),
        };
        let timeout = config.timeout.0;
        let plan = Plan {
            address: address?,
            cluster: config.cluster.clone(),
            client,
            timeout,
            max_concurrent: config.max_concurrent,
            cache_ttl: config.cache_ttl.0,
            negative_ttl: config.negative_ttl.0,
            issuers: config.issuer.as_ref().map(|issuers| issuers.0.clone()),
            rules: rules?,
        };
        Some(Introspection {
            settings: settings?,
            plan: Rc::new(plan),
            max_wait: timeout.saturating_add(MARGIN),
        })
    }
}
