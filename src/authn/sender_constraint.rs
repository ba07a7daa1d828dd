//! Sender-constrained tokens: bound to a key (DPoP, [RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)) or to a
//! certificate (mutual TLS, [RFC 8705 §3](https://www.rfc-editor.org/rfc/rfc8705#section-3)) of their holder. The claim
//! `cnf` ([RFC 7800](https://www.rfc-editor.org/rfc/rfc7800)) of a token names the binding, in JWTs and introspection
//! responses alike.
//!
//! The token is verified alone, so the result can be cached. Possession is proved by each request, so it is checked
//! each time.

mod confirmation;
mod dpop;
mod target;

pub use confirmation::{CertificateDigest, certificate_digest};
pub use dpop::Dpop;
pub use target::{Origin, OriginError};

use super::key_provider::algorithm;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, WarningKind};
use crate::jose::jwk::Algorithms;
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

/// Tokens that must be bound. The binding of a bound token is always checked, except with `Ignore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingMode {
    /// None. Only tokens that are bound need a proof.
    Auto,
    /// All tokens, to a key.
    Dpop,
    /// All tokens, to a certificate.
    Mtls,
    /// All tokens, to a key or a certificate.
    Any,
    /// None, and `cnf` is ignored.
    Ignore,
}

/// Requirements on the possession of tokens.
pub struct SenderConstraint {
    mode: BindingMode,
    /// The check of proofs. Without it, tokens that are bound to a key are rejected.
    dpop: Option<Dpop>,
    /// The location of proofs, if proofs are read.
    proof: Option<CredentialLocation>,
}

impl SenderConstraint {
    /// Creates a constraint with this mode, whose proofs are checked by `dpop`.
    pub fn new(mode: BindingMode, dpop: Option<Dpop>) -> Self {
        let dpop = dpop.filter(|_| mode != BindingMode::Ignore);
        let proof =
            dpop.as_ref().map(|_| CredentialLocation::Field { name: "dpop".to_owned(), scheme: None });
        SenderConstraint { mode, dpop, proof }
    }

    /// Returns these locations and, if proofs can be checked, for each header with `Bearer` the same header with
    /// `DPoP`.
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

    /// Returns the location of proofs.
    pub fn proof_locations(&self) -> &[CredentialLocation] {
        self.proof.as_slice()
    }

    /// Returns the challenges: for tokens with `scheme`, for tokens with `DPoP`
    /// ([RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)), or for both.
    pub fn challenges(&self, scheme: &str, realm: &Realm) -> Vec<Challenge> {
        let dpop = self.dpop.iter().map(|dpop| Challenge::new(DPOP, realm).with("algs", dpop.algs()));
        let other = Some(Challenge::new(scheme, realm)).filter(|_| self.mode != BindingMode::Dpop);
        other.into_iter().chain(dpop).collect()
    }

    /// Checks that the request proves possession of a verified token with these claims. Returns the use of the proof,
    /// if there is one; the decision has to note it.
    ///
    /// # Errors
    /// Fails if the token lacks a required binding, or if the proof is missing, invalid or used.
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
        // RFC 9449 §7.1: `DPoP` is for tokens that are bound to a key, and `Bearer` for all others.
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

impl SenderConstraint {
    /// Builds a sender constraint. `at` is that of the authenticator.
    pub(super) fn build(
        cx: &mut BuildContext<'_>,
        at: &ConfigPath<'_>,
        bound: config::Bound,
        dpop: Option<&config::Dpop>,
    ) -> Option<Self> {
        let mode = match bound {
            config::Bound::Auto => BindingMode::Auto,
            config::Bound::Dpop => BindingMode::Dpop,
            config::Bound::Mtls => BindingMode::Mtls,
            config::Bound::Any => BindingMode::Any,
            config::Bound::Ignore => BindingMode::Ignore,
        };
        let Some(dpop) = dpop else {
            match mode {
                BindingMode::Dpop => {
                    let expected =
                        "`dpop: {origin: …}` in the same authenticator, with the origin that clients see";
                    cx.expected(&at.member("bound"), expected);
                    return None;
                }
                BindingMode::Any => cx.warn(&at.member("bound"), WarningKind::NoProofs),
                BindingMode::Auto | BindingMode::Mtls | BindingMode::Ignore => {}
            }
            return Some(SenderConstraint::new(mode, None));
        };
        let at = &at.member("dpop");
        if dpop.max_age.0.is_zero() {
            cx.expected(&at.member("max_age"), "more than 0s");
        }
        let algorithms = proof_algorithms(cx, &at.member("algorithms"), dpop.algorithms.as_deref());
        let origin = cx.checked(&at.member("origin"), Origin::parse(&dpop.origin))?;
        let dpop = Dpop::new(origin, dpop.max_age.0).with_algorithms(algorithms);
        Some(SenderConstraint::new(mode, Some(dpop)))
    }
}

/// Parses `dpop.algorithms`.
fn proof_algorithms(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, names: Option<&[String]>) -> Algorithms {
    let Some(names) = names else { return Dpop::DEFAULT_ALGORITHMS };
    cx.non_empty(at, names);
    let mut algorithms = Algorithms::NONE;
    for (index, name) in names.iter().enumerate() {
        let at = &at.index(index);
        match algorithm(cx, at, name) {
            Some(algorithm) if algorithm.is_symmetric() => {
                let expected = "a public-key algorithm, since a proof with a shared secret proves nothing";
                cx.expected(at, expected);
            }
            Some(algorithm) => algorithms = algorithms.or(Algorithms::only(algorithm)),
            None => {}
        }
    }
    algorithms
}
