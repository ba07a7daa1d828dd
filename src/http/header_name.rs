//! Header names as servers may read them: in any case, and with other characters for `-`.

use std::collections::BTreeSet;

use crate::http::request::Request;

/// A set of header names, independent of case and of the character that is written for `-`.
#[derive(Debug, Default)]
pub struct HeaderNames {
    /// Names in canonical form, each once. A list, since there are few, and most differ in length.
    names: Vec<Vec<u8>>,
}

impl HeaderNames {
    /// Creates a set of these names.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: BTreeSet<_> = names.into_iter().map(|name| canonical(name.as_bytes())).collect();
        HeaderNames { names: names.into_iter().collect() }
    }

    /// True if a server may confuse `name` with a name of the set.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.names
            .iter()
            .any(|known| known.len() == name.len() && known.iter().zip(name).all(|(a, b)| *a == fold(*b)))
    }
}

/// True if a server may confuse the header `name` with `known`.
pub fn is_spelling_of(name: &[u8], known: &str) -> bool {
    known.len() == name.len() && known.bytes().zip(name).all(|(a, b)| fold(a) == fold(*b))
}

/// Returns the canonical form of a header name. Servers that derive variables from header names (CGI, WSGI, PHP)
/// confuse names of one form: most write `_` for `-`, and some for every character except letters and digits.
pub fn canonical(name: &[u8]) -> Vec<u8> {
    name.iter().copied().map(fold).collect()
}

fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

/// Error for a header that occurs more than once, or that is spelled so that only some servers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguousHeader;

/// Returns the value of a header that occurs at most once, with `name` in lower case.
///
/// # Errors
/// Fails if several headers are spellings of the name, or if one is, but is not the name itself: a server may then read
/// another value than this filter.
pub fn only_value<'r>(request: &Request<'r>, name: &str) -> Result<Option<&'r [u8]>, AmbiguousHeader> {
    let mut spellings = request.fields.iter().filter(|(field, _)| is_spelling_of(field, name));
    match (spellings.next(), spellings.next()) {
        (None, _) => Ok(None),
        (Some((field, value)), None) if field.eq_ignore_ascii_case(name.as_bytes()) => Ok(Some(value)),
        _ => Err(AmbiguousHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_servers_read_differently_has_no_value() {
        let check = |fields: &[(&str, &str)], expected: Result<Option<&str>, AmbiguousHeader>| {
            let pairs = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            let request = Request::new(pairs, None);
            assert_eq!(
                only_value(&request, "x-org-id"),
                expected.map(|value| value.map(str::as_bytes)),
                "{fields:?}"
            );
        };
        check(&[], Ok(None));
        check(&[("x-org", "a"), ("x-org-ids", "b")], Ok(None));
        check(&[("x-org-id", "a"), ("x-other", "b")], Ok(Some("a")));
        check(&[("X-Org-ID", "")], Ok(Some("")));
        check(&[("x-org-id", "a"), ("x-org-id", "a")], Err(AmbiguousHeader));
        check(&[("x-org-id", "a"), ("x_org_id", "b")], Err(AmbiguousHeader));
        check(&[("x_org-id", "b")], Err(AmbiguousHeader));
        check(&[("x.org.id", "b")], Err(AmbiguousHeader));
    }
}
