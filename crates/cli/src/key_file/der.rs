//! DER keys and certificates → the public members of a JWK.

use authgate::jose::jwk::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p521::pkcs8::ObjectIdentifier;
use p521::pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use p521::pkcs8::der::{self, Decode as _, Reader as _, SliceReader, Tag};
use serde_json::{Map, Value};

/// The public members of a JWK.
pub type Members = Map<String, Value>;

/// The reason why a key cannot be read, without any part of the key.
pub type Fault = &'static str;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const CURVES: [(ObjectIdentifier, &str); 4] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), "P-256"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), "P-384"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), "P-521"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.10"), "secp256k1"),
];

const BROKEN: Fault = "its content does not match its type; it may be truncated";
const UNSUPPORTED: Fault =
    "its key type is not supported; expected RSA, EC (P-256, P-384, P-521, secp256k1) or Ed25519";
const COMPRESSED: Fault = "its point is compressed; `openssl ec -conv_form uncompressed` converts it";

/// Reads the public key of a certificate ([RFC 5280 §4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)). Neither
/// its signature nor its validity is checked.
///
/// # Errors
/// If the bytes are not a certificate, or its key type is not supported.
pub fn certificate(der: &[u8]) -> Result<Members, Fault> {
    let key = || {
        let mut outer = sequence(der)?;
        let mut body = nested(outer.decode()?)?;
        // Version 1 omits `version`.
        if !Tag::peek(&body)?.is_universal() {
            body.tlv_bytes()?;
        }
        // serialNumber, signature, issuer, validity, subject
        for _ in 0..5 {
            body.tlv_bytes()?;
        }
        body.tlv_bytes()
    };
    public_key(key().map_err(|_: der::Error| BROKEN)?)
}

/// Reads a SubjectPublicKeyInfo ([RFC 5280 §4.1.2.7](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.7)).
///
/// # Errors
/// If the bytes are not a SubjectPublicKeyInfo, or the key type is not supported.
pub fn public_key(der: &[u8]) -> Result<Members, Fault> {
    let parts = || {
        let mut info = sequence(der)?;
        let kind = algorithm(&mut info)?;
        let key: BitStringRef<'_> = info.decode()?;
        Ok((kind, key.as_bytes().unwrap_or_default()))
    };
    let ((kind, curve), key) = parts().map_err(|_: der::Error| BROKEN)?;
    match kind {
        RSA => rsa_public(key),
        RSA_PSS => pss(rsa_public(key)?),
        EC => match key {
            [4, point @ ..] => ec(curve.ok_or(UNSUPPORTED)?, point),
            [2 | 3, ..] => Err(COMPRESSED),
            _ => Err(BROKEN),
        },
        ED25519 => Ok(okp(key)),
        _ => Err(UNSUPPORTED),
    }
}

/// Reads an RSAPublicKey ([RFC 8017 §A.1.1](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1)).
///
/// # Errors
/// If the bytes are not an RSAPublicKey.
pub fn rsa_public(der: &[u8]) -> Result<Members, Fault> {
    sequence(der).and_then(rsa).map_err(|_| BROKEN)
}

/// Reads the public numbers of an RSAPrivateKey
/// ([RFC 8017 §A.1.2](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2)).
///
/// # Errors
/// If the bytes are not an RSAPrivateKey.
pub fn rsa_private(der: &[u8]) -> Result<Members, Fault> {
    let read = || {
        let mut numbers = sequence(der)?;
        numbers.tlv_bytes()?; // version
        rsa(numbers)
    };
    read().map_err(|_: der::Error| BROKEN)
}

/// Reads a private key in PKCS #8 ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)) and returns its public part.
///
/// # Errors
/// If the bytes are not a private key in PKCS #8, or the key type is not supported.
pub fn private_key(der: &[u8]) -> Result<Members, Fault> {
    let parts = || {
        let mut info = sequence(der)?;
        info.tlv_bytes()?; // version
        let kind = algorithm(&mut info)?;
        let key: &OctetStringRef = info.decode()?;
        Ok((kind, key.as_bytes()))
    };
    let ((kind, curve), key) = parts().map_err(|_: der::Error| BROKEN)?;
    match kind {
        RSA => rsa_private(key),
        RSA_PSS => pss(rsa_private(key)?),
        EC => ec_private_on(key, curve),
        ED25519 => {
            let seed = <&OctetStringRef>::from_der(key).map_err(|_| BROKEN)?;
            let seed = ed25519_compact::Seed::from_slice(seed.as_bytes()).map_err(|_| BROKEN)?;
            Ok(okp(ed25519_compact::KeyPair::from_seed(seed).pk.as_slice()))
        }
        _ => Err(UNSUPPORTED),
    }
}

/// Reads an ECPrivateKey ([RFC 5915](https://www.rfc-editor.org/rfc/rfc5915)) and returns its public part.
///
/// # Errors
/// If the bytes are not an ECPrivateKey, or the curve is not supported.
pub fn ec_private(der: &[u8]) -> Result<Members, Fault> {
    ec_private_on(der, None)
}

/// Reads an ECPrivateKey. `curve` is the curve that the surrounding structure names, if any.
fn ec_private_on(der: &[u8], curve: Option<&'static str>) -> Result<Members, Fault> {
    let parts = || {
        let mut key = sequence(der)?;
        key.tlv_bytes()?; // version
        let secret: &OctetStringRef = key.decode()?;
        let named = match key.is_finished() {
            true => None,
            false => {
                let parameters: AnyRef<'_> = key.decode()?;
                ObjectIdentifier::from_der(parameters.value()).ok().and_then(curve_of)
            }
        };
        Ok((secret.as_bytes(), named))
    };
    let (secret, named) = parts().map_err(|_: der::Error| BROKEN)?;
    let curve = curve.or(named).ok_or(UNSUPPORTED)?;
    // Computed from the private number, because the point is optional.
    macro_rules! point {
        ($curve:ident) => {
            $curve::ecdsa::SigningKey::from_slice(secret)
                .map(|key| key.verifying_key().to_sec1_point(false).as_bytes().to_vec())
        };
    }
    let point = match curve {
        "P-256" => point!(p256),
        "P-384" => point!(p384),
        "P-521" => point!(p521),
        _ => point!(k256),
    };
    match point.map_err(|_| BROKEN)?.as_slice() {
        [4, point @ ..] => ec(curve, point),
        _ => Err(BROKEN),
    }
}

/// The key type and, for EC, the curve.
fn algorithm(info: &mut SliceReader<'_>) -> der::Result<(ObjectIdentifier, Option<&'static str>)> {
    let mut identifier = nested(info.decode()?)?;
    let kind: ObjectIdentifier = identifier.decode()?;
    let curve = match kind {
        EC => identifier.decode::<ObjectIdentifier>().ok().and_then(curve_of),
        _ => None,
    };
    Ok((kind, curve))
}

fn curve_of(identifier: ObjectIdentifier) -> Option<&'static str> {
    CURVES.iter().find(|(known, _)| *known == identifier).map(|(_, name)| *name)
}

fn sequence(der: &[u8]) -> der::Result<SliceReader<'_>> {
    nested(AnyRef::from_der(der)?)
}

fn nested(value: AnyRef<'_>) -> der::Result<SliceReader<'_>> {
    value.header().tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(value.value())
}

/// Reads the modulus and the exponent, which come first.
fn rsa(mut numbers: SliceReader<'_>) -> der::Result<Members> {
    let (n, e): (UintRef<'_>, UintRef<'_>) = (numbers.decode()?, numbers.decode()?);
    let (n, e) = (base64url(n.as_bytes()), base64url(e.as_bytes()));
    Ok(members(&[("kty", "RSA".to_owned()), ("n", n), ("e", e)]))
}

/// A key for RSASSA-PSS only, with the most common algorithm.
fn pss(mut key: Members) -> Result<Members, Fault> {
    key.insert("alg".to_owned(), Algorithm::PS256.name().into());
    Ok(key)
}

fn ec(curve: &str, point: &[u8]) -> Result<Members, Fault> {
    let (x, y) = point.split_at_checked(point.len() / 2).ok_or(BROKEN)?;
    Ok(members(&[
        ("kty", "EC".to_owned()),
        ("crv", curve.to_owned()),
        ("x", base64url(x)),
        ("y", base64url(y)),
    ]))
}

fn okp(x: &[u8]) -> Members {
    members(&[("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", base64url(x))])
}

fn members(members: &[(&str, String)]) -> Members {
    members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect()
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
