//! The exact output of each subcommand: `tests/cases/tool/*.console` contain commands and their output. Random values
//! appear as `…`.
//!
//! `UPDATE=1 cargo test -p authgate-cli --test tool` rewrites the files; review the changes before you commit them.

use regex_lite::Regex;

use super::run::{cases, tool};

#[test]
fn every_command_says_what_its_file_says() {
    let entries = std::fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "console")).collect();
    paths.sort();
    assert!(paths.len() > 5, "{paths:?}");
    let mut failures = Vec::new();
    for path in paths {
        let expected = std::fs::read_to_string(&path).unwrap();
        let found: String = expected.lines().filter(|line| line.starts_with("$ ")).map(run).collect();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &found).unwrap();
        } else if found != expected {
            failures.push(format!("{}:\n{found}", path.display()));
        }
        let run = found.lines().filter(|line| !line.starts_with("$ "));
        assert!(run.into_iter().all(|line| !line.contains("hunter2")), "{} shows a secret", path.display());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the examples of `docs/tool.md` in the directory of the cases.
#[test]
fn the_examples_of_the_document_are_real() {
    let path = authgate_testing::path("docs/tool.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut written = String::new();
    for (at, block) in text.split("```").enumerate() {
        let fence = if at == 0 { "" } else { "```" };
        written.push_str(fence);
        match block.strip_prefix("console\n") {
            Some(example) if at % 2 == 1 => {
                let command = example.lines().next().unwrap();
                let found = run(command);
                if std::env::var_os("UPDATE").is_none() {
                    assert_eq!(example, format!("{}\n", found.trim_end()), "in {path}");
                }
                written.push_str(&format!("console\n{}\n", found.trim_end()));
            }
            _ => written.push_str(block),
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, written).unwrap();
    }
}

/// Runs `$ authgate …` or `$ echo TEXT | authgate …`; words may be in single quotes.
fn run(line: &str) -> String {
    let command = line.strip_prefix("$ ").unwrap();
    let (input, command) = match command.strip_prefix("echo ") {
        Some(rest) => {
            let (text, command) = rest.split_once(" | ").unwrap();
            (format!("{}\n", text.trim_matches('\'')), command)
        }
        None => (String::new(), command),
    };
    let words = words(command.strip_prefix("authgate ").unwrap());
    let run = tool(&words, &input);
    let mut text = format!("{line}\n{}{}", run.output, run.errors);
    if run.code != 0 {
        text.push_str(&format!("? {}\n", run.code));
    }
    without_random(&text) + "\n"
}

fn words(command: &str) -> Vec<String> {
    let (mut words, mut quoted, mut word) = (Vec::new(), false, None::<String>);
    for letter in command.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn without_random(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, shown) in [
        (r"\$2b\$(\d\d)\$[./A-Za-z0-9]{53}", "$$2b$$$1$$…"),
        (r"(\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$)[+/A-Za-z0-9]{22}\$[+/A-Za-z0-9]{43}", "$1…$$…"),
        (r"(\$6\$rounds=\d+\$)[./A-Za-z0-9]{16}\$[./A-Za-z0-9]{86}", "$1…$$…"),
        (r"(?m)^ag_[A-Za-z0-9_-]{43}$", "ag_…"),
        (r#""ag_[A-Za-z0-9_-]{43}""#, "\"ag_…\""),
        (r#"("sha256": ?")[0-9a-f]{64}""#, "$1…\""),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, shown).into_owned();
    }
    // Some lines of help texts and errors have trailing spaces.
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
