//! Deserializer from a JSON value to the types of the configuration. It reports as many errors as possible.
//!
//! serde stops at the first error and does not report its position. This deserializer knows the path of each value. It
//! records unknown fields and continues, and it reads the other elements of a [`List`](super::shape::List) or
//! [`Named`](super::shape::Named) after an invalid one.

use std::cell::RefCell;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use super::error::{ConfigError, ConfigErrorKind, suggestion};
use super::path::ConfigPath;
use super::shape::ONE_OR_MANY;

/// Deserializes `value`.
///
/// # Errors
/// Fails with all errors that were found.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Vec<ConfigError>> {
    read_at(ConfigPath::Root, value)
}

/// Errors in the member `name` of the root, if it is present. Reads only this member.
pub fn faults_of_member<T: DeserializeOwned>(root: &Value, name: &str) -> Vec<ConfigError> {
    let member = root.get(name).map(|value| read_at::<T>(ConfigPath::Root.member(name), value));
    member.and_then(Result::err).unwrap_or_default()
}

fn read_at<T: DeserializeOwned>(at: ConfigPath<'_>, value: &Value) -> Result<T, Vec<ConfigError>> {
    let errors = RefCell::new(Vec::new());
    let node = Node { value, at, errors: &errors };
    let result = node.record(T::deserialize(node));
    let errors = errors.into_inner();
    match result {
        Ok(read) if errors.is_empty() => Ok(read),
        _ => Err(errors),
    }
}

/// An error on its way up: already recorded with its path, or not yet.
#[derive(Debug)]
enum Fault {
    Noted,
    Fresh(ConfigErrorKind),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Noted => f.write_str("noted"),
            Fault::Fresh(kind) => kind.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::Fresh(ConfigErrorKind::Invalid(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // The value may be a secret, so report only its type.
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Str(_) | Unexpected::Char(_) => "a string",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "a list",
            Unexpected::Map => "an object",
            _ => "something else",
        };
        // Derived code uses the names of Rust types.
        let expected = match expected.to_string().as_str() {
            "a map" => "an object".to_owned(),
            text if text.starts_with("struct ") => "an object".to_owned(),
            "a sequence" => "a list".to_owned(),
            "usize" | "u64" | "u32" => "a whole number, not negative".to_owned(),
            "f64" => "a number".to_owned(),
            text => text.to_owned(),
        };
        Fault::Fresh(ConfigErrorKind::WrongType { expected, found })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let suggestion = suggestion(field, expected.iter().copied());
        Fault::Fresh(ConfigErrorKind::UnknownField { suggestion, expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Fault::Fresh(ConfigErrorKind::MissingField(field))
    }
}

/// A value, its path, and the list where errors are recorded.
#[derive(Clone, Copy)]
struct Node<'a, 'de> {
    value: &'de Value,
    at: ConfigPath<'a>,
    errors: &'a RefCell<Vec<ConfigError>>,
}

impl<'a, 'de> Node<'a, 'de> {
    fn note(&self, at: &ConfigPath<'_>, kind: ConfigErrorKind) {
        self.errors.borrow_mut().push(ConfigError::new(at.to_string(), kind));
    }

    fn record<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| {
            if let Fault::Fresh(kind) = fault {
                self.note(&self.at, kind);
            }
            Fault::Noted
        })
    }

    /// Passes a list to the visitor. Visitors only receive types that they accept; all other types are rejected in this
    /// deserializer.
    fn elements<V: Visitor<'de>>(self, elements: &'de [Value], visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Array { node: self, elements: elements.iter().enumerate() })
    }

    fn members<V: Visitor<'de>>(
        self,
        members: &'de Map<String, Value>,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_map(Object { node: self, members: members.iter(), fields, value: None })
    }

    #[inline(never)]
    fn wrong_type(&self, expected: &dyn Expected) -> Fault {
        let found = match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(_) => Unexpected::Unsigned(0),
            Value::String(_) => Unexpected::Str(""),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        serde::de::Error::invalid_type(found, expected)
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &serde_json::Number, visitor: V) -> Result<V::Value, Fault> {
    match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => visitor.visit_u64(value),
        (None, Some(value)) => visitor.visit_i64(value),
        (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
    }
}

impl<'de> Deserializer<'de> for Node<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::Array(elements) => self.elements(elements, visitor),
            Value::Object(members) => self.members(members, None, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.wrong_type(&visitor)),
        }
    }

    /// Also passes on booleans, because YAML 1.1 parses some words as booleans.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.wrong_type(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Array(elements) => self.elements(elements, visitor),
            _ => Err(self.wrong_type(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Object(members) => self.members(members, None, visitor),
            _ => Err(self.wrong_type(&visitor)),
        }
    }

    /// Also passes on strings, because some types of the configuration can be written as a string. Rejects lists, which
    /// derived code would accept as fields in order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::Object(members) => {
                for (name, _) in members.iter().filter(|(name, _)| !fields.contains(&name.as_str())) {
                    self.note_unknown(name, fields);
                }
                self.members(members, Some(fields), visitor)
            }
            Value::String(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.wrong_type(&visitor)),
        }
    }

    /// Rejects `null` in place of an omitted field: a value that a template failed to fill in must not disable a check.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match (name, self.value) {
            (ONE_OR_MANY, Value::Array(elements)) => self.elements(elements, visitor),
            (ONE_OR_MANY, _) => visitor.visit_seq(Single(Some(self))),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    /// Expects an object with one member, which has the name of the variant.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::String(_) => Err(Fault::Fresh(ConfigErrorKind::ExactlyOne(variants))),
            Value::Object(members) => visitor.visit_enum(self.variant(members, variants)?),
            _ => Err(Fault::Fresh(ConfigErrorKind::WrongType {
                expected: format!("an object with one of: {}", variants.join(", ")),
                found: type_name(self.value),
            })),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

impl<'a, 'de> Node<'a, 'de> {
    fn variant(
        self,
        members: &'de Map<String, Value>,
        variants: &'static [&'static str],
    ) -> Result<Variant<'a, 'de>, Fault> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            members.iter().partition(|(name, _)| variants.contains(&name.as_str()));
        for (name, _) in &unknown {
            self.note_unknown(name, variants);
        }
        match known.as_slice() {
            [(name, value)] => Ok(Variant { node: self, name, value }),
            [] if !unknown.is_empty() => Err(Fault::Noted),
            _ => Err(Fault::Fresh(ConfigErrorKind::ExactlyOne(variants))),
        }
    }

    fn note_unknown(&self, name: &str, expected: &'static [&'static str]) {
        let suggestion = suggestion(name, expected.iter().copied());
        self.note(&self.at.member(name), ConfigErrorKind::UnknownField { suggestion, expected });
    }
}

/// The JSON type of a value, in the form of error messages.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

struct Array<'a, 'de> {
    node: Node<'a, 'de>,
    elements: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
}

impl<'de> SeqAccess<'de> for Array<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.elements.next() else { return Ok(None) };
        let node = Node { value, at: self.node.at.index(index), errors: self.node.errors };
        node.record(seed.deserialize(node)).map(Some)
    }
}

struct Single<'a, 'de>(Option<Node<'a, 'de>>);

impl<'de> SeqAccess<'de> for Single<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.0.take() else { return Ok(None) };
        node.record(seed.deserialize(node)).map(Some)
    }
}

struct Object<'a, 'de> {
    node: Node<'a, 'de>,
    members: serde_json::map::Iter<'de>,
    fields: Option<&'static [&'static str]>,
    value: Option<(&'de str, &'de Value)>,
}

impl<'de> MapAccess<'de> for Object<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        for (name, value) in self.members.by_ref() {
            match self.fields {
                Some(fields) if !fields.contains(&name.as_str()) => {} // recorded when the object was entered
                _ => {
                    self.value = Some((name, value));
                    return seed.deserialize(name.as_str().into_deserializer()).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        // serde asks for a value only after a key.
        let Some((name, value)) = self.value.take() else { return Err(Fault::Noted) };
        let node = Node { value, at: self.node.at.member(name), errors: self.node.errors };
        node.record(seed.deserialize(node))
    }
}

struct Variant<'a, 'de> {
    node: Node<'a, 'de>,
    name: &'de str,
    value: &'de Value,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let node = Node { value: self.value, at: self.node.at.member(self.name), errors: self.node.errors };
        node.record(seed.deserialize(node))
    }

    // All variants of enums in the configuration have exactly one value.
    fn unit_variant(self) -> Result<(), Fault> {
        Err(Fault::Fresh(ConfigErrorKind::Expected("a string")))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Fault> {
        Err(Fault::Fresh(ConfigErrorKind::Expected("an object")))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::Fresh(ConfigErrorKind::Expected("an object")))
    }
}
