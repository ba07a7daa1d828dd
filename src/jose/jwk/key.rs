//! A single key: parsing of JWKs and shared secrets.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{
    Ed25519PublicKey, EdDSAPublicKeyLike as _, HMACKey, RS256PublicKey, RSAPublicKeyLike as _,
};
use p521::elliptic_curve::point::AffineCoordinates as _;
use p521::pkcs8::EncodePublicKey as _;
use serde_json::{Map, Value};
use superboring::pkey::{PKey, Public};

use super::{Algorithm, Algorithms};

/// A key that verifies signatures, with the algorithms that it may be used for.
pub struct VerifyingKey {
    kid: Option<String>,
    algorithms: Algorithms,
    default_algorithms: Algorithms,
    material: Material,
    spki_der: Option<Box<[u8]>>,
}

/// Key material in the form that the cryptographic crates use.
pub(crate) enum Material {
    Secret(HMACKey),
    Rsa(Box<PKey<Public>>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Secp256k1(k256::ecdsa::VerifyingKey),
    Ed25519(ed25519_compact::PublicKey),
}

/// Reason why a key cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a JSON object, or `kty` is missing or not a string.
    #[error("expected an object with `kty`")]
    NotAKey,
    /// A `kty` other than `RSA`, `EC`, `OKP` and `oct`.
    #[error("its `kty` is not supported; expected RSA, EC, OKP or oct")]
    UnsupportedType,
    /// A `crv` other than `P-256`, `P-384`, `P-521`, `secp256k1` and `Ed25519`.
    #[error("its `crv` is not supported; expected P-256, P-384, P-521, secp256k1 or Ed25519")]
    UnsupportedCurve,
    /// An `alg` that is not a supported signature algorithm.
    #[error("its `alg` is not a supported signature algorithm")]
    UnsupportedAlgorithm,
    /// An algorithm that does not fit the type or curve of the key.
    #[error("the algorithm does not match the type of the key")]
    AlgorithmMismatch,
    /// A `use` other than `sig`.
    #[error("its `use` is not `sig`")]
    NotForSignatures,
    /// `key_ops` without `verify`.
    #[error("its `key_ops` do not include `verify`")]
    NotForVerifying,
    /// A member is missing or has the wrong type, base64url is not canonical, coordinates do not have full length, or a
    /// point is not on its curve.
    #[error(
        "a member is missing, has the wrong type or length, or is not canonical base64url, or the point is \
         not on its curve"
    )]
    Malformed,
    /// An RSA key below 2048 bits, or a shared secret shorter than its hash.
    #[error(
        "too short: RSA needs 2048 bits, a shared secret the length of its hash (HS256: 32 bytes, HS384: 48, \
         HS512: 64)"
    )]
    TooShort,
    /// An RSA key above 4096 bits, or with a public exponent other than 65537, the only one that jwt-simple accepts.
    #[error("RSA is supported from 2048 to 4096 bits with the public exponent 65537")]
    UnsupportedRsa,
    /// The key has private parts. Anyone who can read it can sign.
    #[error("this is a private key; use the public key only")]
    Private,
    /// A shared secret (`oct`) in a key set that was fetched.
    #[error("a fetched key set must not contain shared secrets")]
    SharedSecret,
    /// The text of a PEM file as a shared secret: then anyone who has the public key could sign.
    #[error("this is a PEM file, not a shared secret; put public keys under `pem`")]
    PemAsSecret,
    /// Not a single PEM block `PUBLIC KEY` or `RSA PUBLIC KEY` with a key for its algorithm.
    #[error(
        "expected one PEM block, PUBLIC KEY or RSA PUBLIC KEY, with a key for its algorithm (RSA: 2048 to \
         4096 bits)"
    )]
    NotAPemKey,
    /// A PEM certificate.
    #[error("expected a public key, not a certificate; extract it with `openssl x509 -pubkey -noout`")]
    Certificate,
}

impl VerifyingKey {
    /// Parses a JWK ([RFC 7517 §4](https://www.rfc-editor.org/rfc/rfc7517#section-4)). A key with `alg` is used for
    /// that algorithm only. The algorithms of a key without `alg` follow from its `kty` and `crv`: the six RS and PS
    /// algorithms for RSA (PS only if configured, see [`VerifyingKey::algorithms_in`]), that of its curve for EC, and
    /// for `oct` the HS algorithms whose hash is not longer than the key.
    ///
    /// Accepts shared secrets (`oct`). Reject JWKs from untrusted sources for which [`VerifyingKey::is_symmetric`] is
    /// true.
    ///
    /// # Errors
    /// Fails if the JWK is malformed, not supported, not meant to verify signatures, too short, or has private parts.
    pub fn from_jwk(jwk: &Value) -> Result<VerifyingKey, KeyError> {
        let jwk = jwk.as_object().ok_or(KeyError::NotAKey)?;
        let kty = jwk.get("kty").and_then(Value::as_str);
        if kty != Some("oct") && PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(KeyError::Private);
        }
        let kty = kty.ok_or(KeyError::NotAKey)?;
        check_purpose(jwk)?;
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(KeyError::Malformed),
        };
        let alg = match jwk.get("alg") {
            None => None,
            Some(Value::String(name)) => {
                Some(Algorithm::from_name(name).ok_or(KeyError::UnsupportedAlgorithm)?)
            }
            Some(_) => return Err(KeyError::Malformed),
        };
        let material = match (kty, jwk.get("crv").and_then(Value::as_str)) {
            ("oct", _) => Material::from_secret(&bytes(jwk, "k")?)?,
            ("RSA", _) => Material::from_rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
            ("EC", Some(crv)) => Material::from_point(crv, &bytes(jwk, "x")?, &bytes(jwk, "y")?)?,
            ("OKP", Some("Ed25519")) => Material::from_ed25519(&bytes(jwk, "x")?)?,
            ("OKP", Some(_)) => return Err(KeyError::UnsupportedCurve),
            ("EC" | "OKP", None) => return Err(KeyError::Malformed),
            _ => return Err(KeyError::UnsupportedType),
        };
        VerifyingKey::new(material, alg, kid)
    }

    /// Parses one PEM block ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)) with a public key: `PUBLIC KEY`
    /// (SubjectPublicKeyInfo, [RFC 5280 §4.1.2.7](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.7)) or
    /// `RSA PUBLIC KEY` (RSAPublicKey, [RFC 8017 §A.1.1](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1)).
    ///
    /// # Errors
    /// Fails if the text is not a single such block, if the key does not fit `algorithm`, or if the key is not
    /// supported.
    pub fn from_pem(pem: &str, algorithm: Algorithm, kid: Option<String>) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::new(Material::from_pem(pem, algorithm)?, Some(algorithm), kid)
    }

    /// Creates a key from a shared secret for HS256, HS384 or HS512. The secret must be at least as long as the hash
    /// ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
    ///
    /// # Errors
    /// Fails if the secret is too short or a PEM file, or if `algorithm` is another one.
    pub fn from_secret(
        secret: &[u8],
        algorithm: Algorithm,
        kid: Option<String>,
    ) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::new(Material::from_secret(secret)?, Some(algorithm), kid)
    }

    fn new(
        material: Material,
        alg: Option<Algorithm>,
        kid: Option<String>,
    ) -> Result<VerifyingKey, KeyError> {
        let possible = material.algorithms();
        let (algorithms, default_algorithms) = match alg {
            None => (possible, possible.without(Algorithms::RSA_PSS)),
            Some(alg) if possible.contains(alg) => (Algorithms::only(alg), Algorithms::only(alg)),
            Some(alg) if alg.is_symmetric() && matches!(material, Material::Secret(_)) => {
                return Err(KeyError::TooShort);
            }
            Some(_) => return Err(KeyError::AlgorithmMismatch),
        };
        if algorithms.is_empty() {
            return Err(KeyError::TooShort);
        }
        let spki_der = material.spki_der();
        Ok(VerifyingKey { kid, algorithms, default_algorithms, material, spki_der })
    }

    /// The `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithms that the key can be used for. Never empty.
    pub fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// The algorithms that the key is used for. `allowed` is the list in the configuration. Without a list, an RSA key
    /// without `alg` verifies only RS256, RS384 and RS512: hosts do not verify RSASSA-PSS, so it is expensive.
    pub fn algorithms_in(&self, allowed: Option<Algorithms>) -> Algorithms {
        allowed.map_or(self.default_algorithms, |allowed| self.algorithms.and(allowed))
    }

    /// True if a signature of this many bytes can be from this key. RSA signatures are as long as the modulus
    /// ([RFC 8017 §8](https://www.rfc-editor.org/rfc/rfc8017#section-8)). Checking a signature with a key of 4096 bits
    /// takes several times as long as with a key of 2048 bits.
    pub fn fits_signature(&self, bytes: usize) -> bool {
        match &self.material {
            Material::Rsa(key) => match key.as_ref() {
                PKey::Rsa(key) => key.size() as usize == bytes,
                PKey::None => false,
            },
            _ => true,
        }
    }

    /// True if the key is a shared secret.
    pub fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// DER SubjectPublicKeyInfo ([RFC 5280 §4.1.2.7](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.7)) of RSA
    /// and EC keys.
    pub fn spki_der(&self) -> Option<&[u8]> {
        self.spki_der.as_deref()
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }
}

/// Shows the use of a key, not its material.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// Private members of JWKs: [RFC 7518 §6.2.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.2) and
/// [§6.3.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.3.2),
/// [RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2), and `priv` of AKP keys.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// Checks `use` and `key_ops` ([RFC 7517 §4.2](https://www.rfc-editor.org/rfc/rfc7517#section-4.2),
/// [§4.3](https://www.rfc-editor.org/rfc/rfc7517#section-4.3)).
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), KeyError> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(purpose)) if purpose == "sig" => {}
        Some(Value::String(_)) => return Err(KeyError::NotForSignatures),
        Some(_) => return Err(KeyError::Malformed),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(KeyError::NotForVerifying),
        Some(_) => Err(KeyError::Malformed),
    }
}

fn bytes(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, KeyError> {
    let text = jwk.get(member).and_then(Value::as_str).ok_or(KeyError::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)
}

/// The key with these coordinates, if they are a point on the curve. Coordinates are used instead of SEC 1 bytes
/// because the latter may omit `y`, and computing it takes fifty kilobytes of code that is otherwise unused.
macro_rules! on_curve {
    ($curve:ident, $x:ident, $y:ident) => {
        match ($curve::FieldBytes::try_from($x), $curve::FieldBytes::try_from($y)) {
            (Ok(x), Ok(y)) => $curve::AffinePoint::from_coordinates(&x, &y)
                .into_option()
                .and_then(|point| $curve::ecdsa::VerifyingKey::from_affine(point).ok()),
            _ => None,
        }
    };
}

impl Material {
    fn from_secret(secret: &[u8]) -> Result<Material, KeyError> {
        if secret.trim_ascii_start().starts_with(b"-----BEGIN ") {
            return Err(KeyError::PemAsSecret);
        }
        Ok(Material::Secret(HMACKey::from_bytes(secret)))
    }

    fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Material, KeyError> {
        let top = modulus.iter().position(|byte| *byte != 0).unwrap_or(modulus.len());
        let significant = modulus.get(top..).unwrap_or_default();
        let unused = significant.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if (significant.len() * 8).saturating_sub(unused) < 2048 {
            return Err(KeyError::TooShort);
        }
        let key = RS256PublicKey::from_components(modulus, exponent).map_err(|_| KeyError::UnsupportedRsa)?;
        Material::from_rsa_key(&key)
    }

    pub(super) fn from_rsa_key(key: &RS256PublicKey) -> Result<Material, KeyError> {
        let key = key.public_key().as_ref().clone();
        Ok(Material::Rsa(Box::new(PKey::from_rsa(key).map_err(|_| KeyError::UnsupportedRsa)?)))
    }

    pub(super) fn from_point(crv: &str, x: &[u8], y: &[u8]) -> Result<Material, KeyError> {
        let size = match crv {
            "P-256" | "secp256k1" => 32,
            "P-384" => 48,
            "P-521" => 66,
            _ => return Err(KeyError::UnsupportedCurve),
        };
        if x.len() != size || y.len() != size {
            return Err(KeyError::Malformed);
        }
        match crv {
            "P-256" => on_curve!(p256, x, y).map(Material::P256),
            "P-384" => on_curve!(p384, x, y).map(Material::P384),
            "P-521" => on_curve!(p521, x, y).map(Material::P521),
            _ => on_curve!(k256, x, y).map(Material::Secp256k1),
        }
        .ok_or(KeyError::Malformed)
    }

    fn from_ed25519(x: &[u8]) -> Result<Material, KeyError> {
        // Rejects values that are not points, and points of small order.
        Ed25519PublicKey::from_bytes(x).map(|key| Material::from(&key)).map_err(|_| KeyError::Malformed)
    }

    /// The algorithms that this material can be used for. Empty for a secret that is too short for all of them.
    fn algorithms(&self) -> Algorithms {
        match self {
            Material::Secret(secret) => {
                let length = secret.as_ref().len();
                [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
                    .into_iter()
                    .filter_map(|(algorithm, needed)| (length >= needed).then_some(algorithm))
                    .collect()
            }
            Material::Rsa(_) => Algorithms::RSA,
            Material::P256(_) => Algorithms::only(Algorithm::ES256),
            Material::P384(_) => Algorithms::only(Algorithm::ES384),
            Material::P521(_) => Algorithms::only(Algorithm::ES512),
            Material::Secp256k1(_) => Algorithms::only(Algorithm::ES256K),
            Material::Ed25519(_) => Algorithms::only(Algorithm::EdDSA),
        }
    }

    fn spki_der(&self) -> Option<Box<[u8]>> {
        match self {
            Material::Rsa(key) => match key.as_ref() {
                PKey::Rsa(key) => key.public_key_to_der().ok().map(Vec::into_boxed_slice),
                PKey::None => None,
            },
            Material::P256(key) => key.to_public_key_der().ok().map(|der| der.as_bytes().into()),
            Material::P384(key) => key.to_public_key_der().ok().map(|der| der.as_bytes().into()),
            Material::P521(key) => key.to_public_key_der().ok().map(|der| der.as_bytes().into()),
            Material::Secp256k1(key) => key.to_public_key_der().ok().map(|der| der.as_bytes().into()),
            Material::Secret(_) | Material::Ed25519(_) => None,
        }
    }
}

impl From<&Ed25519PublicKey> for Material {
    fn from(key: &Ed25519PublicKey) -> Material {
        Material::Ed25519(*key.public_key().as_ref())
    }
}
