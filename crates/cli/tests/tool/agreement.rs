//! The tool reports the errors and decisions of the core, for configurations and requests, and so does the tool of the
//! playground.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use authgate::jose::jwk::Algorithm;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::replay::Replay;
use super::run::{Run, scratch, tool};
use authgate_testing::config_cases::{cases, shows_secret};
use authgate_testing::{mint, placeholders};

/// The tool reports each error of each invalid configuration with the message of the core, at a related position.
#[test]
fn check_finds_what_the_core_finds() {
    let folder = scratch("check");
    let mut replay = Replay::default();
    let (mut failures, mut count) = (Vec::new(), 0);
    for (number, case) in cases().into_iter().enumerate() {
        // Envoy passes a string, which is JSON or empty, while a file may be YAML. A variable in a file is one line.
        let has_lines = |value: &String| value.strip_suffix('\n').unwrap_or(value).contains(['\n', '\r']);
        if case.text.is_some() || case.environment.values().any(has_lines) {
            continue;
        }
        let configuration = case.configuration();
        // YAML and JSON alternate; a word such as `yes` is a string in YAML 1.1 only in quotes.
        let is_json = number % 2 == 0
            || ["\"yes\"", "\"no\"", "\"on\"", "\"off\""]
                .iter()
                .any(|word| configuration.to_string().contains(word));
        let (yaml, kind) = match is_json {
            true => (format!("{configuration:#}"), "json"),
            false => (serde_yaml_ng::to_string(&configuration).unwrap(), "yaml"),
        };
        let file = folder.join(format!("{number}.{kind}"));
        fs::write(&file, &yaml).unwrap();
        let environment = folder.join(format!("{number}.env"));
        let variables = case.environment.iter();
        let variables: String =
            variables.map(|(name, value)| format!("{name}={}\n", value.trim_end_matches('\n'))).collect();
        fs::write(&environment, variables).unwrap();
        let arguments = |format| {
            let (environment, file) = (environment.to_str().unwrap(), file.to_str().unwrap());
            ["check", "--output", format, "--env-file", environment, file].map(str::to_owned)
        };
        let run = tool(&arguments("json"), "");
        let shown = tool(&arguments("text"), "");
        replay.add(&arguments("json"), &[&file, &environment], &run);
        count += 1;
        let why = compare(&case.errors, &case.warnings, &configuration, &yaml, &run);
        failures.extend(why.err().map(|why| format!("{}: {why}", case.name)));
        if [&run, &shown].iter().any(|run| shows_secret(&format!("{}{}", run.output, run.errors))) {
            failures.push(format!("{}: a secret is shown:\n{}", case.name, shown.output));
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 200);
    replay.compare("check");
}

fn compare(
    errors: &[String],
    warnings: &[String],
    configuration: &Value,
    yaml: &str,
    run: &Run,
) -> Result<(), String> {
    let found: Vec<Value> =
        serde_json::from_str(&run.output).map_err(|_| format!("{}{}", run.output, run.errors))?;
    let text = |found: &Value| match (found["path"].as_str().unwrap(), found["message"].as_str().unwrap()) {
        ("", message) => message.to_owned(),
        (path, message) => format!("{path}: {message}"),
    };
    let is = |severity: &str| {
        let found = found.iter().filter(move |found| found["severity"] == severity);
        found.map(text).collect::<Vec<_>>()
    };
    // The tool only warns of a variable that is not set.
    let (unset, mut expected): (Vec<String>, Vec<String>) =
        errors.iter().cloned().partition(|error| error.contains("is not set or empty"));
    let told_here = |error: &String| {
        let start = error.split_once(" is not set or empty").unwrap().0;
        format!("{start} is not set here, so its value was not checked; `--env-file FILE` sets it")
    };
    let unset: Vec<String> = unset.iter().map(told_here).collect();
    let mut found_errors = is("error");
    expected.sort();
    found_errors.sort();
    if found_errors != expected {
        return Err(format!("\n  expected {expected:#?}\n  found {found_errors:#?}"));
    }
    let found_warnings = is("warning");
    if let Some(missing) = unset.iter().chain(warnings).find(|warning| !found_warnings.contains(warning)) {
        return Err(format!("no warning {missing:?} among {found_warnings:#?}"));
    }
    if run.code != i32::from(!expected.is_empty()) {
        return Err(format!("exit code {}", run.code));
    }
    found.iter().try_for_each(|found| placed(found, configuration, yaml))
}

/// Checks that the marked line contains the name at the end of the path, its value, or the last name of the path that
/// exists.
fn placed(found: &Value, configuration: &Value, yaml: &str) -> Result<(), String> {
    let at = |name: &str| found[name].as_u64().unwrap() as usize;
    let (line, column) = (at("line"), at("column"));
    let text = yaml.lines().nth(line - 1).ok_or(format!("no line {line}"))?;
    if column > text.chars().count() + 1 {
        return Err(format!("column {column} of {text:?}"));
    }
    let path = found["path"].as_str().unwrap();
    let (mut value, mut names) = (configuration, Vec::new());
    let steps = path.replace("[\"", ".").replace("\"]", "").replace('[', ".[");
    for step in steps.split('.') {
        let next = match step.strip_prefix('[').and_then(|index| index.strip_suffix(']')) {
            Some(index) => value.get(index.parse::<usize>().unwrap_or(usize::MAX)),
            None => value.get(step).inspect(|_| names.push(step)),
        };
        let Some(next) = next else { break };
        value = next;
    }
    // The lines of a block scalar are below its name, the elements of a list below the name of the list.
    let above = yaml.lines().take(line).collect::<Vec<_>>().join("\n");
    match names.last() {
        Some(name) if !above.contains(name) => Err(format!("{path}: line {line} is {text:?}")),
        _ => Ok(()),
    }
}

/// `explain` shows the decision of the core for each request in `tests/cases/decide`.
#[test]
fn explain_says_what_the_core_decides() {
    let folder = scratch("explain");
    let mut replay = Replay::default();
    let cases = authgate_testing::path("tests/cases/decide");
    let mut paths: Vec<_> = fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut failures, mut count, mut number) = (Vec::new(), 0, 0);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let mut document = serde_yaml_ng::Value::deserialize(document).unwrap();
            document.apply_merge().unwrap();
            let document: Value = serde_yaml_ng::from_value(document).unwrap();
            number += 1;
            // The tool has no fetched keys or responses.
            let names = document.as_object().unwrap().keys();
            if names.into_iter().any(|name| !["config", "tokens", "proofs", "cases"].contains(&name.as_str()))
            {
                continue;
            }
            let mut configuration = document["config"].clone();
            placeholders::insert_keys(&mut configuration);
            let file = folder.join(format!("{number}.json"));
            fs::write(&file, configuration.to_string()).unwrap();
            let checked = tool(&["check".as_ref(), file.as_os_str()], "");
            assert_eq!(checked.code, 0, "{}: {}", path.display(), checked.output);
            for case in document["cases"].as_array().into_iter().flatten() {
                let Some(arguments) = arguments(case, &document) else { continue };
                let mut command: Vec<OsString> =
                    ["explain", "-o", "json", "--at", "1700000000", "-c"].map(OsString::from).to_vec();
                command.push(file.clone().into());
                command.extend(arguments);
                let run = tool(&command, "");
                replay.add(&command, &[&file], &run);
                count += 1;
                let outcome = outcome(&run);
                if outcome != case["expect"].as_str().unwrap() {
                    let (name, expected) = (&case["name"], &case["expect"]);
                    failures
                        .push(format!("{}: {name}: expected {expected}, found {outcome}", path.display()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 150, "{count} cases");
    replay.compare("explain");
}

/// The outcome in the form of the cases.
fn outcome(run: &Run) -> String {
    let Ok(explanation) = serde_json::from_str::<Value>(&run.output) else { return run.errors.clone() };
    let outcome = &explanation["outcome"];
    let status = &outcome["response"]["status"];
    if let Some(shadowed) = outcome["shadowed"].as_str() {
        return format!("shadow: {shadowed}");
    }
    match (outcome["decision"].as_str().unwrap(), &outcome["reason"], &outcome["detail"]) {
        ("allow", ..) => "allow".to_owned(),
        ("answer", ..) => format!("{status} answer"),
        (_, reason, Value::String(detail)) => format!("{status} {}/{detail}", reason.as_str().unwrap()),
        (_, reason, _) => format!("{status} {}", reason.as_str().unwrap()),
    }
}

/// Fields of a case that arguments can express, or that are not compared.
const KNOWN: [&str; 14] = [
    "name",
    "request",
    "authority",
    "fields",
    "peer",
    "certificate",
    "expect",
    "again",
    "challenges",
    "answer",
    "upstream",
    "body",
    "body_lacks",
    "grpc",
];

/// The arguments for a case; `None` if they cannot express it: cases with two requests (Digest), with proofs, or with
/// bytes that are not valid in a URL or an argument.
fn arguments(case: &Value, document: &Value) -> Option<Vec<OsString>> {
    if case.as_object().unwrap().keys().any(|name| !KNOWN.contains(&name.as_str())) {
        return None;
    }
    let (method, target) = case["request"].as_str().unwrap().split_once(' ').unwrap();
    let authority = case["authority"].as_str().unwrap_or("api.example.com");
    let fields = case["fields"].as_array().into_iter().flatten();
    let fields: Vec<&str> = fields.map(|field| field.as_str().unwrap()).collect();
    let is_url = target.starts_with('/') && !target.contains('#') && !authority.contains(['/', '?', '#']);
    if !is_url
        || method.is_empty()
        || fields.iter().any(|field| field.contains("<digest ") || field.contains("<proof "))
    {
        return None;
    }
    let mut arguments = vec!["-X".into(), method.into()];
    if let Some(peer) = case["peer"].as_str().or(Some("192.0.2.1")).filter(|peer| *peer != "unknown") {
        arguments.extend(["--peer".into(), peer.into()]);
    }
    if let Some(certificate) = case["certificate"].as_str() {
        arguments.extend(["--certificate".into(), certificate.into()]);
    }
    for field in fields {
        let (name, value) = field.split_once(':').unwrap();
        let mut bytes = format!("{name}: ").into_bytes();
        bytes.extend(expand(value.trim(), document));
        if bytes.contains(&0) || bytes.len() > 100_000 {
            return None;
        }
        arguments.extend(["-H".into(), OsString::from_vec(bytes)]);
    }
    let mut url = format!("https://{authority}").into_bytes();
    url.extend(expand(target, document));
    let url = String::from_utf8(url).ok().filter(|url| url.len() < 100_000)?;
    arguments.push(url.into());
    Some(arguments)
}

/// Expands placeholders, see `tests/decide.rs`.
fn expand(text: &str, document: &Value) -> Vec<u8> {
    placeholders::expand(text, |what| token(&document["tokens"][what.strip_prefix("token ").unwrap()]))
}

fn token(token: &Value) -> String {
    let name = token["alg"].as_str().unwrap_or("ES256");
    let algorithm = Algorithm::from_name(name).unwrap();
    let mut header = json!({"alg": name});
    for (name, value) in token["header"].as_object().into_iter().flatten() {
        header[name] = value.clone();
    }
    header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let key = match token["wrong_key"] {
        Value::Bool(true) => mint::SigningKey::other(algorithm),
        _ => mint::SigningKey::for_algorithm(algorithm),
    };
    let mut claims = token["claims"].clone();
    placeholders::insert_keys(&mut claims);
    let text = |name: &str, otherwise: &Value| match token[name].as_str() {
        Some(text) => text.to_owned(),
        None => otherwise.to_string(),
    };
    let token_text =
        mint::sign_text(&text("header_text", &header), &text("payload_text", &claims), &key, algorithm);
    match token["signature"].as_str() {
        None => token_text,
        Some(signature) => format!("{}.{signature}", token_text.rsplit_once('.').unwrap().0),
    }
}

/// `check` finds no problem in the manifests, read as Kubernetes does: a name such as `y` is a boolean unless quoted.
#[test]
fn the_manifests_have_no_faults() {
    let root = authgate_testing::root().join("envoy");
    for (file, secret) in [
        ("envoy.yaml", None),
        ("remote.yaml", Some("STAFF_HTPASSWD")),
        ("istio/wasmplugin.yaml", Some("STAFF_HTPASSWD")),
        ("istio/trafficextension.yaml", Some("STAFF_HTPASSWD")),
        ("envoy-gateway/envoyextensionpolicy.yaml", Some("STAFF_HTPASSWD")),
    ] {
        let run = tool(&["check", root.join(file).to_str().unwrap()], "");
        assert_eq!(run.code, 0, "{file}: {}{}", run.output, run.errors);
        let warned = run.output.matches("warning[").count();
        let of_secrets =
            secret.map_or(0, |name| run.output.matches(&format!("the environment variable {name}")).count());
        assert!(warned == of_secrets, "{file}: {}", run.output);
    }
}
