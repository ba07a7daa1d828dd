//! One key: a JWK or a shared secret → what a signature is verified with.

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

/// What the arithmetic is done with.
pub(crate) enum Material {
    Secret(HMACKey),
    Rsa(Box<PKey<Public>>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Secp256k1(k256::ecdsa::VerifyingKey),
    Ed25519(ed25519_compact::PublicKey),
}

/// Why a key cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// Not a JSON object, or without a `kty` that is a text.
    NotAKey,
    /// A `kty` other than `RSA`, `EC`, `OKP` and `oct`.
    UnsupportedType,
    /// A `crv` other than `P-256`, `P-384`, `P-521`, `secp256k1` and `Ed25519`.
    UnsupportedCurve,
    /// An `alg` that is none of the signature algorithms.
    UnsupportedAlgorithm,
    /// An algorithm that is not for this type or curve.
    AlgorithmMismatch,
    /// A `use` other than `sig`.
    NotForSignatures,
    /// `key_ops` without `verify`.
    NotForVerifying,
    /// A member that is missing or of the wrong type, base64url that is not canonical, coordinates that are not of
    /// full length, or a point that is not on its curve.
    Malformed,
    /// RSA below 2048 bits, or a shared secret that is shorter than its hash.
    TooShort,
    /// RSA above 4096 bits or with a public exponent other than 65537: jwt-simple takes no other.
    UnsupportedRsa,
    /// It holds private parts. Whoever reads it could sign.
    Private,
    /// A shared secret (`oct`) in a set that came over the network.
    SharedSecret,
    /// The text of a PEM file given as a shared secret: a public key would then sign.
    PemAsSecret,
    /// Not one PEM block `PUBLIC KEY` or `RSA PUBLIC KEY` with a key for its algorithm.
    NotAPemKey,
    /// A PEM certificate.
    Certificate,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::NotAKey => "expected an object with `kty`",
            KeyError::UnsupportedType => "its `kty` is not supported; expected RSA, EC, OKP or oct",
            KeyError::UnsupportedCurve => {
                "its `crv` is not supported; expected P-256, P-384, P-521, secp256k1 or Ed25519"
            }
            KeyError::UnsupportedAlgorithm => "its `alg` is no signature algorithm that is supported",
            KeyError::AlgorithmMismatch => "the algorithm does not go with this kind of key",
            KeyError::NotForSignatures => "its `use` is not `sig`",
            KeyError::NotForVerifying => "its `key_ops` lack `verify`",
            KeyError::Malformed => {
                "a member is missing, of the wrong type or length, or no canonical base64url, or the point is \
                 not on its curve"
            }
            KeyError::TooShort => {
                "too short: RSA needs 2048 bits, a shared secret the length of its hash (HS256: 32 octets, HS384: 48, \
                 HS512: 64)"
            },
            KeyError::UnsupportedRsa => {
                "RSA is supported from 2048 to 4096 bits with the public exponent 65537"
            }
            KeyError::Private => "it holds a private key; give the public key only",
            KeyError::SharedSecret => "a shared secret does not belong in a key set that is fetched",
            KeyError::PemAsSecret => "this is a PEM file, not a shared secret; give a public key under `pem`",
            KeyError::NotAPemKey => {
                "expected one PEM block, PUBLIC KEY or RSA PUBLIC KEY, with a key for its algorithm (RSA: 2048 to \
                 4096 bits)"
            }
            KeyError::Certificate => {
                "expected a public key, not a certificate; `openssl x509 -pubkey -noout` takes it out"
            }
        })
    }
}

impl std::error::Error for KeyError {}

impl VerifyingKey {
    /// Reads a JWK (RFC 7517 §4). Without `alg` the key is pinned by its `kty` and `crv`: RSA to the six RS and PS
    /// algorithms, of which PS has to be asked for, EC to that of its curve, `oct` to those HS algorithms whose hash is
    /// no longer than it is.
    ///
    /// Takes shared secrets (`oct`), so a JWK that a stranger sent must not come here without a look at
    /// [`VerifyingKey::is_symmetric`].
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
            ("oct", _) => Material::from_secret(&octets(jwk, "k")?)?,
            ("RSA", _) => Material::from_rsa(&octets(jwk, "n")?, &octets(jwk, "e")?)?,
            ("EC", Some(crv)) => Material::from_point(crv, &octets(jwk, "x")?, &octets(jwk, "y")?)?,
            ("OKP", Some("Ed25519")) => Material::from_ed25519(&octets(jwk, "x")?)?,
            ("OKP", Some(_)) => return Err(KeyError::UnsupportedCurve),
            ("EC" | "OKP", None) => return Err(KeyError::Malformed),
            _ => return Err(KeyError::UnsupportedType),
        };
        VerifyingKey::new(material, alg, kid)
    }

    /// Reads one PEM block (RFC 7468) that holds a public key: `PUBLIC KEY` (RFC 5280 SubjectPublicKeyInfo) or
    /// `RSA PUBLIC KEY` (RFC 8017 RSAPublicKey).
    pub fn from_pem(pem: &str, algorithm: Algorithm, kid: Option<String>) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::new(Material::from_pem(pem, algorithm)?, Some(algorithm), kid)
    }

    /// Takes a shared secret for one of HS256, HS384 and HS512 (RFC 7518 §3.2: at least as long as the hash).
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

    /// Its `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithms that it can be used for. Never empty.
    pub fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// The algorithms that it is used for. `allowed` is a list of the operator's. Without one an RSA key that does not
    /// name its `alg` verifies RS256, RS384 and RS512 alone: hosts do not verify RSASSA-PSS, so it is expensive.
    pub fn algorithms_in(&self, allowed: Option<Algorithms>) -> Algorithms {
        allowed.map_or(self.default_algorithms, |allowed| self.algorithms.and(allowed))
    }

    /// Whether a signature of this many bytes can be one of this key's. RSA signatures are as long as the modulus (RFC
    /// 8017 §8), and of a key of 4096 bits a signature costs several times what it costs of one of 2048.
    pub fn fits_signature(&self, bytes: usize) -> bool {
        match &self.material {
            Material::Rsa(key) => match key.as_ref() {
                PKey::Rsa(key) => key.size() as usize == bytes,
                PKey::None => false,
            },
            _ => true,
        }
    }

    /// Whether it is a shared secret.
    pub fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// Its DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), for RSA and EC keys.
    pub fn spki_der(&self) -> Option<&[u8]> {
        self.spki_der.as_deref()
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }
}

/// Shows what a key is for, not what it is.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2, and `priv` of the AKP keys.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// RFC 7517 §4.2 and §4.3.
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

fn octets(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, KeyError> {
    let text = jwk.get(member).and_then(Value::as_str).ok_or(KeyError::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)
}

const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// The key with these coordinates, if they are a point of the curve. From coordinates and not from SEC 1 octets, since
/// the latter may leave `y` out, and finding it takes fifty kilobytes of code that nobody needs.
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
        // Refuses what is no point, and points of small order.
        Ed25519PublicKey::from_bytes(x).map(|key| Material::from(&key)).map_err(|_| KeyError::Malformed)
    }

    /// What this can be used for. Empty for a secret that is too short for anything.
    fn algorithms(&self) -> Algorithms {
        match self {
            Material::Secret(secret) => {
                let length = secret.as_ref().len();
                [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
                    .into_iter()
                    .filter_map(|(algorithm, needed)| (length >= needed).then_some(algorithm))
                    .collect()
            }
            Material::Rsa(_) => RSA.into_iter().collect(),
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
