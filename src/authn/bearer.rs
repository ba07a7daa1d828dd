//! The Bearer scheme, RFC 6750, with JSON Web Tokens, RFC 7519.

use std::rc::Rc;

use super::bound::Bound;
use super::{Affinity, Presented, Proof, Scheme, Setback, Surroundings, same_origin};
use crate::cache::Slot;
use crate::cache::nonces::Nonces;
use crate::cache::replays::{ProofUse, Replays};
use crate::http::challenge::{Challenge, Realm};
use crate::http::location::Place;
use crate::http::request::Request;
use crate::jose::claims::ClaimSelector;
use crate::jose::jwk::KeySet;
use crate::jose::jwt::{JwsError, Jwt, TokenError, Validation};
use crate::principal::Principal;
use crate::remote::jwks::{KeySource, Keys, Plan};
use crate::remote::source::Source;
use crate::response::Reason;

/// How tokens are found and checked.
pub struct Bearer {
    /// Where tokens stand.
    pub places: Vec<Place>,
    /// The auth-scheme that challenges name.
    pub challenge_scheme: String,
    /// What signatures are verified with.
    pub keys: KeysFrom,
    /// What a token must be.
    pub validation: Validation,
    /// The longest token, in octets.
    pub max_token_bytes: usize,
    /// Where scopes stand.
    pub scope_claims: Vec<ClaimSelector>,
    /// Whether a cookie counts on its own on unsafe methods.
    pub trusts_cookies: bool,
    /// What shows that a token is used by whom it was issued to.
    pub bound: Bound,
}

/// Where keys come from.
pub enum KeysFrom {
    /// The configuration.
    Configuration(KeySet),
    /// An identity provider, as planned.
    Provider(Rc<Plan>),
}

impl Scheme for Bearer {
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

    fn affinity(&self, credential: &[u8]) -> Affinity {
        if credential.len() > self.max_token_bytes {
            // Nobody looks into it, and nobody else is to see it if it may be one of ours.
            let has_three_parts = credential.iter().filter(|octet| **octet == b'.').count() == 2;
            return if has_three_parts { Affinity::Issuer } else { Affinity::Unreadable };
        }
        match Jwt::parse(credential) {
            Ok(jwt) if !self.validation.knows_issuer(&jwt) => Affinity::Foreign,
            Ok(jwt) if !self.validation.knows_audience(&jwt) => Affinity::Issuer,
            Ok(_) => Affinity::Own,
            Err(_) => Affinity::Unreadable,
        }
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
        match &self.keys {
            KeysFrom::Configuration(_) => Source::Nothing,
            KeysFrom::Provider(plan) => Source::Keys(KeySource::new(Rc::clone(plan))),
        }
    }

    fn authenticate(
        &self,
        credential: &[u8],
        _: Slot,
        surroundings: Surroundings<'_>,
        source: &mut Source,
    ) -> Result<Proof, Setback> {
        if credential.len() > self.max_token_bytes {
            return Err(Reason::MalformedCredentials.into());
        }
        let jwt = Jwt::parse(credential).map_err(|_| Reason::MalformedCredentials)?;
        let subject = match (&self.keys, source) {
            (KeysFrom::Configuration(keys), _) => self.validate(&jwt, keys, surroundings)?,
            (KeysFrom::Provider(plan), Source::Keys(source)) => {
                self.validate_by_fetched(&jwt, plan, source, surroundings)?
            }
            (KeysFrom::Provider(_), Source::Nothing | Source::Tokens(_)) => {
                return Err(Reason::Unavailable.into());
            }
        };
        let subject = subject.to_owned();
        let issuer = jwt.issuer().map(str::to_owned);
        let claims = jwt.into_claims();
        let valid_until = self.validation.rules.valid_until(&claims);
        let scopes = claims.scopes(&self.scope_claims);
        let scopes = scopes.map_err(|_| Reason::InvalidToken(TokenError::TooManyScopes))?;
        let principal = Principal { subject, issuer, scopes, claims };
        Ok(Proof { principal, valid_until })
    }
}

impl Bearer {
    fn validate<'j>(
        &self,
        jwt: &'j Jwt<'_>,
        keys: &KeySet,
        surroundings: Surroundings<'_>,
    ) -> Result<&'j str, Reason> {
        let validated = self.validation.validate(jwt, keys, surroundings.now, surroundings.signatures);
        validated.map_err(Reason::InvalidToken)
    }

    /// A token waits for nothing where it can be refused already.
    fn validate_by_fetched<'j>(
        &self,
        jwt: &'j Jwt<'_>,
        plan: &Plan,
        source: &mut KeySource,
        surroundings: Surroundings<'_>,
    ) -> Result<&'j str, Setback> {
        let unknown_key = Reason::InvalidToken(TokenError::from(JwsError::UnknownKey));
        let foreseen = self.validation.foresee(jwt, surroundings.now).map_err(Reason::InvalidToken);
        let (ticket, otherwise) = match source.keys() {
            Keys::Known(keys) => match self.validate(jwt, &keys, surroundings) {
                Err(reason) if reason == unknown_key && foreseen.is_ok() => {
                    (source.look_again(surroundings.now).ok_or(reason)?, reason)
                }
                validated => return Ok(validated?),
            },
            Keys::Awaited(ticket) => {
                foreseen?;
                (ticket, Reason::Unavailable)
            }
            Keys::Stale => {
                foreseen?;
                return Err(Reason::Unavailable.into());
            }
        };
        Err(Setback::Pending { ticket, max_wait: plan.max_wait, otherwise })
    }
}
