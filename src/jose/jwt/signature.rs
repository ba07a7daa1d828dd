//! Verification of signatures ([RFC 7518 §3](https://www.rfc-editor.org/rfc/rfc7518#section-3),
//! [RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1),
//! [RFC 8812 §3.2](https://www.rfc-editor.org/rfc/rfc8812#section-3.2)).

use p256::ecdsa::signature::Verifier as _;
use subtle::ConstantTimeEq as _;
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Public};
use superboring::rsa::Padding;
use superboring::sign::Verifier;

use crate::jose::jwk::{Algorithm, Material, VerifyingKey};

/// Verifies signatures, in this process or on the host.
pub trait SignatureVerifier {
    /// True if `signature`, in the form of JWS, is a signature of `key` over `signing_input` with `algorithm`.
    ///
    /// The caller has checked that `algorithm` is one of the algorithms of the key. Any failure returns `false`.
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> bool;

    /// True if the host verifies signatures of `algorithm` in native code.
    fn is_native(&self, algorithm: Algorithm) -> bool;

    /// True if verifying a signature of `algorithm` is so expensive that its time is rationed: public-key arithmetic
    /// that the host does not do.
    fn is_expensive(&self, algorithm: Algorithm) -> bool {
        !algorithm.is_symmetric() && !self.is_native(algorithm)
    }
}

/// Verifies signatures in software, in this process.
///
/// - ECDSA: r ‖ s, each of full length and not zero. DER is rejected. A high s is accepted, on secp256k1 too: RFC 7518
///   and RFC 8812 have no low-s rule, and a token is not identified by its signature.
/// - RSASSA-PSS: the salt is as long as the hash.
/// - Ed25519: s is below the group order; points of small order are rejected.
#[derive(Clone, Copy, Default, Debug)]
pub struct SoftwareVerifier;

impl SignatureVerifier for SoftwareVerifier {
    fn is_native(&self, _: Algorithm) -> bool {
        false
    }

    fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        if !key.algorithms().contains(algorithm) {
            return false;
        }
        match (key.material(), algorithm) {
            (Material::Secret(secret), Algorithm::HS256) => {
                hmac_sha256::HMAC::mac(input, secret)[..].ct_eq(signature).into()
            }
            (Material::Secret(secret), Algorithm::HS384) => {
                hmac_sha512::sha384::HMAC::mac(input, secret)[..].ct_eq(signature).into()
            }
            (Material::Secret(secret), Algorithm::HS512) => {
                hmac_sha512::HMAC::mac(input, secret)[..].ct_eq(signature).into()
            }
            (Material::Rsa(key), algorithm) => rsa(key, algorithm, input, signature),
            (Material::P256(key), Algorithm::ES256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(input, &signature).is_ok()),
            (Material::P384(key), Algorithm::ES384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(input, &signature).is_ok()),
            (Material::P521(key), Algorithm::ES512) => p521::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(input, &signature).is_ok()),
            // The crate accepts only a low s, as Bitcoin does; (r, −s) is an equally valid signature.
            (Material::Secp256k1(key), Algorithm::ES256K) => k256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(input, &signature.normalize_s()).is_ok()),
            (Material::Ed25519(key), Algorithm::EdDSA) => ed25519_compact::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(input, &signature).is_ok()),
            _ => false,
        }
    }
}

fn rsa(key: &PKey<Public>, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
    let (padding, digest) = match algorithm {
        Algorithm::RS256 => (Padding::PKCS1, MessageDigest::sha256()),
        Algorithm::RS384 => (Padding::PKCS1, MessageDigest::sha384()),
        Algorithm::RS512 => (Padding::PKCS1, MessageDigest::sha512()),
        Algorithm::PS256 => (Padding::PKCS1_PSS, MessageDigest::sha256()),
        Algorithm::PS384 => (Padding::PKCS1_PSS, MessageDigest::sha384()),
        Algorithm::PS512 => (Padding::PKCS1_PSS, MessageDigest::sha512()),
        _ => return false,
    };
    // Without a padding, the verifier would panic.
    let verify = || {
        let mut verifier = Verifier::new(digest, key)?;
        verifier.set_rsa_padding(padding)?;
        verifier.verify_oneshot(signature, input)
    };
    verify().unwrap_or(false)
}
