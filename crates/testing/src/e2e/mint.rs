//! Tokens signed over any bytes, so headers and claims can be as malformed as an attacker's.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64URL, Engine};
use jwt_simple::algorithms::{Edwards25519KeyPair, P256KeyPair, RSAKeyPair};
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use superboring::{hash::MessageDigest, pkey::PKey, rsa::Padding, sign::Signer};

/// The issuer whose keys are in [`jwks`].
pub const ISSUER: &str = "https://idp.example.com";
/// The issuer that signs with [`SECRET`].
pub const OTHER_ISSUER: &str = "https://other.example.com";
/// The secret that the other issuer shares with its verifier.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef-for-tests";

static RSA: LazyLock<RSAKeyPair> = LazyLock::new(|| {
    RSAKeyPair::from_pem(include_str!("../../../../tests/data/e2e/rsa.pem")).expect("made by openssl genpkey")
});
static P256: LazyLock<P256KeyPair> = LazyLock::new(P256KeyPair::generate);
static ED25519: LazyLock<Edwards25519KeyPair> = LazyLock::new(Edwards25519KeyPair::generate);

/// Returns the public keys of [`ISSUER`], one for each algorithm, with the algorithm as `kid`.
pub fn jwks() -> Value {
    let rsa = RSA.public_key().to_components();
    let key = |alg: &str| {
        json!({"kty": "RSA", "kid": alg, "alg": alg, "use": "sig",
               "n": BASE64URL.encode(&rsa.n), "e": BASE64URL.encode(&rsa.e)})
    };
    json!({"keys": [key("RS256"), key("PS256"), public_jwk("ES256"), public_jwk("EdDSA")]})
}

/// Returns a public key as a JWK.
pub fn public_jwk(alg: &str) -> Value {
    let mut jwk = match alg {
        "ES256" => {
            let point = P256.public_key().to_bytes_uncompressed();
            json!({"kty": "EC", "crv": "P-256", "x": BASE64URL.encode(&point[1..33]), "y": BASE64URL.encode(&point[33..])})
        }
        "EdDSA" => {
            json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(ED25519.public_key().to_bytes())})
        }
        other => panic!("no key for {other}"),
    };
    jwk["kid"] = json!(alg);
    jwk["alg"] = json!(alg);
    jwk["use"] = json!("sig");
    jwk
}

/// Returns the RSA public key in every encoding that a forger might use as an HMAC key.
pub fn rsa_public_forms() -> Vec<(&'static str, Vec<u8>)> {
    let key = RSA.public_key();
    let pem = key.to_pem().expect("a public key in PEM");
    vec![
        ("PEM, trimmed", pem.trim().as_bytes().to_vec()),
        ("PEM", pem.into_bytes()),
        ("DER", key.to_der().expect("a public key in DER")),
        ("JWK", jwks()["keys"][0].to_string().into_bytes()),
        ("modulus", key.to_components().n),
    ]
}

/// Returns claims for a subject that every verifier in these tests accepts.
pub fn claims(subject: &str) -> Value {
    json!({"iss": ISSUER, "aud": "api", "sub": subject, "iat": now(), "exp": now() + 600})
}

/// Returns [`claims`] with members replaced; null removes a member.
pub fn claims_but(subject: &str, changes: Value) -> Value {
    let mut claims = claims(subject);
    for (name, value) in changes.as_object().expect("an object of claims") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// Returns the current time in seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Returns a token with a plain header: `alg` and, except for HS256, the `kid` of that algorithm's key.
pub fn token(alg: &str, claims: &Value) -> String {
    let header = match alg {
        "HS256" => json!({"alg": alg}),
        _ => json!({"alg": alg, "kid": alg, "typ": "JWT"}),
    };
    jws(alg, header.to_string(), claims.to_string())
}

/// Returns an ES256 token of [`ISSUER`] for a subject.
pub fn token_for(subject: &str) -> String {
    token("ES256", &claims(subject))
}

/// Returns an ES256 token with scopes.
pub fn scoped_token(subject: &str, scope: &str) -> String {
    token("ES256", &claims_but(subject, json!({"scope": scope})))
}

/// Returns an expired ES256 token.
pub fn expired_token() -> String {
    token("ES256", &claims_but("late", json!({"iat": 1_599_999_000, "exp": 1_600_000_000})))
}

/// Returns an HS256 token of [`OTHER_ISSUER`].
pub fn other_token(subject: &str) -> String {
    token("HS256", &claims_but(subject, json!({"iss": OTHER_ISSUER})))
}

/// Signs a header and a payload, unchanged, with the key of `alg`.
pub fn jws(alg: &str, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let input = signing_input(header, payload);
    let signature = sign(alg, input.as_bytes());
    compact(&input, &signature)
}

/// Signs a signing input, unchanged and possibly malformed, with the key of `alg`.
pub fn signed(alg: &str, input: &str) -> String {
    compact(input, &sign(alg, input.as_bytes()))
}

/// Signs a header and a payload, unchanged, with an HMAC of any key.
pub fn hs256(key: &[u8], header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let input = signing_input(header, payload);
    compact(&input, &hmac_sha256::HMAC::mac(&input, key))
}

/// Combines a header and a payload, unchanged, with any bytes as the signature.
pub fn with_signature(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, signature: &[u8]) -> String {
    compact(&signing_input(header, payload), signature)
}

/// A key with its own `kid`, for providers that rotate their keys.
pub struct ProviderKey {
    kid: String,
    pair: P256KeyPair,
}

impl ProviderKey {
    /// Generates a key.
    pub fn new(kid: &str) -> Self {
        ProviderKey { kid: kid.to_owned(), pair: P256KeyPair::generate() }
    }

    /// Returns the public key as a JWK.
    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().to_bytes_uncompressed();
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": self.kid, "use": "sig",
               "x": BASE64URL.encode(&point[1..33]), "y": BASE64URL.encode(&point[33..])})
    }

    /// Returns an ES256 token of this issuer for a subject.
    pub fn token(&self, issuer: &str, subject: &str) -> String {
        let header = json!({"alg": "ES256", "kid": self.kid});
        let claims = claims_but(subject, json!({"iss": issuer}));
        let input = signing_input(header.to_string(), claims.to_string());
        let signature: p256::ecdsa::Signature = self.pair.as_ref().sign(input.as_bytes());
        compact(&input, &signature.to_bytes())
    }
}

/// Encodes bytes in base64url, as JWKs and tokens do.
pub fn encode(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

fn signing_input(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload))
}

fn compact(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", BASE64URL.encode(signature))
}

fn sign(alg: &str, input: &[u8]) -> Vec<u8> {
    match alg {
        "RS256" => rsa(Padding::PKCS1, input),
        "PS256" => rsa(Padding::PKCS1_PSS, input),
        "ES256" => {
            let signature: p256::ecdsa::Signature = P256.as_ref().sign(input);
            signature.to_bytes().to_vec()
        }
        "EdDSA" => ED25519.as_ref().sk.sign(input, None).to_vec(),
        "HS256" => hmac_sha256::HMAC::mac(input, SECRET).to_vec(),
        other => panic!("no key for {other}"),
    }
}

fn rsa(padding: Padding, input: &[u8]) -> Vec<u8> {
    let key = PKey::from_rsa(RSA.as_ref().clone()).expect("an RSA key");
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("a signer");
    signer.set_rsa_padding(padding).expect("a padding");
    signer.update(input).expect("room for the input");
    signer.sign_to_vec().expect("a signature")
}
