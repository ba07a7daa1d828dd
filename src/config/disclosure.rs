//! Parts of a configuration that contain no secret, so that tools can show them. Derived from the schema, in which the
//! types of secrets are marked. Not part of the proxy-wasm module.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::schema::{SECRET, marked_schema};

/// Names of the members of the root that contain no secret at any depth.
pub fn public_members() -> Vec<String> {
    let root = marked_schema().to_value();
    let members = root.get("properties").and_then(Value::as_object);
    let is_public = |schema: &&Value| {
        let mut has_secret = false;
        visit(&root, schema, &mut BTreeSet::new(), &mut |part| has_secret |= part.get(SECRET).is_some());
        !has_secret
    };
    let members = members.into_iter().flatten().filter(|(_, schema)| is_public(schema));
    members.map(|(name, _)| name.clone()).collect()
}

/// Names of the fields of authenticators, at any depth. The value is true if each field of this name is a text, a
/// number, a boolean or a list of these, and contains no secret.
pub fn authenticator_fields() -> BTreeMap<String, bool> {
    let root = marked_schema().to_value();
    let mut fields = BTreeMap::new();
    let authenticator = root.pointer("/$defs/Authenticator").unwrap_or(&Value::Null);
    visit(&root, authenticator, &mut BTreeSet::new(), &mut |part| {
        for (name, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
            *fields.entry(name.clone()).or_insert(true) &= is_public_scalar(&root, schema);
        }
    });
    fields
}

/// Calls `f` with each object in `schema`, and in the definitions that it refers to.
fn visit<'s>(root: &'s Value, schema: &'s Value, seen: &mut BTreeSet<&'s str>, f: &mut dyn FnMut(&'s Value)) {
    match schema {
        Value::Object(members) => {
            f(schema);
            members.values().for_each(|part| visit(root, part, seen, f));
            if let Some((pointer, definition)) = definition(root, schema)
                && seen.insert(pointer)
            {
                visit(root, definition, seen, f);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|part| visit(root, part, seen, f)),
        _ => {}
    }
}

/// The definition that a schema refers to, and its JSON pointer.
fn definition<'s>(root: &'s Value, schema: &'s Value) -> Option<(&'s str, &'s Value)> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    Some((pointer, root.pointer(pointer)?))
}

fn is_public_scalar(root: &Value, schema: &Value) -> bool {
    if schema.get(SECRET).is_some() {
        return false;
    }
    let is = |schema: &Value| is_public_scalar(root, schema);
    let of_type = match schema.get("type").and_then(Value::as_str) {
        Some("string" | "boolean" | "integer" | "number") => true,
        Some("array") => schema.get("items").is_some_and(is),
        _ => schema.get("enum").is_some(),
    };
    let alternatives = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    of_type
        || definition(root, schema).is_some_and(|(_, definition)| is(definition))
        || alternatives.into_iter().any(is)
}
