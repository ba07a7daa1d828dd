//! `google.protobuf.Struct`, the form of plain YAML in Envoy: it has the meaning of the same JSON.

use authgate::config;
use prost::Message as _;
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};

pub fn check(bytes: &[u8]) {
    let found = config::value(bytes);
    if let Ok(value) = &found {
        assert!(value.is_object(), "a configuration that is no object");
    }
    // Valid JSON is read as JSON, whatever else it could be.
    if bytes.trim_ascii().is_empty() || authgate::json::parse(bytes).is_ok() {
        return;
    }
    let literal = prost_types::Struct::decode(bytes).ok().map(object);
    match (literal, found) {
        (Some(Some(literal)), found) => assert_eq!(found.expect("a Struct"), literal),
        // A number that JSON does not support, or not a Struct.
        (Some(None) | None, found) => assert!(found.is_err()),
    }
}

fn object(fields: prost_types::Struct) -> Option<Value> {
    let members = fields.fields.into_iter().map(|(name, value)| Some((name, json(value)?)));
    members.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn json(value: prost_types::Value) -> Option<Value> {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Some(Value::Null),
        Some(Kind::BoolValue(truth)) => Some(truth.into()),
        Some(Kind::StringValue(text)) => Some(text.into()),
        Some(Kind::NumberValue(number))
            if number == number.trunc() && number.abs() <= 9_007_199_254_740_992.0 =>
        {
            Some((number as i64).into())
        }
        Some(Kind::NumberValue(number)) => Number::from_f64(number).map(Value::Number),
        Some(Kind::StructValue(fields)) => object(fields),
        Some(Kind::ListValue(list)) => {
            list.values.into_iter().map(json).collect::<Option<Vec<_>>>().map(Value::Array)
        }
    }
}

/// Encodes a JSON object as a Struct; `None` if a number is not exact as a double.
pub fn encode(value: &Value) -> Option<Vec<u8>> {
    match kind(value)? {
        Kind::StructValue(fields) => Some(fields.encode_to_vec()),
        _ => None,
    }
}

fn kind(value: &Value) -> Option<Kind> {
    let wrap = |value| Some(prost_types::Value { kind: Some(kind(value)?) });
    Some(match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Number(number) => {
            let double = number.as_f64()?;
            let exact = number.as_i64().map_or(!number.is_u64(), |whole| whole.unsigned_abs() <= 1 << 53);
            Kind::NumberValue(exact.then_some(double)?)
        }
        Value::Array(elements) => Kind::ListValue(prost_types::ListValue {
            values: elements.iter().map(wrap).collect::<Option<_>>()?,
        }),
        Value::Object(members) => Kind::StructValue(prost_types::Struct {
            fields: members
                .iter()
                .map(|(name, value)| Some((name.clone(), wrap(value)?)))
                .collect::<Option<_>>()?,
        }),
    })
}
