//! htpasswd and htdigest files: each line is an entry, an error, or blank, as in a simple parser.

use std::collections::BTreeSet;

use authgate::password::{HtpasswdErrorKind, Plaintext, parse_htpasswd};

pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for plaintext in [Plaintext::Refuse, Plaintext::Allow] {
        let found = parse_htpasswd(text, plaintext);
        let lines = lines(text);
        match found {
            Ok(entries) => {
                assert_eq!(entries.len(), lines.len());
                let users: BTreeSet<_> = entries.iter().map(|entry| entry.user.as_str()).collect();
                assert_eq!(users.len(), entries.len(), "a user occurs twice");
                for (entry, (number, line)) in entries.iter().zip(&lines) {
                    assert_eq!(entry.line, *number);
                    assert_eq!(Some(entry.user.as_str()), line.split(':').next());
                    assert!(!entry.user.is_empty() && !entry.user.contains(':'));
                }
            }
            Err(errors) => {
                assert!(!errors.is_empty());
                let faulty: BTreeSet<_> = errors.iter().map(|error| error.line).collect();
                assert_eq!(faulty.len(), errors.len(), "two faults on one line");
                for error in &errors {
                    let (_, line) = lines.iter().find(|(number, _)| *number == error.line).expect("a line");
                    assert_eq!(error.kind == HtpasswdErrorKind::NoColon, !line.contains(':'));
                    assert_eq!(error.kind == HtpasswdErrorKind::EmptyUser, line.starts_with(':'));
                    // An error message does not contain the hash, which has no spaces.
                    let told = error.to_string();
                    let secret = line.split_once(':').map_or("", |(_, hash)| hash);
                    assert!(secret.len() < 24 || secret.contains(' ') || !told.contains(secret));
                }
            }
        }
    }
}

/// Returns the lines that are neither blank nor comments, with their numbers.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let numbered = lines.enumerate().map(|(at, line)| (at + 1, line));
    numbered
        .filter(|(_, line)| !line.starts_with('#') && !line.trim_matches([' ', '\t']).is_empty())
        .collect()
}
