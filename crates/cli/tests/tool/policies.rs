//! `convert` of Istio and Envoy Gateway policies: compares the decisions of the output with the meaning of the
//! policies. The cases are in `tests/cases/policies/*.yaml`; their fields are those of `Case` and `Asked`.

mod model;

use std::collections::HashMap;
use std::net::IpAddr;

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwk::Algorithm;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{Policy, build};
use authgate::timestamp::NumericDate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::run::{Run, tool};
use authgate_testing::mint;

/// The default issuer of tokens.
const ISSUER: &str = "https://idp.example.com";

/// An input and its expected conversion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The repository and path of a published configuration of this form.
    source: String,
    /// The input file. `<jwks>` is replaced by the public key of the tokens, `<other>` by another key.
    input: String,
    /// The expected exit code.
    #[serde(default)]
    exit: i32,
    /// Texts that standard error contains, in any order.
    #[serde(default)]
    says: Vec<String>,
    /// Texts that the output contains.
    #[serde(default)]
    shows: Vec<String>,
    /// Texts that the output does not contain.
    #[serde(default)]
    lacks: Vec<String>,
    /// The number of configurations in the output.
    #[serde(default = "one")]
    outputs: usize,
    #[serde(default)]
    asked: Vec<Asked>,
}

fn one() -> usize {
    1
}

/// A request and the expected decision.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The index of the configuration that decides.
    #[serde(default)]
    output: usize,
    /// The method and path as `METHOD path`, or a path for GET.
    to: String,
    #[serde(default = "host")]
    host: String,
    #[serde(default = "peer")]
    from: IpAddr,
    /// The claims of a bearer token; the default `sub` is alice, the default `iss` is [`ISSUER`].
    token: Option<serde_json::Map<String, Value>>,
    /// True if another key signs the token.
    #[serde(default)]
    forged: bool,
    /// Headers as `name: value`; `<token>` is replaced by the token, which is then not sent as a bearer token.
    #[serde(default)]
    fields: Vec<String>,
    /// `user:password` for Basic.
    basic: Option<String>,
    allow: bool,
    /// The expected status of a denial.
    status: Option<u16>,
    /// True if the request would be denied without the dry run.
    shadowed: Option<bool>,
}

fn host() -> String {
    "api.example.com".to_owned()
}

fn peer() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

#[test]
fn policies_mean_the_same_or_deny() {
    let folder = authgate_testing::path("tests/cases/policies");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut failures, mut count) = (Vec::new(), 0);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for case in serde_yaml_ng::Deserializer::from_str(&text) {
            let case = Case::deserialize(case).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(case.source.contains('/'), "{file}: {}: no source", case.name);
            count += 1;
            if let Err(why) = check(&case) {
                failures.push(format!("{file}: {}: {why}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 80, "{count} cases");
}

fn check(case: &Case) -> Result<(), String> {
    let run = convert(&case.input);
    let shown = format!("exit {}\n{}{}", run.code, run.errors, run.output);
    if run.code != case.exit {
        return Err(format!("expected exit {}: {shown}", case.exit));
    }
    if (run.code == 0) != run.errors.is_empty() {
        return Err(format!("the summary and the exit code differ: {shown}"));
    }
    if run.code == 1 && case.says.is_empty() {
        return Err(format!("the case does not say what is found: {shown}"));
    }
    // Join folded comments.
    let unfolded = run.output.replace("\n# ", " ").replace("\n  # ", " ");
    for (what, text, is_there) in case
        .says
        .iter()
        .map(|what| (what, &run.errors, true))
        .chain(case.shows.iter().map(|what| (what, &unfolded, true)))
        .chain(case.lacks.iter().map(|what| (what, &unfolded, false)))
    {
        if text.contains(what) != is_there {
            return Err(format!("{what:?} is {}there: {shown}", if is_there { "not " } else { "" }));
        }
    }
    let policies = policies(&run.output)?;
    if policies.len() != case.outputs {
        return Err(format!("{} outputs: {shown}", policies.len()));
    }
    for asked in &case.asked {
        let mut worker = Worker::new(&policies[asked.output]);
        let found = worker.ask(asked);
        let expected = Outcome { allowed: asked.allow, status: None, shadowed: asked.shadowed };
        let is_same = found.allowed == expected.allowed
            && asked.status.is_none_or(|status| found.status == Some(status))
            && expected.shadowed.is_none_or(|shadowed| found.shadowed == Some(shadowed));
        if !is_same {
            return Err(format!("{} {:?}: found {found:?}: {shown}", asked.to, asked.token));
        }
    }
    Ok(())
}

fn convert(input: &str) -> Run {
    let key = |key: mint::SigningKey| json!({"keys": [key.jwk_with(json!({"alg": "EdDSA"}))]}).to_string();
    let input = input
        .replace("<jwks>", &key(mint::SigningKey::for_algorithm(Algorithm::EdDSA)))
        .replace("<other>", &key(mint::SigningKey::other(Algorithm::EdDSA)));
    tool(&["convert", "-"], &input)
}

/// The policies in the output of `convert`.
fn policies(output: &str) -> Result<Vec<Policy>, String> {
    let documents = serde_yaml_ng::Deserializer::from_str(output);
    let values = documents.map(|document| Value::deserialize(document).unwrap());
    values
        .map(|value| {
            let config = config::from_value(value).map_err(|errors| format!("{errors:?}: {output}"))?;
            let built = build(&config, &|_| Some("nobody:{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()));
            built.map(|built| built.policy).map_err(|errors| format!("{errors:?}: {output}"))
        })
        .collect()
}

#[derive(Debug)]
struct Outcome {
    allowed: bool,
    status: Option<u16>,
    shadowed: Option<bool>,
}

/// A policy with its state, and a cache of signed tokens.
struct Worker<'a> {
    policy: &'a Policy,
    state: State,
    tokens: HashMap<String, String>,
}

impl<'a> Worker<'a> {
    fn new(policy: &'a Policy) -> Self {
        let state = State::new(policy, CredentialCache::new([0; 16], policy.limits));
        Worker { policy, state, tokens: HashMap::new() }
    }

    fn token(&mut self, claims: &serde_json::Map<String, Value>, forged: bool) -> String {
        let mut claims = claims.clone();
        claims.entry("iss").or_insert_with(|| json!(ISSUER));
        claims.entry("sub").or_insert_with(|| json!("alice"));
        let claims = Value::Object(claims);
        let key = match forged {
            true => mint::SigningKey::other(Algorithm::EdDSA),
            false => mint::SigningKey::for_algorithm(Algorithm::EdDSA),
        };
        let sign = || mint::sign(&claims, &key, Algorithm::EdDSA);
        self.tokens.entry(format!("{claims} {forged}")).or_insert_with(sign).clone()
    }

    fn ask(&mut self, asked: &Asked) -> Outcome {
        let (method, path) = asked.to.split_once(' ').unwrap_or(("GET", &asked.to));
        let mut pairs = vec![
            (":method".to_owned(), method.to_owned()),
            (":scheme".to_owned(), "https".to_owned()),
            (":authority".to_owned(), asked.host.clone()),
            (":path".to_owned(), path.to_owned()),
        ];
        let token = asked.token.as_ref().map(|claims| self.token(claims, asked.forged)).unwrap_or_default();
        if !token.is_empty() && !asked.fields.iter().chain([&asked.to]).any(|text| text.contains("<token>")) {
            pairs.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        if let Some(basic) = &asked.basic {
            pairs.push(("authorization".to_owned(), format!("Basic {}", STANDARD.encode(basic))));
        }
        for field in &asked.fields {
            let (name, value) = field.split_once(": ").unwrap();
            pairs.push((name.to_owned(), value.to_owned()));
        }
        let pairs: Vec<(String, String)> =
            pairs.into_iter().map(|(name, value)| (name, value.replace("<token>", &token))).collect();
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let request = Request::new(pairs, Some(asked.from));
        let now = NumericDate::from_seconds(1_700_000_000.0).unwrap();
        let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
        let decision = decide(self.policy, &request, &mut self.state, context);
        let status = match &decision.verdict {
            Verdict::Deny(denial) => {
                Some(denial.response(&self.policy.denials, self.policy.denials.form(&request)).status)
            }
            _ => None,
        };
        let is_allowed = |verdict: &Verdict| matches!(verdict, Verdict::Allow(_));
        let shadowed = decision.shadowed.as_ref().map(|verdict| !is_allowed(verdict));
        Outcome { allowed: is_allowed(&decision.verdict), status, shadowed }
    }
}
