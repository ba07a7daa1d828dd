//! Builds `protected_resource`.

use serde_json::Value;

use super::Builder;
use crate::config::ConfigErrorKind;
use crate::config::reader::member;
use crate::config::shape::{Named, OneOrMany};
use crate::response::protected_resource::{ProtectedResource, ProtectedResources};

impl Builder<'_> {
    pub(super) fn protected_resources(
        &mut self,
        declared: Option<&OneOrMany<Named<Value>>>,
    ) -> ProtectedResources {
        let Some(OneOrMany(declared)) = declared else { return ProtectedResources::default() };
        if declared.is_empty() {
            self.error("protected_resource", ConfigErrorKind::Expected("at least one element"));
        }
        let path = |at: usize| match declared.len() {
            1 => "protected_resource".to_owned(),
            _ => format!("protected_resource[{at}]"),
        };
        let read =
            declared.iter().enumerate().map(|(at, members)| self.protected_resource(&path(at), members));
        // If one is missing, its errors have been recorded, and the positions of the others would be wrong.
        let Some(resources) = read.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>() else {
            return ProtectedResources::default();
        };
        ProtectedResources::new(resources).unwrap_or_else(|at| {
            let expected = "a resource that is not in the list already";
            self.error(member(&path(at), "resource"), ConfigErrorKind::Expected(expected));
            ProtectedResources::default()
        })
    }

    /// Builds a protected resource. Unknown members are passed on, since
    /// [RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728#section-2) has more and allows extensions.
    fn protected_resource(&mut self, path: &str, members: &Named<Value>) -> Option<ProtectedResource> {
        const SCOPE: &str = "a scope of visible ASCII characters, without spaces, quotes and backslashes";
        const URL: &str = "an https URL without query and fragment, as in https://api.example.com";
        for (name, value) in &members.0 {
            let path = member(path, name);
            match (name.as_str(), value) {
                (_, Value::Null) => self.error(path, ConfigErrorKind::Expected("a value, or no such member")),
                ("authorization_servers", value) => self.list_of(&path, value, URL, is_issuer),
                ("scopes_supported", value) => self.list_of(&path, value, SCOPE, is_scope),
                _ => {}
            }
        }
        let Some((_, identifier)) = members.0.iter().find(|(name, _)| name == "resource") else {
            self.error(path, ConfigErrorKind::MissingField("resource"));
            return None;
        };
        let metadata = members.0.iter().cloned().collect::<serde_json::Map<_, _>>();
        let metadata = Value::Object(metadata).to_string();
        let resource =
            identifier.as_str().and_then(|identifier| ProtectedResource::new(identifier, &metadata));
        if resource.is_none() && !identifier.is_null() {
            self.error(member(path, "resource"), ConfigErrorKind::Expected(URL));
        }
        resource
    }

    /// Checks a list of texts, which must not be empty
    /// ([RFC 9728 §3.2](https://www.rfc-editor.org/rfc/rfc9728#section-3.2)).
    fn list_of(&mut self, path: &str, value: &Value, expected: &'static str, is_right: fn(&str) -> bool) {
        let Some(elements) = value.as_array().filter(|elements| !elements.is_empty()) else {
            return self.error(path, ConfigErrorKind::Expected("a list with at least one element"));
        };
        for (at, element) in elements.iter().enumerate() {
            if !element.as_str().is_some_and(is_right) {
                self.error(format!("{path}[{at}]"), ConfigErrorKind::Expected(expected));
            }
        }
    }
}

/// True for issuer identifiers ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)), which have the form
/// of a resource identifier.
fn is_issuer(text: &str) -> bool {
    ProtectedResource::new(text, "").is_some()
}

/// True for scope tokens ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
}
