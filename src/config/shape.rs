//! Lists and objects that are read to the end, even if some of their elements are invalid.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// Names and values of the members of a [`Named`], in order.
pub type Members<T> = Vec<(String, T)>;

/// A JSON array of `T`.
#[derive(Debug)]
pub struct List<T>(pub Vec<T>);

/// A JSON object whose member names are chosen by the operator.
#[derive(Debug)]
pub struct Named<T>(pub Members<T>);

/// A `T`, or a JSON array of `T`.
#[derive(Debug)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        OneOrMany(Vec::new())
    }
}

/// Type name by which the reader recognizes [`OneOrMany`].
pub(super) const ONE_OR_MANY: &str = "OneOrMany";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements(PhantomData)).map(List)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ONE_OR_MANY, Elements(PhantomData)).map(OneOrMany)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedMembers(PhantomData)).map(Named)
    }
}

struct Elements<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        let mut first_error = None;
        loop {
            match elements.next_element() {
                Ok(Some(element)) => list.push(element),
                Ok(None) => return first_error.map_or(Ok(list), Err),
                // The reader has recorded the error, and continues with the next element.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
    }
}

struct NamedMembers<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedMembers<T> {
    type Value = Members<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<T>, A::Error> {
        let mut named = Vec::new();
        let mut first_error = None;
        while let Some(name) = members.next_key()? {
            match members.next_value() {
                Ok(value) => named.push((name, value)),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(named), Err)
    }
}
