//! Request methods of a rule ([RFC 9110 §9.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.1)).

use crate::http::request::is_token;

/// Methods that a rule matches. They are compared byte by byte: case is significant, and GET does not imply HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Methods {
    /// All methods.
    #[default]
    All,
    /// Only these methods.
    Only(MethodSet),
    /// All methods except these.
    Except(MethodSet),
}

/// One or more methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodSet(Vec<Box<str>>);

/// Error in the methods of a [`MethodSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// There are no methods, so the rule would match nothing, or everything.
    #[error("expected at least one method")]
    Empty,
    /// The method with this index is not a `token`
    /// ([RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
    #[error("expected the name of a method, as in `GET`")]
    NotToken(usize),
    /// The method with this index contains `*`, which looks like a wildcard.
    #[error("`*` is not a wildcard here; omit the field to match every method, or list the methods")]
    Wildcard(usize),
    /// The method with this index has lower-case letters.
    #[error("expected a method in upper case, as in `GET`")]
    NotUpperCase(usize),
    /// The method with this index is a repetition.
    #[error("expected each method once")]
    Repeated(usize),
}

impl Methods {
    /// Only POST.
    pub(super) fn post() -> Methods {
        Methods::Only(MethodSet(vec!["POST".into()]))
    }

    /// True if `method` matches.
    pub fn contains(&self, method: &[u8]) -> bool {
        match self {
            Methods::All => true,
            Methods::Only(set) => set.contains(method),
            Methods::Except(set) => !set.contains(method),
        }
    }

    /// True if this matches every method that `other` matches.
    pub(super) fn subsumes(&self, other: &Methods) -> bool {
        match (self, other) {
            (Methods::All, _) => true,
            (_, Methods::Only(set)) => set.0.iter().all(|name| self.contains(name.as_bytes())),
            (Methods::Except(set), Methods::Except(more)) => {
                set.0.iter().all(|name| more.contains(name.as_bytes()))
            }
            _ => false,
        }
    }
}

impl MethodSet {
    /// Creates a set of methods.
    ///
    /// # Errors
    /// Fails if there are none, or if a name is not a token, not in upper case, or repeated.
    pub fn new<'m>(names: impl IntoIterator<Item = &'m str>) -> Result<MethodSet, MethodError> {
        let mut methods: Vec<Box<str>> = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            if !is_token(name) {
                return Err(MethodError::NotToken(index));
            }
            if name.contains('*') {
                return Err(MethodError::Wildcard(index));
            }
            if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
                return Err(MethodError::NotUpperCase(index));
            }
            if methods.iter().any(|method| **method == *name) {
                return Err(MethodError::Repeated(index));
            }
            methods.push(name.into());
        }
        if methods.is_empty() { Err(MethodError::Empty) } else { Ok(MethodSet(methods)) }
    }

    fn contains(&self, method: &[u8]) -> bool {
        self.0.iter().any(|name| name.as_bytes() == method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_take_what_they_name() {
        let set = || MethodSet::new(["GET", "M-SEARCH"]).unwrap();
        for (method, in_set) in
            [("GET", true), ("M-SEARCH", true), ("HEAD", false), ("get", false), ("", false)]
        {
            assert_eq!(Methods::Only(set()).contains(method.as_bytes()), in_set, "{method}");
            assert_eq!(Methods::Except(set()).contains(method.as_bytes()), !in_set, "{method}");
            assert!(Methods::All.contains(method.as_bytes()), "{method}");
        }
    }

    #[test]
    fn bad_methods_say_why() {
        use MethodError::*;
        let table: [(&[&str], MethodError); 8] = [
            (&[], Empty),
            (&[""], NotToken(0)),
            (&["GET", "P T"], NotToken(1)),
            (&["#", "A,B"], NotToken(1)),
            (&["GET", "P*"], Wildcard(1)),
            (&["GET", "Head"], NotUpperCase(1)),
            (&["GET", "PUT", "GET"], Repeated(2)),
            (&["GÉT"], NotToken(0)),
        ];
        for (names, expected) in table {
            assert_eq!(MethodSet::new(names.iter().copied()), Err(expected), "{names:?}");
        }
    }
}
