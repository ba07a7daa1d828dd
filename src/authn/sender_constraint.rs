//! Tokens that are bound to whom they were issued to: by a key (DPoP, RFC 9449) or by a certificate (mutual TLS,
//! RFC 8705 §3). A token says so in `cnf` (RFC 7800), whoever vouches for its claims.
//!
//! The token proves itself; that it is used by its holder is proved by the request, so it is looked at each time.

mod confirmation;
mod dpop;
mod target;

pub use confirmation::{CertificateDigest, certificate_digest};
pub use dpop::Dpop;
pub use target::{Origin, OriginError};

use subtle::ConstantTimeEq as _;

use super::{Context, Presented};
use crate::cache::replays::{JtiUse, Replay, ReplayCache};
use crate::http::authorization::DPOP;
use crate::http::challenge::{Challenge, Realm};
use crate::http::location::CredentialLocation;
use crate::http::request::Request;
use crate::jose::claims::Claims;
use crate::jose::jwt::TokenError;
use crate::response::Reason;
use confirmation::Confirmation;

/// Which tokens must be bound. A binding that a token has is proved in any case, but for the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingMode {
    /// Those that say so.
    Auto,
    /// All, to a key.
    Dpop,
    /// All, to a certificate.
    Mtls,
    /// All, to either.
    Any,
    /// None, and `cnf` is not looked at.
    Ignore,
}

/// What is asked of tokens beside being valid.
pub struct SenderConstraint {
    mode: BindingMode,
    /// How proofs are checked; without it no token that is bound to a key can be used.
    dpop: Option<Dpop>,
    /// Where a proof stands, if proofs are read.
    proof: Option<CredentialLocation>,
}

impl SenderConstraint {
    /// What `demand` asks, with proofs checked by `dpop`.
    pub fn new(mode: BindingMode, dpop: Option<Dpop>) -> Self {
        let dpop = dpop.filter(|_| mode != BindingMode::Ignore);
        let proof =
            dpop.as_ref().map(|_| CredentialLocation::Field { name: "dpop".to_owned(), scheme: None });
        SenderConstraint { mode, dpop, proof }
    }

    /// These places, and where proofs can be checked, for each field that is read after `Bearer`, the same after `DPoP`.
    pub fn extended(&self, locations: Vec<CredentialLocation>) -> Vec<CredentialLocation> {
        let mut extended = Vec::with_capacity(locations.len() + 1);
        for location in &locations {
            extended.push(location.clone());
            let CredentialLocation::Field { name, scheme: Some(scheme) } = location else { continue };
            let dpop = CredentialLocation::Field { name: name.clone(), scheme: Some(DPOP.to_owned()) };
            let is_told_apart =
                |other: &CredentialLocation| !other.overlaps(&dpop) || other.is_told_from(&dpop);
            if self.dpop.is_some()
                && scheme.eq_ignore_ascii_case("Bearer")
                && locations.iter().all(is_told_apart)
            {
                extended.push(dpop);
            }
        }
        extended
    }

    /// Where a proof stands.
    pub fn proof_locations(&self) -> &[CredentialLocation] {
        self.proof.as_slice()
    }

    /// What is asked for: a token under `scheme`, a token under `DPoP` (RFC 9449 §7.1), or either.
    pub fn challenges(&self, scheme: &str, realm: &Realm) -> Vec<Challenge> {
        let dpop = self.dpop.iter().map(|dpop| Challenge::new(DPOP, realm).with("algs", dpop.algs()));
        let other = Some(Challenge::new(scheme, realm)).filter(|_| self.mode != BindingMode::Dpop);
        other.into_iter().chain(dpop).collect()
    }

    /// Whether the request shows that a token with these claims, which hold, is used by whom it was issued to. Gives the
    /// use of a proof, which is to be noted.
    pub fn prove(
        &self,
        claims: &Claims,
        presented: Presented<'_>,
        request: &Request<'_>,
        context: Context<'_>,
        replays: &ReplayCache,
    ) -> Result<Option<JtiUse>, Reason> {
        if self.mode == BindingMode::Ignore {
            return Ok(None);
        }
        let Confirmation { key, certificate } = match claims.find("cnf") {
            None => Confirmation::default(),
            Some(cnf) => Confirmation::from_json(cnf).ok_or(NOT_BOUND)?,
        };
        let is_enough = match self.mode {
            BindingMode::Auto | BindingMode::Ignore => true,
            BindingMode::Dpop => key.is_some(),
            BindingMode::Mtls => certificate.is_some(),
            BindingMode::Any => key.is_some() || certificate.is_some(),
        };
        if !is_enough {
            return Err(NOT_BOUND);
        }
        if let Some(certificate) = certificate {
            let shown = context.host.certificate().ok_or(NOT_BOUND)?;
            if !bool::from(shown.ct_eq(&certificate)) {
                return Err(NOT_BOUND);
            }
        }
        // RFC 9449 §7.1: a token that is bound to a key is no bearer token, and a bearer token is not bound to a key.
        let is_shown_as = |scheme: &str| {
            presented.location.scheme().is_some_and(|presented| presented.eq_ignore_ascii_case(scheme))
        };
        match (key, &self.dpop) {
            (None, _) if is_shown_as(DPOP) => Err(NOT_BOUND),
            (None, _) => Ok(None),
            (Some(_), None) => Err(NOT_BOUND),
            (Some(_), _) if is_shown_as("Bearer") => Err(NOT_BOUND),
            (Some(key), Some(dpop)) => {
                let proof = dpop.prove(&key, presented.credential, request, context);
                let proof = proof.map_err(Reason::InvalidToken)?;
                let error = match replays.check(&proof) {
                    Ok(()) => return Ok(Some(proof)),
                    Err(Replay::Used) => TokenError::ReplayedProof,
                    Err(Replay::TooManyAhead) => TokenError::StaleProof,
                };
                Err(Reason::InvalidToken(error))
            }
        }
    }
}

const NOT_BOUND: Reason = Reason::InvalidToken(TokenError::NotBound);
