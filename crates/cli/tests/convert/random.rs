//! Random configurations of `jwt_authn`, with nested requirements, a requirement map and settings of routes: every
//! request that authgate allows after the conversion is allowed by Envoy.

use authgate::jose::jwk::Algorithm;
use proptest::prelude::{any, prop};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde_json::{Value, json};

use super::model::{Filter, Host, Match, Need, PLACES, Request, Route, Setting, Token};
use super::run::{Asked, convert_text, documents, policy};
use authgate_testing::mint::{self, SigningKey};

const NOW: f64 = 1_600_000_000.0;

/// The number of configurations to try, each with [`REQUESTS`] requests, unless `PROPTEST_CASES` is set.
const FILTERS: u32 = 100;
const REQUESTS: usize = 30;

/// Sequence of choices that proptest can shrink.
pub struct Tape<'a>(pub std::slice::Iter<'a, u8>);

impl Tape<'_> {
    pub fn next(&mut self, below: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % below
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next(of.len())]
    }

    pub fn jitter(&mut self, one_in: usize) -> bool {
        self.next(one_in) == one_in - 1
    }

    pub fn some<T>(&mut self, one_in: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.jitter(one_in).then(|| make(self))
    }

    pub fn many<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.next(most + 1)).map(|_| make(self)).collect()
    }
}

const PATHS: &[&str] =
    &["/", "/a", "/a/", "/a/b", "/ab", "/A", "/a/b/c", "/x1", "/x12", "/x", "/a.b", "/aXb", "/other"];

fn matched(tape: &mut Tape<'_>, odd: usize) -> Match {
    let kind = tape.one(&["prefix", "path", "path_separated_prefix", "safe_regex"]);
    let text = match kind {
        "safe_regex" => tape.one(&["/x[0-9]+", ".*", "/a(/.*)?", "/A|/a"]),
        "path_separated_prefix" => tape.one(&["/a", "/a/b", "/A"]),
        _ => tape.one(PATHS),
    };
    Match {
        kind,
        text: text.to_owned(),
        ignores_case: kind != "safe_regex" && tape.jitter(5),
        method: tape.some(4, |tape| (tape.one(&["GET", "POST"]), tape.jitter(2))),
        header: tape.some(odd, |tape| tape.jitter(2)),
        query: tape.jitter(odd),
    }
}

fn need(tape: &mut Tape<'_>, providers: usize, depth: usize) -> Need {
    let group = |tape: &mut Tape<'_>| -> Vec<Need> {
        (0..=tape.next(3)).map(|_| need(tape, providers, depth + 1)).collect()
    };
    match tape.next(if depth < 2 { 12 } else { 7 }) {
        0..=4 => Need::Provider(tape.next(providers)),
        5 => Need::AllowMissing,
        6 if tape.jitter(3) => Need::AllowMissingOrFailed,
        6 => Need::Nothing,
        7..=9 => Need::Any(group(tape)),
        _ => Need::All(group(tape)),
    }
}

fn filter(tape: &mut Tape<'_>) -> Filter {
    let providers: Vec<usize> = (0..=tape.next(3)).map(|_| tape.next(PLACES.len())).collect();
    let count = providers.len();
    let named: Vec<Need> = (0..=tape.next(2)).map(|_| need(tape, count, 0)).collect();
    let names = named.len();
    let rules = tape.many(4, |tape| {
        let matched = matched(tape, 9);
        let need = match tape.jitter(4) {
            true => Err(tape.next(names)),
            false if tape.jitter(5) => Ok(Need::Nothing),
            false => Ok(need(tape, count, 0)),
        };
        (matched, need)
    });
    let setting = |tape: &mut Tape<'_>| match tape.jitter(3) {
        true => Setting::Disabled,
        false => Setting::Named(tape.next(names)),
    };
    let mut domains = vec!["*", "*.example.com", "*.b.example.com", "a.example.com"];
    domains.truncate(tape.next(5));
    let hosts = domains.into_iter().map(|domain| Host {
        domain,
        setting: tape.some(6, setting),
        routes: tape.many(4, |tape| Route { matched: matched(tape, 20), setting: tape.some(2, setting) }),
    });
    let hosts: Vec<Host> = hosts.collect();
    Filter { providers, rules, named, hosts, is_disabled: tape.jitter(8) }
}

fn request(tape: &mut Tape<'_>, filter: &Filter) -> Request {
    let mut tokens = [None; 3];
    for place in &mut tokens {
        *place = tape
            .some(2, |tape| Token { issuer: tape.next(filter.providers.len()), is_good: !tape.jitter(3) });
    }
    Request {
        method: tape.one(&["GET", "POST", "PUT"]),
        host: tape.one(&["a.example.com", "c.example.com", "x.b.example.com", "other.test"]),
        path: tape.one(PATHS).to_owned(),
        has_header: tape.jitter(2),
        has_query: tape.jitter(2),
        tokens: if tape.jitter(3) { [None; 3] } else { tokens },
    }
}

fn token(token: Token) -> String {
    let claims = json!({"iss": format!("https://p{}.example.com", token.issuer), "aud": "api", "sub": "alice",
        "exp": NOW + 600.0});
    let key = SigningKey::for_algorithm(Algorithm::ES256);
    let signed = mint::sign_text(r#"{"alg":"ES256"}"#, &claims.to_string(), &key, Algorithm::ES256);
    match token.is_good {
        true => signed,
        // A different payload with the same signature.
        false => {
            let parts: Vec<&str> = signed.split('.').collect();
            let other = mint::sign_text(
                r#"{"alg":"ES256"}"#,
                &json!({"iss": claims["iss"], "aud": "api", "sub": "bob", "exp": NOW + 600.0}).to_string(),
                &key,
                Algorithm::ES256,
            );
            format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2])
        }
    }
}

fn asked(request: &Request) -> Asked {
    let mut headers = Vec::new();
    for (place, found) in PLACES.iter().zip(request.tokens) {
        let prefix = if *place == "authorization" { "Bearer " } else { "" };
        headers.extend(found.map(|found| ((*place).to_owned(), format!("{prefix}{}", token(found)))));
    }
    if request.has_header {
        headers.push(("x-h".to_owned(), "1".to_owned()));
    }
    let query = if request.has_query { "?q=1" } else { "" };
    Asked {
        method: request.method.to_owned(),
        authority: request.host.to_owned(),
        path: format!("{}{query}", request.path),
        peer: "192.0.2.1".to_owned(),
        headers,
    }
}

/// Converts all names of protobuf fields from snake_case to camelCase.
fn in_camel_case(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let camel = |name: &String| {
                let mut parts = name.split('_');
                let first = parts.next().unwrap_or_default().to_owned();
                parts.fold(first, |text, part| text + &part[..1].to_uppercase() + &part[1..])
            };
            Value::Object(members.iter().map(|(name, value)| (camel(name), in_camel_case(value))).collect())
        }
        Value::Array(elements) => elements.iter().map(in_camel_case).collect(),
        other => other.clone(),
    }
}

#[derive(Default)]
struct Counts {
    converted: usize,
    allowed: usize,
    refused: usize,
}

fn check(choices: &[u8], counts: &mut Counts) -> Result<(), String> {
    let mut tape = Tape(choices.iter());
    let filter = filter(&mut tape);
    let jwk = SigningKey::for_algorithm(Algorithm::ES256).jwk_with(json!({"alg": "ES256"}));
    let mut value = filter.json(&json!({"keys": [jwk]}));
    if tape.jitter(2) {
        value = in_camel_case(&value);
    }
    let converted = convert_text(&value.to_string());
    let told = || format!("{value:#}\n{}\n{}", converted.text, converted.summary);
    if converted.code != 0 && converted.code != 1 {
        return Err(format!("exit code {}: {}", converted.code, told()));
    }
    counts.converted += usize::from(converted.code == 0);
    let all = documents(&converted.text);
    let [one] = all.as_slice() else { return Err(format!("{} outputs: {}", all.len(), told())) };
    let policy = policy(one).map_err(|error| format!("{error}: {}", told()))?;
    for _ in 0..REQUESTS {
        let request = request(&mut tape, &filter);
        let (theirs, ours) = (filter.allows(&request), asked(&request).is_allowed(&policy, NOW));
        counts.allowed += usize::from(ours);
        counts.refused += usize::from(!theirs);
        if filter.is_unrouted(&request) {
            continue;
        }
        if ours && !theirs {
            return Err(format!("{request:?} is allowed: {}", told()));
        }
        // Without credentials the conversion must not be stricter.
        let is_plain = request.tokens.iter().all(Option::is_none);
        if converted.code == 0 && is_plain && theirs && !ours {
            return Err(format!("{request:?} is refused: {}", told()));
        }
    }
    Ok(())
}

#[test]
fn no_filter_becomes_more_permissive() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(FILTERS);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut counts = Counts::default();
    let mut runner = TestRunner::new(config);
    let counted = std::cell::RefCell::new(&mut counts);
    let run = runner.run(&prop::collection::vec(any::<u8>(), 100..600), |choices| {
        check(&choices, &mut counted.borrow_mut()).map_err(TestCaseError::fail)
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        Err(error) => panic!("{error}"),
    }
    // A conversion that denies everything would satisfy the other assertions.
    let Counts { converted, allowed, refused } = counts;
    assert!(converted >= cases as usize / 10, "only {converted} of {cases} were converted");
    assert!(allowed >= cases as usize && refused >= cases as usize, "{allowed} allowed, {refused} refused");
}
