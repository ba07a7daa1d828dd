//! The files of the corpus with random changes: the tool does not panic, and its output with exit code 0 is accepted by
//! `check` and the filter.

use proptest::prelude::{any, prop};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

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

fn check(text: &str) -> Result<bool, String> {
    let converted = convert_text(text);
    // `check` reads whole files too.
    let checked = run("check", text).code;
    if !(0..=2).contains(&checked) {
        return Err(format!("check: exit code {checked}: {text}"));
    }
    let told = || format!("{text}\n{}\n{}", converted.text, converted.summary);
    match converted.code {
        0 if !converted.summary.is_empty() || converted.text.is_empty() => {
            Err(format!("no output, or a summary: {}", told()))
        }
        0 => {
            for value in documents(&converted.text) {
                policy(&value).map_err(|error| format!("{error}: {}", told()))?;
            }
            Ok(true)
        }
        1 | 2 if converted.summary.starts_with("authgate: ") => Ok(false),
        code => Err(format!("exit code {code}: {}", told())),
    }
}

#[test]
fn no_file_makes_the_tool_fail_or_call_a_bad_output_good() {
    let files: Vec<String> =
        cases().iter().flat_map(|(_, case)| case.files()).map(|(_, text)| text).collect();
    let count = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(FILES);
    let config =
        Config { cases: count, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let changes = prop::collection::vec((any::<usize>(), any::<u8>(), any::<usize>()), 1..6);
    let good = std::cell::Cell::new(0);
    let ran = TestRunner::new(config).run(&(0..files.len(), changes), |(file, changes)| {
        let converted = check(&mutate(&files[file], &changes)).map_err(TestCaseError::fail)?;
        good.set(good.get() + u32::from(converted));
        Ok(())
    });
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        Err(error) => panic!("{error}"),
    }
    assert!(good.get() > 0, "only {} of {count} were converted", good.get());
}
