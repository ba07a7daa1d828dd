//! Known answers: a signature verifier must get them right before it is trusted with an algorithm.
//!
//! `known_answers/make.sh` generated them with OpenSSL.

use authgate::jose::jwk::Algorithm;

/// A public key and its signature of [`MESSAGE`].
pub struct KnownAnswer {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The public key, as DER SubjectPublicKeyInfo.
    pub spki: &'static [u8],
    /// The signature; for ECDSA, an ASN.1 sequence of two integers.
    pub signature: &'static [u8],
}

/// The signed message.
pub const MESSAGE: &[u8] = b"authgate: known answer";

const RSA: &[u8] = include_bytes!("known_answers/rsa.spki.bin");

/// One known answer for each algorithm that a host may verify.
pub const ALL: [KnownAnswer; 6] = [
    KnownAnswer {
        algorithm: Algorithm::RS256,
        spki: RSA,
        signature: include_bytes!("known_answers/rs256.sig.bin"),
    },
    KnownAnswer {
        algorithm: Algorithm::RS384,
        spki: RSA,
        signature: include_bytes!("known_answers/rs384.sig.bin"),
    },
    KnownAnswer {
        algorithm: Algorithm::RS512,
        spki: RSA,
        signature: include_bytes!("known_answers/rs512.sig.bin"),
    },
    KnownAnswer {
        algorithm: Algorithm::ES256,
        spki: include_bytes!("known_answers/P-256.spki.bin"),
        signature: include_bytes!("known_answers/es256.sig.bin"),
    },
    KnownAnswer {
        algorithm: Algorithm::ES384,
        spki: include_bytes!("known_answers/P-384.spki.bin"),
        signature: include_bytes!("known_answers/es384.sig.bin"),
    },
    KnownAnswer {
        algorithm: Algorithm::ES512,
        spki: include_bytes!("known_answers/P-521.spki.bin"),
        signature: include_bytes!("known_answers/es512.sig.bin"),
    },
];

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Verifier as _;
    use superboring::hash::MessageDigest;
    use superboring::pkey::PKey;
    use superboring::rsa::{Padding, Rsa};

    use super::*;

    /// Verifies a known answer with the cryptographic crates, independently of the verifiers under test.
    fn verifies(answer: &KnownAnswer, message: &[u8]) -> bool {
        let digest = match answer.algorithm {
            Algorithm::RS256 => MessageDigest::sha256(),
            Algorithm::RS384 => MessageDigest::sha384(),
            Algorithm::RS512 => MessageDigest::sha512(),
            Algorithm::ES256 => {
                use p256::pkcs8::DecodePublicKey as _;
                let signature = p256::ecdsa::DerSignature::try_from(answer.signature).unwrap();
                let key = p256::ecdsa::VerifyingKey::from_public_key_der(answer.spki).unwrap();
                return key.verify(message, &signature).is_ok();
            }
            Algorithm::ES384 => {
                use p384::pkcs8::DecodePublicKey as _;
                let signature = p384::ecdsa::DerSignature::try_from(answer.signature).unwrap();
                let key = p384::ecdsa::VerifyingKey::from_public_key_der(answer.spki).unwrap();
                return key.verify(message, &signature).is_ok();
            }
            Algorithm::ES512 => {
                use p521::pkcs8::DecodePublicKey as _;
                let signature = p521::ecdsa::Signature::from_der(answer.signature).unwrap();
                let key = p521::ecdsa::VerifyingKey::from_public_key_der(answer.spki).unwrap();
                return key.verify(message, &signature).is_ok();
            }
            other => panic!("{other:?} has no known answer"),
        };
        let key = PKey::from_rsa(Rsa::public_key_from_der(answer.spki).unwrap()).unwrap();
        let mut verifier = superboring::sign::Verifier::new(digest, &key).unwrap();
        verifier.set_rsa_padding(Padding::PKCS1).unwrap();
        verifier.update(message).unwrap();
        verifier.verify(answer.signature).unwrap()
    }

    #[test]
    fn the_answers_are_right_and_belong_to_their_message() {
        for answer in &ALL {
            assert!(verifies(answer, MESSAGE), "{:?}", answer.algorithm);
            assert!(!verifies(answer, b"another"), "{:?}", answer.algorithm);
        }
    }
}
