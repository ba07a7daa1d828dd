//! JSON Web Tokens: compact JWS ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)) with claims
//! ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)). Independent of HTTP.
//!
//! [`Jws::parse`] and [`Jwt::parse`] check only the form, so that a caller can select the authenticator that knows the
//! issuer. Do not trust their results before [`Validation::validate`] succeeds.

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

/// Maximum number of keys that are tried on one token. More than one key can fit if the token has no `kid`, or if
/// several keys have the same one.
pub const MAX_CANDIDATES: usize = 8;

/// A compact JWS that is well-formed but not verified.
pub struct Jws<'a> {
    signing_input: &'a [u8],
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Parses a token: three parts in canonical base64url (no padding, no stray trailing bits), the first of which is a
    /// JSON object. The caller limits the length.
    ///
    /// # Errors
    /// Fails if the token is not well-formed.
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

    /// The JOSE header. In compact form, all of it is protected.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The decoded payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies the signature.
    ///
    /// For a token with `kid`, the keys with that `kid` are tried or, if there are none, the keys without one; for a
    /// token without `kid`, all keys. Only keys that fit the `alg` and the length of the signature are tried, at most
    /// [`MAX_CANDIDATES`]. `allowed` has the algorithms that the configuration allows; see
    /// [`VerifyingKey::algorithms_in`].
    ///
    /// # Errors
    /// Fails if the header requires an extension, if no key fits, or if no key verifies the signature.
    pub fn verify(
        &self,
        keys: &KeySet,
        allowed: Option<Algorithms>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<(), JwsError> {
        self.candidates(keys, allowed)?.verify(self, verifier)
    }

    /// Verifies the signature with this key alone, whatever the `kid` in the header, and with one of the `allowed`
    /// algorithms.
    ///
    /// # Errors
    /// Fails if the header requires an extension, if `alg` is not allowed or does not fit the key, or if the signature
    /// does not verify.
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

    /// The keys to try; never empty. This is the part of [`Jws::verify`] without cryptography.
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
            // The key with this `kid` may have been published since; the caller can fetch the set again.
            Err(JwsError::UnknownKey)
        } else {
            Err(JwsError::BadSignature)
        }
    }
}

/// A JWT that is well-formed but not verified.
pub struct Jwt<'a> {
    jws: Jws<'a>,
    claims: Claims,
}

impl<'a> Jwt<'a> {
    /// Parses a token like [`Jws::parse`]. The payload must be a JSON object.
    ///
    /// # Errors
    /// Fails if the token is not well-formed, or if the payload is not a JSON object.
    pub fn parse(token: &'a [u8]) -> Result<Jwt<'a>, Malformed> {
        let jws = Jws::parse(token)?;
        let claims = json::parse(&jws.payload).map_err(|error| Malformed::Json(Part::Payload, error.kind))?;
        let claims = Claims::from_json(claims).ok_or(Malformed::NotAnObject(Part::Payload))?;
        Ok(Jwt { jws, claims })
    }

    /// The JWS of the token.
    pub fn jws(&self) -> &Jws<'a> {
        &self.jws
    }

    /// The claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Converts the token into its claims.
    pub fn into_claims(self) -> Claims {
        self.claims
    }

    /// The `iss`, if it is a string.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.find("iss").and_then(Value::as_str)
    }

    /// True if `aud` names this audience.
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
