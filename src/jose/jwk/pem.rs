//! Key material from PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)).

use jwt_simple::algorithms::{Ed25519PublicKey, RS256PublicKey};
use p521::pkcs8::ObjectIdentifier;
use p521::pkcs8::der::{self, oid::AssociatedOid as _};
use p521::pkcs8::spki::SubjectPublicKeyInfoRef;

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
            Algorithm::ES256 => ec_point(pem, "P-256", p256::NistP256::OID),
            Algorithm::ES384 => ec_point(pem, "P-384", p384::NistP384::OID),
            Algorithm::ES512 => ec_point(pem, "P-521", p521::NistP521::OID),
            Algorithm::ES256K => ec_point(pem, "secp256k1", k256::Secp256k1::OID),
            Algorithm::EdDSA => Ed25519PublicKey::from_pem(pem).map(|key| Material::from(&key)).ok(),
        }
        .ok_or(KeyError::NotAPemKey)
    }
}

/// Parses an uncompressed point (SEC 1 §2.3.4) in a SubjectPublicKeyInfo of this curve
/// ([RFC 5480 §2](https://www.rfc-editor.org/rfc/rfc5480#section-2)).
fn ec_point(pem: &str, crv: &str, curve: ObjectIdentifier) -> Option<Material> {
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    let (_, der) = der::pem::decode_vec(pem.as_bytes()).ok()?;
    let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).ok()?;
    info.algorithm.assert_oids(EC_PUBLIC_KEY, curve).ok()?;
    match info.subject_public_key.as_bytes()? {
        [4, point @ ..] => {
            let (x, y) = point.split_at_checked(point.len() / 2)?;
            Material::from_point(crv, x, y).ok()
        }
        _ => None,
    }
}

/// The label of the only PEM block.
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
