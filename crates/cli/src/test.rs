//! `authgate test`

mod coverage;
mod expectation;
mod junit;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use authgate::authn::Context;
use authgate::cache::CredentialCache;
use authgate::config::reader;
use authgate::config::shape::{List, Named};
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide_traced};
use authgate::jose::jwt::SoftwareVerifier;
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};

use super::authorization;
use super::color::{self, printable};
use super::document::{self, Dialect};
use super::explain::outcome;
use super::explain::rules::{self, AmbiguousVariable};
use super::load::{Beside, Loaded};
use super::request::{self, OwnRequest};
use super::test_identity::TestIdentities;
use super::{CommandOutput, Failure, input, report};
use coverage::Coverage;
use expectation::{Difference, Expectation};

/// Run tests of a policy.
///
/// A test is a request and the expected outcome. `as` replaces verified credentials, so that a test needs no real
/// tokens. Rules that no test reaches are listed.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files with tests; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration, instead of the one that the files name.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    beside: Beside,
    /// Fail if there is a rule that no test reaches.
    #[arg(long)]
    all_rules: bool,
    /// The output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Readable text.
    Text,
    /// JSON for programs.
    Json,
    /// JUnit XML for CI systems.
    Junit,
}

/// A file of tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The file with the configuration, relative to the directory of this file.
    config: Option<String>,
    /// The default time of requests.
    at: Option<String>,
    tests: List<Test>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    name: String,
    request: TestRequest,
    /// Authenticator → its verified principal: claims or a subject.
    #[serde(default, rename = "as")]
    identities: Named<Value>,
    expect: Expectation,
    at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestRequest {
    method: Option<String>,
    path: String,
    host: Option<String>,
    scheme: Option<String>,
    /// Name → value or list of values.
    #[serde(default)]
    headers: Named<Value>,
    /// `user:password` for Basic.
    user: Option<String>,
    peer: Option<String>,
    /// The SHA-256 of the client certificate, in hexadecimal digits.
    certificate: Option<String>,
}

/// The result of a test.
struct Ran {
    name: String,
    differences: Vec<Difference>,
    /// The conditions of `authorize`, and other reasons of the decision, if there are differences.
    why: Vec<String>,
}

impl Ran {
    /// The differences and their reasons, one line each.
    fn lines(&self) -> Vec<String> {
        let differences = self.differences.iter();
        let differences = differences
            .map(|found| format!("{}: expected {}, found {}", found.what, found.expected, found.found));
        differences.chain(self.why.iter().cloned()).collect()
    }
}

/// The tests of one file.
struct Suite {
    name: String,
    ran: Vec<Ran>,
    coverage: Coverage,
    /// The variables of the configuration that are not set.
    missing: Vec<String>,
}

/// Runs `authgate test`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let suites = arguments.files.iter().map(|path| suite(arguments, path)).collect::<Result<Vec<_>, _>>()?;
    let coverage = coverage::merged(suites.iter().map(|suite| &suite.coverage));
    let is_covered = coverage.iter().all(|coverage| coverage.unreached().is_empty());
    let have_passed = suites.iter().flat_map(|suite| &suite.ran).all(|ran| ran.differences.is_empty());
    let lines: String = coverage.iter().map(Coverage::line).collect();
    let mut notes = String::new();
    let missing: BTreeSet<&str> =
        suites.iter().flat_map(|suite| &suite.missing).map(String::as_str).collect();
    if !have_passed && !missing.is_empty() {
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        notes.push_str(&format!(
            "authgate: environment variables not set: {missing}; no real credential can match; set them with \
             --env-file\n"
        ));
    }
    let text = match arguments.output {
        Format::Text => text(&suites) + &lines,
        Format::Json => report::pretty(&as_json(&suites)),
        Format::Junit => junit::render(&suites),
    };
    // The other formats cannot express this failure.
    if arguments.all_rules && !is_covered && arguments.output != Format::Text {
        notes.push_str(&lines);
    }
    Ok(CommandOutput { text, notes, is_success: have_passed && (is_covered || !arguments.all_rules) })
}

fn suite(arguments: &Arguments, path: &Path) -> Result<Suite, Failure> {
    let name = input::name(path);
    let file = read(&name, &input::read(path)?)?;
    let config = match (&arguments.config, &file.config) {
        (Some(config), _) => config.clone(),
        (None, Some(config)) => path.parent().unwrap_or(Path::new("")).join(config),
        (None, None) => return Err(format!("{name}: expected `config`, or --config")),
    };
    let loaded = arguments.beside.load(&config)?;
    let mut coverage = Coverage::new(input::name(&config), &loaded.policy);
    let mut ran = Vec::with_capacity(file.tests.0.len());
    for (at, test) in file.tests.0.iter().enumerate() {
        let result = run_one(&loaded, test, file.at.as_deref());
        let (result, rule) = result.map_err(|why| format!("{name}: tests[{at}] ({}): {why}", test.name))?;
        coverage.reach(rule);
        ran.push(result);
    }
    if ran.is_empty() {
        return Err(format!("{name}: tests: expected at least one test"));
    }
    Ok(Suite { name, ran, coverage, missing: loaded.missing })
}

/// Reads a file with the reader of configurations, which reports all errors, each with its path and a suggestion.
fn read(name: &str, text: &str) -> Result<File, Failure> {
    let documents =
        document::parse(text).map_err(|error| format!("{name}: not valid YAML: {}", error.what))?;
    let [document] = documents.as_slice() else {
        return Err(format!("{name}: expected one document"));
    };
    let value = document.read_as(Dialect::Alone).value(Dialect::Alone);
    reader::read(&value).map_err(|errors| {
        let told: Vec<String> = errors.iter().map(|error| format!("{name}: {error}")).collect();
        told.join("\n")
    })
}

/// Returns the result of a test, and the number of the deciding rule.
fn run_one(loaded: &Loaded, test: &Test, at: Option<&str>) -> Result<(Ran, Option<usize>), String> {
    let now = match test.at.as_deref().or(at) {
        Some(text) => request::time(text)?,
        None => request::now(),
    };
    let peer = match &test.request.peer {
        Some(text) => Some(text.parse().map_err(|_| "request.peer: expected an IP address")?),
        None => None,
    };
    let given = &test.request;
    let mut own = OwnRequest {
        method: given.method.as_deref().unwrap_or("GET").into(),
        scheme: given.scheme.clone().unwrap_or_else(|| "https".to_owned()),
        authority: given.host.clone().unwrap_or_else(|| "localhost".to_owned()).into_bytes(),
        path: given.path.clone(),
        fields: Vec::new(),
        peer,
        certificate: given.certificate.as_deref().map(request::certificate).transpose()?,
        now,
    };
    if let Some(user) = &given.user {
        own.fields.push(request::basic(user));
    }
    for (name, value) in &given.headers.0 {
        let one = std::slice::from_ref(value);
        for value in value.as_array().map_or(one, Vec::as_slice) {
            let text = scalar(value).ok_or_else(|| format!("request.headers.{name}: expected a string"))?;
            own.fields.push((name.to_ascii_lowercase().into_bytes(), text.into_bytes()));
        }
    }
    let mut identities = TestIdentities::read(&loaded.config, &loaded.policy, &test.identities.0)?;
    let request = own.borrowed();
    let cache = CredentialCache::new(input::random()?, loaded.policy.limits);
    let mut state = State::new(&loaded.policy, cache);
    let context = Context { now, signatures: &SoftwareVerifier, host: &own, may_wait: false };
    let decision = decide_traced(&loaded.policy, &request, &mut state, context, &mut identities);
    let outcome = outcome::of(&loaded.policy, &request, &decision, &[]);
    let differences = test.expect.differences(&outcome)?;
    let mut why = Vec::new();
    if !differences.is_empty() {
        let (config, authorizing) = (&loaded.config, identities.authorizing.as_ref());
        let objects = authorization::objects(config, &decision, authorizing, identities.claims(), now);
        why.extend(authorization::lines(&objects));
        why.extend(rules::ambiguous(&loaded.policy, &request).iter().flat_map(AmbiguousVariable::lines));
        if let Verdict::Deny(denial) = decision.shadowed.as_ref().unwrap_or(&decision.verdict) {
            let rule = decision.rule.and_then(|rule| config.rules.0.get(rule.number));
            why.extend(rules::lacking(denial.reason, rule, &request));
        }
    }
    let ran = Ran { name: test.name.clone(), differences, why };
    Ok((ran, decision.rule.map(|rule| rule.number)))
}

/// A scalar as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn text(suites: &[Suite]) -> String {
    let (mut text, mut counts) = (String::new(), BTreeMap::from([(true, 0), (false, 0)]));
    for suite in suites {
        text.push_str(&format!("{}\n", color::bold(&suite.name)));
        for ran in &suite.ran {
            let passed = ran.differences.is_empty();
            *counts.entry(passed).or_default() += 1;
            let mark = if passed { color::green("ok  ") } else { color::red("FAIL") };
            text.push_str(&format!("  {mark} {}\n", ran.name));
            for difference in &ran.differences {
                let (expected, found) = (color::green(&difference.expected), color::red(&difference.found));
                text.push_str(&format!(
                    "       {}\n         expected {expected}\n         found    {found}\n",
                    difference.what
                ));
            }
            for line in &ran.why {
                text.push_str(&format!("       {}\n", printable(line)));
            }
        }
    }
    let (passed, failed) = (counts.get(&true).unwrap_or(&0), counts.get(&false).unwrap_or(&0));
    text.push_str(&format!("{passed} passed, {failed} failed\n"));
    text
}

fn as_json(suites: &[Suite]) -> Value {
    let difference = |difference: &Difference| json!({"what": difference.what, "expected": difference.expected, "found": difference.found});
    let tests = suites.iter().flat_map(|suite| suite.ran.iter().map(move |ran| (suite, ran)));
    let tests = tests.map(|(suite, ran)| {
        let differences: Vec<Value> = ran.differences.iter().map(difference).collect();
        let mut test =
            json!({"file": suite.name, "name": ran.name, "passed": differences.is_empty(), "differences": differences});
        if let (Some(members), false) = (test.as_object_mut(), ran.why.is_empty()) {
            members.insert("why".to_owned(), json!(ran.why));
        }
        test
    });
    tests.collect()
}
