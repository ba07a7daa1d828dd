//! Secrets and ConfigMaps in the input.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::convert::istio::Resource;
use crate::convert::message::Message;
use crate::document::Node;

/// The resources of the input.
pub struct Secrets<'a> {
    pub resources: &'a [Resource<'a>],
}

impl Secrets<'_> {
    fn find(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Resource<'_>> {
        self.resources.iter().find(|resource| {
            let is_same = match (resource.metadata("namespace"), namespace) {
                (Some(its), Some(wanted)) => its == wanted,
                _ => true,
            };
            resource.kind() == kind && resource.metadata("name") == Some(name) && is_same
        })
    }

    /// The Secret that a reference names. Adds a finding if it is not in the input.
    fn referenced(&self, reference: &Message<'_>, namespace: Option<&str>) -> Option<&Resource<'_>> {
        reference.skip(&["group", "kind"]);
        let name = reference.filled("name").unwrap_or_default();
        let namespace = reference.filled("namespace").or(namespace);
        let found = self.find("Secret", namespace, name);
        if found.is_none() {
            let what = format!("names the Secret {name}, which is not in the input");
            reference.finding_at("name", &what, "Convert it together with the Secret.");
        }
        found
    }

    /// The text of an htpasswd file.
    pub fn htpasswd(&self, basic: &Message<'_>, namespace: Option<&str>) -> Value {
        let Some(reference) = basic.message("users") else {
            basic.finding_at("users", "is missing", "Correct it: Envoy Gateway refuses it.");
            return json!({"env": "HTPASSWD"});
        };
        let Some(secret) = self.referenced(&reference, namespace) else { return json!({"env": "HTPASSWD"}) };
        let entry = entries(secret).into_iter().find(|(key, _)| key == ".htpasswd");
        match entry.map(|(_, value)| String::from_utf8(value)) {
            Some(Ok(text)) => json!(text),
            _ => {
                reference
                    .finding("names a Secret without `.htpasswd`", "Correct it: Envoy Gateway refuses it.");
                json!({"env": "HTPASSWD"})
            }
        }
    }

    /// The keys by client. If a client has two keys, the first counts.
    pub fn api_keys(&self, keys: &Message<'_>, namespace: Option<&str>) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<(String, Vec<u8>)> = Vec::new();
        for reference in keys.messages("credentialRefs") {
            let Some(secret) = self.referenced(&reference, namespace) else { continue };
            for (client, key) in entries(secret) {
                if all.iter().all(|(known, _)| *known != client) {
                    all.push((client, key));
                }
            }
        }
        if all.is_empty() {
            keys.finding_at(
                "credentialRefs",
                "does not lead to any keys",
                "Convert it together with the Secrets.",
            );
        }
        all
    }

    /// The JWK Set in a ConfigMap: the value of the key `jwks`, else the first value.
    pub fn jwks(&self, reference: &Message<'_>, namespace: Option<&str>) -> Option<String> {
        reference.skip(&["group", "kind"]);
        let name = reference.filled("name").unwrap_or_default();
        let Some(map) = self.find("ConfigMap", namespace, name) else {
            let what = format!("names the ConfigMap {name}, which is not in the input");
            reference.finding_at("name", &what, "Convert it together with the ConfigMap.");
            return None;
        };
        let data = map.node.get("data");
        let text = data.and_then(|data| data.get("jwks").or_else(|| Some(&data.members().first()?.value)));
        let text = text.and_then(Node::text);
        if text.is_none() {
            reference.finding("names a ConfigMap without data", "Correct it: Envoy Gateway refuses it.");
        }
        text.map(str::to_owned)
    }
}

/// The entries of a Secret; `stringData` overrides `data`, as in Kubernetes.
fn entries(secret: &Resource<'_>) -> Vec<(String, Vec<u8>)> {
    let members = |name: &str| secret.node.get(name).map(Node::members).unwrap_or_default();
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for member in members("stringData") {
        entries.extend(member.value.text().map(|text| (member.name.clone(), text.as_bytes().to_vec())));
    }
    for member in members("data") {
        let text: String = member
            .value
            .text()
            .unwrap_or_default()
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        let is_new = entries.iter().all(|(name, _)| *name != member.name);
        if let (true, Ok(value)) = (is_new, STANDARD.decode(text)) {
            entries.push((member.name.clone(), value));
        }
    }
    entries
}
