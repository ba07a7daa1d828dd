//! The Bearer scheme ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) with JSON Web Tokens
//! ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)).

use std::rc::Rc;

use super::key_provider::{self, KeyProvider};
use super::token::{self, TokenSettings};
use super::{AuthError, Context, MatchRank, Verified};
use crate::config;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::jose::jwk::KeySet;
use crate::jose::jwt::{JwsError, Jwt, TokenError, Validation};
use crate::principal::Principal;
use crate::remote::jwks::{JwksFetcher, Keys, Plan};
use crate::remote::state::RemoteState;
use crate::response::Reason;

/// The Bearer scheme with JWTs of configured issuers.
pub struct Bearer {
    /// Settings that all token schemes share.
    pub settings: TokenSettings,
    /// Keys that verify signatures.
    pub keys: KeyProvider,
    /// Requirements on tokens.
    pub validation: Validation,
}

impl Bearer {
    pub(super) fn match_rank(&self, credential: &[u8]) -> MatchRank {
        if credential.len() > self.settings.max_token_bytes {
            // The token is too long to be parsed. If it looks like a JWT it may be from a configured issuer, so no
            // introspection endpoint may see it.
            let has_three_parts = credential.iter().filter(|byte| **byte == b'.').count() == 2;
            return if has_three_parts { MatchRank::Issuer } else { MatchRank::Unreadable };
        }
        match Jwt::parse(credential) {
            Ok(jwt) if !self.validation.knows_issuer(&jwt) => MatchRank::Foreign,
            Ok(jwt) if !self.validation.knows_audience(&jwt) => MatchRank::Issuer,
            Ok(_) => MatchRank::Own,
            Err(_) => MatchRank::Unreadable,
        }
    }

    pub(super) fn issuer_mismatch(&self, credential: &[u8]) -> Option<String> {
        let is_read = credential.len() <= self.settings.max_token_bytes;
        let jwt = Jwt::parse(credential).ok().filter(|_| is_read)?;
        self.validation.issuer_mismatch(&jwt)
    }

    pub(super) fn remote_state(&self) -> RemoteState {
        match &self.keys {
            KeyProvider::Configuration(_) => RemoteState::Nothing,
            KeyProvider::Provider(plan) => RemoteState::Keys(JwksFetcher::new(Rc::clone(plan))),
        }
    }

    /// Verifies a token, with the keys of `fetcher` if they come from an identity provider.
    pub(super) fn authenticate(
        &self,
        credential: &[u8],
        context: Context<'_>,
        fetcher: Option<&mut JwksFetcher>,
    ) -> Result<Verified, AuthError> {
        if credential.len() > self.settings.max_token_bytes {
            return Err(Reason::MalformedCredentials.into());
        }
        let jwt = Jwt::parse(credential).map_err(|_| Reason::MalformedCredentials)?;
        let subject = match (&self.keys, fetcher) {
            (KeyProvider::Configuration(keys), _) => self.validate(&jwt, keys, context)?,
            (KeyProvider::Provider(plan), Some(fetcher)) => {
                self.validate_by_fetched(&jwt, plan, fetcher, context)?
            }
            (KeyProvider::Provider(_), None) => return Err(Reason::Unavailable.into()),
        };
        let subject = subject.to_owned();
        let issuer = jwt.issuer().map(str::to_owned);
        let claims = jwt.into_claims();
        let valid_until = self.validation.rules.valid_until(&claims);
        let scopes = claims.scopes(&self.validation.rules.scopes);
        let scopes = scopes.map_err(|_| Reason::InvalidToken(TokenError::TooManyScopes))?;
        let principal = Principal { subject, issuer, scopes, claims };
        Ok(Verified { principal, valid_until })
    }

    fn validate<'j>(&self, jwt: &'j Jwt<'_>, keys: &KeySet, context: Context<'_>) -> Result<&'j str, Reason> {
        let validated = self.validation.validate(jwt, keys, context.now, context.signatures);
        validated.map_err(Reason::InvalidToken)
    }

    /// Validates a token with fetched keys. A token that can be rejected without the missing keys does not wait for
    /// them.
    fn validate_by_fetched<'j>(
        &self,
        jwt: &'j Jwt<'_>,
        plan: &Plan,
        source: &mut JwksFetcher,
        context: Context<'_>,
    ) -> Result<&'j str, AuthError> {
        let unknown_key = Reason::InvalidToken(TokenError::from(JwsError::UnknownKey));
        let foreseen = self.validation.precheck(jwt, context.now).map_err(Reason::InvalidToken);
        let (fetch_id, otherwise) = match source.keys() {
            Keys::Known(keys) => match self.validate(jwt, &keys, context) {
                Err(reason) if reason == unknown_key && foreseen.is_ok() => {
                    (source.refresh_for_unknown_kid(context.now).ok_or(reason)?, reason)
                }
                validated => return Ok(validated?),
            },
            Keys::Pending(fetch_id) => {
                foreseen?;
                (fetch_id, Reason::Unavailable)
            }
            Keys::Stale => {
                foreseen?;
                return Err(Reason::Unavailable.into());
            }
        };
        Err(AuthError::Pending { fetch_id, max_wait: plan.max_wait, otherwise })
    }
}

impl Bearer {
    /// Builds the scheme from its configuration.
    pub(super) fn build(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, jwt: &config::Jwt) -> Option<Self> {
        cx.texts(&at.member("issuer"), &jwt.issuer.0);
        let keys = key_provider::build(cx, &at.member("keys"), &jwt.keys, &jwt.issuer.0);
        let within = &at.member("algorithms");
        let algorithms = key_provider::algorithms(cx, within, jwt.algorithms.as_deref(), keys.as_ref());
        if let Some(types) = &jwt.typ {
            cx.texts(&at.member("typ"), types);
        }
        let fields = jwt.token_fields();
        let settings = TokenSettings::build(cx, at, &fields);
        let rules = token::build_rules(cx, at, &fields);
        Some(Bearer {
            settings: settings?,
            keys: keys?,
            validation: Validation {
                issuers: jwt.issuer.0.clone(),
                algorithms,
                types: jwt.typ.clone(),
                rules: rules?,
            },
        })
    }
}
