//! JSON Schema of the configuration, for editors. Not part of the proxy-wasm module.
//!
//! The schema describes the same form as the types. Types with a deserializer of their own also define their schema,
//! here and in [`keyword`](mod@super::keyword).

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::shape::{List, Named, OneOrMany};
use super::value::{ByteSize, ConfigDuration, Fraction, Secret};
use super::{Config, McpName, Requirement, User};

/// Annotation of values that are secrets, or that might be.
pub(super) const SECRET: &str = "x-secret";

/// The schema (JSON Schema 2020-12).
pub fn schema() -> Value {
    let mut schema = marked_schema();
    RecursiveTransform(|schema: &mut Schema| drop(schema.remove(SECRET))).transform(&mut schema);
    schema.to_value()
}

/// The schema with the annotation [`SECRET`], which is not published.
pub(super) fn marked_schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), json!("authgate"));
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("$schema".to_owned(), json!({"description": "For editors.", "type": "string"}));
        properties.insert(
            "version".to_owned(),
            json!({"description": "Version of the configuration format.", "const": 1}),
        );
    }
    // Names for YAML anchors.
    schema.insert("patternProperties".to_owned(), json!({"^x-": true}));
    schema
}

/// Removes `null` from the schema: a field cannot be `null` instead of omitted.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") else { return };
    alternatives.retain(|alternative| *alternative != json!({"type": "null"}));
    if let [Value::Object(only)] = alternatives.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (name, value) in only {
            schema.insert(name, value);
        }
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": generator.subschema_for::<T>()})
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": generator.subschema_for::<T>()})
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

impl JsonSchema for ConfigDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration, such as \"250ms\", \"60s\", \"5m\", \"1h\" or \"7d\".",
            "type": "string",
            "pattern": "^0*([0-9]{1,13}ms|[0-9]{1,10}s|[0-9]{1,8}m|[0-9]{1,6}h|[0-9]{1,5}d)$",
        })
    }
}

impl JsonSchema for Fraction {
    fn schema_name() -> Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number with an optional fraction; also as a string, as Envoy passes it.",
            "type": ["number", "string"],
            "pattern": "^[0-9]{1,9}([.][0-9]{1,9})?$",
        })
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size in bytes, such as \"65536B\", \"512KiB\", \"16MiB\" or \"1GiB\".",
            "type": "string",
            "pattern": "^0*([0-9]{1,10}B|[0-9]{1,7}KiB|[0-9]{1,4}MiB|[0-3]GiB)$",
        })
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A secret: inline, or {env: NAME} for a variable in the environment of the VM.",
            SECRET: true,
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"env": {"type": "string"}},
                    "required": ["env"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for User {
    fn schema_name() -> Cow<'static, str> {
        "User".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Secret>();
        json_schema!({
            "description": "A hash, {env: NAME}, or a hash with scopes and claims.",
            SECRET: true,
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "hash": secret,
                        "env": {"type": "string"},
                        "scopes": {"type": "array", "items": {"type": "string"}},
                        "claims": {"type": "object"},
                    },
                    "oneOf": [{"required": ["hash"]}, {"required": ["env"]}],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for Requirement {
    fn schema_name() -> Cow<'static, str> {
        "Requirement".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let parts = generator.subschema_for::<List<Requirement>>();
        let set = |name: &str| {
            json!({
                "type": "object",
                "properties": {name: parts},
                "required": [name],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "The name of an authenticator, or any_of or all_of several; the two nest.",
            "anyOf": [{"type": "string"}, set("any_of"), set("all_of")],
        })
    }
}

impl JsonSchema for McpName {
    fn schema_name() -> Cow<'static, str> {
        "McpName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A name, or {prefix: TEXT} for all names that start with the text.",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"prefix": {"type": "string"}},
                    "required": ["prefix"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
