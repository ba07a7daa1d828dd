//! The whole core: a configuration and requests in, decisions out. The cases are in `tests/cases/decide/*.yaml`; `Case`
//! and `File` below define their fields. `CASE=text` runs only the cases and sequences whose name, `FILE: CASE`,
//! contains the text.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

#[path = "decide/sequence.rs"]
mod sequence;

use authgate_testing::placeholders::insert_keys;
use authgate_testing::{digest_client, mint, placeholders, providers};
use std::collections::BTreeMap;
use std::net::IpAddr;

use authgate::authn::sender_constraint::{CertificateDigest, certificate_digest};
use authgate::authn::{Context, HostInfo, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::mutations::HeaderMutations;
use authgate::decision::state::State;
use authgate::decision::{Decision, Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwk::Algorithm;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{Policy, build};
use authgate::remote::jwks::Tick;
use authgate::response::{Form, Response};
use authgate::timestamp::NumericDate;
use serde::Deserialize;
use serde_json::{Value, json};

use digest_client::Challenge;
use providers::Providers;
use sequence::Sequence;

/// Time of all cases: 2023-11-14T22:13:20Z.
const NOW: f64 = 1_700_000_000.0;

/// A configuration and the decisions about requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The filter's configuration. `{jwk: ALG, …}` is replaced by the public test key of that algorithm, merged with
    /// these members (null removes a member); `{other: true}` among them selects another key. `{thumbprint: ALG}`,
    /// which tokens and proofs may also contain, is replaced by the thumbprint of the test key.
    config: Value,
    /// Tokens by name.
    #[serde(default)]
    tokens: BTreeMap<String, Token>,
    /// DPoP proofs by name, which is also their `jti`.
    #[serde(default)]
    proofs: BTreeMap<String, mint::Proof>,
    #[serde(default)]
    cases: Vec<Case>,
    /// Requests that a single worker receives one after the other.
    #[serde(default)]
    sequences: Vec<Sequence>,
}

/// A token, signed when the test runs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    #[serde(default = "es256")]
    alg: String,
    /// Members merged over `alg`; `null` removes a member.
    #[serde(default)]
    header: serde_json::Map<String, Value>,
    /// Text of the header, which replaces both.
    header_text: Option<String>,
    #[serde(default)]
    claims: Value,
    /// Text of the payload, which replaces `claims`.
    payload_text: Option<String>,
    /// Text that replaces the signature, after the second dot.
    signature: Option<String>,
    /// True to sign with another key of the same kind.
    #[serde(default)]
    wrong_key: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The request line: `METHOD target`.
    request: String,
    #[serde(default = "host")]
    authority: String,
    /// Headers `name: value`, in order. Placeholders: `<token NAME>` is a token, `<proof NAME>` a proof, `<basic
    /// USER:PASSWORD>` is `Basic …`, `<basic64 TEXT>` is base64, `<long N USER>` is `Basic …` with a password of N
    /// times `p`, `<repeat N TEXT>` is N times the text, `<xHH>` a byte, and `<digest USER:PASSWORD …>` the response to
    /// a Digest challenge, see [`digest`].
    #[serde(default)]
    fields: Vec<String>,
    /// Headers of a request that is decided first, and allowed.
    #[serde(default)]
    before: Vec<String>,
    /// SHA-256 of the client's certificate, in hexadecimal.
    certificate: Option<String>,
    /// The client address, or `unknown`.
    #[serde(default = "peer")]
    peer: String,
    /// Earlier responses of identity providers, as in [`Later::fetched`].
    #[serde(default)]
    fetched: BTreeMap<String, Value>,
    /// True if the request may wait.
    #[serde(default)]
    may_wait: bool,
    /// The decision: `allow`, `STATUS reason` or `STATUS reason/detail`; `STATUS answer` for a reply that is not a
    /// denial; `await AUTHENTICATOR` for a pending request. In shadow, where every request passes, `shadow: ` and the
    /// decision that would have been enforced.
    expect: String,
    /// Later decisions about the same request.
    #[serde(default)]
    later: Vec<Later>,
    /// The decision about the same request a second time; absent if it does not change.
    again: Option<String>,
    /// The WWW-Authenticate headers, exactly, except that nonces are written `…`.
    challenges: Option<Vec<String>>,
    /// The other headers of the response, exactly.
    answer: Option<Vec<String>>,
    /// All headers of the forwarded request, exactly; `:path` first if it changes.
    upstream: Option<Vec<String>>,
    /// Texts that the body must contain.
    #[serde(default)]
    body: Vec<String>,
    /// Texts that the body must not contain.
    #[serde(default)]
    body_lacks: Vec<String>,
    /// The gRPC status of the response.
    grpc: Option<u8>,
}

/// The same request again, after an event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Later {
    /// Responses of identity providers to their callouts: a key set for each authenticator, or a status.
    #[serde(default)]
    fetched: BTreeMap<String, Value>,
    /// Seconds that pass first; the state then gets a tick.
    #[serde(default)]
    passed: f64,
    #[serde(default)]
    may_wait: bool,
    expect: String,
}

fn es256() -> String {
    "ES256".to_owned()
}

fn peer() -> String {
    "192.0.2.1".to_owned()
}

fn host() -> String {
    "api.example.com".to_owned()
}

#[test]
fn every_case_is_decided_as_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/decide");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let selection = std::env::var("CASE").unwrap_or_default();
    let is_selected = |file: &str, case: &str| format!("{file}: {case}").contains(&selection);
    let (mut failures, mut count) = (Vec::new(), 0);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for file in serde_yaml_ng::Deserializer::from_str(&text) {
            let mut file = serde_yaml_ng::Value::deserialize(file).unwrap();
            file.apply_merge().unwrap();
            let file = File::deserialize(file).unwrap_or_else(|error| panic!("{name}: {error}"));
            let policy = policy(&name, file.config);
            let tokens = file.tokens.iter().map(|(name, token)| (name.clone(), token.mint()));
            let mut tokens: BTreeMap<String, String> = tokens.collect();
            for (name, proof) in &file.proofs {
                let token = tokens.get(&proof.token).map_or("", String::as_str);
                let mut proof = proof.clone();
                proof.header.values_mut().chain(proof.claims.values_mut()).for_each(insert_keys);
                let minted = proof.mint(name, token, NOW);
                tokens.insert(format!("proof {name}"), minted);
            }
            for sequence in file.sequences.iter().filter(|sequence| is_selected(&name, &sequence.name)) {
                count += 1;
                let checked = sequence.check(&policy, &tokens).err();
                failures.extend(checked.map(|why| format!("{name}: {}: {why}", sequence.name)));
            }
            for case in file.cases.iter().filter(|case| is_selected(&name, &case.name)) {
                count += 1;
                failures.extend(
                    check(&policy, &tokens, case).err().map(|why| format!("{name}: {}: {why}", case.name)),
                );
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 0, "no case has {selection:?} in its name");
}

fn policy(name: &str, mut value: Value) -> Policy {
    insert_keys(&mut value);
    let config = config::from_value(value).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
    build(&config, &|_| None).unwrap_or_else(|errors| panic!("{name}: {errors:?}")).policy
}

impl Token {
    fn mint(&self) -> String {
        let algorithm = Algorithm::from_name(&self.alg).unwrap();
        let header = mint::changed(json!({"alg": self.alg}), &self.header);
        let mut claims = self.claims.clone();
        insert_keys(&mut claims);
        let key = if self.wrong_key {
            mint::SigningKey::other(algorithm)
        } else {
            mint::SigningKey::for_algorithm(algorithm)
        };
        let header = self.header_text.clone().unwrap_or_else(|| header.to_string());
        let payload = self.payload_text.clone().unwrap_or_else(|| claims.to_string());
        let token = mint::sign_text(&header, &payload, &key, algorithm);
        match &self.signature {
            None => token,
            Some(signature) => format!("{}.{signature}", token.rsplit_once('.').unwrap().0),
        }
    }
}

fn check(policy: &Policy, tokens: &BTreeMap<String, String>, case: &Case) -> Result<(), String> {
    let (method, path) = case.request.split_once(' ').unwrap();
    let path = String::from_utf8(expand(path, tokens)).unwrap();
    let mut pairs: Vec<(String, Vec<u8>)> = vec![
        (":method".to_owned(), method.into()),
        (":scheme".to_owned(), b"https".to_vec()),
        (":authority".to_owned(), case.authority.clone().into()),
        (":path".to_owned(), path.clone().into()),
    ];
    let peer = case.peer.parse().ok();
    let mut state = State::new(policy, CredentialCache::new([0; 16], policy.limits));
    for field in &case.fields {
        let (name, value) = field.split_once(':').unwrap();
        let value = match value.trim().strip_prefix("<digest ").and_then(|rest| rest.strip_suffix('>')) {
            Some(how) => digest(policy, &mut state, &pairs, (method, &path), how).into_bytes(),
            None => expand(value.trim(), tokens),
        };
        pairs.push((name.to_owned(), value));
    }
    let digest = case.certificate.as_ref().map(|hex| certificate_digest(hex.as_bytes()).unwrap());
    let connection = Connection { certificate: digest };
    let context = Context { host: &connection, ..context(NOW) };
    if !case.before.is_empty() {
        let fields = case.before.iter().map(|field| field.split_once(": ").unwrap());
        let fields = fields.map(|(name, value)| (name.to_owned(), expand(value, tokens)));
        let pairs: Vec<_> = pairs[..4].iter().cloned().chain(fields).collect();
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let decision = decide(policy, &Request::new(pairs, peer), &mut state, context);
        expect("decision before", "allow", &outcome(policy, &decision))?;
    }
    let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
    let request = Request::new(pairs, peer);
    let mut providers = Providers::new(policy, &mut state, NOW);
    providers.answer(&mut state, &case.fetched, NOW);
    let now = Context { may_wait: case.may_wait, ..context };
    let first = decide(policy, &request, &mut state, now);
    let second = decide(policy, &request, &mut state, now);
    let decision = match &case.again {
        // Decided from the cache: the outcome must not change.
        None if first.mutations != second.mutations
            || outcome(policy, &first) != outcome(policy, &second) =>
        {
            return Err(format!("the second time it is {}", outcome(policy, &second)));
        }
        None => second,
        Some(again) => {
            expect("decision the second time", again, &outcome(policy, &second))?;
            first
        }
    };

    let found = outcome(policy, &decision);
    let response = match &decision.verdict {
        Verdict::Allow(_) | Verdict::Pending(_) => None,
        Verdict::Reply(answer) => Some(Response {
            status: answer.status,
            fields: answer.fields.iter().map(|(name, value)| (*name, (*value).into())).collect(),
            body: answer.body.to_string(),
            grpc_status: None,
            details: String::new(),
        }),
        Verdict::Deny(denial) => Some(denial.response(&policy.denials, policy.denials.form(&request))),
    };
    expect("decision", &case.expect, &found)?;
    let mut now = NOW;
    for (at, later) in case.later.iter().enumerate() {
        now += later.passed;
        if later.passed > 0.0 {
            state.tick(Tick { now: NumericDate::from_seconds(now).unwrap(), jitter: 0.0 });
        }
        providers.answer(&mut state, &later.fetched, now);
        let now = NumericDate::from_seconds(now).unwrap();
        let context = Context { now, may_wait: later.may_wait, ..context };
        let decision = decide(policy, &request, &mut state, context);
        expect(&format!("decision later[{at}]"), &later.expect, &outcome(policy, &decision))?;
    }
    let challenges = response.iter().flat_map(|response| &response.fields);
    let challenges = challenges.filter(|(name, _)| *name == "www-authenticate");
    let challenges: Vec<&str> = challenges.map(|(_, value)| value.as_ref()).collect();
    // An independent parser reads exactly one challenge from each header.
    if let Some(other) =
        challenges.iter().find(|field| http_auth::parse_challenges(field).map_or(0, |read| read.len()) != 1)
    {
        return Err(format!("no single challenge: {other}"));
    }
    let challenges: Vec<String> = challenges.into_iter().map(without_nonce).collect();
    if let Some(expected) = &case.challenges {
        expect("challenges", &expected.join("\n"), &challenges.join("\n"))?;
    }
    if let Some(expected) = &case.answer {
        let fields = response.iter().flat_map(|response| &response.fields);
        let fields = fields.filter(|(name, _)| *name != "www-authenticate");
        let fields: Vec<String> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
        expect("answer", &expected.join("\n"), &fields.join("\n"))?;
    }
    if found.starts_with("401") && challenges.is_empty() {
        return Err("a 401 without a challenge".to_owned());
    }
    if let Some(expected) = &case.upstream {
        let expected: Vec<_> =
            expected.iter().map(|field| String::from_utf8(expand(field, tokens)).unwrap()).collect();
        expect("upstream", &expected.join("\n"), &after(&request, &decision.mutations).join("\n"))?;
    }
    if let Some(expected) = case.grpc {
        let Verdict::Deny(denial) = &decision.verdict else { return Err("not denied".to_owned()) };
        let found = denial.response(&policy.denials, Form::Grpc).grpc_status;
        expect("gRPC status", &format!("{:?}", Some(expected)), &format!("{found:?}"))?;
    }
    let body = response.as_ref().map(|response| response.body.as_str()).unwrap_or_default();
    for expected in &case.body {
        if !body.contains(expected) {
            return Err(format!("the body lacks {expected:?}:\n{body}"));
        }
    }
    for unwanted in &case.body_lacks {
        if body.contains(unwanted) {
            return Err(format!("the body contains {unwanted:?}:\n{body}"));
        }
    }
    no_secret_of(&request, &challenges.join("\n"), body)
}

/// The host's facts about the client's connection.
struct Connection {
    certificate: Option<CertificateDigest>,
}

impl HostInfo for Connection {
    fn time(&self) -> NumericDate {
        NullHost.time()
    }

    fn peer(&self) -> Option<IpAddr> {
        NullHost.peer()
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        self.certificate
    }
}

fn context(now: f64) -> Context<'static> {
    Context {
        now: NumericDate::from_seconds(now).unwrap(),
        signatures: &SoftwareVerifier,
        host: &NullHost,
        may_wait: false,
    }
}

/// Formats a decision as in [`Case::expect`].
fn outcome(policy: &Policy, decision: &Decision<'_>) -> String {
    match (&decision.verdict, &decision.shadowed) {
        (verdict, None) => verdict_text(policy, verdict),
        (Verdict::Allow(None), Some(shadowed)) => format!("shadow: {}", verdict_text(policy, shadowed)),
        (verdict, Some(_)) => format!("shadow that acts: {}", verdict_text(policy, verdict)),
    }
}

fn verdict_text(policy: &Policy, verdict: &Verdict) -> String {
    let denial = match verdict {
        Verdict::Allow(_) => return "allow".to_owned(),
        Verdict::Reply(answer) => return format!("{} answer", answer.status),
        Verdict::Pending(awaited) => {
            return format!("await {}", policy.authenticators[awaited.authenticator.index()].name);
        }
        Verdict::Deny(denial) => denial,
    };
    let detail = denial.reason.detail_code().map(|detail| format!("/{detail}")).unwrap_or_default();
    let status = denial.response(&policy.denials, Form::Text).status;
    format!("{status} {}{detail}", denial.reason.code())
}

/// Returns the response to the first Digest challenge that the same request gets without credentials. After user and
/// password, options can follow: `alg=NAME` selects the challenge of this algorithm, `age=SECONDS` uses a challenge
/// from the past, `worker=N` one of another worker, `method=NAME` responds for another method, `ha1=HEX` replaces the
/// password, `NAME=VALUE` replaces an auth-param, `put:NAME=VALUE` replaces it without including it in the digest, and
/// `drop:NAME` removes it.
fn digest(
    policy: &Policy,
    state: &mut State,
    pairs: &[(String, Vec<u8>)],
    (method, target): (&str, &str),
    how: &str,
) -> String {
    let mut words = how.split(' ');
    let (user, password) = words.next().unwrap().split_once(':').unwrap();
    let words: Vec<(&str, &str)> = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
    let find = |name: &str| words.iter().find(|(word, _)| *word == name).map(|(_, value)| *value);
    let now = NOW - find("age").map_or(0.0, |age| age.parse().unwrap());
    let mut other = find("worker")
        .map(|key| State::new(policy, CredentialCache::new([key.parse().unwrap(); 16], policy.limits)));
    let request = Request::new(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())), None);
    let verdict = decide(policy, &request, other.as_mut().unwrap_or(state), context(now)).verdict;
    let Verdict::Deny(denial) = verdict else { panic!("no challenge for {how}") };
    let response = denial.response(&policy.denials, Form::Text);
    let challenges = response.fields.iter().filter_map(|(_, value)| Challenge::parse(value));
    let mut challenges =
        challenges.filter(|challenge| find("alg").is_none_or(|name| name == challenge.algorithm));
    let challenge = challenges.next().unwrap_or_else(|| panic!("no challenge for {how}"));
    let mut answer = digest_client::Answer::new(&challenge, user, password, method, target);
    for (name, value) in &words {
        answer = match *name {
            "alg" | "age" | "worker" => answer,
            "method" => answer.for_method(value),
            "ha1" => answer.with_ha1(value),
            _ if name.starts_with("put:") || name.starts_with("drop:") => answer,
            _ => answer.with(name, value),
        };
    }
    answer = answer.signed();
    for (name, value) in &words {
        answer = match name.split_once(':') {
            Some(("put", name)) => answer.with(name, value),
            Some(("drop", name)) => answer.without(name),
            _ => answer,
        };
    }
    answer.field()
}

fn without_nonce(challenge: &str) -> String {
    match challenge.split_once("nonce=\"") {
        Some((before, after)) => format!("{before}nonce=\"…\"{}", after.split_once('"').unwrap().1),
        None => challenge.to_owned(),
    }
}

fn expect(what: &str, expected: &str, found: &str) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what}\n  expected: {expected}\n  found:    {found}"))
    }
}

/// Checks that no response repeats anything from the credentials of a request.
fn no_secret_of(request: &Request<'_>, challenges: &str, body: &str) -> Result<(), String> {
    let values = ["authorization", "cookie", "x-jwt", "x-api-key", "dpop"].into_iter();
    let values = values.flat_map(|name| request.values(name));
    for word in values.flat_map(|value| value.split(|byte| matches!(byte, b' ' | b'=' | b';'))) {
        // The values of Digest credentials are quoted, and one of the names also occurs in challenges.
        let word = String::from_utf8_lossy(word).trim_matches([',', '"']).to_owned();
        if word.len() > 8 && word != "algorithm" && (challenges.contains(&word) || body.contains(&word)) {
            return Err(format!("the answer repeats {word:?}"));
        }
    }
    Ok(())
}

/// Returns the request's headers after the mutations, as `name: value`; `:path` first if it changes.
fn after(request: &Request<'_>, edits: &HeaderMutations<'_>) -> Vec<String> {
    let line = |name: &[u8], value: &[u8]| {
        format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
    };
    let path = edits.set.iter().filter(|(name, _)| *name == ":path");
    // A host may append a header instead of replacing it, so the mutations must remove existing ones themselves.
    let kept = request.fields.iter().filter(|(name, _)| !edits.remove.contains(name));
    let written = edits.set.iter().filter(|(name, _)| *name != ":path");
    let path = path.map(|(name, value)| line(name.as_bytes(), value));
    let kept = kept.map(|(name, value)| line(name, value));
    path.chain(kept).chain(written.map(|(name, value)| line(name.as_bytes(), value))).collect()
}

/// Replaces `<token NAME>`, `<xHH>` and the other placeholders of [`Case::fields`].
fn expand(text: &str, tokens: &BTreeMap<String, String>) -> Vec<u8> {
    // Proofs are stored beside tokens, under the whole placeholder.
    placeholders::expand(text, |what| tokens[what.strip_prefix("token ").unwrap_or(what)].clone())
}
