//! A policy that reads credentials from every location, and valid credentials for it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::LazyLock;

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Decision, decide};
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{Policy, build};
use authgate::timestamp::NumericDate;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD as BASE64, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ed25519_compact::{KeyPair, Seed};
use hmac_sha256::{HMAC, Hash};
use serde_json::{Value, json};

/// Time of all requests.
pub const NOW: f64 = 1_700_000_000.0;
/// Secret of issuer `shared`.
pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
pub const API_KEY: &str = "a-key-of-ann";
pub const PASSWORD: &str = "correct horse";

/// Valid credentials.
pub struct Good {
    /// Basic credentials of `alice:correct horse`.
    pub basic: String,
    /// HS256 token of issuer `shared`.
    pub shared: String,
    /// EdDSA token of issuer `people`.
    pub people: String,
    /// Token of issuer `bound`, with the thumbprint of the key that signs proofs.
    pub bound: String,
    /// DPoP proof for that token and `GET /bound`.
    pub proof: String,
}

/// A policy and its state, one for each thread: shared caches would make one input depend on another.
pub struct Instance {
    pub policy: Policy,
    state: RefCell<State>,
}

thread_local! {
    static INSTANCE: &'static Instance = Box::leak(Box::new(Instance::new()));
}

pub fn instance() -> &'static Instance {
    INSTANCE.with(|instance| *instance)
}

pub static GOOD: LazyLock<Good> = LazyLock::new(Good::new);

impl Instance {
    fn new() -> Instance {
        let jwk = |pair: &KeyPair| json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(*pair.pk)});
        let keys = json!({"jwks": {"keys": [jwk(&pair(1))]}});
        let secret = json!({"secret": {
            "value": std::str::from_utf8(SECRET).expect("ASCII"), "algorithm": "HS256", "encoding": "utf8",
        }});
        let config = json!({
            "authenticators": {
                "staff": {"basic": {"allow_plaintext": true, "users": {"alice": format!("{{PLAIN}}{PASSWORD}")}}},
                "shared": {"jwt": {"issuer": "shared", "audiences": ["api"], "keys": secret}},
                "people": {"jwt": {"issuer": "people", "audiences": ["api"], "keys": keys, "from": [
                    {"header": "x-jwt"}, {"query": "access_token"}, {"cookie": "session"},
                ]}},
                "bound": {"jwt": {
                    "issuer": "bound", "audiences": ["api"], "keys": keys,
                    "dpop": {"origin": "https://api.example.com", "max_age": "60s"}, "bound": "dpop",
                }},
                "legacy": {"digest": {
                    "htdigest": format!("alice:legacy:{}", sha256_hex(b"alice:legacy:horse")),
                    "nonce_key": "a key for all of them",
                }},
                "machines": {"api_key": {
                    "from": [{"header": "x-api-key"}, {"query": "api_key"}, {"cookie": "api_key"}],
                    "keys": [{"id": "ann", "sha256": sha256_hex(API_KEY.as_bytes())}],
                }},
            },
            "rules": [
                {"match": {"prefix": "/public"}, "public": true},
                {"match": {"prefix": "/bound"}, "require": "bound"},
                {"match": {"prefix": "/digest"}, "require": "legacy"},
                {"require": {"any_of": ["staff", "shared", "people", "machines"]}},
            ],
            "identity": {"headers": {"x-user": "{subject}"}, "remove": ["x-gone"]},
            "cache": {"max_entries": 0},
        });
        let config = config::from_value(config).expect("form");
        let policy = build(&config, &|_| None).unwrap_or_else(|errors| panic!("{}", errors[0])).policy;
        let state = RefCell::new(fresh(&policy));
        Instance { policy, state }
    }

    /// Resets the state, so that nonces and proofs count as unused.
    pub fn forget(&self) {
        *self.state.borrow_mut() = fresh(&self.policy);
    }

    pub fn decide<'a>(&'a self, request: &Request<'a>) -> Decision<'a> {
        let context = Context {
            now: NumericDate::from_seconds(NOW).expect("a time"),
            signatures: &SoftwareVerifier,
            host: &NullHost,
            may_wait: false,
        };
        decide(&self.policy, request, &mut self.state.borrow_mut(), context)
    }
}

impl Good {
    fn new() -> Good {
        let claims = |issuer: &str| json!({"iss": issuer, "sub": "ann", "aud": "api", "exp": NOW + 100.0});
        let proving = pair(2);
        let x = BASE64URL.encode(*proving.pk);
        // RFC 7638, RFC 8037 §2: the required members, sorted by name.
        let thumbprint = Hash::hash(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        let mut bound = claims("bound");
        bound["cnf"] = json!({"jkt": BASE64URL.encode(thumbprint)});
        let bound = sign(&json!({"alg": "EdDSA"}), &bound, &pair(1));
        let header = json!({
            "typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x},
        });
        let proof = json!({
            "jti": "1", "htm": "GET", "htu": "https://api.example.com/bound", "iat": NOW,
            "ath": BASE64URL.encode(Hash::hash(bound.as_bytes())),
        });
        let input = input(&json!({"alg": "HS256"}), &claims("shared"));
        Good {
            basic: BASE64.encode(format!("alice:{PASSWORD}")),
            shared: format!("{input}.{}", BASE64URL.encode(HMAC::mac(input.as_bytes(), SECRET))),
            people: sign(&json!({"alg": "EdDSA"}), &claims("people"), &pair(1)),
            proof: sign(&header, &proof, &proving),
            bound,
        }
    }
}

fn fresh(policy: &Policy) -> State {
    State::new(policy, CredentialCache::new([1; 16], policy.limits))
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    Hash::hash(bytes).map(|byte| format!("{byte:02x}")).concat()
}

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

fn sign(header: &Value, claims: &Value, pair: &KeyPair) -> String {
    let input = input(header, claims);
    format!("{input}.{}", BASE64URL.encode(*pair.sk.sign(&input, None)))
}

fn input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()))
}

/// Returns a request from 10.0.0.1 for `https://api.example.com`.
pub fn request<'a>(path: &'a [u8], fields: &[(&'a [u8], &'a [u8])]) -> Request<'a> {
    let pseudo: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"api.example.com"), (b":path", path)];
    let fields = fields.iter().copied();
    Request::new(pseudo.into_iter().chain(fields), Some(IpAddr::from([10, 0, 0, 1])))
}

/// Replaces every `name` in a text by `value`.
pub fn fill(text: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut text = text.to_vec();
    while let Some(at) = text.windows(name.len()).position(|window| window == name.as_bytes()) {
        text.splice(at..at + name.len(), value.bytes());
    }
    text
}
