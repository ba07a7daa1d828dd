//! Header names as servers may read them: in any case, and with other characters for `-`.

use std::collections::BTreeSet;

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
