//! The files of the corpus with random changes: the tool does not panic, and its output with exit code 0 is accepted by
//! `check` and the filter.

use proptest::prelude::{any, prop};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use serde::Deserialize as _;

use super::corpus::cases;
use super::run::{convert_text, documents, policy, run};

/// The number of files to try, unless `PROPTEST_CASES` is set.
const FILES: u32 = 300;

/// Texts with a meaning in configurations.
const WORDS: &[&str] = &[
    "{}",
    "[]",
    "null",
    "true",
    "false",
    "\"\"",
    "-1",
    "1e9",
    "9999999999999999999",
    "{a: [{}]}",
    "&a",
    "*a",
    "<<: {}",
    "%",
    "\\",
    "*",
    "requires: {}",
    "disabled: true",
    "allow_missing: {}",
    "name: x",
    "@type: x",
    "\n---\n",
    "  ",
    "\t",
    "# ",
    "é",
    "\u{0}",
    "any: true",
    "prefix: /",
    "not_rule: {any: true}",
    "deny",
    "'",
    "rules:",
    "- ",
    "failure_policy: FAIL_OPEN",
    "vm_id: x",
    "{env: X}",
    "configuration:",
    "http_filters:",
    "|",
    ">",
];

/// Changes the text at some positions.
fn mutate(text: &str, changes: &[(usize, u8, usize)]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (at, kind, what) in changes {
        if letters.is_empty() {
            break;
        }
        let at = at % letters.len();
        let end = (at + 1 + what % 40).min(letters.len());
        match kind % 6 {
            0 => drop(letters.drain(at..end)),
            1 => drop(letters.splice(at..at, WORDS[what % WORDS.len()].chars())),
            2 => drop(letters.splice(at..end, WORDS[what % WORDS.len()].chars())),
            // Repeat the line at another position.
            3 => {
                let copy: Vec<char> = letters[at..end].to_vec();
                let to = what % letters.len();
                drop(letters.splice(to..to, copy));
            }
            4 => letters.truncate(at),
            // Remove a line.
            _ => {
                let start =
                    letters[..at].iter().rposition(|letter| *letter == '\n').map_or(0, |found| found + 1);
                let end = letters[at..]
                    .iter()
                    .position(|letter| *letter == '\n')
                    .map_or(letters.len(), |found| at + found + 1);
                drop(letters.drain(start..end));
            }
        }
    }
    letters.into_iter().collect()
}

/// Runs `check` on a file: no panic, and exit code 0 exactly if it reports no errors.
fn check_file(text: &str) -> Result<i32, String> {
    let checked = run("check", text);
    let told = || format!("check: exit code {}: {text}\n{}{}", checked.code, checked.text, checked.summary);
    let has_errors = checked.text.lines().any(|line| line.starts_with("error["));
    match checked.code {
        0 if has_errors || !checked.summary.is_empty() => Err(told()),
        1 if !has_errors => Err(told()),
        // The file cannot be parsed at all.
        2 if checked.summary.is_empty() => Err(told()),
        0..=2 => Ok(checked.code),
        _ => Err(told()),
    }
}

fn check(text: &str) -> Result<bool, String> {
    let converted = convert_text(text);
    check_file(text)?;
    let told = || format!("{text}\n{}\n{}", converted.text, converted.summary);
    match converted.code {
        0 if !converted.summary.is_empty() || converted.text.is_empty() => {
            Err(format!("no output, or a summary: {}", told()))
        }
        0 => {
            for value in documents(&converted.text) {
                policy(&value).map_err(|error| format!("{error}: {}", told()))?;
            }
            match check_file(&converted.text)? {
                0 => Ok(true),
                _ => Err(format!("the output has errors: {}", told())),
            }
        }
        1 | 2 if converted.summary.starts_with("authgate: ") => Ok(false),
        code => Err(format!("exit code {code}: {}", told())),
    }
}

#[test]
fn no_file_makes_the_tool_fail_or_call_a_bad_output_good() {
    let mut files: Vec<String> =
        cases().iter().flat_map(|(_, case)| case.files()).map(|(_, text)| text).collect();
    files.extend(policies());
    let good = change(&files, &check);
    assert!(good > 0, "nothing was converted");
}

#[test]
fn no_file_makes_check_fail_or_call_errors_good() {
    let files: Vec<String> = checked_files();
    assert!(files.len() >= 15, "{} files", files.len());
    let good = change(&files, &|text| check_file(text).map(|code| code == 0));
    assert!(good > 0, "nothing was good");
}

/// Files with a policy and the resources around it.
fn checked_files() -> Vec<String> {
    let root = authgate_testing::path("");
    let folders = ["tests/cases/tool", "envoy", "envoy/istio", "envoy/envoy-gateway"];
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    files.sort();
    files
}

/// The inputs of `tests/cases/policies`.
fn policies() -> Vec<String> {
    let folder = authgate_testing::path("tests/cases/policies");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for case in serde_yaml_ng::Deserializer::from_str(&text) {
            let case = serde_json::Value::deserialize(case).unwrap();
            texts.push(case["input"].as_str().unwrap().replace("<jwks>", "{}"));
        }
    }
    texts.sort();
    texts
}

/// Changes files at random and calls `look` with each. Returns the number of calls that returned true.
fn change(files: &[String], look: &dyn Fn(&str) -> Result<bool, String>) -> u32 {
    let count = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(FILES);
    let config =
        Config { cases: count, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let changes = prop::collection::vec((any::<usize>(), any::<u8>(), any::<usize>()), 1..6);
    let good = std::cell::Cell::new(0);
    let ran = TestRunner::new(config).run(&(0..files.len(), changes), |(file, changes)| {
        let is_good = look(&mutate(&files[file], &changes)).map_err(TestCaseError::fail)?;
        good.set(good.get() + u32::from(is_good));
        Ok(())
    });
    match ran {
        Ok(()) => good.get(),
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        Err(error) => panic!("{error}"),
    }
}
