//! Claims, how one is named, and what it is asked to be.
//!
//! Shared by everything that knows a principal by its attributes: JWTs, introspection, static claims of Basic users
//! and API keys, authorisation and identity.

mod matcher;
mod selector;

pub use matcher::{ClaimMatcher, MatcherError};
pub use selector::{ClaimSelector, SelectorError};

use std::fmt;

use serde_json::{Map, Value};

/// A claims set (RFC 7519 §4): an object whose members say something of a subject.
#[derive(Clone, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// None unless the value is an object.
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

    /// The scopes in these claims, each once. They stand in one string with spaces between them (RFC 8693 §4.2) or, with
    /// some issuers, in an array.
    pub fn scopes(&self, selectors: &[ClaimSelector]) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for claim in selectors.iter().filter_map(|selector| selector.find(self)) {
            let texts = match claim {
                Value::Array(elements) => elements.iter().filter_map(Value::as_str).collect(),
                other => other.as_str().map(|text| text.split(' ').collect()).unwrap_or_else(Vec::new),
            };
            for scope in texts.into_iter().filter(|scope| !scope.is_empty()) {
                if !scopes.iter().any(|known| known == scope) {
                    scopes.push(scope.to_owned());
                }
            }
        }
        scopes
    }

    /// All of them.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(members: Map<String, Value>) -> Claims {
        Claims(members)
    }
}

/// Says how many there are, never what they hold: claims are personal data.
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
    fn debug_shows_no_value() {
        let claims = Claims::from_json(serde_json::json!({"email": "a@example.com"})).unwrap();
        assert_eq!(format!("{claims:?}"), "Claims(1)");
    }
}
