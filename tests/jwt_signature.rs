//! Signatures: every algorithm verifies its own signatures and no others, and no header changes how a key is used.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)] // a test may panic

use authgate::jose::jwk::{Algorithm, Algorithms, KeySet, VerifyingKey};
use authgate::jose::jwt::{Jws, JwsError, Malformed, Part, SignatureVerifier, SoftwareVerifier};
use authgate_testing::mint;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mint::{SECRET, SigningKey, encode, pem, set, sign_text};
use serde_json::json;

/// Result for a token: malformed, rejected or verified.
#[derive(Debug, PartialEq)]
enum Outcome {
    Verified,
    Refused(JwsError),
    Malformed(Malformed),
}

fn outcome(token: &[u8], keys: &KeySet, allowed: Option<Algorithms>) -> Outcome {
    match Jws::parse(token) {
        Err(error) => Outcome::Malformed(error),
        Ok(jws) => match jws.verify(keys, allowed, &SoftwareVerifier) {
            Err(error) => Outcome::Refused(error),
            Ok(()) => Outcome::Verified,
        },
    }
}

const BAD_SIGNATURE: Outcome = Outcome::Refused(JwsError::BadSignature);
const NOT_ALLOWED: Outcome = Outcome::Refused(JwsError::AlgorithmNotAllowed);
const UNKNOWN_KEY: Outcome = Outcome::Refused(JwsError::UnknownKey);

/// Returns a header, a payload and a signature over both by this key.
fn parts(header: &str, key: &SigningKey, algorithm: Algorithm) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let payload = br#"{"sub":"alice"}"#;
    let input = format!("{}.{}", encode(header.as_bytes()), encode(payload));
    (header.as_bytes().to_vec(), payload.to_vec(), key.sign(algorithm, input.as_bytes()))
}

fn join(header: &[u8], payload: &[u8], signature: &[u8]) -> String {
    format!("{}.{}.{}", encode(header), encode(payload), encode(signature))
}

#[test]
fn every_algorithm_verifies_what_it_signed_and_nothing_else() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::for_algorithm(algorithm);
        let header = json!({"alg": algorithm.name()}).to_string();
        let (header, payload, signature) = parts(&header, &key, algorithm);
        let token = join(&header, &payload, &signature);
        let ours = set(vec![key.jwk()]);
        let check = |token: &str, keys: &KeySet, expected: Outcome, what: &str| {
            assert_eq!(
                outcome(token.as_bytes(), keys, Some(Algorithms::ALL)),
                expected,
                "{algorithm}: {what}"
            );
        };
        check(&token, &ours, Outcome::Verified, "as signed");
        check(
            &token,
            &set(vec![key.jwk_with(json!({"alg": algorithm.name()}))]),
            Outcome::Verified,
            "pinned",
        );
        check(&token, &set(vec![SigningKey::other(algorithm).jwk()]), BAD_SIGNATURE, "another key");

        // One flipped bit. In the header, it is in a member without a meaning, so the header still parses.
        let padded = format!(r#"{{"alg":"{algorithm}","x":"0"}}"#);
        let (header_x, _, signature_x) = parts(&padded, &key, algorithm);
        let flipped = padded.replace(r#""0""#, r#""1""#);
        check(&join(&header_x, &payload, &signature_x), &ours, Outcome::Verified, "header as signed");
        check(&join(flipped.as_bytes(), &payload, &signature_x), &ours, BAD_SIGNATURE, "header flipped");
        for place in 0..payload.len() {
            let mut payload = payload.clone();
            payload[place] ^= 1;
            check(&join(&header, &payload, &signature), &ours, BAD_SIGNATURE, "payload flipped");
        }
        for place in [0, 1, signature.len() / 2 - 1, signature.len() / 2, signature.len() - 1] {
            for bit in [0, 7] {
                let mut signature = signature.clone();
                signature[place] ^= 1 << bit;
                check(&join(&header, &payload, &signature), &ours, BAD_SIGNATURE, "signature flipped");
            }
        }
        for signature in [
            Vec::new(),
            vec![0],
            vec![0; signature.len()],
            vec![0xff; signature.len()],
            signature[1..].to_vec(),
            signature[..signature.len() - 1].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0][..], &signature].concat(),
            [&signature[..], &signature].concat(),
            vec![1; 40_000],
        ] {
            check(&join(&header, &payload, &signature), &ours, BAD_SIGNATURE, "signature of another length");
        }
        // The same bytes under each other algorithm.
        for claimed in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let header = json!({"alg": claimed.name()}).to_string();
            let token = join(header.as_bytes(), &payload, &signature);
            let found = outcome(token.as_bytes(), &ours, Some(Algorithms::ALL));
            assert_ne!(found, Outcome::Verified, "{algorithm} as {claimed}");
        }
    }
}

#[test]
fn ed25519_by_its_fully_specified_name() {
    let key = SigningKey::for_algorithm(Algorithm::EdDSA);
    let token = sign_text(r#"{"alg":"Ed25519"}"#, "{}", &key, Algorithm::EdDSA);
    assert_eq!(outcome(token.as_bytes(), &set(vec![key.jwk()]), None), Outcome::Verified);
}

/// JWS has no low-s rule (RFC 7518 §3.4), so the negated twin of a signature is valid too.
#[test]
fn ecdsa_takes_the_twin_but_no_zero_and_no_der() {
    fn negated(order: &[u8], s: &[u8]) -> Vec<u8> {
        let mut borrow = 0_i16;
        let mut difference = vec![0; s.len()];
        for place in (0..s.len()).rev() {
            let digit = i16::from(order[place]) - i16::from(s[place]) - borrow;
            borrow = i16::from(digit < 0);
            difference[place] = digit.rem_euclid(256) as u8;
        }
        difference
    }
    let order = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    for (algorithm, order) in [
        (Algorithm::ES256, order("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")),
        (Algorithm::ES256K, order("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")),
    ] {
        let key = SigningKey::for_algorithm(algorithm);
        let keys = set(vec![key.jwk()]);
        let header = json!({"alg": algorithm.name()}).to_string();
        let (header, payload, signature) = parts(&header, &key, algorithm);
        let (r, s) = signature.split_at(32);
        let check = |signature: &[u8], expected: Outcome| {
            let token = join(&header, &payload, signature);
            assert_eq!(outcome(token.as_bytes(), &keys, None), expected, "{algorithm} {signature:02x?}");
        };
        check(&[r, &negated(&order, s)].concat(), Outcome::Verified);
        check(&[r, &[0; 32]].concat(), BAD_SIGNATURE);
        check(&[&[0; 32], s].concat(), BAD_SIGNATURE);
        check(&[0; 64], BAD_SIGNATURE);
        check(&[&order[..], &order[..]].concat(), BAD_SIGNATURE);
        check(&[r, &order].concat(), BAD_SIGNATURE);
        let der = match algorithm {
            Algorithm::ES256 => {
                p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der().as_bytes().to_vec()
            }
            _ => k256::ecdsa::Signature::from_slice(&signature).unwrap().to_der().as_bytes().to_vec(),
        };
        check(&der, BAD_SIGNATURE);
    }
}

#[test]
fn no_spelling_of_none() {
    let keys = [
        set(vec![SigningKey::for_algorithm(Algorithm::RS256).jwk()]),
        set(vec![SigningKey::for_algorithm(Algorithm::HS256).jwk()]),
    ];
    for name in ["none", "None", "NONE", "nOnE", "none ", " none", "", "null", "none\u{0}", "n\u{f6}ne"] {
        let header = json!({"alg": name}).to_string();
        for signature in ["", "AA", "bm9uZQ"] {
            let token = format!("{}.{}.{signature}", encode(header.as_bytes()), encode(b"{}"));
            for keys in &keys {
                assert_eq!(outcome(token.as_bytes(), keys, None), NOT_ALLOWED, "{name:?}");
                let every = Some(Algorithm::ALL.into_iter().collect());
                assert_eq!(outcome(token.as_bytes(), keys, every), NOT_ALLOWED, "{name:?}");
            }
        }
    }
    // Without its last part it is not a token.
    let token = format!("{}.{}", encode(br#"{"alg":"none"}"#), encode(b"{}"));
    assert_eq!(outcome(token.as_bytes(), &keys[0], None), Outcome::Malformed(Malformed::NotThreeParts));
}

/// CVE-2015-9235 and its variants: the verification key is public, so a MAC keyed with it must not be accepted.
#[test]
fn a_public_key_is_no_mac_secret() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = SigningKey::for_algorithm(algorithm);
        let jwk = key.jwk();
        let keys = set(vec![jwk.clone()]);
        let pem = match algorithm {
            Algorithm::ES256 => pem("p256.pub"),
            Algorithm::EdDSA => pem("ed25519.pub"),
            _ => pem("rsa.pub"),
        };
        let mut secrets: Vec<Vec<u8>> = vec![
            pem.into(),
            pem.trim_end().into(),
            pem.replace('\n', "\r\n").into(),
            jwk.to_string().into(),
            serde_json::to_string_pretty(&jwk).unwrap().into(),
            Vec::new(),
        ];
        secrets.extend(keys.keys()[0].spki_der().map(<[u8]>::to_vec));
        for member in ["n", "x", "y"] {
            if let Some(text) = jwk[member].as_str() {
                secrets.extend([text.into(), URL_SAFE_NO_PAD.decode(text).unwrap()]);
            }
        }
        for mac in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            for secret in &secrets {
                let header = json!({"alg": mac.name()}).to_string();
                let token = sign_text(&header, "{}", &SigningKey::Secret(secret.clone()), mac);
                assert_eq!(outcome(token.as_bytes(), &keys, None), NOT_ALLOWED, "{mac} with {algorithm}");
                let every = Some(Algorithm::ALL.into_iter().collect());
                assert_eq!(outcome(token.as_bytes(), &keys, every), NOT_ALLOWED, "{mac} with {algorithm}");
            }
        }
    }
}

/// Keys come from the configuration, never from the token.
#[test]
fn keys_in_the_header_are_not_followed() {
    let algorithm = Algorithm::RS256;
    let (ours, theirs) = (SigningKey::for_algorithm(algorithm), SigningKey::other(algorithm));
    let certificate: String = pem("rsa.crt").lines().filter(|line| !line.starts_with('-')).collect();
    for (member, value) in [
        ("jwk", theirs.jwk()),
        ("jku", json!("https://attacker.example/jwks.json")),
        ("x5u", json!("https://attacker.example/cert.pem")),
        ("x5c", json!([certificate])),
        ("x5t", json!("AA")),
        ("kid", json!("../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("")),
    ] {
        let header = json!({"alg": "RS256", member: value}).to_string();
        let keys = set(vec![ours.jwk_with(json!({"kid": "ours"}))]);
        let expected = if member == "kid" { UNKNOWN_KEY } else { BAD_SIGNATURE };
        let forged = sign_text(&header, "{}", &theirs, algorithm);
        assert_eq!(outcome(forged.as_bytes(), &keys, None), expected, "{member}");
        if member != "kid" {
            let genuine = sign_text(&header, "{}", &ours, algorithm);
            assert_eq!(outcome(genuine.as_bytes(), &keys, None), Outcome::Verified, "{member}");
        }
    }
}

#[test]
fn extensions_are_refused() {
    let key = SigningKey::for_algorithm(Algorithm::HS256);
    let keys = set(vec![key.jwk()]);
    for members in [
        r#""crit":["exp"]"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"""#,
        r#""crit":["alg"]"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""b64":null"#,
        r#""\u0063rit":[]"#,
    ] {
        let header = format!(r#"{{"alg":"HS256",{members}}}"#);
        let token = sign_text(&header, "{}", &key, Algorithm::HS256);
        let expected = Outcome::Refused(JwsError::UnsupportedCritical);
        assert_eq!(outcome(token.as_bytes(), &keys, None), expected, "{members}");
    }
}

#[test]
fn which_keys_are_tried() {
    let secret = |n: u8| SigningKey::Secret(vec![n; 32]);
    let jwk = |n: u8, kid: Option<&str>| match kid {
        None => secret(n).jwk(),
        Some(kid) => secret(n).jwk_with(json!({ "kid": kid })),
    };
    let check = |keys: Vec<serde_json::Value>, kid: Option<&str>, signer: u8, expected: Outcome| {
        let mut header = json!({"alg": "HS256"});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let token = sign_text(&header.to_string(), "{}", &secret(signer), Algorithm::HS256);
        assert_eq!(
            outcome(token.as_bytes(), &set(keys.clone()), None),
            expected,
            "{header} by {signer}, {keys:?}"
        );
    };
    let (a, b) = (Some("a"), Some("b"));
    check(vec![jwk(1, a), jwk(2, b)], a, 1, Outcome::Verified);
    check(vec![jwk(1, a), jwk(2, b)], a, 2, BAD_SIGNATURE);
    check(vec![jwk(1, a), jwk(2, b)], Some("c"), 1, UNKNOWN_KEY);
    check(vec![jwk(1, a), jwk(2, b)], Some("A"), 1, UNKNOWN_KEY);
    check(vec![jwk(1, a), jwk(2, b)], None, 2, Outcome::Verified);
    check(vec![jwk(1, a), jwk(2, b)], None, 3, BAD_SIGNATURE);
    check(vec![jwk(1, a), jwk(2, a)], a, 2, Outcome::Verified); // two keys with the same kid
    check(vec![jwk(1, None), jwk(2, b)], a, 1, Outcome::Verified); // a key without kid
    check(vec![jwk(1, None), jwk(2, b)], a, 2, UNKNOWN_KEY); // and an unknown kid, which a refetch may provide
    check(vec![jwk(1, None), jwk(2, b)], b, 1, BAD_SIGNATURE); // if the kid is known, only its keys are tried
    let many = |count: u8| (1..=count).map(|n| jwk(n, None)).collect::<Vec<_>>();
    check(many(9), None, 8, Outcome::Verified);
    check(many(9), None, 9, BAD_SIGNATURE);
    check(many(9), a, 8, Outcome::Verified);

    // Only keys that fit are counted and tried.
    let mut mixed: Vec<_> = (0..20).map(|_| SigningKey::for_algorithm(Algorithm::EdDSA).jwk()).collect();
    mixed.push(jwk(1, None));
    check(mixed, None, 1, Outcome::Verified);
    let ed = SigningKey::for_algorithm(Algorithm::EdDSA);
    check(vec![ed.jwk_with(json!({"kid": "a"})), jwk(1, b)], a, 1, NOT_ALLOWED);
    check(vec![ed.jwk()], a, 1, UNKNOWN_KEY);
    check(vec![ed.jwk()], None, 1, NOT_ALLOWED);
}

/// An RSA signature is as long as the modulus: keys of other sizes cost nothing and do not count as tried.
#[test]
fn keys_of_other_sizes_are_not_tried() {
    struct Counting(std::cell::Cell<usize>);
    impl SignatureVerifier for Counting {
        fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
            self.0.set(self.0.get() + 1);
            SoftwareVerifier.verify(key, algorithm, input, signature)
        }

        fn is_native(&self, _: Algorithm) -> bool {
            false
        }
    }
    let key = SigningKey::for_algorithm(Algorithm::RS256);
    let large = json!({"kty": "RSA", "n": encode(&[0xc1; 512]), "e": "AQAB"});
    let mut jwks = vec![large; 20];
    jwks.push(key.jwk());
    let keys = set(jwks);
    let token = sign_text(r#"{"alg":"RS256"}"#, "{}", &key, Algorithm::RS256);
    let verifier = Counting(std::cell::Cell::new(0));
    assert_eq!(Jws::parse(token.as_bytes()).unwrap().verify(&keys, None, &verifier), Ok(()));
    assert_eq!(verifier.0.get(), 1);
    // A signature whose length fits no key is not verified with any.
    let (signed, _) = token.rsplit_once('.').unwrap();
    let short = format!("{signed}.{}", encode(&[1; 255]));
    let found = Jws::parse(short.as_bytes()).unwrap().verify(&keys, None, &verifier);
    assert_eq!((found, verifier.0.get()), (Err(JwsError::BadSignature), 1));
}

#[test]
fn the_allow_list_narrows_what_keys_can_do() {
    let key = SigningKey::for_algorithm(Algorithm::RS256);
    let keys = set(vec![key.jwk()]);
    for (signed, allowed, expected) in [
        (Algorithm::RS256, &[Algorithm::RS256][..], Outcome::Verified),
        (Algorithm::PS512, &[Algorithm::RS256, Algorithm::PS512], Outcome::Verified),
        (Algorithm::RS384, &[Algorithm::RS256], NOT_ALLOWED),
        (Algorithm::PS256, &[Algorithm::RS256], NOT_ALLOWED),
        (Algorithm::RS256, &[], NOT_ALLOWED),
    ] {
        let token = sign_text(&json!({"alg": signed.name()}).to_string(), "{}", &key, signed);
        let allowed = allowed.iter().copied().collect();
        assert_eq!(outcome(token.as_bytes(), &keys, Some(allowed)), expected, "{signed} where {allowed:?}");
    }
    // Without a list of algorithms, RSASSA-PSS requires a key that names it.
    for (alg, signed, expected) in [
        (None, Algorithm::RS384, Outcome::Verified),
        (None, Algorithm::PS384, NOT_ALLOWED),
        (Some("PS384"), Algorithm::PS384, Outcome::Verified),
        (Some("PS384"), Algorithm::PS256, NOT_ALLOWED),
    ] {
        let keys = set(vec![alg.map_or(key.jwk(), |alg| key.jwk_with(json!({"alg": alg})))]);
        let token = sign_text(&json!({"alg": signed.name()}).to_string(), "{}", &key, signed);
        assert_eq!(outcome(token.as_bytes(), &keys, None), expected, "{signed} of a key for {alg:?}");
    }
    // A pinned key verifies only its algorithm, whatever is allowed.
    let pinned = set(vec![key.jwk_with(json!({"alg": "RS256"}))]);
    let token = sign_text(r#"{"alg":"RS512"}"#, "{}", &key, Algorithm::RS512);
    assert_eq!(outcome(token.as_bytes(), &pinned, Some(Algorithms::only(Algorithm::RS512))), NOT_ALLOWED);
}

#[test]
fn what_is_no_token() {
    let key = VerifyingKey::from_secret(SECRET, Algorithm::HS256, None).unwrap();
    let keys = KeySet::from_keys(vec![key]).unwrap();
    let good = sign_text(r#"{"alg":"HS256"}"#, "{}", &SigningKey::Secret(SECRET.to_vec()), Algorithm::HS256);
    assert_eq!(outcome(good.as_bytes(), &keys, None), Outcome::Verified);
    let (header, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let encoded = |header: &str| format!("{}.{payload}.{signature}", encode(header.as_bytes()));
    let nested = |open: &str| encoded(&format!(r#"{{"alg":"HS256","x":{}"#, open.repeat(15_000)));
    use Malformed::*;
    use authgate::json::JsonErrorKind::*;
    for (token, expected) in [
        (String::new(), NotThreeParts),
        ("a".to_owned(), NotThreeParts),
        (format!("{header}.{payload}"), NotThreeParts),
        (format!("{good}."), NotThreeParts),
        (format!("{good}.{signature}"), NotThreeParts),
        (format!("{good}.AA.AA"), NotThreeParts),
        (".".repeat(50_000), NotThreeParts),
        ("..".to_owned(), Json(Part::Header, Incomplete)),
        (format!(".{payload}.{signature}"), Json(Part::Header, Incomplete)),
        (format!("{header}=.{payload}.{signature}"), Base64(Part::Header)),
        (format!("{header}.{payload}=.{signature}"), Base64(Part::Payload)),
        (format!("{header}.e30=.{signature}"), Base64(Part::Payload)),
        (format!("{good}="), Base64(Part::Signature)),
        (format!(" {good}"), Base64(Part::Header)),
        (format!("{good} "), Base64(Part::Signature)),
        (format!("{good}\n"), Base64(Part::Signature)),
        (format!("{header}.e3 0.{signature}"), Base64(Part::Payload)),
        (format!("{header}.e31.{signature}"), Base64(Part::Payload)), // 2 stray bits
        (format!("{header}.+w.{signature}"), Base64(Part::Payload)),
        (format!("{header}./w.{signature}"), Base64(Part::Payload)),
        (format!("{header}.e.{signature}"), Base64(Part::Payload)),
        (format!("{header}.%65.{signature}"), Base64(Part::Payload)),
        (encoded("[]"), NotAnObject(Part::Header)),
        (encoded("null"), NotAnObject(Part::Header)),
        (encoded("\"HS256\""), NotAnObject(Part::Header)),
        (encoded("{}"), Alg),
        (encoded(r#"{"alg":null}"#), Alg),
        (encoded(r#"{"alg":["HS256"]}"#), Alg),
        (encoded(r#"{"alg":256}"#), Alg),
        (encoded(r#"{"Alg":"HS256"}"#), Alg),
        (encoded(r#"{"alg":"HS256","kid":1}"#), Kid),
        (encoded(r#"{"alg":"HS256","kid":null}"#), Kid),
        (encoded(r#"{"alg":"HS256","kid":["a"]}"#), Kid),
        (encoded(r#"{"alg":"HS256","typ":1}"#), Typ),
        (encoded(r#"{"alg":"HS256","typ":null}"#), Typ),
        (encoded(r#"{"alg":"HS256","alg":"none"}"#), Json(Part::Header, DuplicateMember)),
        (encoded(r#"{"alg":"none","\u0061lg":"HS256"}"#), Json(Part::Header, DuplicateMember)),
        (encoded(r#"{"alg":"HS256","x":{"a":1,"a":1}}"#), Json(Part::Header, DuplicateMember)),
        (encoded(r#"{"alg":"HS256"} "x""#), Json(Part::Header, Syntax)),
        (encoded(r#"{"alg":"HS256""#), Json(Part::Header, Incomplete)),
        (encoded("{'alg':'HS256'}"), Json(Part::Header, Syntax)),
        (encoded("\u{feff}{\"alg\":\"HS256\"}"), Json(Part::Header, Syntax)),
        (nested("["), Json(Part::Header, TooDeep)),
        (nested(r#"{"a":"#), Json(Part::Header, TooDeep)),
    ] {
        assert_eq!(outcome(token.as_bytes(), &keys, None), Outcome::Malformed(expected), "{token:.120}");
    }
    for bytes in [&b"\xff.\xff.\xff"[..], b"e30\x00.e30.", b"\x00\x00\x00", b"e30.e30.\x80"] {
        assert!(matches!(outcome(bytes, &keys, None), Outcome::Malformed(_)), "{bytes:?}");
    }
}

/// Tokens of any length and any bytes are rejected without a panic.
#[test]
fn long_tokens_are_answered() {
    let key = SigningKey::for_algorithm(Algorithm::HS256);
    let keys = set(vec![key.jwk()]);
    let payload = format!(r#"{{"x":"{}"}}"#, "y".repeat(50_000));
    let token = sign_text(r#"{"alg":"HS256"}"#, &payload, &key, Algorithm::HS256);
    assert_eq!(outcome(token.as_bytes(), &keys, None), Outcome::Verified);
    let header = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(50_000));
    let token = sign_text(&header, "{}", &key, Algorithm::HS256);
    assert_eq!(outcome(token.as_bytes(), &keys, None), Outcome::Verified);
}
