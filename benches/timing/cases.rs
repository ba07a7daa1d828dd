//! The compared credentials, all of which are denied, and their policies.

use argon2::{Algorithm, Argon2, Params, Version};
use authgate::config;
use authgate::policy::build;
use base64::prelude::{
    BASE64_STANDARD as BASE64, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _,
};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::{BLOCKS, Block, CALLS, Case, Random, Subject};
use authgate_testing::digest_client::{Answer, Challenge, md5, sha256};
use authgate_testing::e2e::mint::{OTHER_ISSUER, SECRET, claims_but, token};

/// Number of users or keys in a block. All of so few fit into the first-level cache. Of 64, some would not, and a
/// lookup that touches all of them equally, as a hit does, would wait for those 2 ns more often.
const MANY: usize = 8;
/// Number of inputs of each class.
const INPUTS: usize = 128;

/// Password of most users.
const PASSWORD: &str = "correct horse battery staple";
/// Number of wrong letters in a guess.
const WRONG_LETTERS: usize = 8;
/// Realm of Digest.
const REALM: &str = "legacy";
/// Password of the other users: of the same length, and different from the first letter on.
const OTHER_PASSWORD: &str = "another thing altogether, so";
/// Hashes of both passwords: `authgate hash --cost 4`, `openssl passwd -apr1`, crypt(3) with 1,000 rounds of SHA-crypt
/// and with yescrypt over four blocks, and scrypt over sixteen.
const BCRYPT: [&str; 2] = [
    "$2b$04$c6oMKiDJh66sXqq6gAmDoeRxMA2YM/TFCx4DQHJJWKlD3XL8zoooq",
    "$2b$04$c6oMKiDJh66sXqq6gAmDoeOophOzD0yQNHulPuvtHSurOANZp0SBq",
];
const APR1: [&str; 2] = ["$apr1$saltsalt$PU9q8.HoFJEM7m9NSIooE1", "$apr1$saltsalt$mwhJCVQ6ihNmL3aNBP1bX0"];
const SHA256_CRYPT: [&str; 2] = [
    "$5$rounds=1000$saltsaltsaltsalt$yHn0rAdrpkSxStjui5R.JrLUEVJriot3cwoT/Q035qA",
    "$5$rounds=1000$saltsaltsaltsalt$R7DzBVaYhrb/EDubK/A51/OjYeG5f7sdv6KFOcwQcAC",
];
const SHA512_CRYPT: [&str; 2] = [
    "$6$rounds=1000$saltsaltsaltsalt$VRQPfVrl4Bh3I82Z0H/PLWnhltTOqLlM4s02dq1DNeuKSL//X2xWhGNxOyqXGsD3bUtEuGTxQSvjFc8bDOGf11",
    "$6$rounds=1000$saltsaltsaltsalt$GrEg3EI0rejsS61vA6Ahd6.TvhrsKiFO4dPSb8Y4uFlyOEXXSfrA74MooCLhqlyEtHVBLjqTolGGfdtwsKJz30",
];
const SCRYPT: [&str; 2] = [
    "$scrypt$ln=4,r=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$/kc0QN42IXawCio+Hxfpul3BdmDPhEmzXxz1MALzxM8",
    "$scrypt$ln=4,r=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$yL4dsEe8CviEWGdr06iehvLa3A44n6wQkDPxrFoxaA0",
];
const YESCRYPT: [&str; 2] = [
    "$y$j/.$saltsaltsalt$8wAk9EK3guhhdGHgin3WfFFhq8deVZKclvqO5hMhw45",
    "$y$j/.$saltsaltsalt$IYDE65WN26e6/CIRKYbxUQ5GK0Kx4AuAZmlLqT2PlnD",
];

/// Returns all cases.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("early-exit comparison: first byte wrong, last wrong", CALLS, |at| early_exit(at, [0, 63])),
        case("early-exit comparison: the same twice", CALLS, |at| early_exit(at, [0, 0])),
    ];
    cases[0].must_leak = true;
    let of_both = |hash: fn(&str) -> String| [PASSWORD, OTHER_PASSWORD].map(hash);
    let known = |hashes: [&str; 2]| hashes.map(str::to_owned);
    for (kind, hashes, calls) in [
        ("{PLAIN}", of_both(|password| format!("{{PLAIN}}{password}")), CALLS),
        ("{SHA}", of_both(|password| format!("{{SHA}}{}", BASE64.encode(Sha1::digest(password)))), CALLS),
        ("argon2id, 8 KiB", of_both(argon2id), CALLS),
        ("bcrypt, cost 4", known(BCRYPT), CALLS / 4),
        ("$apr1$", known(APR1), CALLS / 4),
        ("SHA-256-crypt, 1,000 rounds", known(SHA256_CRYPT), CALLS / 4),
        ("SHA-512-crypt, 1,000 rounds", known(SHA512_CRYPT), CALLS / 4),
        ("scrypt, 2 KiB", known(SCRYPT), CALLS),
        ("yescrypt, 512 bytes", known(YESCRYPT), CALLS),
    ] {
        // A hash of another password would be denied just as well, so check that these are correct.
        for (start, password) in [("user", PASSWORD), ("than", OTHER_PASSWORD)] {
            let right = basic(&format!("{start}-00000"), password);
            assert!(subject(users(0, &hashes)).lets_in(&right), "{kind}: not the hash of {start}'s password");
        }
        // The classes are prefixes of user names: "user" users have one password, "than" users the other.
        let mut add = |what: &str, classes: [&'static str; 2]| {
            let hashes = hashes.clone();
            cases.push(case(&format!("{kind}: {what}"), calls, move |at| Block {
                classes: classes.map(|start| {
                    let user = |n| format!("{start}-{at:02}{:03}", n % (MANY / 2));
                    let input = |n| basic(&user(n), &guess(at, n));
                    // The duration of SHA-crypt varies at random with the password; the mean over a few would differ
                    // without a leak.
                    (0..if calls == CALLS { INPUTS } else { calls / BLOCKS }).map(input).collect()
                }),
                subject: subject(users(at, &hashes)),
            }));
        };
        add("known user, unknown user", ["user", "none"]);
        if calls == CALLS {
            add("unknown user, unknown user", ["some", "none"]);
        }
        add("first letters right, first letters wrong", ["user", "than"]);
    }
    // An unknown name is checked against the hash of a random user, of either kind.
    let mixed = |at| {
        let kinds =
            [format!("{{PLAIN}}{PASSWORD}"), format!("{{SHA}}{}", BASE64.encode(Sha1::digest(PASSWORD)))];
        subject(users(at, &kinds))
    };
    cases.push(case("{PLAIN} and {SHA}: known users, unknown users", CALLS, move |at| Block {
        classes: [
            inputs(|n| {
                let start = if n % 2 == 0 { "user" } else { "than" };
                basic(&format!("{start}-{at:02}{:03}", n / 2 % (MANY / 2)), &guess(at, n))
            }),
            inputs(|n| basic(&format!("none-{at:02}{n:03}"), &guess(at, n))),
        ],
        subject: mixed(at),
    }));
    let bcrypt_too = |at| subject(users(at, &[format!("{{PLAIN}}{PASSWORD}"), BCRYPT[0].to_owned()]));
    let mixed_kinds =
        case("{PLAIN} and bcrypt: users of either kind (tells, as `check` warns)", CALLS / 50, move |at| {
            Block {
                classes: ["user", "than"].map(|start| {
                    inputs(|n| basic(&format!("{start}-{at:02}{:03}", n % (MANY / 2)), &guess(at, n)))
                }),
                subject: bcrypt_too(at),
            }
        });
    cases.push(Case { must_leak: true, ..mixed_kinds });
    cases.push(case("{PLAIN} and bcrypt: known users, unknown users", CALLS / 10, move |at| Block {
        classes: [
            inputs(|n| {
                let start = if n % 2 == 0 { "user" } else { "than" };
                basic(&format!("{start}-{at:02}{:03}", n / 2 % (MANY / 2)), &guess(at, n))
            }),
            inputs(|n| basic(&format!("none-{at:02}{n:03}"), &guess(at, n))),
        ],
        subject: bcrypt_too(at),
    }));
    let key = |text: String| format!("ApiKey {text}").into_bytes();
    let near = move |at, n| key(format!("{}{n:04}", &stored_key(at, n)[..stored_key(at, n).len() - 4]));
    let far = move |at, n| key(format!("{n:04}{}", &stored_key(at, n)[4..]));
    cases.push(case("API key: last letters wrong, first letters wrong", CALLS, move |at| Block {
        classes: [inputs(|n| near(at, n)), inputs(|n| far(at, n))],
        subject: subject(api_keys(at)),
    }));
    cases.push(case("API key: past its end, unknown", CALLS, move |at| Block {
        classes: [inputs(|n| key(stored_key(at, n))), inputs(|n| far(at, n))],
        subject: subject(api_keys(at)),
    }));
    for (algorithm, last) in [("SHA-256", 63), ("MD5", 31)] {
        let mut add = |what: &str, classes: [(&'static str, usize); 2]| {
            cases.push(case(&format!("Digest, {algorithm}: {what}"), CALLS, move |at| {
                let subject = subject(digest_users(at));
                let challenge = subject.challenge(algorithm);
                Block {
                    classes: classes.map(|(start, wrong)| {
                        inputs(|n| digest(&challenge, &format!("{start}-{at:02}{:03}", n % MANY), n, wrong))
                    }),
                    subject,
                }
            }));
        };
        add("known user, unknown user", [("user", 0), ("none", 0)]);
        add("first digit wrong, last digit wrong", [("user", 0), ("user", last)]);
    }
    cases.push(case("HS256: first byte of the MAC wrong, last wrong", CALLS, |at| Block {
        classes: [inputs(|n| forged(at, n, 0)), inputs(|n| forged(at, n, 31))],
        subject: subject(shared_secret()),
    }));
    cases
}

fn case(name: &str, calls: usize, block: impl Fn(usize) -> Block + 'static) -> Case {
    Case { name: name.to_owned(), calls, must_leak: false, block: Box::new(block) }
}

fn inputs(input: impl Fn(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..INPUTS).map(input).collect()
}

/// Returns a secret, and copies with one wrong byte.
fn early_exit(at: usize, wrong: [usize; 2]) -> Block {
    let secret = random_bytes(at as u64, 64);
    let wrong_in = |byte: usize, n: usize| {
        let mut bytes = secret.clone();
        bytes[byte] ^= 1 + (n % 255) as u8;
        bytes
    };
    Block {
        classes: wrong.map(|byte| inputs(|n| wrong_in(byte, n))),
        subject: Subject::EarlyExit(secret.clone()),
    }
}

fn basic(user: &str, password: &str) -> Vec<u8> {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}"))).into_bytes()
}

/// Returns the first letters of [`PASSWORD`], followed by letters that depend only on block and number. Both classes
/// guess the same, so the hashed input is the same: in some processes MD5 takes 0.05 % longer or shorter for letters in
/// other positions.
fn guess(at: usize, n: usize) -> String {
    let letters = random_bytes((at << 16 | n) as u64, WRONG_LETTERS);
    let letters: String = letters.iter().map(|byte| char::from(b'A' + byte % 26)).collect();
    format!("{}{letters}", &PASSWORD[..PASSWORD.len() - WRONG_LETTERS])
}

fn argon2id(password: &str) -> String {
    let (salt, mut digest) = ([7; 16], [0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, Some(32)).unwrap());
    argon2.hash_password_into(password.as_bytes(), &salt, &mut digest).unwrap();
    let encode = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
    format!("$argon2id$v=19$m=8,t=1,p=1${}${}", encode(&salt), encode(&digest))
}

fn users(at: usize, hashes: &[String; 2]) -> Value {
    let half = |start: &str, hash: &String| {
        (0..MANY / 2).map(|n| (format!("{start}-{at:02}{n:03}"), json!(hash))).collect::<Vec<_>>()
    };
    let [one, other] = hashes;
    let users: serde_json::Map<_, _> = half("user", one).into_iter().chain(half("than", other)).collect();
    json!({
        "authenticators": {"staff": {"basic": {"users": users, "allow_plaintext": true}}},
        "rules": [{"require": "staff"}],
        "cache": {"max_entries": 0},
        "slow_hashes": {"cpu_share": 1},
    })
}

/// Returns a configured key.
fn stored_key(at: usize, n: usize) -> String {
    format!("key-{at:02}{:03}-{}", n % MANY, "k".repeat(32))
}

/// Returns keys that have all expired.
fn api_keys(at: usize) -> Value {
    let entry = |n: usize| {
        let digest = hmac_sha256::Hash::hash(stored_key(at, n).as_bytes());
        let sha256 = digest.map(|byte| format!("{byte:02x}")).concat();
        json!({"id": format!("holder-{n}"), "sha256": sha256, "not_after": "2020-01-01T00:00:00Z"})
    };
    json!({
        "authenticators": {"machines": {"api_key": {
            "from": [{"header": "authorization", "scheme": "ApiKey"}],
            "keys": (0..MANY).map(entry).collect::<Vec<_>>(),
        }}},
        "rules": [{"require": "machines"}],
        "cache": {"max_entries": 0},
    })
}

fn digest_users(at: usize) -> Value {
    let line = |n: usize| {
        let user = format!("user-{at:02}{n:03}");
        let text = format!("{user}:{REALM}:{PASSWORD}");
        format!("{user}:{REALM}:{}\n{user}:{REALM}:{}\n", sha256(&text), md5(&text))
    };
    json!({
        "authenticators": {"legacy": {"digest": {
            "htdigest": (0..MANY).map(line).collect::<String>(),
            "nonce_key": "known to this test alone",
        }}},
        "rules": [{"require": "legacy"}],
        "cache": {"max_entries": 0},
    })
}

/// Returns a response with one wrong digit in its digest.
fn digest(challenge: &Challenge, user: &str, n: usize, wrong: usize) -> Vec<u8> {
    let cnonce = format!("{n:08x}");
    let answer = Answer::new(challenge, user, PASSWORD, "GET", "/x").with("cnonce", &cnonce).signed();
    let mut digits = answer.param("response").to_owned().into_bytes();
    digits[wrong] = if digits[wrong] == b'0' { b'1' } else { b'0' };
    answer.with("response", std::str::from_utf8(&digits).unwrap()).field().into_bytes()
}

/// Returns a token with one wrong byte in its MAC.
fn forged(at: usize, n: usize, byte: usize) -> Vec<u8> {
    let claims = claims_but(&format!("user-{at:02}{n:03}"), json!({"iss": OTHER_ISSUER}));
    let token = token("HS256", &claims);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[byte] ^= 1 + (n % 255) as u8;
    format!("Bearer {input}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)).into_bytes()
}

fn shared_secret() -> Value {
    json!({
        "authenticators": {"shared": {"jwt": {
            "issuer": OTHER_ISSUER,
            "audiences": ["api"],
            "keys": {"secret": {"value": SECRET, "algorithm": "HS256", "encoding": "utf8"}},
        }}},
        "rules": [{"require": "shared"}],
        "cache": {"max_entries": 0},
    })
}

fn subject(configuration: Value) -> Subject {
    let config = config::from_value(configuration).expect("a configuration");
    let built = build(&config, &|_| None).unwrap_or_else(|errors| panic!("{errors:?}"));
    Subject::Policy(Box::new(built.policy))
}

fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..count).map(|_| random.below(256) as u8).collect()
}
