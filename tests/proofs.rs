//! Arbitrary DPoP proofs: the core decides in bounded time, and accepts valid ones only.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use authgate_testing::mint;
use std::time::{Duration, Instant};

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwk::Algorithm;
use authgate::jose::jwt::{SoftwareVerifier, TokenError};
use authgate::policy::{Policy, build};
use authgate::response::Reason;
use authgate::timestamp::NumericDate;
use mint::{Proof, SigningKey, encode, sign_text};
use serde_json::{Value, json};

const NOW: f64 = 1_700_000_000.0;

/// A configuration, its state, and a token bound to the ES256 key.
struct Instance {
    policy: Policy,
    state: State,
    token: String,
}

impl Instance {
    fn new() -> Self {
        let key = SigningKey::for_algorithm(Algorithm::EdDSA);
        let config = json!({
            "authenticators": {"people": {"jwt": {
                "issuer": "people", "audiences": ["api"], "keys": {"jwks": {"keys": [key.jwk()]}},
                "dpop": {"origin": "https://api.example.com"},
            }}},
            "rules": [{"require": "people"}],
        });
        let policy = build(&config::from_value(config).unwrap(), &|_| None).unwrap().policy;
        let jkt = mint::thumbprint(&SigningKey::for_algorithm(Algorithm::ES256).jwk());
        let claims =
            json!({"iss": "people", "sub": "ann", "aud": "api", "exp": NOW + 100.0, "cnf": {"jkt": jkt}});
        let token = mint::sign(&claims, &key, Algorithm::EdDSA);
        Instance { state: State::new(&policy, CredentialCache::new([1; 16], policy.limits)), policy, token }
    }

    /// Returns the reason for which a request with this proof is denied; `None` if it is allowed.
    fn refuses(&mut self, path: &str, proof: &[u8]) -> Option<Reason> {
        let authorization = format!("DPoP {}", self.token);
        let pairs: [(&[u8], &[u8]); 5] = [
            (b":method", b"GET"),
            (b":authority", b"api.example.com"),
            (b":path", path.as_bytes()),
            (b"authorization", authorization.as_bytes()),
            (b"dpop", proof),
        ];
        let request = Request::new(pairs.into_iter(), None);
        let now = NumericDate::from_seconds(NOW).unwrap();
        let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
        let start = Instant::now();
        let verdict = decide(&self.policy, &request, &mut self.state, context).verdict;
        assert!(start.elapsed() < Duration::from_secs(2), "{}", proof.escape_ascii());
        match verdict {
            Verdict::Deny(denial) => Some(denial.reason),
            Verdict::Allow(_) | Verdict::Reply(_) | Verdict::Pending(_) => None,
        }
    }

    fn passes_at_last(&mut self) {
        let proof = good().mint("at last", &self.token, NOW);
        assert_eq!(self.refuses("/a", proof.as_bytes()), None, "a good proof");
    }
}

fn good() -> Proof {
    serde_json::from_value(json!({})).unwrap()
}

fn is_of_proof(reason: Option<Reason>) -> bool {
    matches!(reason, Some(Reason::InvalidToken(error)) if error.is_of_proof() || error == TokenError::NotBound)
}

#[test]
fn every_single_change_of_a_proof_is_refused() {
    let mut instance = Instance::new();
    let proof = good().mint("changed", &instance.token, NOW).into_bytes();
    for at in 0..proof.len() {
        for byte in [0, b' ', b'.', b'A', b'_', b',', 0xFF] {
            let (mut replaced, mut inserted) = (proof.clone(), proof.clone());
            replaced[at] = byte;
            inserted.insert(at, byte);
            let mut removed = proof.clone();
            removed.remove(at);
            for changed in [replaced, inserted, removed, proof[..at].to_vec()] {
                if changed != proof {
                    let reason = instance.refuses("/a", &changed);
                    assert!(is_of_proof(reason), "{at}, {byte}: {reason:?}: {}", changed.escape_ascii());
                }
            }
        }
    }
    // No earlier request has used up the proof.
    assert_eq!(instance.refuses("/a", &proof), None);
}

#[test]
fn large_and_odd_proofs_are_refused_in_time() {
    let mut instance = Instance::new();
    let key = SigningKey::for_algorithm(Algorithm::ES256);
    let signed =
        |header: String, payload: String| sign_text(&header, &payload, &key, Algorithm::ES256).into_bytes();
    let with_jwk = |jwk: Value, alg: &str| {
        signed(json!({"typ": "dpop+jwt", "alg": alg, "jwk": jwk}).to_string(), "{}".to_owned())
    };
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk()}).to_string();
    let with_claims = |claims: String| signed(header.clone(), claims);
    let nested = |open: &str, close: &str, count: usize| open.repeat(count) + &close.repeat(count);
    let zeros = |count: usize| encode(&vec![0; count]);
    let ones = |count: usize| encode(&vec![0xFF; count]);
    let mut proofs: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b".".to_vec(),
        b"..".to_vec(),
        b"...".to_vec(),
        b"....".to_vec(),
        vec![0xFF; 100],
        vec![0; 100],
        vec![b'.'; 50_000],
        vec![b'A'; 50_000],
        vec![0xFF; 50_000],
        "é.é.é".into(),
        format!("{}.e30.AA", "A".repeat(50_000)).into_bytes(),
        with_claims(nested("[", "]", 1000)),
        with_claims(nested("{\"a\":", "}", 700)),
        with_claims(format!("{{\"iat\":{}}}", "9".repeat(4000))),
        with_claims("{\"iat\":1e400}".to_owned()),
        with_claims(
            "{\"iat\":1e308,\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"https://api.example.com/a\"}".to_owned(),
        ),
        with_claims("null".to_owned()),
        signed(nested("[", "]", 1000), "{}".to_owned()),
        signed(
            format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{}}}", nested("[", "]", 60)),
            "{}".into(),
        ),
        signed(
            format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{}}}", nested("{\"k\":", "}", 900)),
            "{}".into(),
        ),
        with_jwk(json!({"kty": "EC", "crv": "P-256", "x": zeros(32), "y": zeros(32)}), "ES256"),
        with_jwk(json!({"kty": "EC", "crv": "P-256", "x": ones(32), "y": ones(32)}), "ES256"),
        with_jwk(json!({"kty": "EC", "crv": "P-521", "x": zeros(66), "y": zeros(66)}), "ES512"),
        with_jwk(json!({"kty": "EC", "crv": "P-256", "x": "", "y": ""}), "ES256"),
        with_jwk(json!({"kty": "EC", "crv": "P-256", "x": ones(2000), "y": ones(2000)}), "ES256"),
        with_jwk(json!({"kty": "OKP", "crv": "Ed25519", "x": zeros(32)}), "EdDSA"),
        with_jwk(json!({"kty": "OKP", "crv": "Ed25519", "x": ones(32)}), "EdDSA"),
        with_jwk(json!({"kty": "OKP", "crv": "X25519", "x": ones(32)}), "EdDSA"),
        with_jwk(json!({"kty": "RSA", "n": zeros(256), "e": "AQAB"}), "RS256"),
        with_jwk(json!({"kty": "RSA", "n": ones(256), "e": "AA"}), "RS256"),
        with_jwk(json!({"kty": "RSA", "n": ones(256), "e": ones(256)}), "RS256"),
        with_jwk(json!({"kty": "RSA", "n": ones(256), "e": "AQAB"}), "PS256"),
        with_jwk(json!({"kty": "RSA", "n": ones(512), "e": "AQAB"}), "RS512"),
        with_jwk(json!({"kty": "RSA", "n": ones(3500), "e": "AQAB"}), "RS256"),
        with_jwk(json!({"kty": "RSA", "n": "", "e": ""}), "RS256"),
        with_jwk(json!({"kty": "oct", "k": ones(64)}), "HS256"),
        with_jwk(json!(["EC"]), "ES256"),
    ];
    proofs.push([&good().mint("x", &instance.token, NOW).into_bytes()[..], &[0; 8192]].concat());
    for proof in proofs {
        let reason = instance.refuses("/a", &proof);
        assert!(is_of_proof(reason), "{reason:?}: {:.300}", proof.escape_ascii().to_string());
    }
    instance.passes_at_last();
}

/// Validly signed proofs for URLs that are composed at random.
#[test]
fn odd_addresses_match_only_their_own() {
    const PARTS: [&str; 26] = [
        "https",
        "HTTPS",
        "http",
        "://",
        ":",
        "/",
        "//",
        "api.example.com",
        "API.example.com",
        "evil.example.com",
        "@",
        ":443",
        ":80",
        "/a",
        "%61",
        "%2F",
        "%",
        "..",
        ".",
        "?",
        "#",
        "[",
        "]",
        "é",
        "\u{0}",
        "\\",
    ];
    let mut instance = Instance::new();
    let (mut state, mut passed) = (7_u64, 0);
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for round in 0..2000 {
        let mut address = ["https://api.example.com/a", "https://api.example.com", ""][below(3)].to_owned();
        (0..below(6)).for_each(|_| address.push_str(PARTS[below(PARTS.len())]));
        let mut proof = good();
        proof.claims.insert("htu".to_owned(), json!(address));
        let proof = proof.mint(&format!("{round}"), &instance.token, NOW);
        if instance.refuses("/a", proof.as_bytes()).is_none() {
            passed += 1;
            let rest = address.to_ascii_lowercase().replace("%61", "a");
            let rest = rest.split(['?', '#']).next().unwrap();
            let rest = rest.strip_prefix("https://api.example.com").unwrap_or_else(|| panic!("{address}"));
            let path = rest.strip_prefix(":443").or(rest.strip_prefix(':')).unwrap_or(rest);
            assert!(path.starts_with('/') && (path.ends_with("/a") || path.contains("a/.")), "{address}");
        }
    }
    assert!(passed > 10, "{passed}");
    instance.passes_at_last();
}
