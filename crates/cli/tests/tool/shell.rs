//! Man pages and completions: the exact pages, the completions of bash, and all commands and options for each shell.
//!
//! `UPDATE=1 cargo test -p authgate-cli --test tool shell` rewrites the pages; review the changes before you commit
//! them.

use std::collections::BTreeSet;
use std::process::Command;

use regex_lite::Regex;

use super::run::{cases, scratch, tool};

/// All pages, in order of their names, without the version.
fn pages() -> String {
    let folder = scratch("man");
    let run = tool(&["man", folder.to_str().unwrap()], "");
    assert_eq!((run.code, run.output.as_str(), run.errors.as_str()), (0, "", ""));
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let page = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(path).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION");
        format!("==> {name}\n{text}")
    };
    paths.iter().map(page).collect()
}

#[test]
fn the_man_pages_are_those_that_were_looked_at() {
    let path = cases().join("man-pages.txt");
    let fresh = pages();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(fresh == committed, "write them anew: UPDATE=1 cargo test -p authgate-cli --test tool shell");
}

/// The commands and long options that the pages name.
fn words() -> BTreeSet<String> {
    let pages = pages().replace("\\-", "-");
    let pattern = Regex::new(r"authgate-([a-z]+)\(1\)|\\fB--([a-z-]+)").unwrap();
    let words = pattern
        .captures_iter(&pages)
        .map(|found| found.iter().skip(1).flatten().next().unwrap().as_str().to_owned());
    words.collect()
}

#[test]
fn no_shell_lacks_a_command_or_an_option() {
    let words = words();
    assert!(words.len() > 25, "{words:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = tool(&["completions", shell], "");
        assert_eq!(run.code, 0, "{shell}: {}", run.errors);
        let missing: Vec<_> = words
            .iter()
            .filter(|word| !Regex::new(&format!(r"\b{word}\b")).unwrap().is_match(&run.output))
            .collect();
        assert!(missing.is_empty(), "{shell} lacks {missing:?}");
    }
    let unknown = tool(&["completions", "tcsh"], "");
    assert!(
        unknown.code == 2 && unknown.errors.contains("bash, elvish, fish, powershell, zsh"),
        "{}",
        unknown.errors
    );
}

/// Checks the completions of bash at the end of a line.
#[test]
fn bash_completes() {
    let script = tool(&["completions", "bash"], "").output;
    for (line, offered) in [
        ("authgate ch", "check"),
        ("authgate co", "convert completions"),
        ("authgate completions ", "-h --help bash elvish fish powershell zsh"),
        ("authgate check --st", "--strict"),
        ("authgate check --output ", "text json github sarif"),
        ("authgate nonsense", ""),
    ] {
        let complete = format!(
            "{script}\nread -ra COMP_WORDS <<< '{line}'\n[[ '{line}' == *' ' ]] && COMP_WORDS+=('')\n\
             COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))\n\
             _authgate authgate \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
             echo \"${{COMPREPLY[*]}}\""
        );
        let output = Command::new("bash").args(["-c", &complete]).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(found.trim(), offered, "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
