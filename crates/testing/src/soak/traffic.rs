//! Requests of the clients, and the expected responses.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::expectation::{Answer, Expectation};
use super::policies::{BOB, PASSWORD, Policy, ROBOT};
use crate::digest_client::{Answer as DigestAnswer, Challenge};
use crate::e2e::client::{Request, get};
use crate::e2e::mint::{self, OTHER_ISSUER, claims_but, jws, now, token};
use crate::e2e::wire::Message;

const BASIC: &str = r#"Basic realm="restricted""#;
const BEARER: &str = r#"Bearer realm="restricted""#;
const INVALID_TOKEN: &str = r#"Bearer realm="restricted", error="invalid_token""#;
const API_KEY: &str = r#"ApiKey realm="restricted""#;
const DIGEST: &str = r#"Digest realm="legacy""#;

/// A request: a name for its kind, the request, and the expected response.
pub type Exchange = (&'static str, Request, Expectation);

/// A stream of requests that depends on a seed.
pub struct Traffic {
    random: u64,
    /// The challenge in the last response, if the next request responds to it.
    challenge: Option<Challenge>,
}

/// Tokens that are reused, and outlive the soak.
struct Known {
    rs256: String,
    es256: String,
    hs256: String,
    expired: String,
    forged: String,
    unsigned: String,
    scoped: String,
    arrays: String,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let long = |change: Value| {
        let mut claims = claims_but("alice", json!({"exp": now() + 86_400}));
        for (name, value) in change.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        claims
    };
    let plain = long(json!({}));
    let rs256 = token("RS256", &plain);
    let (input, _) = rs256.rsplit_once('.').expect("a JWS");
    let other = token("RS256", &long(json!({"sub": "mallory"})));
    let (_, signature) = other.rsplit_once('.').expect("a JWS");
    let (_, payload) = input.split_once('.').expect("a JWS");
    let deep = format!("{}{}", "[".repeat(15_000), "]".repeat(15_000));
    Known {
        es256: token("ES256", &plain),
        hs256: token("HS256", &long(json!({"iss": OTHER_ISSUER}))),
        expired: token("RS256", &long(json!({"iat": 1_599_999_000, "exp": 1_600_000_000}))),
        forged: format!("{input}.{signature}"),
        unsigned: format!("{}.{payload}.", mint::encode(br#"{"alg":"none"}"#)),
        scoped: token("ES256", &long(json!({"scope": "read"}))),
        arrays: jws(
            "ES256",
            r#"{"alg":"ES256","kid":"ES256"}"#,
            plain.to_string().replacen('{', &format!("{{\"x\":{deep},"), 1),
        ),
        rs256,
    }
});

impl Traffic {
    /// Creates the stream of a client.
    pub fn new(seed: u64) -> Self {
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, challenge: None }
    }

    /// Returns the next request.
    pub fn next(&mut self) -> Exchange {
        if let Some(challenge) = self.challenge.take() {
            let answer = DigestAnswer::new(&challenge, "carol", PASSWORD, "GET", "/digest/x").signed();
            let request = get("/digest/x").authorization(answer.field());
            return ("Digest", request, Expectation::both(Answer::allowed("carol", "legacy")));
        }
        match self.below(100) {
            0..50 => self.good(),
            50..65 => self.turning(),
            65..85 => self.bad(),
            _ => self.hostile(),
        }
    }

    /// Handles the response to the last request.
    pub fn answered(&mut self, kind: &str, answer: &Message) {
        if kind == "Digest, challenged" {
            self.challenge = answer.all("www-authenticate").iter().find_map(|field| Challenge::parse(field));
        }
    }

    fn good(&mut self) -> Exchange {
        let (basic, bearer) = (|path: &str, user, password| get(path).basic(user, password), get_bearer);
        let allowed = |user: &str, by| Expectation::both(Answer::allowed(user, by));
        match self.below(20) {
            0..4 => ("Basic {SHA}", basic("/basic/x", "alice", PASSWORD), allowed("alice", "staff")),
            4..6 => ("Basic bcrypt", basic("/basic/x", "bob", BOB), allowed("bob", "staff")),
            6..8 => ("RS256", bearer("/jwt/x", &KNOWN.rs256), allowed("alice", "tokens")),
            8..10 => ("ES256", bearer("/jwt/x", &KNOWN.es256), allowed("alice", "tokens")),
            10..12 => ("HS256", bearer("/shared/x", &KNOWN.hs256), allowed("alice", "shared")),
            12 => {
                let (user, token) = fresh("RS256", json!({}));
                ("RS256, new", bearer("/jwt/x", &token), allowed(&user, "tokens"))
            }
            13 => {
                let (user, token) = fresh("ES256", json!({}));
                ("ES256, new", bearer("/jwt/x", &token), allowed(&user, "tokens"))
            }
            14..16 => {
                let (user, token) = fresh("HS256", json!({"iss": OTHER_ISSUER}));
                ("HS256, new", bearer("/shared/x", &token), allowed(&user, "shared"))
            }
            16..18 => ("API key", get("/key/x").field("x-api-key", ROBOT), allowed("robot", "machines")),
            18 => {
                ("Digest, challenged", get("/digest/x"), Expectation::both(Answer::unauthorized(&[DIGEST])))
            }
            // A module that is built for tests traps on this header; the released module passes it on.
            _ => {
                ("public", get("/public/x").field("authgate-trap", "1"), Expectation::both(Answer::Anonymous))
            }
        }
    }

    /// Returns a request that the two policies treat differently.
    fn turning(&mut self) -> Exchange {
        match self.below(3) {
            0 => turn(),
            1 => only_under(Policy::A),
            _ => only_under(Policy::B),
        }
    }

    fn bad(&mut self) -> Exchange {
        let refused = |challenges: &[&str]| Expectation::both(Answer::unauthorized(challenges));
        let invalid = |kind, token: &str| (kind, get_bearer("/jwt/x", token), refused(&[INVALID_TOKEN]));
        match self.below(14) {
            0 => ("missing Basic", get("/basic/x"), refused(&[BASIC])),
            1 => ("missing token", get("/jwt/x"), refused(&[BEARER])),
            2 => ("missing key", get("/key/x"), refused(&[API_KEY])),
            3 => ("wrong password", get("/basic/x").basic("alice", "wrong"), refused(&[BASIC])),
            4 => ("wrong password, bcrypt", get("/basic/x").basic("bob", "wrong"), refused(&[BASIC])),
            5 => ("unknown user", get("/basic/x").basic("mallory", PASSWORD), refused(&[BASIC])),
            6 => ("wrong key", get("/key/x").field("x-api-key", "wrong-key"), refused(&[API_KEY])),
            7 => invalid("expired token", &KNOWN.expired),
            8 => invalid("another's signature", &KNOWN.forged),
            9 => invalid("no signature", &KNOWN.unsigned),
            10 => invalid("another issuer's token", &KNOWN.hs256),
            11 => (
                "insufficient scope",
                get_bearer("/admin/x", &KNOWN.scoped),
                Expectation::both(Answer::Refused(
                    403,
                    vec![r#"Bearer realm="restricted", error="insufficient_scope""#.to_owned()],
                )),
            ),
            12 => (
                "no rule",
                get("/nowhere").basic("alice", PASSWORD),
                Expectation::both(Answer::Refused(403, Vec::new())),
            ),
            _ => ("Basic for a token", get("/jwt/x").basic("alice", PASSWORD), refused(&[BEARER])),
        }
    }

    fn hostile(&mut self) -> Exchange {
        let alice = |path: &str| get(path).basic("alice", PASSWORD);
        let forged = |request: Request| {
            request.field("x-auth-user", "root").field("X_Auth_User", "root").field("x-auth-by", "turn")
        };
        let rejected = |statuses| Expectation::both(Answer::Rejected(statuses));
        match self.below(16) {
            0 => ("forged, public", forged(get("/public/x")), Expectation::both(Answer::Anonymous)),
            1 => (
                "forged, allowed",
                forged(alice("/basic/x")).field("x-policy", "c"),
                Expectation::both(Answer::allowed("alice", "staff")),
            ),
            2 => ("forged, refused", forged(get("/basic/x")), rejected(&[401])),
            3 => ("NUL", get("/basic/x").authorization(b"Basic \0"), rejected(&[400])),
            4 => ("0xFF", get("/basic/x").authorization(b"Basic \xff"), rejected(&[400, 401])),
            5 => ("0xFF in a token", get("/jwt/x").authorization(b"Bearer \xff.\xff"), rejected(&[400, 401])),
            6 => (
                "0xFF in Basic",
                get("/basic/x").basic_bytes(b"\xff\xff:\xff"),
                Expectation::both(Answer::unauthorized(&[BASIC])),
            ),
            7 => ("50 KB of token", get_bearer("/jwt/x", &"a".repeat(50_000)), rejected(&[401])),
            8 => (
                "50 KB of Basic",
                get("/basic/x").authorization(format!("Basic {}", "A".repeat(50_000))),
                rejected(&[401]),
            ),
            9 => ("15,000 arrays", get_bearer("/jwt/x", &KNOWN.arrays), rejected(&[401])),
            10 => (
                "two Authorization fields",
                get_bearer("/jwt/x", &KNOWN.es256).bearer(&KNOWN.es256),
                rejected(&[400, 401]),
            ),
            11 => ("disguise: %2F", get("/public/..%2Fjwt/x"), rejected(&[400])),
            12 => ("disguise: dots", get("/public/../jwt/x"), rejected(&[400, 401])),
            13 => ("disguise: %2e", get("/public/%2e%2e/jwt/x"), rejected(&[400, 401])),
            14 => ("disguise: ;", get("/public/..;/jwt/x"), rejected(&[400, 401])),
            _ => ("disguise: //", get("//jwt//x"), rejected(&[400, 401])),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        // Marsaglia's xorshift: predictable, so a run can be repeated.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }
}

/// Returns a request that is public under B only.
pub fn turn() -> Exchange {
    let under_a = Answer::unauthorized(&[r#"Basic realm="turn-a""#]);
    ("turn", get("/turn/x"), Expectation::turns(under_a, Answer::Anonymous))
}

/// Returns a request of a user that only one policy has.
pub fn only_under(policy: Policy) -> Exchange {
    let (allowed, refused) = (Answer::allowed(policy.user(), "staff"), Answer::unauthorized(&[BASIC]));
    let request = get("/basic/x").basic(policy.user(), PASSWORD);
    match policy {
        Policy::A => ("a user of A", request, Expectation::turns(allowed, refused)),
        Policy::B => ("a user of B", request, Expectation::turns(refused, allowed)),
    }
}

fn get_bearer(path: &str, token: &str) -> Request {
    get(path).bearer(token)
}

/// Returns a token that was never used before, and its subject.
fn fresh(algorithm: &str, change: Value) -> (String, String) {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let user = format!("user-{}", SERIAL.fetch_add(1, Ordering::Relaxed));
    let token = token(algorithm, &claims_but(&user, change));
    (user, token)
}
