//! JSON with every member kept, for comparison: it shows what the strict reader rejects beyond the grammar.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The shape of a value.
pub enum Shape {
    Scalar,
    Array(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

impl Shape {
    pub fn of(text: &[u8]) -> Option<Shape> {
        serde_json::from_slice(text).ok()
    }

    /// True if an object contains a duplicate name.
    pub fn repeats_a_name(&self) -> bool {
        match self {
            Shape::Scalar => false,
            Shape::Array(elements) => elements.iter().any(Shape::repeats_a_name),
            Shape::Object(members) => {
                let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
                names.sort();
                names.dedup();
                names.len() < members.len() || members.iter().any(|(_, value)| value.repeats_a_name())
            }
        }
    }

    /// Returns the nesting depth of arrays and objects.
    pub fn depth(&self) -> usize {
        match self {
            Shape::Scalar => 0,
            Shape::Array(elements) => 1 + elements.iter().map(Shape::depth).max().unwrap_or(0),
            Shape::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Shape, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Shape::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Shape::Object(members))
    }
}
