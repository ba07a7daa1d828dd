//! Signatures over octets (RFC 7518 §3, RFC 8037 §3.1, RFC 8812 §3.2).

use p256::ecdsa::signature::Verifier as _;
use subtle::ConstantTimeEq as _;
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Public};
use superboring::rsa::Padding;
use superboring::sign::Verifier;

use crate::jose::jwk::{Algorithm, Material, VerifyingKey};

/// Stands between the core and whoever does the arithmetic.
pub trait SignatureVerifier {
    /// Whether `signature`, in the form that JWS gives it, is that of `key` under `algorithm` over `signing_input`.
    ///
    /// The caller has checked that `algorithm` is among those of the key. Anything that goes wrong is a `false`.
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> bool;

    /// Whether the host verifies signatures of `algorithm` in native code.
    fn is_native(&self, algorithm: Algorithm) -> bool;

    /// Whether verifying a signature of `algorithm` costs so much that its time is worth rationing: public-key arithmetic
    /// that the host does not do.
    fn is_expensive(&self, algorithm: Algorithm) -> bool {
        !algorithm.is_symmetric() && !self.is_native(algorithm)
    }
}

/// Verifies in software, in this process.
///
/// - ECDSA: r ‖ s, each of full length, neither zero; DER is refused. A high s is taken, on secp256k1 too: RFC 7518
///   and RFC 8812 know no low-s rule, and a token's identity is not its signature.
/// - RSASSA-PSS: the salt is as long as the hash.
/// - Ed25519: s below the group order; no points of small order.
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
            // The crate takes a low s only, as Bitcoin does; (r, −s) is as good a signature.
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
    // Without a padding the verifier would panic.
    let verify = || {
        let mut verifier = Verifier::new(digest, key)?;
        verifier.set_rsa_padding(padding)?;
        verifier.verify_oneshot(signature, input)
    };
    verify().unwrap_or(false)
}
