//! Builds `protected_resource`.

use serde_json::Value;

use crate::config::ConfigErrorKind;
use crate::config::context::{BuildContext, SCOPE, is_scope};
use crate::config::path::ConfigPath;
use crate::config::shape::{Named, OneOrMany};
use crate::response::protected_resource::{ProtectedResource, ProtectedResources};

/// Builds all protected resources, or none if one of them has errors.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    declared: Option<&OneOrMany<Named<Value>>>,
) -> ProtectedResources {
    let Some(OneOrMany(declared)) = declared else { return ProtectedResources::default() };
    cx.non_empty(at, declared);
    let elements = declared.iter().enumerate();
    let read =
        elements.map(|(index, members)| protected_resource(cx, &at.element(index, declared.len()), members));
    // If one is missing, its errors have been recorded, and the positions of the others would be wrong.
    let Some(resources) = read.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>() else {
        return ProtectedResources::default();
    };
    ProtectedResources::new(resources).unwrap_or_else(|index| {
        let at = &at.element(index, declared.len());
        cx.expected(&at.member("resource"), "a resource that is not in the list already");
        ProtectedResources::default()
    })
}

/// Builds a protected resource. Unknown members are passed on, since
/// [RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728#section-2) has more and allows extensions.
fn protected_resource(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    members: &Named<Value>,
) -> Option<ProtectedResource> {
    const URL: &str = "an https URL without query and fragment, as in https://api.example.com";
    for (name, value) in &members.0 {
        let at = &at.member(name);
        match (name.as_str(), value) {
            (_, Value::Null) => cx.expected(at, "a value, or no such member"),
            ("authorization_servers", value) => list_of(cx, at, value, URL, is_issuer),
            ("scopes_supported", value) => list_of(cx, at, value, SCOPE, is_scope),
            _ => {}
        }
    }
    let Some((_, identifier)) = members.0.iter().find(|(name, _)| name == "resource") else {
        cx.error(at, ConfigErrorKind::MissingField("resource"));
        return None;
    };
    let metadata = members.0.iter().cloned().collect::<serde_json::Map<_, _>>();
    let metadata = Value::Object(metadata).to_string();
    let resource = identifier.as_str().and_then(|identifier| ProtectedResource::new(identifier, &metadata));
    if resource.is_none() && !identifier.is_null() {
        cx.expected(&at.member("resource"), URL);
    }
    resource
}

/// Checks a list of texts, which must not be empty
/// ([RFC 9728 §3.2](https://www.rfc-editor.org/rfc/rfc9728#section-3.2)).
fn list_of(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    value: &Value,
    expected: &'static str,
    is_right: fn(&str) -> bool,
) {
    let Some(elements) = value.as_array().filter(|elements| !elements.is_empty()) else {
        return cx.expected(at, "a list with at least one element");
    };
    for (index, element) in elements.iter().enumerate() {
        if !element.as_str().is_some_and(is_right) {
            cx.expected(&at.index(index), expected);
        }
    }
}

/// True for issuer identifiers ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)), which have the form
/// of a resource identifier.
fn is_issuer(text: &str) -> bool {
    ProtectedResource::new(text, "").is_some()
}
