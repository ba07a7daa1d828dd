//! The measured cases, and the project's limits on them.

use std::path::Path;

use authgate::jose::jwk::Algorithm;
use authgate_filter::known_answers;

use crate::bootstrap::{Listener, authgate, basic_auth, jwt_authn, plain};
use crate::digest;
use crate::policy::{self, BOB, PASSWORD, basic, default_policy};
use authgate_testing::e2e::mint::{self, claims, claims_but};

/// Name of the listener without a filter, the baseline of all others.
pub const BARE: &str = "no filter";
/// Name of the filter that does nothing.
pub const EMPTY: &str = "empty filter";

/// Number of users in a large htpasswd file.
pub const MANY_USERS: usize = 100_000;

/// A kind of request to a listener.
#[derive(Clone)]
pub struct Case {
    /// Name in tables.
    pub name: &'static str,
    /// Name of the listener.
    pub listener: &'static str,
    /// The requests.
    pub traffic: Traffic,
    /// Expected status of every response.
    pub status: u16,
    /// The case in which Envoy's own filter does the same.
    pub native: Option<&'static str>,
}

/// The requests of a case.
#[derive(Clone)]
pub enum Traffic {
    /// The same request each time.
    Same(Vec<u8>),
    /// A different credential each time, new to the listener.
    Fresh {
        /// The path.
        path: &'static str,
        /// Creates the credential with a serial number: a token, or the value of `Authorization`. All listeners get the
        /// same numbers.
        mint: fn(u64) -> String,
        /// True if the credential is a token.
        is_token: bool,
    },
}

/// Maximum ratio of two costs.
pub struct Limit {
    /// Name of the case.
    pub case: &'static str,
    /// Name of the case that it is compared with.
    pub over: &'static str,
    /// The limit; a larger ratio is a miss.
    pub at_most: f64,
    /// A lower ratio to aim for.
    pub goal: Option<f64>,
}

/// All limits on ratios of CPU time per request, each minus that of [`BARE`].
pub const LIMITS: &[Limit] = &[
    limit("Basic {SHA}", EMPTY, 1.8).or_better(1.5),
    limit("Basic bcrypt", EMPTY, 1.8).or_better(1.5),
    limit("RS256", EMPTY, 1.8).or_better(1.5),
    limit("ES256", EMPTY, 1.8).or_better(1.5),
    limit("HS256", EMPTY, 1.8).or_better(1.5),
    limit("EdDSA", EMPTY, 1.8).or_better(1.5),
    limit("Basic {SHA}, alone", EMPTY, 1.8).or_better(1.5),
    limit("RS256, alone", EMPTY, 1.8).or_better(1.5),
    limit("RS256", "jwt_authn RS256", 0.38).or_better(0.3),
    limit("ES256", "jwt_authn ES256", 0.25),
    limit("RS256, new tokens", "jwt_authn RS256", 1.4).or_better(1.0),
    limit("ES256, new tokens", "jwt_authn ES256", 1.3),
    limit("401 missing", "Basic {SHA}", 1.5),
    limit("100,000 users", "10 users", 1.1),
    limit("1,000 rules", "1 rule", 1.1),
    limit("1,000 object rules", "1 object rule", 1.1),
    limit("100 keys, new tokens", "1 key, new tokens", 1.1),
    limit("10,000 API keys", "1 API key", 1.1),
];

const fn limit(case: &'static str, over: &'static str, at_most: f64) -> Limit {
    Limit { case, over, at_most, goal: None }
}

impl Limit {
    const fn or_better(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }
}

/// Returns all cases.
pub fn cases() -> Vec<Case> {
    let rs256 = bearer(&mint::token("RS256", &claims("alice")));
    let es256 = bearer(&mint::token("ES256", &claims("alice")));
    let eddsa = bearer(&mint::token("EdDSA", &claims("alice")));
    let hs256 = bearer(&mint::other_token("alice"));
    let scoped = bearer(&mint::token("RS256", &claims_but("alice", serde_json::json!({"scope": "read"}))));
    let alice = basic("alice", PASSWORD);
    let user = basic("user-7", PASSWORD);
    [
        // The baselines. They get a credential too, since Envoy has to read it.
        allowed(BARE, "bare", "/basic/x", &alice),
        allowed(EMPTY, "empty", "/basic/x", &alice),
        allowed("basic_auth {SHA}", "basic_auth", "/basic/x", &alice),
        allowed("jwt_authn RS256", "jwt_authn", "/jwt/x", &rs256),
        allowed("jwt_authn ES256", "jwt_authn", "/jwt/x", &es256),
        allowed("jwt_authn RS256, its cache", "jwt_authn-cache", "/jwt/x", &rs256),
        fresh("jwt_authn RS256, new tokens", "jwt_authn", "/jwt/x", policy::fresh_rs256),
        fresh("jwt_authn ES256, new tokens", "jwt_authn", "/jwt/x", policy::fresh_es256),
        fresh("jwt_authn RS256, its cache, new tokens", "jwt_authn-cache", "/jwt/x", policy::fresh_rs256),
        // The cost of single host calls; see benches/floor.
        allowed("floor: entries", "floor", "/basic/x", &alice),
        allowed("floor: + map", "floor-m", "/basic/x", &alice),
        allowed("floor: + clock", "floor-mc", "/basic/x", &alice),
        allowed("floor: + one removed", "floor-mcr", "/basic/x", &alice),
        allowed("floor: + one written", "floor-mcrw", "/basic/x", &alice),
        allowed("floor: + two written", "floor-mcrww", "/basic/x", &alice),
        allowed("floor: + RS256 verified", "floor-mcvrww-rs256", "/jwt/x", &rs256),
        allowed("floor: + ES256 verified", "floor-mcvrww-es256", "/jwt/x", &es256),
        // The same tokens or passwords again and again.
        same("public route", "default", "/public/x", None, 200),
        allowed("Basic {SHA}", "default", "/basic/x", &alice).beside("basic_auth {SHA}"),
        allowed("Basic bcrypt", "default", "/bcrypt/x", &basic("bob", BOB)),
        allowed("RS256", "default", "/jwt/x", &rs256).beside("jwt_authn RS256"),
        allowed("ES256", "default", "/jwt/x", &es256).beside("jwt_authn ES256"),
        allowed("HS256", "default", "/shared/x", &hs256),
        allowed("EdDSA", "default", "/jwt/x", &eddsa),
        // The same with a single authenticator, so that one identity header is written.
        allowed("Basic {SHA}, alone", "staff", "/basic/x", &alice),
        allowed("RS256, alone", "tokens", "/jwt/x", &rs256),
        // Each token once.
        fresh("RS256, new tokens", "default-fresh", "/jwt/x", policy::fresh_rs256)
            .beside("jwt_authn RS256, new tokens"),
        fresh("ES256, new tokens", "default-fresh", "/jwt/x", policy::fresh_es256)
            .beside("jwt_authn ES256, new tokens"),
        fresh("HS256, new tokens", "default-fresh", "/shared/x", policy::fresh_hs256),
        // Each kind of denial.
        same("401 missing", "default", "/basic/x", None, 401),
        same("401 malformed", "default", "/basic/x", Some("Basic !!!!"), 401),
        same("401 wrong password", "default", "/basic/x", Some(&basic("alice", "no")), 401),
        same("401 expired", "default", "/jwt/x", Some(&bearer(&policy::expired())), 401),
        same("401 bad signature", "default", "/jwt/x", Some(&bearer(&policy::badly_signed())), 401),
        same("403 insufficient scope", "default", "/admin/x", Some(&scoped), 403),
        same("403 no rule", "default", "/nowhere", Some(&alice), 403),
        // Small and large configurations.
        allowed("10 users", "users-10", "/x", &user),
        allowed("100,000 users", "users-100000", "/x", &user),
        allowed("1 rule", "rules-1", "/team-last/x", &alice),
        allowed("1,000 rules", "rules-1000", "/team-last/x", &alice),
        allowed("1 object rule", "objects-1", "/team-last/members/alice/x", &alice),
        allowed("1,000 object rules", "objects-1000", "/team-last/members/alice/x", &alice),
        fresh("1 key, new tokens", "keys-1", "/x", policy::token_of_first_key),
        fresh("100 keys, new tokens", "keys-100", "/x", policy::token_of_first_key),
        // Each response once, to the same nonce.
        Case {
            name: "Digest",
            listener: "digest",
            traffic: Traffic::Fresh { path: "/x", mint: digest::answer, is_token: false },
            status: 200,
            native: None,
        },
        same("401 Digest missing", "digest", "/x", None, 401),
        allowed("1 API key", "api-keys-1", "/x", "ApiKey key-0"),
        allowed("10,000 API keys", "api-keys-10000", "/x", "ApiKey key-0"),
    ]
    .into()
}

/// Returns the listeners of all cases. New tokens and large configurations have their own listeners, so that their
/// memory does not affect other cases.
pub fn listeners(module: &Path, empty: &Path, floor: &Path) -> Vec<Listener> {
    vec![
        ("bare", None),
        ("empty", plain(empty, "empty", "")),
        ("floor", plain(floor, "floor", "")),
        ("floor-m", plain(floor, "floor-m", "m")),
        ("floor-mc", plain(floor, "floor-mc", "mc")),
        ("floor-mcr", plain(floor, "floor-mcr", "mcr")),
        ("floor-mcrw", plain(floor, "floor-mcrw", "mcrw")),
        ("floor-mcrww", plain(floor, "floor-mcrww", "mcrww")),
        ("floor-mcvrww-rs256", plain(floor, "floor-mcvrww-rs256", &verifying(Algorithm::RS256))),
        ("floor-mcvrww-es256", plain(floor, "floor-mcvrww-es256", &verifying(Algorithm::ES256))),
        ("basic_auth", basic_auth()),
        ("jwt_authn", jwt_authn(false)),
        ("jwt_authn-cache", jwt_authn(true)),
        ("default", authgate(module, "default", default_policy())),
        ("staff", authgate(module, "staff", policy::alone("staff"))),
        ("tokens", authgate(module, "tokens", policy::alone("tokens"))),
        ("default-fresh", authgate(module, "default-fresh", default_policy())),
        ("users-10", authgate(module, "users-10", policy::users(10))),
        ("users-100000", authgate(module, "users-100000", policy::users(MANY_USERS))),
        ("rules-1", authgate(module, "rules-1", policy::rules(1))),
        ("rules-1000", authgate(module, "rules-1000", policy::rules(1000))),
        ("objects-1", authgate(module, "objects-1", policy::objects(1))),
        ("objects-1000", authgate(module, "objects-1000", policy::objects(1000))),
        ("keys-1", authgate(module, "keys-1", policy::keys(1))),
        ("keys-100", authgate(module, "keys-100", policy::keys(100))),
        ("digest", authgate(module, "digest", digest::digest())),
        ("api-keys-1", authgate(module, "api-keys-1", policy::api_keys(1))),
        ("api-keys-10000", authgate(module, "api-keys-10000", policy::api_keys(10_000))),
    ]
}

/// Returns the configuration of `benches/floor` that makes the host verify a signature of this algorithm.
fn verifying(algorithm: Algorithm) -> String {
    let answer = known_answers::ALL.iter().find(|answer| answer.algorithm == algorithm).expect("an answer");
    // `VerifySignatureArguments`: four bytes fields, by number.
    let fields = [b"sha256".as_slice(), answer.spki, answer.signature, known_answers::MESSAGE];
    let mut question = Vec::new();
    for (number, field) in (1_u64..).zip(fields) {
        prost::encoding::encode_varint((number << 3) | 2, &mut question);
        prost::encoding::encode_varint(field.len() as u64, &mut question);
        question.extend_from_slice(field);
    }
    let digits: String = question.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("mcvrww {digits}")
}

fn same(
    name: &'static str,
    listener: &'static str,
    path: &str,
    authorization: Option<&str>,
    status: u16,
) -> Case {
    Case { name, listener, traffic: Traffic::Same(request(path, authorization)), status, native: None }
}

fn allowed(name: &'static str, listener: &'static str, path: &str, authorization: &str) -> Case {
    same(name, listener, path, Some(authorization), 200)
}

fn fresh(name: &'static str, listener: &'static str, path: &'static str, mint: fn(u64) -> String) -> Case {
    let traffic = Traffic::Fresh { path, mint, is_token: true };
    Case { name, listener, traffic, status: 200, native: None }
}

impl Case {
    fn beside(self, native: &'static str) -> Self {
        Self { native: Some(native), ..self }
    }

    /// Returns the request without credentials, if the case sends credentials and expects 200: it must be denied.
    pub fn stripped(&self) -> Option<Vec<u8>> {
        let text = match &self.traffic {
            Traffic::Fresh { path, .. } => return Some(request(path, None)),
            Traffic::Same(request) => std::str::from_utf8(request).expect("plain text"),
        };
        let (before, after) = text.split_once("Authorization: ")?;
        let (_, after) = after.split_once("\r\n")?;
        let asks = self.status == 200
            && !["bare", "empty"].contains(&self.listener)
            && !self.listener.starts_with("floor");
        asks.then(|| format!("{before}{after}").into_bytes())
    }
}

/// Returns the request of a minimal client.
pub fn request(path: &str, authorization: Option<&str>) -> Vec<u8> {
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let fields = "Host: api.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n";
    format!("GET {path} HTTP/1.1\r\n{fields}{authorization}\r\n").into_bytes()
}

/// Returns a Bearer credential ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}
