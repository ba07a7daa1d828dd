//! Conversion of the bytes from the host into a JSON value.

use prost::Message;
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};

use super::error::ConfigErrorKind;
use crate::json;

/// Parses a configuration: JSON text (from a `google.protobuf.StringValue`), or an encoded `google.protobuf.Struct`,
/// which Envoy passes on unchanged.
///
/// An encoded Struct is never JSON text, because its lengths and tags are control characters. It can resemble the start
/// of JSON text, with 0x0A as white space and an entry of 123 bytes as `{`.
///
/// # Errors
/// Fails if there is no configuration, or if it is neither strict JSON nor an encoded Struct.
pub fn parse(bytes: &[u8]) -> Result<Value, ConfigErrorKind> {
    if bytes.trim_ascii().is_empty() {
        return Err(ConfigErrorKind::Empty);
    }
    let json = json::parse(bytes);
    if let Ok(value @ Value::Object(_)) = json {
        return Ok(with_whole_numbers(value));
    }
    match (prost_types::Struct::decode(bytes), json) {
        (Ok(fields), _) => struct_to_json(fields),
        (Err(_), Err(error)) if bytes.trim_ascii_start().first() == Some(&b'{') => {
            Err(ConfigErrorKind::Json(error))
        }
        (Err(_), _) => Err(ConfigErrorKind::NeitherJsonNorStruct),
    }
}

fn struct_to_json(fields: prost_types::Struct) -> Result<Value, ConfigErrorKind> {
    let members: Result<Map<_, _>, _> =
        fields.fields.into_iter().map(|(name, value)| Ok((name, value_to_json(value)?))).collect();
    members.map(Value::Object)
}

fn value_to_json(value: prost_types::Value) -> Result<Value, ConfigErrorKind> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::NumberValue(value)) => Value::Number(number(value)?),
        Some(Kind::StructValue(fields)) => struct_to_json(fields)?,
        Some(Kind::ListValue(list)) => {
            let elements: Result<Vec<_>, _> = list.values.into_iter().map(value_to_json).collect();
            Value::Array(elements?)
        }
    })
}

/// Gives JSON numbers the values that a Struct has: `16.0` and `1.6e1` are 16, and a negative zero is a zero.
fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(written) if written.is_f64() => {
            let whole = written.as_f64().and_then(|value| number(value).ok());
            Value::Number(whole.unwrap_or(written))
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(with_whole_numbers).collect()),
        Value::Object(members) => {
            let whole = |(name, value)| (name, with_whole_numbers(value));
            Value::Object(members.into_iter().map(whole).collect())
        }
        other => other,
    }
}

/// Converts a double to a number. A Struct has only doubles; whole numbers were integers in the file.
fn number(value: f64) -> Result<Number, ConfigErrorKind> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Ok(Number::from(value as i64));
    }
    Number::from_f64(value).ok_or(ConfigErrorKind::Expected("finite numbers"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn value(kind: Kind) -> prost_types::Value {
        prost_types::Value { kind: Some(kind) }
    }

    fn object(members: Vec<(&str, Kind)>) -> prost_types::Struct {
        let fields: BTreeMap<_, _> =
            members.into_iter().map(|(name, kind)| (name.to_owned(), value(kind))).collect();
        prost_types::Struct { fields }
    }

    #[test]
    fn numbers_of_json_are_those_of_a_struct() {
        let text = br#"{"a": [16.0, 1.6e1, -0, 0.5, 9007199254740993], "b": {"c": -3.0}}"#;
        let expected = json!({"a": [16, 16, 0, 0.5, 9_007_199_254_740_993_u64], "b": {"c": -3}});
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn a_struct_gives_the_value_that_its_json_gives() {
        let list = prost_types::ListValue {
            values: vec![value(Kind::NumberValue(1.0)), value(Kind::NumberValue(0.5))],
        };
        let bytes = object(vec![
            ("realm", Kind::StringValue("x".to_owned())),
            ("flag", Kind::BoolValue(true)),
            ("nothing", Kind::NullValue(0)),
            ("list", Kind::ListValue(list)),
            ("inner", Kind::StructValue(object(vec![("n", Kind::NumberValue(-3.0))]))),
        ])
        .encode_to_vec();
        let text = br#" { "realm":"x","flag":true,"nothing":null,"list":[1,0.5],"inner":{"n":-3}}"#;
        assert_eq!(parse(&bytes), parse(text));
    }

    #[test]
    fn a_struct_of_any_size_is_a_struct() {
        for length in 0..300 {
            let bytes = object(vec![("realm", Kind::StringValue("x".repeat(length)))]).encode_to_vec();
            assert!(parse(&bytes).is_ok_and(|value| value.is_object()), "{length}");
        }
    }

    #[test]
    fn whatever_comes_is_an_error_and_not_a_trap() {
        assert_eq!(parse(b""), Err(ConfigErrorKind::Empty));
        assert_eq!(parse(b"[]"), Err(ConfigErrorKind::NeitherJsonNorStruct));
        assert_eq!(parse(b"realm: x"), Err(ConfigErrorKind::NeitherJsonNorStruct));
        assert!(matches!(parse(b"{\"a\":"), Err(ConfigErrorKind::Json(_))));
        for length in 0..64_u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37) ^ length).collect();
            let _ = parse(&bytes);
        }
        let deep =
            (0..200).fold(Kind::NullValue(0), |inner, _| Kind::StructValue(object(vec![("a", inner)])));
        assert!(parse(&object(vec![("a", deep)]).encode_to_vec()).is_err());
        assert!(parse(&object(vec![("a", Kind::NumberValue(f64::INFINITY))]).encode_to_vec()).is_err());
    }
}
