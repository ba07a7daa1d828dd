//! Names of claims in a configuration.

use serde_json::Value;

use super::Claims;

/// A member name at the top level, or a JSON Pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) if it starts
/// with `/`.
///
/// So a name such as `https://example.com/roles` needs no escaping. A name that starts with `/` is written as a
/// pointer: `/~1name`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClaimSelector {
    text: String,
    member: String,
    below: Vec<String>,
}

/// Reason why a text does not name a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SelectorError {
    /// The text is empty.
    #[error("expected a claim's name, or a JSON Pointer that starts with `/`")]
    Empty,
    /// In a JSON Pointer, `~` is followed by something other than `0` (for `~`) or `1` (for `/`).
    #[error("in a JSON Pointer `~` is written `~0`, and `/` within a name `~1`")]
    BadEscape,
}

impl ClaimSelector {
    /// Parses a name or a pointer.
    ///
    /// # Errors
    /// Fails if the text is empty, or is a pointer with an invalid escape.
    pub fn parse(text: &str) -> Result<ClaimSelector, SelectorError> {
        let (member, below) = match text.strip_prefix('/') {
            None if text.is_empty() => return Err(SelectorError::Empty),
            None => (text.to_owned(), Vec::new()),
            Some(pointer) => {
                let mut tokens = pointer.split('/').map(unescape);
                let first = tokens.next().unwrap_or(Err(SelectorError::Empty))?;
                (first, tokens.collect::<Result<_, _>>()?)
            }
        };
        Ok(ClaimSelector { text: text.to_owned(), member, below })
    }

    /// The value of the claim. A pointer may go through objects and arrays.
    pub fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        self.below.iter().try_fold(claims.find(&self.member)?, |value, token| match value {
            Value::Object(members) => members.get(token),
            Value::Array(elements) => elements.get(array_index(token)?),
            _ => None,
        })
    }

    /// The name or pointer as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The subject of a JWT: `sub`.
impl Default for ClaimSelector {
    fn default() -> ClaimSelector {
        ClaimSelector::top_level("sub")
    }
}

impl ClaimSelector {
    /// Returns the selectors of claims that contain scopes by default.
    pub fn default_scopes() -> Vec<ClaimSelector> {
        ["scope", "scp"].map(ClaimSelector::top_level).into()
    }

    fn top_level(name: &str) -> ClaimSelector {
        ClaimSelector { text: name.to_owned(), member: name.to_owned(), below: Vec::new() }
    }
}

/// Unescapes a token ([RFC 6901 §3](https://www.rfc-editor.org/rfc/rfc6901#section-3)): `escaped = "~" ( "0" / "1" )`.
fn unescape(token: &str) -> Result<String, SelectorError> {
    let mut pieces = token.split('~');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escaped, rest) = match (piece.strip_prefix('0'), piece.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            _ => return Err(SelectorError::BadEscape),
        };
        name.push(escaped);
        name.push_str(rest);
    }
    Ok(name)
}

/// Parses an array index ([RFC 6901 §4](https://www.rfc-editor.org/rfc/rfc6901#section-4)):
/// `array-index = %x30 / ( %x31-39 *(%x30-39) )`.
fn array_index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (token.len() > 1 && token.starts_with('0')) { None } else { token.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_pointers() {
        let claims = Claims::from_json(json!({
            "sub": "alice", "a/b": 1, "m~n": 2, "": 3, "https://example.com/roles": ["x"], "/odd": 4,
            "realm_access": {"roles": ["admin", "user"], "0": "zero", "": "empty"}, "n": null, "~1": 5,
        }))
        .unwrap();
        for (text, expected) in [
            ("sub", Some(json!("alice"))),
            ("/sub", Some(json!("alice"))),
            ("a/b", Some(json!(1))),
            ("/a~1b", Some(json!(1))),
            ("m~n", Some(json!(2))),
            ("/m~0n", Some(json!(2))),
            ("/", Some(json!(3))),
            ("https://example.com/roles", Some(json!(["x"]))),
            ("/~1odd", Some(json!(4))),
            ("/~01", Some(json!(5))),
            ("/realm_access/roles", Some(json!(["admin", "user"]))),
            ("/realm_access/roles/1", Some(json!("user"))),
            ("/realm_access/0", Some(json!("zero"))),
            ("/realm_access/", Some(json!("empty"))),
            ("n", Some(json!(null))),
            ("/realm_access/roles/2", None),
            ("/realm_access/roles/01", None),
            ("/realm_access/roles/-", None),
            ("/realm_access/roles/+1", None),
            ("/realm_access/roles/", None),
            ("/realm_access/roles/99999999999999999999", None),
            ("/sub/0", None),
            ("realm_access/roles", None),
            ("Sub", None),
        ] {
            let selector = ClaimSelector::parse(text).unwrap();
            assert_eq!(selector.find(&claims), expected.as_ref(), "{text}");
            assert_eq!(selector.as_str(), text);
        }
        assert_eq!(ClaimSelector::default(), ClaimSelector::parse("sub").unwrap());
    }

    #[test]
    fn what_is_no_selector() {
        for (text, expected) in [
            ("", SelectorError::Empty),
            ("/a~", SelectorError::BadEscape),
            ("/a~2", SelectorError::BadEscape),
            ("/x/~~0", SelectorError::BadEscape),
        ] {
            assert_eq!(ClaimSelector::parse(text), Err(expected), "{text}");
        }
    }
}
