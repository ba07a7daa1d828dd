//! Strict JSON: rejects text that two parsers could interpret differently. Uses no other module of this crate.
//!
//! In addition to [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), a name may occur only once in an object, compared
//! after unescaping ([RFC 7515 §4](https://www.rfc-editor.org/rfc/rfc7515#section-4) requires this of JOSE headers,
//! [RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4) of claims). Nesting is bounded, and only white space
//! may follow the value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Maximum nesting depth of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// Error of [`parse`]. Contains no part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Line, from 1; 0 if the error has no position.
    pub line: usize,
    /// Column in bytes, from 1; 0 if the error has no position.
    pub column: usize,
    /// Kind of error.
    pub kind: JsonErrorKind,
}

/// Kinds of errors that [`parse`] distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// The text is not JSON by its grammar or not UTF-8, or has a number outside the range of a double.
    Syntax,
    /// The text ends within a value.
    Incomplete,
    /// A name occurs twice in one object.
    DuplicateMember,
    /// Arrays and objects nest deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            JsonErrorKind::Syntax => "not valid JSON",
            JsonErrorKind::Incomplete => "JSON that ends too early",
            JsonErrorKind::DuplicateMember => "an object with a duplicate member name",
            JsonErrorKind::TooDeep => "nested deeper than 64 levels",
        })?;
        if self.line > 0 { write!(f, " (line {}, column {})", self.line, self.column) } else { Ok(()) }
    }
}

impl std::error::Error for JsonError {}

/// Parses a JSON value that spans all of `text`.
///
/// # Errors
/// Fails if `text` is not a single value of strict JSON, as the module page defines it.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).map_err(classify)?;
    deserializer.end().map_err(classify)?;
    Ok(value)
}

const DUPLICATE: &str = "duplicate member";
const TOO_DEEP: &str = "too deep";

fn classify(error: serde_json::Error) -> JsonError {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => JsonErrorKind::Incomplete,
        // serde_json keeps the error of a visitor only as text.
        serde_json::error::Category::Data if error.to_string().starts_with(DUPLICATE) => {
            JsonErrorKind::DuplicateMember
        }
        serde_json::error::Category::Data if error.to_string().starts_with(TOO_DEEP) => {
            JsonErrorKind::TooDeep
        }
        _ => JsonErrorKind::Syntax,
    };
    JsonError { line: error.line(), column: error.column(), kind }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Strict, E> {
        if self.depth < MAX_DEPTH { Ok(Strict { depth: self.depth + 1 }) } else { Err(E::custom(TOO_DEEP)) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(deeper)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(DUPLICATE));
            }
            object.insert(name, members.next_value_seed(deeper)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, JsonErrorKind>) {
        let found = parse(text.as_bytes()).map(|value| value.to_string()).map_err(|error| error.kind);
        assert_eq!(found, expected.map(str::to_owned), "{text:.60}");
    }

    #[test]
    fn values_are_read_whole_and_once() {
        use JsonErrorKind::*;
        check(r#" {"a":[1,-2,1.5,"x",true,null]} "#, Ok(r#"{"a":[1,-2,1.5,"x",true,null]}"#));
        check(r#"{"a":1,"a":1}"#, Err(DuplicateMember));
        check(r#"{"a":1,"\u0061":2}"#, Err(DuplicateMember));
        check(r#"[{"b":{"a":1,"c":[{"x":1,"x":2}]}}]"#, Err(DuplicateMember));
        check(r#"{"a":1} x"#, Err(Syntax));
        check(r#"{"a":1}{}"#, Err(Syntax));
        check(r#"{"a":1,}"#, Err(Syntax));
        check(r#"{"a":1e400}"#, Err(Syntax));
        check(r#"{"a":NaN}"#, Err(Syntax));
        check(r#"{"a":01}"#, Err(Syntax));
        check(r#""\ud800""#, Err(Syntax));
        check(r#"{"a""#, Err(Incomplete));
        check("", Err(Incomplete));
        check("\u{feff}{}", Err(Syntax));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        check(&nested(MAX_DEPTH + 1), Err(JsonErrorKind::TooDeep));
        check(&"[".repeat(15_000), Err(JsonErrorKind::TooDeep));
        check(&r#"{"a":"#.repeat(15_000), Err(JsonErrorKind::TooDeep));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse(b"{\"\xc3\":1}").is_err());
    }
}
