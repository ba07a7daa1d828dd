//! Claims, and how a configuration names and matches them.
//!
//! Used wherever a principal has attributes: JWTs, introspection, static claims of Basic users and API keys,
//! authorization and identity.

mod matcher;
mod selector;

pub use matcher::{ClaimMatcher, MatcherError};
pub use selector::{ClaimSelector, SelectorError};

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

/// Maximum number of distinct scopes of one caller. Each rule compares them with those that it requires.
pub const MAX_SCOPES: usize = 1024;

/// Error for claims with more than [`MAX_SCOPES`] distinct scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyScopes;

/// A claims set ([RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4)): an object whose members are
/// attributes of a subject.
#[derive(Clone, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// The claims in a JSON value; `None` if the value is not an object.
    pub fn from_json(value: Value) -> Option<Claims> {
        match value {
            Value::Object(members) => Some(Claims(members)),
            _ => None,
        }
    }

    /// The claim with this name at the top level.
    pub fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The distinct scopes in these claims. They are a string with spaces between scopes
    /// ([RFC 8693 §4.2](https://www.rfc-editor.org/rfc/rfc8693#section-4.2)) or, with some issuers, an array.
    ///
    /// # Errors
    /// Fails if there are more than [`MAX_SCOPES`].
    pub fn scopes(&self, selectors: &[ClaimSelector]) -> Result<Vec<String>, TooManyScopes> {
        let mut seen = HashSet::new();
        let mut scopes = Vec::new();
        for claim in selectors.iter().filter_map(|selector| selector.find(self)) {
            let elements = claim.as_array().into_iter().flatten().filter_map(Value::as_str);
            let words = claim.as_str().into_iter().flat_map(|text| text.split(' '));
            for scope in elements.chain(words).filter(|scope| !scope.is_empty()) {
                if seen.insert(scope) {
                    if scopes.len() == MAX_SCOPES {
                        return Err(TooManyScopes);
                    }
                    scopes.push(scope.to_owned());
                }
            }
        }
        Ok(scopes)
    }

    /// All claims.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// True if there are no claims.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(members: Map<String, Value>) -> Claims {
        Claims(members)
    }
}

/// Shows the number of claims, never their contents: claims are personal data.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_are_claims() {
        for text in ["[]", "null", "\"x\"", "1", "true"] {
            assert!(Claims::from_json(serde_json::from_str(text).unwrap()).is_none(), "{text}");
        }
        assert!(Claims::from_json(serde_json::json!({})).unwrap().is_empty());
    }

    #[test]
    fn scopes_are_told_apart_in_linear_time_and_bounded_in_number() {
        let check = |claims: Value, expected: Result<&[&str], TooManyScopes>| {
            let selectors = ["a", "b"].map(|name| ClaimSelector::parse(name).unwrap());
            let found = Claims::from_json(claims).unwrap().scopes(&selectors);
            assert_eq!(
                found,
                expected.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect())
            );
        };
        check(serde_json::json!({"a": "x y  x z "}), Ok(&["x", "y", "z"]));
        check(serde_json::json!({"a": ["x y", "z", "", 1, "z", null], "b": "z w"}), Ok(&["x y", "z", "w"]));
        check(serde_json::json!({"a": {"x": 1}, "b": 7}), Ok(&[]));
        check(serde_json::json!({}), Ok(&[]));
        let names = |range: std::ops::Range<usize>| range.map(|n| format!("{n:x}")).collect::<Vec<_>>();
        let most = names(0..MAX_SCOPES);
        let expected: Vec<&str> = most.iter().map(String::as_str).collect();
        // Repetitions do not count, however many there are.
        check(serde_json::json!({"a": most, "b": vec![most.join(" "); 50].join(" ")}), Ok(&expected));
        check(serde_json::json!({"a": most, "b": "one-more"}), Err(TooManyScopes));
        // The most scopes that fit into an introspection response of 256 KiB.
        let many = names(0..40_000).join(" ");
        let start = std::time::Instant::now();
        for _ in 0..10 {
            check(serde_json::json!({"a": many}), Err(TooManyScopes));
            check(serde_json::json!({"b": names(0..40_000)}), Err(TooManyScopes));
        }
        // Comparing each scope with each takes a hundred times as long, optimized or not.
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }

    #[test]
    fn debug_shows_no_value() {
        let claims = Claims::from_json(serde_json::json!({"email": "a@example.com"})).unwrap();
        assert_eq!(format!("{claims:?}"), "Claims(1)");
    }
}
