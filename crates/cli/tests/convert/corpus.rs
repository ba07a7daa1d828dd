//! `tests/cases/convert/*.yaml`: configurations in published forms, and the expected conversion of each.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::run::{Asked, convert, documents, policy, selected};
use authgate_testing::convert_cases::expand;

/// A configuration and its expected conversion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// The repository and path of a published configuration of this form.
    source: String,
    /// The text of the input file.
    input: Option<String>,
    /// Several related input files.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// The expected exit code.
    #[serde(default)]
    exit: i32,
    /// Texts that the summary contains, in this order.
    #[serde(default)]
    says: Vec<String>,
    /// The requirements of requests, by `METHOD [HOST]/PATH [from ADDRESS]`; for several outputs, joined with ` + `.
    #[serde(default)]
    decides: BTreeMap<String, String>,
    /// The exact authenticators of all outputs.
    #[serde(default)]
    authenticators: BTreeMap<String, Value>,
    /// Texts that the output contains.
    #[serde(default)]
    contains: Vec<String>,
    /// Texts that the output does not contain.
    #[serde(default)]
    lacks: Vec<String>,
}

impl Case {
    /// The input files, with placeholders replaced.
    pub fn files(&self) -> Vec<(String, String)> {
        let one = self.input.iter().map(|text| ("input.yaml".to_owned(), text));
        let all = one.chain(self.files.iter().map(|(name, text)| (name.clone(), text)));
        all.map(|(name, text)| (name, expand(text))).collect()
    }
}

/// All cases, each with the file that it is from.
pub fn cases() -> Vec<(String, Case)> {
    let folder = authgate_testing::path("tests/cases/convert");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<Case> =
            serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        cases.extend(read.into_iter().map(|case| (name.clone(), case)));
    }
    cases
}

#[test]
fn every_configuration_becomes_what_its_case_says() {
    let cases = cases();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut failures = Vec::new();
    for (file, case) in &cases {
        assert!(case.source.contains('/'), "{}: no source", case.name);
        let wrong = check(case);
        failures.extend(wrong.into_iter().map(|why| format!("{file}: {}: {why}", case.name)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(case: &Case) -> Vec<String> {
    let converted = convert(&case.files());
    let (text, summary) = (&converted.text, &converted.summary);
    let mut wrong = Vec::new();
    let mut ensure = |is_met: bool, what: String| {
        if !is_met {
            wrong.push(what)
        }
    };
    ensure(converted.code == case.exit, format!("exit code {}\n{summary}", converted.code));
    let mut rest = summary.as_str();
    for says in &case.says {
        match rest.split_once(says.as_str()) {
            Some((_, after)) => rest = after,
            None => ensure(false, format!("the summary does not say {says:?}:\n{summary}")),
        }
    }
    // Exit code 1 and a numbered summary always come together.
    let parts = summary.lines().filter(|line| is_numbered(line)).count();
    ensure(
        (converted.code == 1) == (parts > 0),
        format!("{parts} numbered parts with code {}", converted.code),
    );
    ensure(case.exit != 1 || !case.says.is_empty(), "the case says nothing of the summary".to_owned());
    for contains in &case.contains {
        ensure(text.contains(contains.as_str()), format!("the output lacks {contains:?}:\n{text}"));
    }
    for lacks in &case.lacks {
        ensure(!text.contains(lacks.as_str()), format!("the output has {lacks:?}:\n{text}"));
    }
    let documents = if text.is_empty() { Vec::new() } else { documents(text) };
    let mut policies = Vec::new();
    for value in &documents {
        match policy(value) {
            Ok(policy) => policies.push(policy),
            Err(error) => ensure(false, format!("the output is not accepted: {error}\n{text}")),
        }
    }
    if policies.len() == documents.len() {
        for (asked, expected) in &case.decides {
            let request = Asked::parse(asked);
            let found: Vec<String> = documents
                .iter()
                .zip(&policies)
                .map(|(value, policy)| selected(value, policy, &request))
                .collect();
            let found = found.join(" + ");
            ensure(found == *expected, format!("{asked}: expected {expected:?}, found {found:?}\n{text}"));
        }
    }
    for (name, expected) in &case.authenticators {
        let found = documents.iter().find_map(|value| value.get("authenticators")?.get(name));
        ensure(
            found == Some(expected),
            format!("the authenticator {name} is {}", found.unwrap_or(&Value::Null)),
        );
    }
    wrong
}

/// Returns true for a line of the form `1. FILE:LINE: …`.
fn is_numbered(line: &str) -> bool {
    let Some((number, rest)) = line.split_once(". ") else { return false };
    let mut parts = rest.splitn(3, ':');
    let is_number = |text: Option<&str>| text.is_some_and(|text| text.parse::<usize>().is_ok());
    is_number(Some(number)) && parts.next().is_some() && is_number(parts.next())
}
