//! JSON Web Tokens: compact JWS (RFC 7515 §7.1) that carry claims (RFC 7519). Knows no HTTP.
//!
//! [`Jws::parse`] and [`Jwt::parse`] look at the form alone, so that a caller can send a token to whoever knows its
//! issuer; nothing that they hand out is to be believed before [`Validation::validate`] has said so.

mod der;
mod error;
mod header;
mod rules;
mod signature;
mod validation;

pub use crate::jose::jwk::{Algorithm, Algorithms};
pub use der::ecdsa_to_der;
pub use error::{Claim, JwsError, Malformed, Part, TokenError};
pub use header::Header;
pub use rules::{Audiences, ClaimRules, Revoked};
pub use signature::{SignatureVerifier, SoftwareVerifier};
pub use validation::Validation;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::jose::claims::Claims;
use crate::jose::jwk::{KeySet, VerifyingKey};
use crate::json;

/// The most keys that are tried on one token. More than one fits if a token names no key, or several share a name.
pub const MAX_CANDIDATES: usize = 8;

/// A compact JWS, well-formed but not verified.
pub struct Jws<'a> {
    signing_input: &'a [u8],
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart: three parts in canonical base64url (no padding, no stray trailing bits), the first a JSON
    /// object. The caller bounds the length.
    pub fn parse(token: &'a [u8]) -> Result<Jws<'a>, Malformed> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::NotThreeParts);
        };
        let signing_input = token.get(..header.len() + 1 + payload.len()).ok_or(Malformed::NotThreeParts)?;
        let decode = |part, text| URL_SAFE_NO_PAD.decode(text).map_err(|_| Malformed::Base64(part));
        let header = decode(Part::Header, header)?;
        let header = json::parse(&header).map_err(|error| Malformed::Json(Part::Header, error.kind))?;
        Ok(Jws {
            signing_input,
            header: Header::from_json(header)?,
            payload: decode(Part::Payload, payload)?,
            signature: decode(Part::Signature, signature)?,
        })
    }

    /// Its JOSE header. The compact form has only a protected one.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its payload, decoded.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies the signature.
    ///
    /// With a `kid` the keys of that name are tried, or, where there is none, the keys without a name; without a `kid`
    /// every key; in each case those that fit the `alg` and the length of the signature, at most [`MAX_CANDIDATES`].
    /// `allowed` names the algorithms that the operator allows; see [`VerifyingKey::algorithms_in`].
    pub fn verify(
        &self,
        keys: &KeySet,
        allowed: Option<Algorithms>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<(), JwsError> {
        self.candidates(keys, allowed)?.verify(self, verifier)
    }

    /// Verifies the signature with this key alone, whatever `kid` the header names, by one of the `allowed` algorithms.
    pub fn verify_with(
        &self,
        key: &VerifyingKey,
        allowed: Algorithms,
        verifier: &dyn SignatureVerifier,
    ) -> Result<(), JwsError> {
        if !self.header.is_understood() {
            return Err(JwsError::UnsupportedCritical);
        }
        let allowed = key.algorithms_in(Some(allowed));
        let algorithm = self.header.algorithm().filter(|algorithm| allowed.contains(*algorithm));
        let algorithm = algorithm.ok_or(JwsError::AlgorithmNotAllowed)?;
        if verifier.verify(key, algorithm, self.signing_input, &self.signature) {
            Ok(())
        } else {
            Err(JwsError::BadSignature)
        }
    }

    /// The part of [`Jws::verify`] that costs nothing: which keys there are to try. Not empty.
    fn candidates<'k>(
        &self,
        keys: &'k KeySet,
        allowed: Option<Algorithms>,
    ) -> Result<Candidates<'k>, JwsError> {
        if !self.header.is_understood() {
            return Err(JwsError::UnsupportedCritical);
        }
        let (pool, kid_is_unknown) = match self.header.kid() {
            None => (keys.keys(), false),
            Some(kid) => match keys.named(kid) {
                Some(named) => (named, false),
                None if keys.unnamed().is_empty() => return Err(JwsError::UnknownKey),
                None => (keys.unnamed(), true),
            },
        };
        let algorithm = self.header.algorithm().ok_or(JwsError::AlgorithmNotAllowed)?;
        let candidates = Candidates { pool, algorithm, allowed, kid_is_unknown };
        if candidates.of_the_algorithm().next().is_some() {
            Ok(candidates)
        } else if kid_is_unknown {
            Err(JwsError::UnknownKey)
        } else {
            Err(JwsError::AlgorithmNotAllowed)
        }
    }
}

struct Candidates<'k> {
    pool: &'k [VerifyingKey],
    algorithm: Algorithm,
    allowed: Option<Algorithms>,
    kid_is_unknown: bool,
}

impl<'k> Candidates<'k> {
    fn of_the_algorithm(&self) -> impl Iterator<Item = &'k VerifyingKey> {
        self.pool.iter().filter(|key| key.algorithms_in(self.allowed).contains(self.algorithm))
    }

    fn verify(&self, jws: &Jws<'_>, verifier: &dyn SignatureVerifier) -> Result<(), JwsError> {
        let fitting = self.of_the_algorithm().filter(|key| key.fits_signature(jws.signature.len()));
        let mut candidates = fitting.take(MAX_CANDIDATES);
        if candidates.any(|key| verifier.verify(key, self.algorithm, jws.signing_input, &jws.signature)) {
            Ok(())
        } else if self.kid_is_unknown {
            // The key that it names may have been published since; the caller can look again.
            Err(JwsError::UnknownKey)
        } else {
            Err(JwsError::BadSignature)
        }
    }
}

/// A JWT, well-formed but not verified.
pub struct Jwt<'a> {
    jws: Jws<'a>,
    claims: Claims,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart, like [`Jws::parse`]; the payload must be a JSON object.
    pub fn parse(token: &'a [u8]) -> Result<Jwt<'a>, Malformed> {
        let jws = Jws::parse(token)?;
        let claims = json::parse(&jws.payload).map_err(|error| Malformed::Json(Part::Payload, error.kind))?;
        let claims = Claims::from_json(claims).ok_or(Malformed::NotAnObject(Part::Payload))?;
        Ok(Jwt { jws, claims })
    }

    /// The signed form.
    pub fn jws(&self) -> &Jws<'a> {
        &self.jws
    }

    /// Its claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Its claims, to keep.
    pub fn into_claims(self) -> Claims {
        self.claims
    }

    /// Its `iss`, where that is a text.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.find("iss").and_then(Value::as_str)
    }

    /// Whether its `aud` names this audience.
    pub fn is_meant_for(&self, audience: &str) -> bool {
        rules::audience(&self.claims)
            .ok()
            .flatten()
            .is_some_and(|mut names| names.any(|name| name == audience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_key_arithmetic_in_software_is_expensive() {
        struct Native;
        impl SignatureVerifier for Native {
            fn verify(&self, _: &VerifyingKey, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
                false
            }

            fn is_native(&self, algorithm: Algorithm) -> bool {
                algorithm == Algorithm::RS256
            }
        }
        for algorithm in Algorithm::ALL {
            let is_public = Algorithms::ASYMMETRIC.contains(algorithm);
            assert_eq!(SoftwareVerifier.is_expensive(algorithm), is_public, "{algorithm}");
            assert_eq!(Native.is_expensive(algorithm), is_public && algorithm != Algorithm::RS256);
        }
    }
}
