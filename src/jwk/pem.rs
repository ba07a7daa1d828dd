//! PEM (RFC 7468) → key material.

use jwt_simple::algorithms::{
    ES256PublicKey, ES256kPublicKey, ES384PublicKey, Ed25519PublicKey, RS256PublicKey,
};
use p521::pkcs8::DecodePublicKey as _;

use super::{Algorithm, KeyError, Material};

impl Material {
    pub(super) fn from_pem(pem: &str, algorithm: Algorithm) -> Result<Material, KeyError> {
        let pem = pem.trim();
        match label(pem) {
            Some("PUBLIC KEY" | "RSA PUBLIC KEY") => {}
            Some("CERTIFICATE" | "TRUSTED CERTIFICATE") => return Err(KeyError::Certificate),
            Some(label) if label.ends_with("PRIVATE KEY") => return Err(KeyError::Private),
            _ => return Err(KeyError::NotAPemKey),
        }
        match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                return Err(KeyError::AlgorithmMismatch);
            }
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => match RS256PublicKey::from_pem(pem) {
                Ok(key) => Some(Material::from_rsa_key(&key)?),
                Err(error) => return Err(rsa_error(&error)),
            },
            Algorithm::ES256 => ES256PublicKey::from_pem(pem).map(|key| Material::from(&key)).ok(),
            Algorithm::ES384 => ES384PublicKey::from_pem(pem).map(|key| Material::from(&key)).ok(),
            Algorithm::ES512 => p521::ecdsa::VerifyingKey::from_public_key_pem(pem).map(Material::P521).ok(),
            Algorithm::ES256K => ES256kPublicKey::from_pem(pem).map(|key| Material::from(&key)).ok(),
            Algorithm::EdDSA => Ed25519PublicKey::from_pem(pem).map(|key| Material::from(&key)).ok(),
        }
        .ok_or(KeyError::NotAPemKey)
    }
}

/// The label of the only block.
fn label(pem: &str) -> Option<&str> {
    let (label, rest) = pem.strip_prefix("-----BEGIN ")?.split_once("-----")?;
    (!rest.contains("-----BEGIN ")).then_some(label)
}

fn rsa_error(error: &jwt_simple::Error) -> KeyError {
    use jwt_simple::JWTError;
    match error.downcast_ref::<JWTError>() {
        Some(JWTError::WeakKey) => KeyError::TooShort,
        Some(JWTError::UnsupportedRSAModulus | JWTError::InvalidPublicKey) => KeyError::UnsupportedRsa,
        _ => KeyError::NotAPemKey,
    }
}
