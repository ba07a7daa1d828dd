//! Arbitrary requests: the core decides in bounded time, and allows no request without a valid credential.
//!
//! Requests are random, or mutations of valid ones, from a fixed seed. A failure reports the seed of its request.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use authgate_testing::{digest_client, mint};
use std::cell::RefCell;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Decision, Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwk::Algorithm;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{Access, Policy, build};
use authgate::response::{Form, Reason};
use authgate::timestamp::NumericDate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use digest_client::{Answer, Challenge, sha256};

/// A request as a host passes it.
#[derive(Clone, Debug)]
struct Sent {
    method: Vec<u8>,
    authority: Vec<u8>,
    path: Vec<u8>,
    fields: Vec<(String, Vec<u8>)>,
}

/// xorshift64*: a seed always gives the same requests.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// A policy with a single state for all of its requests: a cached credential must not make anything else pass.
struct Instance {
    policy: Policy,
    state: RefCell<State>,
}

impl Instance {
    fn decide<'a>(&'a self, request: &Request<'a>, context: Context<'_>) -> Decision<'a> {
        decide(&self.policy, request, &mut self.state.borrow_mut(), context)
    }
}

/// Returns policies that read credentials from every location, with a valid credential for each.
fn policies() -> Vec<Instance> {
    let key = |algorithm| mint::SigningKey::for_algorithm(algorithm).jwk();
    let jwt = |issuer: &str, algorithm, from: Value| json!({"jwt": {"issuer": issuer, "audiences": ["api"], "keys": {"jwks": {"keys": [key(algorithm)]}}, "from": from}});
    let bearer = json!([{"header": "authorization", "scheme": "Bearer"}]);
    let authenticators = json!({
        "staff": {"basic": {"allow_plaintext": true, "users": {"alice": "{PLAIN}correct horse"}}},
        "people": jwt("people", Algorithm::EdDSA, bearer.clone()),
        "others": jwt("others", Algorithm::HS256, bearer),
        "edge": jwt("edge", Algorithm::EdDSA, json!([{"header": "x-jwt"}, {"query": "access_token"}, {"cookie": "session"}])),
        "legacy": {"digest": {"htdigest": format!("alice:legacy:{}", sha256("alice:legacy:horse")), "nonce_key": "a key for all of them"}},
        "machines": {"api_key": {"from": [{"header": "x-api-key"}, {"query": "api_key"}, {"cookie": "api_key"}], "keys": [{"id": "ann", "sha256": sha256("a-key-of-ann")}]}},
    });
    let any = json!({"any_of": ["staff", "people", "others", "edge", "legacy", "machines"]});
    let rules = [
        json!([{"require": any}]),
        json!([{"match": {"prefix": "/public"}, "public": true}, {"require": any}]),
        json!([{"match": {"prefix": "/public"}, "require": any, "optional": true}, {"require": {"all_of": ["people", "edge"]}}]),
        json!([
            {"match": {"regex": "/(public|open)(/.*)?", "methods": ["GET"]}, "public": true},
            {"match": {"template": "/a/{b}/c/{d=**}", "hosts": ["*.example.com"], "sources": ["10.0.0.0/8"]}, "public": true},
            {"match": {"prefix": "/admin"}, "require": any, "authorize": {"subjects": ["staff/alice"], "claims": {"/a/b": {"not": 1}}}},
            {"require": {"any_of": [{"all_of": ["edge", {"any_of": ["staff", "people"]}]}, "others"]}},
        ]),
    ];
    let made = rules.into_iter().map(|rules| {
        let identity = json!({"headers": {"x-user": "{subject}", "x-all": "{claims}"}, "remove": ["x-gone"]});
        let value = json!({"authenticators": authenticators, "rules": rules, "identity": identity});
        let policy = build(&config::from_value(value).unwrap(), &|_| None).unwrap().policy;
        let state = RefCell::new(State::new(&policy, CredentialCache::new([1; 16], policy.limits)));
        Instance { policy, state }
    });
    made.collect()
}

/// Checks a decision: it never panics, is never slow, and never allows an invalid request. The time limit is wide,
/// since this runs without optimisation beside other tests; it detects exponential behaviour, not constant factors.
fn check(policies: &[Instance], sent: &Sent, holds_good_credential: bool, what: &str) {
    let pseudo: [(&[u8], &[u8]); 4] = [
        (b":method", &sent.method),
        (b":scheme", b"https"),
        (b":authority", &sent.authority),
        (b":path", &sent.path),
    ];
    let fields = sent.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
    let request = Request::new(pseudo.into_iter().chain(fields), Some(IpAddr::from([10, 0, 0, 1])));
    let context = Context {
        now: NumericDate::from_seconds(1_700_000_000.0).unwrap(),
        signatures: &SoftwareVerifier,
        host: &NullHost,
        may_wait: false,
    };
    for (at, policy) in policies.iter().enumerate() {
        let start = Instant::now();
        let decision = policy.decide(&request, context);
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "{what}, policy {at}: {took:?}");
        match decision.verdict {
            Verdict::Deny(denial) => {
                let response = denial.response(&policy.policy.denials, policy.policy.denials.form(&request));
                assert!((400..=503).contains(&response.status), "{what}");
                let challenged = response.fields.iter().any(|(name, _)| *name == "www-authenticate");
                assert!(challenged || response.status != 401, "{what}: a 401 without challenge");
                for (name, value) in &response.fields {
                    assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{what}: {name}");
                }
            }
            Verdict::Reply(_) => panic!("{what}, policy {at}: has no metadata"),
            Verdict::Pending(_) => panic!("{what}, policy {at}: there is nothing to wait for"),
            Verdict::Allow(Some(permit)) => {
                let subject = &permit.first().principal.subject;
                assert!(holds_good_credential, "{what}, policy {at}: passes as {subject}");
                assert!(["alice", "ann"].contains(&subject.as_str()), "{what}, policy {at}: {subject}");
            }
            Verdict::Allow(None) => {
                let anonymous = match decision.rule.map(|rule| &rule.access) {
                    Some(Access::Public) => true,
                    Some(Access::Protected(protection)) => protection.optional,
                    _ => false,
                };
                assert!(anonymous, "{what}, policy {at}: passes as nobody");
                let presents = sent.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
                let public = matches!(decision.rule.map(|rule| &rule.access), Some(Access::Public));
                assert!(public || !presents, "{what}, policy {at}: presents something and passes as nobody");
            }
        }
        for name in ["x-user", "X_USER", "x.all", "x-gone"] {
            let stood = sent.fields.iter().any(|(sent, _)| sent == name);
            assert!(
                !stood || decision.mutations.remove.contains(&name.as_bytes()),
                "{what}, policy {at}: {name}"
            );
        }
        for (name, value) in &decision.mutations.set {
            let plain = value.iter().all(|byte| matches!(byte, b'!'..=b'~' | b' '));
            let is_identity = ["x-user", "x-all"].contains(name);
            assert!(plain || !is_identity, "{what}, policy {at}: {name}");
        }
    }
}

fn token(issuer: &str, subject: &str, algorithm: Algorithm) -> String {
    let claims = json!({"iss": issuer, "sub": subject, "aud": "api", "exp": 1_700_000_100});
    mint::sign(&claims, &mint::SigningKey::for_algorithm(algorithm), algorithm)
}

/// Returns alice's response to a challenge of this policy, for `GET /`.
fn answer(instance: &Instance, nc: u32) -> String {
    let nothing = Request::new([(&b":path"[..], &b"/"[..])].into_iter(), None);
    let now = NumericDate::from_seconds(1_700_000_000.0).unwrap();
    let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
    let Verdict::Deny(denial) = instance.decide(&nothing, context).verdict else { panic!("no challenge") };
    let response = denial.response(&instance.policy.denials, Form::Text);
    let challenge = response.fields.iter().find_map(|(_, value)| Challenge::parse(value)).unwrap();
    let answer = Answer::new(&challenge, "alice", "horse", "GET", "/").with("nc", &format!("{nc:08x}"));
    answer.signed().field()
}

fn reason(instance: &Instance, sent: &Sent) -> Option<Reason> {
    let fields = sent.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
    let target = [(&b":method"[..], &sent.method[..]), (b":path", &sent.path[..])];
    let request = Request::new(target.into_iter().chain(fields), None);
    let now = NumericDate::from_seconds(1_700_000_000.0).unwrap();
    let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
    match instance.decide(&request, context).verdict {
        Verdict::Deny(denial) => Some(denial.reason),
        Verdict::Allow(_) | Verdict::Reply(_) | Verdict::Pending(_) => None,
    }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn sent(path: &[u8], fields: &[(&str, &[u8])]) -> Sent {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
    Sent { method: b"GET".to_vec(), authority: b"api.example.com".to_vec(), path: path.to_vec(), fields }
}

#[test]
fn good_credentials_pass_where_they_should() {
    // Valid credentials pass, so the denials below are meaningful.
    let policies = policies();
    let good = [
        sent(b"/", &[("authorization", basic("alice:correct horse").as_bytes())]),
        sent(
            b"/",
            &[("authorization", format!("Bearer {}", token("people", "ann", Algorithm::EdDSA)).as_bytes())],
        ),
        sent(
            b"/",
            &[("authorization", format!("Bearer {}", token("others", "ann", Algorithm::HS256)).as_bytes())],
        ),
        sent(b"/", &[("x-jwt", token("edge", "ann", Algorithm::EdDSA).as_bytes())]),
        sent(b"/", &[("x-api-key", b"a-key-of-ann")]),
        sent(b"/", &[("authorization", answer(&policies[0], 1).as_bytes())]),
    ];
    for sent in &good {
        check(&policies[1..], sent, true, "good");
        let fields = sent.fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let target = [(&b":method"[..], &sent.method[..]), (b":path", &sent.path[..])];
        let request = Request::new(target.into_iter().chain(fields), None);
        let now = NumericDate::from_seconds(1_700_000_000.0).unwrap();
        let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
        assert!(matches!(policies[0].decide(&request, context).verdict, Verdict::Allow(Some(_))));
    }
}

#[test]
fn every_single_change_of_a_token_or_password_is_refused() {
    let policies = policies();
    let jwt = token("people", "ann", Algorithm::EdDSA).into_bytes();
    let pair = STANDARD.encode("alice:correct horse").into_bytes();
    // Put the valid credentials into the cache first.
    check(&policies[..1], &sent(b"/", &[("authorization", &[b"Bearer ", &jwt[..]].concat())]), true, "token");
    check(
        &policies[..1],
        &sent(b"/", &[("authorization", &[b"Basic ", &pair[..]].concat())]),
        true,
        "password",
    );
    for (scheme, credential) in [(&b"Bearer "[..], jwt), (&b"Basic "[..], pair)] {
        for at in 0..credential.len() {
            for byte in [0, b' ', b'.', b'=', b'A', b'_', b'-', b'/', b',', b'"', 0x7F, 0x80, 0xFF] {
                let (mut replaced, mut inserted) = (credential.clone(), credential.clone());
                replaced[at] = byte;
                inserted.insert(at, byte);
                let mut removed = credential.clone();
                removed.remove(at);
                for changed in [replaced, inserted, removed, credential[..at].to_vec()] {
                    // A space before a credential is one of several after the scheme.
                    let same = changed.strip_prefix(b" ").unwrap_or(&changed) == credential;
                    let value = [scheme, &changed[..]].concat();
                    let what = format!("{at}, {byte}: {}", value.escape_ascii());
                    check(&policies[..1], &sent(b"/", &[("authorization", &value)]), same, &what);
                }
            }
        }
    }
}

#[test]
fn every_single_change_of_a_digest_answer_is_refused_or_means_nothing() {
    let policies = policies();
    let good = answer(&policies[0], 1).into_bytes();
    // Spaces between params, quotes around tokens and the case of hexadecimal digits have no meaning.
    let meaning = |bytes: &[u8]| {
        let said = bytes.iter().filter(|byte| !matches!(byte, b' ' | b'\t' | b'"'));
        said.map(u8::to_ascii_lowercase).collect::<Vec<_>>()
    };
    for at in 0..good.len() {
        for byte in [0, b' ', b'\t', b'.', b'=', b'A', b'_', b'0', b'/', b',', b'"', b'\\', 0x7F, 0x80, 0xFF]
        {
            let (mut replaced, mut inserted) = (good.clone(), good.clone());
            replaced[at] = byte;
            inserted.insert(at, byte);
            let mut removed = good.clone();
            removed.remove(at);
            for changed in [replaced, inserted, removed, good[..at].to_vec()] {
                // An escape in a quoted string may have no meaning either.
                let same = byte == b'\\' || meaning(&changed) == meaning(&good);
                let what = format!("{at}, {byte}: {}", changed.escape_ascii());
                let request = sent(b"/", &[("authorization", &changed)]);
                check(&policies[..1], &request, same, &what);
                if !same {
                    // `StaleNonce` would mean that the response is valid except for its age.
                    assert_ne!(reason(&policies[0], &request), Some(Reason::StaleNonce), "{what}");
                }
            }
        }
    }
}

#[test]
fn large_and_deep_requests_are_answered_in_time() {
    let policies = policies();
    let nested = |open: &str, count: usize| mint::encode(open.repeat(count).as_bytes());
    let header = mint::encode(br#"{"alg":"EdDSA"}"#);
    let many = 50_000;
    let mut values: Vec<Vec<u8>> = vec![
        format!("{header}.{}.AA", nested("[", 15_000)).into_bytes(),
        format!("{header}.{}.AA", nested(r#"{"a":"#, 10_000)).into_bytes(),
        format!("{}.{}.AA", nested(r#"{"a":["#, 6_000), nested("[", 15_000)).into_bytes(),
        format!(
            "{header}.{}.AA",
            mint::encode(format!(r#"{{"iss":"people","x":[{}1]}}"#, "1,".repeat(15_000)).as_bytes())
        )
        .into_bytes(),
        format!("{header}.{}.AA", mint::encode(format!(r#"{{"exp":{}}}"#, "9".repeat(12_000)).as_bytes()))
            .into_bytes(),
        format!("{header}.{}.AA", mint::encode(format!(r#"{{"exp":1e{}}}"#, "9".repeat(12_000)).as_bytes()))
            .into_bytes(),
        STANDARD.encode(format!("alice:{}", "p".repeat(37_000))).into_bytes(),
        STANDARD.encode(format!("{}:p", "u".repeat(37_000))).into_bytes(),
        STANDARD.encode(":".repeat(37_000)).into_bytes(),
    ];
    for byte in
        [b'A', b'.', b',', b';', b'&', b'=', b'"', b'\\', b' ', b'\t', b'%', b'/', b'+', 0, 0x7F, 0x80, 0xFF]
    {
        values.push(vec![byte; many]);
        values.push([b'a', byte].repeat(many / 2));
        values.push([b'a', b'=', b'b', byte].repeat(many / 4));
        values.push([b'"', b'\\', byte].repeat(many / 3));
    }
    let keys: String = (0..4_000).map(|at| format!("\"k{at}\":1,")).collect();
    values
        .push(format!("{header}.{}.AA", mint::encode(format!("{{{keys}\"z\":1}}").as_bytes())).into_bytes());
    for value in &values {
        let with = |before: &str| [before.as_bytes(), value].concat();
        let what = format!("{} …", value[..value.len().min(40)].escape_ascii());
        for before in [
            "",
            "Basic ",
            "Bearer ",
            "bearer a, ",
            "Basic \"",
            "Digest a=\"b\", ",
            "Digest realm=\"legacy\", username=\"alice\", uri=\"",
        ] {
            check(&policies, &sent(b"/", &[("authorization", &with(before))]), false, &what);
        }
        check(&policies, &sent(b"/", &[("x-jwt", value)]), false, &what);
        check(&policies, &sent(b"/", &[("x-api-key", value)]), false, &what);
        for before in ["", "session=", "a=b; session=", "session"] {
            check(&policies, &sent(b"/", &[("cookie", &with(before))]), false, &what);
        }
        for before in
            ["/", "/?", "/?access_token=", "/?a&access_token", "/public/", "/a/b/c/", "/public;", "/%2e%2e/"]
        {
            // The policy with a regular expression and a template, since it does the most work.
            check(&policies[3..], &sent(&with(before), &[]), false, &what);
        }
        let mut odd = sent(b"/", &[]);
        odd.authority.clone_from(value);
        odd.method.clone_from(value);
        check(&policies, &odd, false, &what);
    }
    let cookies: Vec<(&str, &[u8])> = vec![("cookie", b"session=a; a=b"); 2_000];
    check(&policies, &sent(b"/", &cookies), false, "2,000 Cookie fields");
    let fields: Vec<(&str, &[u8])> = vec![("authorization", b"Bearer a.b.c"); 2_000];
    check(&policies, &sent(b"/", &fields), false, "2,000 Authorization fields");
    let path: Vec<u8> = b"/public?".iter().copied().chain(b"access_token=a&".repeat(3_000)).collect();
    check(&policies, &sent(&path, &[]), false, "3,000 parameters");
}

/// Fragments of requests: those that parsers look for, and those that they do not expect.
const PIECES: &[&[u8]] = &[
    b"Basic",
    b"Bearer",
    b"bearer ",
    b"Digest ",
    b" ",
    b"  ",
    b"\t",
    b",",
    b", ",
    b";",
    b"; ",
    b"=",
    b"==",
    b"&",
    b"?",
    b"#",
    b"/",
    b"//",
    b"/..",
    b"/.",
    b"..;/",
    b"%2f",
    b"%2F",
    b"%5c",
    b"\\",
    b"%2e%2e",
    b"%00",
    b"%",
    b"%z",
    b"%zz",
    b"%25",
    b"\0",
    b"\xFF",
    b"\x80",
    b"\xC3\xA9",
    b"\r\n",
    b"\"",
    b"\\\"",
    b"session",
    b"session=",
    b"access_token",
    b"access_token=",
    b"access%5Ftoken=",
    b"a",
    b"a.b.c",
    b"..",
    b"e30",
    b"e30.e30.",
    b"YWxpY2U6",
    b"public",
    b"/public",
    b"/open",
    b"/admin",
    b"admin",
    b"/a/b/c",
    b"alice",
    b"alice:",
    b":",
    b"@",
    b"[::1]",
    b"127.0.0.1",
    b"api.example.com",
    b".",
    b"*",
    b"+",
    b"x",
    b"eyJhbGciOiJub25lIn0",
    b"eyJhbGciOiJFZERTQSJ9",
    b"eyJpc3MiOiJwZW9wbGUiLCJzdWIiOiJyb290In0",
    b"{",
    b"}",
    b"null",
    b"0",
    b"Digest username=\"alice\", realm=\"legacy\", ",
    b"nonce=\"\", uri=\"/\", ",
    b"cnonce=c, qop=auth, nc=00000001, ",
    b"response=00000000000000000000000000000000",
    b"username*=UTF-8''alice",
    b"algorithm=SHA-256, ",
    b"userhash=true",
    b"api_key=",
    b"a-key-of-anne",
];

const NAMES: &[&str] = &[
    "authorization",
    "Authorization",
    "x-jwt",
    "X-JWT",
    "x-api-key",
    "X-Api-Key",
    "cookie",
    "x-user",
    "X_USER",
    "x.all",
    "x-gone",
    "origin",
    "sec-fetch-site",
    "upgrade",
    "x-other",
    "content-type",
    "proxy-authorization",
    "",
];

#[test]
fn random_requests_get_nowhere() {
    let policies = policies();
    // Valid at another location or for another issuer, expired, unsigned, or for another audience.
    let wrong: Vec<Vec<u8>> = [
        basic("alice:correct horse "),
        basic("Alice:correct horse"),
        basic("bob:correct horse"),
        format!("Bearer {}", token("edge", "root", Algorithm::EdDSA)),
        format!("Bearer {}", token("people", "root", Algorithm::HS256)),
        format!("Bearer {}", token("others", "root", Algorithm::EdDSA)),
        answer(&policies[0], 1).replace("alice", "root"),
        answer(&policies[0], 1).replace("nc=00000001", "nc=00000002"),
        "a-key-of-ann\0".to_owned(),
        token("people", "root", Algorithm::EdDSA),
        token("people", "root", Algorithm::ES256),
        mint::sign(
            &json!({"iss": "edge", "sub": "root", "aud": "api", "exp": 1}),
            &mint::SigningKey::for_algorithm(Algorithm::EdDSA),
            Algorithm::EdDSA,
        ),
        mint::sign(
            &json!({"iss": "edge", "sub": "root", "aud": "api", "exp": 1_700_000_100}),
            &mint::SigningKey::other(Algorithm::EdDSA),
            Algorithm::EdDSA,
        ),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    for seed in 0..12_000 {
        let mut random = Random::new(seed);
        let mut request = sent(b"/", &[]);
        request.method =
            random.pick(&[&b"GET"[..], b"POST", b"CONNECT", b"OPTIONS", b"get", b"", b"\xFF"]).to_vec();
        if random.below(4) == 0 {
            request.authority = words(&mut random, &wrong);
        }
        if random.below(2) == 0 {
            request.path = [b"/", &words(&mut random, &wrong)[..]].concat();
        }
        if random.below(20) == 0 {
            request.path = words(&mut random, &wrong);
        }
        for _ in 0..random.below(5) {
            let name = (*random.pick(NAMES)).to_owned();
            request.fields.push((name, words(&mut random, &wrong)));
        }
        check(&policies, &request, false, &format!("seed {seed}: {request:?}"));
    }
}

/// Returns some fragments, sometimes a whole invalid credential, and sometimes with one byte changed.
fn words(random: &mut Random, wrong: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..=random.below(7) {
        if random.below(8) == 0 {
            text.extend_from_slice(random.pick(wrong).as_slice());
        } else {
            let piece: &&[u8] = random.pick(PIECES);
            text.extend_from_slice(piece);
        }
    }
    if !text.is_empty() && random.below(3) == 0 {
        let at = random.below(text.len());
        text[at] = random.next() as u8;
    }
    text
}
