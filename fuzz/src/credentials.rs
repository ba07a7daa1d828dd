//! The parser of `Authorization`, compared with a literal parser of its grammar.

use authgate::http::authorization::{Credentials, CredentialsError, auth_params};

use super::grammar;

pub fn check(bytes: &[u8]) {
    let value = grammar::trim(bytes);
    let found = Credentials::parse(bytes);
    if let Some((scheme, content)) = grammar::credentials(value) {
        let Ok(found) = found else {
            panic!("refused, though it is by the grammar: {}", bytes.escape_ascii())
        };
        assert_eq!((found.scheme, found.content), (scheme, content));
    }
    match found {
        Ok(Credentials { scheme, content }) => {
            // The scheme and the content are parts of the value, with only spaces between them.
            assert!(!scheme.is_empty() && scheme.iter().copied().all(grammar::tchar));
            let rest = value.strip_prefix(scheme).expect("starts with its scheme");
            let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
            assert_eq!(&rest[spaces..], content);
            assert!(content.is_empty() || spaces > 0);
            // A comma may only separate params.
            if let Some(at) = content.iter().position(|byte| *byte == b',')
                && !content.contains(&b'"')
            {
                assert!(
                    content[..at].contains(&b'='),
                    "a list of something else: {}",
                    content.escape_ascii()
                );
            }
            check_params(content);
        }
        Err(CredentialsError::Ambiguous) => assert!(value.contains(&b','), "ambiguous without a comma"),
        Err(CredentialsError::Malformed) => {}
    }
    check_params(bytes);
}

/// The parsed params are those that the grammar gives; with duplicates, or too many, there are none.
fn check_params(content: &[u8]) {
    let found = auth_params(content);
    let literal = grammar::auth_params(content).map(|params| {
        params.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect::<Vec<_>>()
    });
    if let Some(literal) = &literal {
        let mut names: Vec<_> = literal.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        let is_accepted = names.len() == literal.len() && literal.len() <= 32;
        assert_eq!(found.is_some(), is_accepted, "{}", content.escape_ascii());
    }
    let Some(found) = found else { return };
    // White space around the value belongs to the header, not to the grammar.
    let literal = grammar::auth_params(grammar::trim(content)).expect("what we take is by the grammar");
    let literal: Vec<_> =
        literal.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let found: Vec<_> = found.into_iter().map(|(name, value)| (name, value.into_owned())).collect();
    assert_eq!(found, literal, "{}", content.escape_ascii());
}
