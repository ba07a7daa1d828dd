//! Challenges: the values of `WWW-Authenticate`
//! ([RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)).
//!
//! ```text
//! challenge  = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
//! auth-param = token BWS "=" BWS ( token / quoted-string )
//! ```
//!
//! Values of auth-params are escaped quoted strings, except for the few that a scheme requires as tokens. Each header
//! contains one challenge.

use std::fmt;

/// Name of a protection space ([RFC 9110 §11.5](https://www.rfc-editor.org/rfc/rfc9110#section-11.5)): visible ASCII
/// and spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(String);

impl Realm {
    /// Creates a realm with this name.
    ///
    /// # Errors
    /// Fails if the name is empty or has bytes other than visible ASCII and spaces, which clients display differently.
    pub fn new(name: &str) -> Result<Self, RealmError> {
        let plain = !name.is_empty() && name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if plain { Ok(Realm(name.to_owned())) } else { Err(RealmError) }
    }

    /// Name of the realm.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Realm {
    fn default() -> Self {
        Realm("restricted".to_owned())
    }
}

/// A realm that is empty or has bytes other than visible ASCII and spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a realm of visible ASCII characters and spaces")]
pub struct RealmError;

/// A challenge of one auth-scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    params: Vec<Param>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Param {
    name: &'static str,
    value: String,
    is_token: bool,
}

impl Challenge {
    /// Creates a challenge of `scheme` for `realm`.
    pub fn new(scheme: &str, realm: &Realm) -> Self {
        let challenge = Challenge { scheme: scheme.to_owned(), params: Vec::with_capacity(4) };
        challenge.with("realm", realm.as_str())
    }

    /// Adds an auth-param with a quoted value.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.params.push(Param { name, value: value.into(), is_token: false });
        self
    }

    /// Adds an auth-param with a token as its value, which is written without quotes.
    pub fn with_token(mut self, name: &'static str, token: &'static str) -> Self {
        self.params.push(Param { name, value: token.to_owned(), is_token: true });
        self
    }

    /// The auth-scheme.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The value of the header, with the auth-params `more` after those of the challenge.
    pub fn value_with<'p>(&'p self, more: impl Iterator<Item = AuthParam<'p>>) -> String {
        let mut text = String::with_capacity(128);
        text.push_str(&self.scheme);
        let own = self.params.iter().map(|Param { name, value, is_token }| AuthParam {
            name,
            value,
            is_token: *is_token,
        });
        let mut before = " ";
        for AuthParam { name, value, is_token } in own.chain(more) {
            for part in [before, name, "="] {
                text.push_str(part);
            }
            if is_token {
                text.push_str(value);
            } else {
                push_quoted(value, &mut text);
            }
            before = ", ";
        }
        text
    }
}

/// An auth-param of a challenge.
#[derive(Clone, Copy)]
pub struct AuthParam<'a> {
    /// Name of the auth-param.
    pub name: &'static str,
    /// Value before escaping.
    pub value: &'a str,
    /// True if the value is a token, which is written without quotes.
    pub is_token: bool,
}

fn push_quoted(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value_with([].into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_escaped() {
        let check = |realm: &str, expected: &str| {
            let challenge = Challenge::new("Basic", &Realm::new(realm).unwrap()).with("charset", "UTF-8");
            assert_eq!(challenge.to_string(), expected);
        };
        check("restricted", r#"Basic realm="restricted", charset="UTF-8""#);
        check(r#"a "b" \c"#, r#"Basic realm="a \"b\" \\c", charset="UTF-8""#);
    }

    #[test]
    fn tokens_are_not() {
        let challenge = Challenge::new("Digest", &Realm::default()).with_token("stale", "true");
        assert_eq!(challenge.to_string(), r#"Digest realm="restricted", stale=true"#);
    }

    #[test]
    fn realms_are_visible_ascii() {
        for realm in ["", "a\nb", "a\tb", "é", "a\u{7f}"] {
            assert_eq!(Realm::new(realm), Err(RealmError), "{realm:?}");
        }
    }
}
