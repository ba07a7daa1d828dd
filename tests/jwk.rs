//! Keys and key sets: which are accepted, what they are pinned to, and why others are rejected.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)] // a test may panic

use authgate::jose::jwk::{
    Algorithm, Algorithms, IgnoredKey, KeyError, KeySet, KeySetError, KeySetOrigin, MAX_KEYS, VerifyingKey,
};
use authgate_testing::mint;
use base64::Engine as _;
use mint::{SECRET, SigningKey, encode, pem};
use serde_json::{Value, json};

/// Sets the given members, and removes those that are null.
fn changed(mut jwk: Value, members: Value) -> Value {
    let object = jwk.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    jwk
}

fn check_jwk(jwk: Value, expected: Result<&[Algorithm], KeyError>) {
    let found = VerifyingKey::from_jwk(&jwk).map(|key| key.algorithms());
    assert_eq!(found, expected.map(|algorithms| algorithms.iter().copied().collect::<Algorithms>()), "{jwk}");
}

#[test]
fn algorithms_are_pinned_by_alg_or_else_by_the_kind_of_key() {
    use Algorithm::*;
    for algorithm in Algorithm::ALL {
        check_jwk(
            SigningKey::for_algorithm(algorithm).jwk_with(json!({"alg": algorithm.name()})),
            Ok(&[algorithm]),
        );
    }
    let secret = |length| json!({"kty": "oct", "k": encode(&vec![1; length])});
    check_jwk(secret(64), Ok(&[HS256, HS384, HS512]));
    check_jwk(secret(63), Ok(&[HS256, HS384]));
    check_jwk(secret(47), Ok(&[HS256]));
    check_jwk(secret(32), Ok(&[HS256]));
    check_jwk(secret(31), Err(KeyError::TooShort));
    check_jwk(secret(0), Err(KeyError::TooShort));
    check_jwk(changed(secret(47), json!({"alg": "HS384"})), Err(KeyError::TooShort));
    let key = |algorithm| SigningKey::for_algorithm(algorithm).jwk();
    check_jwk(key(RS256), Ok(&[RS256, RS384, RS512, PS256, PS384, PS512]));
    let rsa = VerifyingKey::from_jwk(&key(RS256)).unwrap();
    assert_eq!(rsa.algorithms_in(None), [RS256, RS384, RS512].into_iter().collect());
    assert_eq!(rsa.algorithms_in(Some(Algorithms::only(PS256))), Algorithms::only(PS256));
    let pss = VerifyingKey::from_jwk(&changed(key(RS256), json!({"alg": "PS256"}))).unwrap();
    assert_eq!(pss.algorithms_in(None), Algorithms::only(PS256));
    check_jwk(key(ES256), Ok(&[ES256]));
    check_jwk(key(ES384), Ok(&[ES384]));
    check_jwk(key(ES512), Ok(&[ES512]));
    check_jwk(key(ES256K), Ok(&[ES256K]));
    check_jwk(key(EdDSA), Ok(&[EdDSA]));
    check_jwk(changed(key(EdDSA), json!({"alg": "Ed25519"})), Ok(&[EdDSA]));
}

#[test]
fn keys_that_are_refused() {
    let rsa = || SigningKey::for_algorithm(Algorithm::RS256).jwk();
    let ec = || SigningKey::for_algorithm(Algorithm::ES256).jwk();
    let p521 = || SigningKey::for_algorithm(Algorithm::ES512).jwk();
    let ed = || SigningKey::for_algorithm(Algorithm::EdDSA).jwk();
    let oct = || json!({"kty": "oct", "k": encode(SECRET)});
    let x_of = |jwk: Value| jwk["x"].as_str().unwrap().to_owned();
    let bytes = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    use KeyError::*;
    for (jwk, expected) in [
        (json!([]), NotAKey),
        (json!("key"), NotAKey),
        (json!({}), NotAKey),
        (changed(rsa(), json!({"kty": 1})), NotAKey),
        (changed(rsa(), json!({"kty": "rsa"})), UnsupportedType),
        (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}), UnsupportedAlgorithm),
        (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "priv": "AAAA"}), Private),
        (json!({"kty": "AKP", "pub": "AAAA", "priv": "AAAA"}), Private),
        (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}), UnsupportedAlgorithm),
        (json!({"kty": "AKP", "pub": "AA"}), UnsupportedType),
        (changed(ec(), json!({"crv": "P-224"})), UnsupportedCurve),
        (changed(ed(), json!({"crv": "X25519"})), UnsupportedCurve),
        (changed(ed(), json!({"crv": "Ed448"})), UnsupportedCurve),
        (changed(ec(), json!({"crv": null})), Malformed),
        (changed(rsa(), json!({"alg": "RSA-OAEP"})), UnsupportedAlgorithm),
        (changed(rsa(), json!({"alg": "none"})), UnsupportedAlgorithm),
        (changed(rsa(), json!({"alg": "rs256"})), UnsupportedAlgorithm),
        (changed(rsa(), json!({"alg": 256})), Malformed),
        (changed(rsa(), json!({"alg": "HS256"})), AlgorithmMismatch),
        (changed(rsa(), json!({"alg": "ES256"})), AlgorithmMismatch),
        (changed(ec(), json!({"alg": "ES384"})), AlgorithmMismatch),
        (changed(ec(), json!({"alg": "HS256"})), AlgorithmMismatch),
        (changed(oct(), json!({"alg": "RS256"})), AlgorithmMismatch),
        (changed(rsa(), json!({"use": "enc"})), NotForSignatures),
        (changed(rsa(), json!({"use": "SIG"})), NotForSignatures),
        (changed(rsa(), json!({"use": ["sig"]})), Malformed),
        (changed(rsa(), json!({"key_ops": ["sign"]})), NotForVerifying),
        (changed(rsa(), json!({"key_ops": []})), NotForVerifying),
        (changed(rsa(), json!({"key_ops": "verify"})), Malformed),
        (changed(rsa(), json!({"use": "enc", "key_ops": ["verify"]})), NotForSignatures),
        (changed(rsa(), json!({"kid": 1})), Malformed),
        (changed(rsa(), json!({"n": null})), Malformed),
        (changed(rsa(), json!({"n": 5})), Malformed),
        (changed(rsa(), json!({"n": ""})), TooShort),
        (changed(rsa(), json!({"n": encode(&[0; 256])})), TooShort),
        (changed(rsa(), json!({"n": encode(&[0xff; 128])})), TooShort),
        (changed(rsa(), json!({"n": encode(&[[0; 128], [0xff; 128]].concat())})), TooShort),
        (changed(rsa(), json!({"n": encode(&[0x7f; 256])})), TooShort),
        (changed(rsa(), json!({"n": encode(&[0xff; 513])})), UnsupportedRsa),
        (changed(rsa(), json!({"n": encode(&[0xfe; 256])})), UnsupportedRsa),
        (changed(rsa(), json!({"e": "AQ"})), UnsupportedRsa),
        (changed(rsa(), json!({"e": "Aw"})), UnsupportedRsa),
        (changed(rsa(), json!({"e": ""})), UnsupportedRsa),
        (changed(rsa(), json!({"e": "AQAB="})), Malformed),
        (changed(ec(), json!({"x": null})), Malformed),
        (changed(ec(), json!({"y": x_of(ec())})), Malformed),
        (changed(ec(), json!({"x": encode(&bytes(&x_of(ec()))[1..])})), Malformed),
        (changed(ec(), json!({"x": encode(&[&[0][..], &bytes(&x_of(ec()))].concat())})), Malformed),
        // The bytes of the correct point, split in the wrong place.
        (
            changed(
                ec(),
                json!({
                    "x": encode(&bytes(&x_of(ec()))[..31]),
                    "y": encode(&[&bytes(&x_of(ec()))[31..], &bytes(ec()["y"].as_str().unwrap())].concat()),
                }),
            ),
            Malformed,
        ),
        (changed(ec(), json!({"x": encode(&[0; 32]), "y": encode(&[0; 32])})), Malformed),
        (changed(ec(), json!({"x": encode(&[0xff; 32])})), Malformed),
        (changed(ec(), json!({"crv": "secp256k1"})), Malformed),
        (changed(p521(), json!({"x": encode(&bytes(&x_of(p521()))[1..])})), Malformed),
        (changed(ed(), json!({"x": encode(&[1; 31])})), Malformed),
        (changed(ed(), json!({"x": encode(&[&[1][..], &[0; 31]].concat())})), Malformed), // order 1
        (changed(ed(), json!({"x": encode(&[0xff; 32])})), Malformed),
        (changed(oct(), json!({"k": "+/+/"})), Malformed),
        (changed(oct(), json!({"k": null})), Malformed),
        (changed(oct(), json!({"k": encode(pem("rsa.pub").as_bytes())})), PemAsSecret),
        (changed(rsa(), json!({"d": "AQAB"})), Private),
        (changed(rsa(), json!({"d": null, "qi": 1})), Private),
        (changed(rsa(), json!({"p": ""})), Private),
        (changed(ec(), json!({"d": "AQAB", "use": "enc"})), Private),
        (changed(ed(), json!({"d": "AQAB", "kty": "XYZ"})), Private),
        (changed(ed(), json!({"d": "AQAB", "kty": null})), Private),
    ] {
        check_jwk(jwk, Err(expected));
    }
}

#[test]
fn members_that_do_not_matter() {
    let rsa = || SigningKey::for_algorithm(Algorithm::RS256).jwk_with(json!({"alg": "RS256"}));
    let n = rsa()["n"].as_str().unwrap().to_owned();
    let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(n).unwrap();
    for members in [
        json!({"use": "sig", "key_ops": ["verify"]}),
        json!({"key_ops": ["sign", "verify"]}),
        json!({"key_ops": [1, "verify"]}),
        json!({"x5c": ["!"], "x5t": 1, "x5u": "https://example.com", "ext": true, "exp": 1, "k": "AQAB"}),
        json!({"kid": ""}),
        json!({"n": encode(&[&[0][..], &n].concat())}), // a leading sign byte, which some libraries write
    ] {
        check_jwk(changed(rsa(), members), Ok(&[Algorithm::RS256]));
    }
}

#[test]
fn pem_keys() {
    use Algorithm::*;
    use KeyError::*;
    for (pem, algorithm, expected) in [
        (pem("rsa.pub"), RS256, Ok(())),
        (pem("rsa.pub"), PS512, Ok(())),
        (pem("rsa.pkcs1.pub"), RS512, Ok(())),
        (pem("p256.pub"), ES256, Ok(())),
        (pem("p384.pub"), ES384, Ok(())),
        (pem("p521.pub"), ES512, Ok(())),
        (pem("secp256k1.pub"), ES256K, Ok(())),
        (pem("ed25519.pub"), EdDSA, Ok(())),
        (pem("rsa.pub"), HS256, Err(AlgorithmMismatch)),
        (pem("rsa.pub"), ES256, Err(NotAPemKey)),
        (pem("p256.pub"), RS256, Err(NotAPemKey)),
        (pem("p256.pub"), ES384, Err(NotAPemKey)),
        (pem("p256.pub"), ES256K, Err(NotAPemKey)),
        (pem("ed25519.pub"), ES512, Err(NotAPemKey)),
        (pem("rsa"), RS256, Err(Private)),
        (pem("p256"), ES256, Err(Private)),
        (pem("p256.sec1"), ES256, Err(Private)),
        (pem("ed25519"), EdDSA, Err(Private)),
        (pem("rsa.crt"), RS256, Err(Certificate)),
        (pem("rsa1024.pub"), RS256, Err(TooShort)),
        (pem("rsa8192.pub"), RS256, Err(NotAPemKey)), // the parser accepts at most 4096 bits
        (pem("rsa-e3.pub"), RS256, Err(UnsupportedRsa)),
        // With several keys it is ambiguous which one is meant.
        (&pem("rsa.pub").repeat(2), RS256, Err(NotAPemKey)),
        (&[pem("rsa.pub"), pem("p256.pub")].concat(), RS256, Err(NotAPemKey)),
        (&[pem("p256.pub"), pem("rsa.pub")].concat(), ES256, Err(NotAPemKey)),
        (&pem("p256.pub").repeat(2), ES256, Err(NotAPemKey)),
        (&pem("ed25519.pub").repeat(2), EdDSA, Err(NotAPemKey)),
        (&[pem("rsa.pub"), pem("rsa")].concat(), RS256, Err(NotAPemKey)),
        ("", RS256, Err(NotAPemKey)),
        ("-----BEGIN PUBLIC KEY-----", ES256, Err(NotAPemKey)),
        ("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", EdDSA, Err(NotAPemKey)),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ES512, Err(NotAPemKey)),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", EdDSA, Err(NotAPemKey)),
    ] {
        for pem in [pem.to_owned(), format!("\n{pem}\n\n"), pem.replace('\n', "\r\n")] {
            let key = VerifyingKey::from_pem(&pem, algorithm, Some("k".to_owned()));
            assert_eq!(key.as_ref().map(|_| ()).map_err(|error| *error), expected, "{algorithm} {pem:.60}");
            if let Ok(key) = key {
                assert_eq!((key.algorithms(), key.kid()), (Algorithms::only(algorithm), Some("k")));
            }
        }
    }
}

/// The host's verifier gets the encoding that OpenSSL produces.
#[test]
fn subject_public_key_info_is_that_of_openssl() {
    use Algorithm::*;
    for (pem, algorithm) in [
        (pem("rsa.pub"), RS256),
        (pem("p256.pub"), ES256),
        (pem("p384.pub"), ES384),
        (pem("p521.pub"), ES512),
        (pem("secp256k1.pub"), ES256K),
    ] {
        let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let expected = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let from_pem = VerifyingKey::from_pem(pem, algorithm, None).unwrap();
        let from_jwk = VerifyingKey::from_jwk(&SigningKey::for_algorithm(algorithm).jwk()).unwrap();
        assert_eq!(from_pem.spki_der(), Some(expected.as_slice()), "{algorithm}");
        assert_eq!(from_jwk.spki_der(), Some(expected.as_slice()), "{algorithm}");
    }
    assert_eq!(VerifyingKey::from_secret(SECRET, HS256, None).unwrap().spki_der(), None);
    assert_eq!(VerifyingKey::from_pem(pem("ed25519.pub"), EdDSA, None).unwrap().spki_der(), None);
}

#[test]
fn shared_secrets() {
    use Algorithm::*;
    for (secret, algorithm, expected) in [
        (&SECRET[..32], HS256, Ok(())),
        (&SECRET[..31], HS256, Err(KeyError::TooShort)),
        (&SECRET[..48], HS384, Ok(())),
        (&SECRET[..47], HS384, Err(KeyError::TooShort)),
        (SECRET, HS512, Ok(())),
        (&SECRET[..63], HS512, Err(KeyError::TooShort)),
        (SECRET, RS256, Err(KeyError::AlgorithmMismatch)),
        (SECRET, EdDSA, Err(KeyError::AlgorithmMismatch)),
        (b"", HS256, Err(KeyError::TooShort)),
        (pem("rsa.pub").as_bytes(), HS256, Err(KeyError::PemAsSecret)),
        (b"\n -----BEGIN PUBLIC KEY-----\nAAAAAAAAAAAAAA", HS256, Err(KeyError::PemAsSecret)),
    ] {
        let key = VerifyingKey::from_secret(secret, algorithm, None);
        assert_eq!(key.as_ref().map(|_| ()).map_err(|error| *error), expected, "{algorithm}");
        assert!(key.is_ok_and(|key| key.is_symmetric()) == expected.is_ok());
    }
}

#[test]
fn sets_leave_out_and_report_what_they_cannot_use() {
    let rsa = SigningKey::for_algorithm(Algorithm::RS256).jwk_with(json!({"kid": "a"}));
    let oct = json!({"kty": "oct", "k": encode(SECRET), "kid": "b"});
    let enc = SigningKey::for_algorithm(Algorithm::ES256).jwk_with(json!({"use": "enc"}));
    let jwks = json!({"keys": [enc, oct, rsa, 1], "other": true});
    let read = |origin| {
        let (set, ignored) = KeySet::from_jwks(&jwks, origin).unwrap();
        (set.keys().len(), ignored.iter().map(|key| (key.index, key.error)).collect::<Vec<_>>())
    };
    let (unusable, no_key) = ((0, KeyError::NotForSignatures), (3, KeyError::NotAKey));
    assert_eq!(read(KeySetOrigin::Inline), (2, vec![unusable, no_key]));
    assert_eq!(read(KeySetOrigin::Fetched), (1, vec![unusable, (1, KeyError::SharedSecret), no_key]));
}

#[test]
fn sets_that_are_refused() {
    let rsa = || SigningKey::for_algorithm(Algorithm::RS256).jwk();
    let oct = || json!({"kty": "oct", "k": encode(SECRET)});
    let ignored = |error| KeySetError::NoUsableKey(vec![IgnoredKey { index: 0, error }]);
    use KeySetOrigin::*;
    for (jwks, origin, expected) in [
        (json!([rsa()]), Inline, KeySetError::NotAKeySet),
        (rsa(), Inline, KeySetError::NotAKeySet),
        (json!({"keys": rsa()}), Inline, KeySetError::NotAKeySet),
        (json!({"keys": {}}), Fetched, KeySetError::NotAKeySet),
        (json!(null), Fetched, KeySetError::NotAKeySet),
        (json!({"keys": []}), Fetched, KeySetError::NoUsableKey(vec![])),
        (json!({"keys": [oct()]}), Fetched, ignored(KeyError::SharedSecret)),
        (json!({"keys": [{"kty": "EC"}]}), Inline, ignored(KeyError::Malformed)),
        (
            json!({"keys": [rsa(), changed(rsa(), json!({"d": "AQAB"}))]}),
            Inline,
            KeySetError::PrivateKey { index: 1 },
        ),
        (
            json!({"keys": [rsa(), changed(rsa(), json!({"d": "AQAB"}))]}),
            Fetched,
            KeySetError::PrivateKey { index: 1 },
        ),
        (json!({"keys": vec![rsa(); MAX_KEYS + 1]}), Fetched, KeySetError::TooManyKeys),
    ] {
        assert_eq!(KeySet::from_jwks(&jwks, origin).map(|_| ()), Err(expected), "{jwks:.60}");
    }
    assert_eq!(KeySet::from_keys(vec![]).map(|_| ()), Err(KeySetError::NoUsableKey(vec![])));
}

#[test]
fn keys_are_found_by_their_name() {
    let key = |n: u8, kid: Option<&str>| {
        VerifyingKey::from_secret(&[n; 32], Algorithm::HS256, kid.map(str::to_owned)).unwrap()
    };
    let set = KeySet::from_keys(vec![
        key(1, Some("b")),
        key(2, None),
        key(3, Some("a")),
        key(4, Some("b")),
        key(5, Some("")),
        key(6, None),
    ])
    .unwrap();
    let count = |kid| set.named(kid).map(<[_]>::len);
    assert_eq!((count("a"), count("b"), count(""), count("c")), (Some(1), Some(2), Some(1), None));
    assert!(set.named("b").unwrap().iter().all(|key| key.kid() == Some("b")));
    assert_eq!(set.unnamed().len(), 2);
    assert_eq!(set.algorithms(), Algorithms::only(Algorithm::HS256));
}

#[test]
fn errors_and_debug_show_no_key() {
    let secret = VerifyingKey::from_secret(SECRET, Algorithm::HS256, Some("k".to_owned())).unwrap();
    let shown = format!("{secret:?}");
    assert_eq!(shown, r#"VerifyingKey { kid: Some("k"), algorithms: {HS256}, .. }"#);
    let set = KeySet::from_keys(vec![secret]).unwrap();
    assert!(!format!("{set:?}").contains("48, 49, 50"), "the secret, as bytes");
    let error = KeySet::from_jwks(&json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}), KeySetOrigin::Inline);
    let error = error.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("c2VjcmV0"));
    assert!(
        error
            .to_string()
            .ends_with("keys[0]: too short: RSA needs 2048 bits, a shared secret the length of its hash (HS256: 32 bytes, HS384: 48, HS512: 64)")
    );
}
