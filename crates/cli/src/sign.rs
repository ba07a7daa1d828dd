//! Private keys and signatures, for tests only.

use authgate::jose::jwk::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike as _, ECDSAP256kKeyPairLike as _, ECDSAP384KeyPairLike as _, ES256KeyPair,
    ES256kKeyPair, ES384KeyPair, Ed25519KeyPair, EdDSAKeyPairLike as _, RS256KeyPair, RSAKeyPairLike as _,
};
use p256::ecdsa::signature::Signer as _;
use p521::pkcs8::DecodePrivateKey as _;
use serde_json::Value;
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Private};
use superboring::rsa::Padding;

use super::Failure;

/// A private key for signatures.
pub enum SigningKey {
    Secret(Vec<u8>),
    Rsa(Box<PKey<Private>>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
    Ed25519(Box<ed25519_compact::KeyPair>),
}

impl SigningKey {
    /// Reads a private key in PEM (PKCS #8, and PKCS #1 for RSA).
    ///
    /// # Errors
    /// If the text is not a supported private key.
    pub fn from_pem(pem: &str) -> Result<SigningKey, Failure> {
        if let Ok(pair) = ES256KeyPair::from_pem(pem) {
            return Ok(SigningKey::P256(pair.key_pair().as_ref().clone()));
        }
        if let Ok(pair) = ES384KeyPair::from_pem(pem) {
            return Ok(SigningKey::P384(pair.key_pair().as_ref().clone()));
        }
        if let Ok(key) = p521::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            return Ok(SigningKey::P521(key));
        }
        if let Ok(pair) = ES256kKeyPair::from_pem(pem) {
            return Ok(SigningKey::Secp256k1(pair.key_pair().as_ref().clone()));
        }
        if let Ok(pair) = Ed25519KeyPair::from_pem(pem) {
            return Ok(SigningKey::Ed25519(Box::new(pair.key_pair().as_ref().clone())));
        }
        if let Ok(pair) = RS256KeyPair::from_pem(pem) {
            return rsa(&pair);
        }
        Err("expected a private key in PEM, as `openssl pkcs8 -topk8 -nodes` writes it, or a JWK".to_owned())
    }

    /// Reads a private JWK ([RFC 7518 §6](https://www.rfc-editor.org/rfc/rfc7518#section-6)).
    ///
    /// # Errors
    /// If the JWK is not private, or its type is not supported.
    pub fn from_jwk(jwk: &Value) -> Result<SigningKey, Failure> {
        let bytes = |name: &str| {
            let text = jwk.get(name).and_then(Value::as_str);
            let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            bytes.ok_or_else(|| format!("expected `{name}` of the private key, in base64url"))
        };
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
        let wrong = |_| "the private key is not valid for its curve".to_owned();
        match (text("kty"), text("crv")) {
            ("oct", _) => Ok(SigningKey::Secret(bytes("k")?)),
            ("EC", "P-256") => {
                p256::ecdsa::SigningKey::from_slice(&bytes("d")?).map(SigningKey::P256).map_err(wrong)
            }
            ("EC", "P-384") => {
                p384::ecdsa::SigningKey::from_slice(&bytes("d")?).map(SigningKey::P384).map_err(wrong)
            }
            ("EC", "P-521") => {
                p521::ecdsa::SigningKey::from_slice(&bytes("d")?).map(SigningKey::P521).map_err(wrong)
            }
            ("EC", "secp256k1") => {
                k256::ecdsa::SigningKey::from_slice(&bytes("d")?).map(SigningKey::Secp256k1).map_err(wrong)
            }
            ("OKP", "Ed25519") => {
                let seed = ed25519_compact::Seed::from_slice(&bytes("d")?);
                let seed = seed.map_err(|_| "expected `d` with 32 bytes".to_owned())?;
                Ok(SigningKey::Ed25519(Box::new(ed25519_compact::KeyPair::from_seed(seed))))
            }
            ("RSA", _) => {
                let parts = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(bytes);
                let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
                let pair = RS256KeyPair::from_der(&pkcs1(&parts));
                rsa(&pair.map_err(|_| "the numbers of the RSA key are inconsistent".to_owned())?)
            }
            _ => Err("expected a private JWK: oct, EC, RSA, or OKP with Ed25519".to_owned()),
        }
    }

    /// The default algorithm of the key.
    pub fn default_algorithm(&self) -> Algorithm {
        match self {
            SigningKey::Secret(_) => Algorithm::HS256,
            SigningKey::Rsa(_) => Algorithm::RS256,
            SigningKey::P256(_) => Algorithm::ES256,
            SigningKey::P384(_) => Algorithm::ES384,
            SigningKey::P521(_) => Algorithm::ES512,
            SigningKey::Secp256k1(_) => Algorithm::ES256K,
            SigningKey::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    /// Signs in the form of JWS.
    ///
    /// # Errors
    /// If the key does not support the algorithm.
    pub fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, Failure> {
        use Algorithm as A;
        Ok(match (self, algorithm) {
            (SigningKey::Secret(secret), A::HS256) => hmac_sha256::HMAC::mac(input, secret).to_vec(),
            (SigningKey::Secret(secret), A::HS384) => hmac_sha512::sha384::HMAC::mac(input, secret).to_vec(),
            (SigningKey::Secret(secret), A::HS512) => hmac_sha512::HMAC::mac(input, secret).to_vec(),
            (SigningKey::Rsa(key), _) => return sign_rsa(key, algorithm, input),
            (SigningKey::P256(key), A::ES256) => {
                let signature: p256::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::P384(key), A::ES384) => {
                let signature: p384::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::P521(key), A::ES512) => {
                let signature: p521::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::Secp256k1(key), A::ES256K) => {
                let signature: k256::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::Ed25519(key), A::EdDSA) => key.sk.sign(input, None).to_vec(),
            _ => return Err(wrong_algorithm(algorithm)),
        })
    }
}

fn wrong_algorithm(algorithm: Algorithm) -> Failure {
    format!("the key cannot sign with {}", algorithm.name())
}

fn rsa(pair: &RS256KeyPair) -> Result<SigningKey, Failure> {
    let key = PKey::from_rsa(pair.key_pair().as_ref().clone()).map_err(|error| error.to_string())?;
    Ok(SigningKey::Rsa(Box::new(key)))
}

fn sign_rsa(key: &PKey<Private>, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, Failure> {
    use Algorithm as A;
    let (padding, digest) = match algorithm {
        A::RS256 => (Padding::PKCS1, MessageDigest::sha256()),
        A::RS384 => (Padding::PKCS1, MessageDigest::sha384()),
        A::RS512 => (Padding::PKCS1, MessageDigest::sha512()),
        A::PS256 => (Padding::PKCS1_PSS, MessageDigest::sha256()),
        A::PS384 => (Padding::PKCS1_PSS, MessageDigest::sha384()),
        A::PS512 => (Padding::PKCS1_PSS, MessageDigest::sha512()),
        _ => return Err(wrong_algorithm(algorithm)),
    };
    let sign = || {
        let mut signer = superboring::sign::Signer::new(digest, key)?;
        signer.set_rsa_padding(padding)?;
        signer.update(input)?;
        signer.sign_to_vec()
    };
    sign().map_err(|error| error.to_string())
}

/// Encodes an `RSAPrivateKey` ([RFC 8017 §A.1.2](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2)) in DER.
fn pkcs1(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut content = element(0x02, &[0]);
    for part in parts {
        let digits = part.iter().position(|byte| *byte != 0).unwrap_or(part.len());
        // DER integers are signed, so a number whose first bit is set gets a leading zero.
        let mut number = vec![0];
        number.extend(part.get(digits..).unwrap_or_default());
        if number.get(1).is_some_and(|byte| *byte < 0x80) {
            number.remove(0);
        }
        content.extend(element(0x02, &number));
    }
    element(0x30, &content)
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => element.push(length),
        _ => {
            let length = (content.len() as u64).to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            element.push(0x80 | length.len() as u8);
            element.extend(length);
        }
    }
    element.extend(content);
    element
}
