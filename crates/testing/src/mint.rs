//! Keys and tokens for tests, well-formed or not.
#![allow(dead_code, unused_imports)] // each test binary uses a part

use authgate::jose::jwk::{Algorithm, KeySet, KeySetOrigin};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike as _, ECDSAP256kKeyPairLike as _, ECDSAP384KeyPairLike as _, ES256KeyPair,
    ES256kKeyPair, ES384KeyPair, Ed25519KeyPair, EdDSAKeyPairLike as _, RS256KeyPair, RSAKeyPairLike as _,
};
use p256::ecdsa::signature::Signer as _;
use p521::pkcs8::DecodePrivateKey as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Private};
use superboring::rsa::Padding;

pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Returns the text of a PEM file in `tests/data/keys`.
pub fn pem(name: &str) -> &'static str {
    let path = crate::root().join("tests/data/keys").join(format!("{name}.pem"));
    std::fs::read_to_string(path).unwrap().leak()
}

/// A private key.
pub enum SigningKey {
    Secret(Vec<u8>),
    Rsa(Box<PKey<Private>>, Value),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
    Ed25519(ed25519_compact::KeyPair),
}

impl SigningKey {
    /// Returns the test key for this algorithm.
    pub fn for_algorithm(algorithm: Algorithm) -> SigningKey {
        match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => SigningKey::Secret(SECRET.to_vec()),
            Algorithm::ES256 => {
                SigningKey::P256(ES256KeyPair::from_pem(pem("p256")).unwrap().key_pair().as_ref().clone())
            }
            Algorithm::ES384 => {
                SigningKey::P384(ES384KeyPair::from_pem(pem("p384")).unwrap().key_pair().as_ref().clone())
            }
            Algorithm::ES512 => {
                SigningKey::P521(p521::ecdsa::SigningKey::from_pkcs8_pem(pem("p521")).unwrap())
            }
            Algorithm::ES256K => {
                let pair = ES256kKeyPair::from_pem(pem("secp256k1")).unwrap();
                SigningKey::Secp256k1(pair.key_pair().as_ref().clone())
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::from_pem(pem("ed25519")).unwrap();
                SigningKey::Ed25519(pair.key_pair().as_ref().clone())
            }
            _ => SigningKey::rsa(pem("rsa")),
        }
    }

    /// Returns another key of the same kind.
    pub fn other(algorithm: Algorithm) -> SigningKey {
        match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => SigningKey::Secret(vec![7; 64]),
            Algorithm::ES256 => SigningKey::P256(ES256KeyPair::generate().key_pair().as_ref().clone()),
            Algorithm::ES384 => SigningKey::P384(ES384KeyPair::generate().key_pair().as_ref().clone()),
            Algorithm::ES512 => SigningKey::P521(
                p521::ecdsa::SigningKey::from_slice(&[&[0_u8, 1][..], &[7; 64]].concat()).unwrap(),
            ),
            Algorithm::ES256K => SigningKey::Secp256k1(ES256kKeyPair::generate().key_pair().as_ref().clone()),
            Algorithm::EdDSA => SigningKey::Ed25519(Ed25519KeyPair::generate().key_pair().as_ref().clone()),
            _ => SigningKey::rsa(pem("rsa-other")),
        }
    }

    fn rsa(pem: &str) -> SigningKey {
        let pair = RS256KeyPair::from_pem(pem).unwrap();
        let public = pair.public_key().to_components();
        let jwk = json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e)});
        SigningKey::Rsa(Box::new(PKey::from_rsa(pair.key_pair().as_ref().clone()).unwrap()), jwk)
    }

    pub fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
        match (self, algorithm) {
            (SigningKey::Secret(secret), Algorithm::HS256) => hmac_sha256::HMAC::mac(input, secret).to_vec(),
            (SigningKey::Secret(secret), Algorithm::HS384) => {
                hmac_sha512::sha384::HMAC::mac(input, secret).to_vec()
            }
            (SigningKey::Secret(secret), Algorithm::HS512) => hmac_sha512::HMAC::mac(input, secret).to_vec(),
            (SigningKey::Rsa(key, _), algorithm) => {
                let (padding, digest) = match algorithm {
                    Algorithm::RS256 => (Padding::PKCS1, MessageDigest::sha256()),
                    Algorithm::RS384 => (Padding::PKCS1, MessageDigest::sha384()),
                    Algorithm::RS512 => (Padding::PKCS1, MessageDigest::sha512()),
                    Algorithm::PS256 => (Padding::PKCS1_PSS, MessageDigest::sha256()),
                    Algorithm::PS384 => (Padding::PKCS1_PSS, MessageDigest::sha384()),
                    _ => (Padding::PKCS1_PSS, MessageDigest::sha512()),
                };
                let mut signer = superboring::sign::Signer::new(digest, key).unwrap();
                signer.set_rsa_padding(padding).unwrap();
                signer.update(input).unwrap();
                signer.sign_to_vec().unwrap()
            }
            (SigningKey::P256(key), _) => {
                let signature: p256::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::P384(key), _) => {
                let signature: p384::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::P521(key), _) => {
                let signature: p521::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::Secp256k1(key), _) => {
                let signature: k256::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            (SigningKey::Ed25519(key), _) => key.sk.sign(input, None).to_vec(),
            (SigningKey::Secret(_), _) => panic!("a secret signs with HS only"),
        }
    }

    /// Returns the verification key as a JWK, public or symmetric, without `alg` and `kid`.
    pub fn jwk(&self) -> Value {
        let ec = |crv: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
        };
        match self {
            SigningKey::Secret(secret) => json!({"kty": "oct", "k": encode(secret)}),
            SigningKey::Rsa(_, jwk) => jwk.clone(),
            SigningKey::P256(key) => ec("P-256", key.verifying_key().to_sec1_point(false).as_bytes()),
            SigningKey::P384(key) => ec("P-384", key.verifying_key().to_sec1_point(false).as_bytes()),
            SigningKey::P521(key) => ec("P-521", key.verifying_key().to_sec1_point(false).as_bytes()),
            SigningKey::Secp256k1(key) => {
                ec("secp256k1", key.verifying_key().to_sec1_point(false).as_bytes())
            }
            SigningKey::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.pk.as_ref())})
            }
        }
    }

    /// Returns the JWK with additional members.
    pub fn jwk_with(&self, members: Value) -> Value {
        let mut jwk = self.jwk();
        jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        jwk
    }
}

pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs these texts, well-formed or not, as a compact JWS.
pub fn sign_text(header: &str, payload: &str, key: &SigningKey, algorithm: Algorithm) -> String {
    let input = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
    let signature = key.sign(algorithm, input.as_bytes());
    format!("{input}.{}", encode(&signature))
}

/// Signs a JWT whose header has only `alg`.
pub fn sign(claims: &Value, key: &SigningKey, algorithm: Algorithm) -> String {
    sign_text(&json!({"alg": algorithm.name()}).to_string(), &claims.to_string(), key, algorithm)
}

/// Returns the thumbprint of a public JWK ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)) over serde_json's
/// output: sorted names, no white space.
pub fn thumbprint(jwk: &Value) -> String {
    let required = ["crv", "e", "kty", "n", "x", "y"];
    let members = jwk.as_object().unwrap().iter().filter(|(name, _)| required.contains(&name.as_str()));
    let members: std::collections::BTreeMap<&String, &Value> = members.collect();
    encode(&hmac_sha256::Hash::hash(serde_json::to_string(&members).unwrap().as_bytes()))
}

/// A DPoP proof ([RFC 9449 §4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)), valid except for the changes
/// that a test requests.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Name of the token that `ath` is computed from.
    #[serde(default)]
    pub token: String,
    #[serde(default = "es256")]
    pub alg: String,
    /// Members merged over `typ`, `alg` and `jwk`; `null` removes a member.
    #[serde(default)]
    pub header: Map<String, Value>,
    /// Text of the header, which replaces both; `JWK` in it is replaced by the key.
    pub header_text: Option<String>,
    /// Claims merged over `jti`, `htm`, `htu`, `iat` and `ath`; `null` removes a claim.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// Text of the payload, which replaces both.
    pub payload_text: Option<String>,
    /// True to sign with another key of the same kind.
    #[serde(default)]
    pub wrong_key: bool,
}

fn es256() -> String {
    "ES256".to_owned()
}

impl Proof {
    /// Creates a proof for `GET https://api.example.com/a` with `token`, issued at `now`.
    pub fn mint(&self, jti: &str, token: &str, now: f64) -> String {
        let algorithm = Algorithm::from_name(&self.alg).unwrap();
        let own = SigningKey::for_algorithm(algorithm);
        let key = if self.wrong_key { SigningKey::other(algorithm) } else { own };
        let jwk = SigningKey::for_algorithm(algorithm).jwk();
        let header = changed(json!({"typ": "dpop+jwt", "alg": self.alg, "jwk": jwk}), &self.header);
        let ath = encode(&hmac_sha256::Hash::hash(token.as_bytes()));
        let claims =
            json!({"jti": jti, "htm": "GET", "htu": "https://api.example.com/a", "iat": now, "ath": ath});
        let header = match &self.header_text {
            Some(text) => text.replace("JWK", &jwk.to_string()),
            None => header.to_string(),
        };
        let payload = self.payload_text.clone().unwrap_or_else(|| changed(claims, &self.claims).to_string());
        sign_text(&header, &payload, &key, algorithm)
    }
}

/// Returns an object with members replaced; null removes a member.
pub fn changed(mut object: Value, changes: &Map<String, Value>) -> Value {
    let members = object.as_object_mut().unwrap();
    members.extend(changes.clone());
    members.retain(|_, member| !member.is_null());
    object
}

/// Returns an inline key set with exactly these keys.
pub fn set(jwks: Vec<Value>) -> KeySet {
    let count = jwks.len();
    let (set, ignored) = KeySet::from_jwks(&json!({ "keys": jwks }), KeySetOrigin::Inline).unwrap();
    assert_eq!((set.keys().len(), ignored), (count, Vec::new()));
    set
}
