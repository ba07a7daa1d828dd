//! Templates for identity headers: text with placeholders such as `{subject}`, `{claim:email}` and
//! `{machines.subject}`.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::http::codec::percent_encode;
use crate::jose::claims::{ClaimSelector, SelectorError};
use crate::principal::{AuthenticatorId, Permit, Principal};

/// Template for the value of an identity header.
pub struct Template(Vec<Part>);

enum Part {
    Text(String),
    Placeholder {
        /// The authenticator whose principal is meant; `None` for the principal that identifies the caller.
        authenticator: Option<AuthenticatorId>,
        attribute: Attribute,
    },
}

enum Attribute {
    Subject,
    Authenticator,
    Issuer,
    Scopes,
    Claims,
    Claim(ClaimSelector),
}

/// Error in a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace has no partner.
    #[error("unbalanced brace; expected a template such as \"{{subject}}\"")]
    Unbalanced,
    /// The placeholder does not exist.
    #[error(
        "unknown placeholder; expected {{subject}}, {{authenticator}}, {{issuer}}, {{scopes}}, {{claims}} or {{claim:NAME}}"
    )]
    UnknownPlaceholder,
    /// No authenticator has the name in `{name.…}`.
    #[error("no authenticator is named \"{0}\"")]
    UnknownAuthenticator(String),
    /// The claim in `{claim:…}` is invalid.
    #[error("{0}")]
    Claim(SelectorError),
    /// The text has characters that are not allowed in a header.
    #[error("expected visible ASCII characters around placeholders")]
    Text,
}

impl Template {
    /// Parses a template. `names` are the names of the authenticators, in the order of the policy.
    ///
    /// # Errors
    /// Fails if a brace is unbalanced, a placeholder or authenticator is unknown, or the text is not visible ASCII.
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (before, after) = rest.split_once('{').unwrap_or((rest, ""));
            if before.contains('}') {
                return Err(TemplateError::Unbalanced);
            }
            if !before.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(TemplateError::Text);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            if before.len() == rest.len() {
                break;
            }
            let (placeholder, after) = after.split_once('}').ok_or(TemplateError::Unbalanced)?;
            parts.push(parse_placeholder(placeholder, names)?);
            rest = after;
        }
        Ok(Template(parts))
    }

    /// Returns the value for this permit, or `None` if an attribute of the template is absent.
    pub fn render(&self, permit: &Permit, names: &[String]) -> Option<Vec<u8>> {
        let mut value = Vec::with_capacity(32);
        for part in &self.0 {
            match part {
                Part::Text(text) => value.extend_from_slice(text.as_bytes()),
                Part::Placeholder { authenticator, attribute } => {
                    let at = authenticator.unwrap_or(permit.first().authenticator);
                    attribute.render(permit.by(at)?, names.get(at.index())?, &mut value)?;
                }
            }
        }
        Some(value)
    }
}

fn parse_placeholder(text: &str, names: &[&str]) -> Result<Part, TemplateError> {
    let attribute = |text: &str| {
        Ok(match text {
            "subject" => Attribute::Subject,
            "authenticator" => Attribute::Authenticator,
            "issuer" => Attribute::Issuer,
            "scopes" => Attribute::Scopes,
            "claims" => Attribute::Claims,
            _ => match text.strip_prefix("claim:") {
                Some(claim) => Attribute::Claim(ClaimSelector::parse(claim).map_err(TemplateError::Claim)?),
                None => return Err(TemplateError::UnknownPlaceholder),
            },
        })
    };
    // The name of a claim may contain dots; that of an authenticator may not.
    match text.split_once('.').filter(|_| !text.starts_with("claim:")) {
        None => Ok(Part::Placeholder { authenticator: None, attribute: attribute(text)? }),
        Some((name, rest)) => {
            let at = names.iter().position(|known| *known == name).map(AuthenticatorId::new);
            let at = at.ok_or_else(|| TemplateError::UnknownAuthenticator(name.to_owned()))?;
            Ok(Part::Placeholder { authenticator: Some(at), attribute: attribute(rest)? })
        }
    }
}

impl Attribute {
    /// Appends the attribute to `value`. Returns `None` if it is absent.
    fn render(&self, principal: &Principal, authenticator: &str, value: &mut Vec<u8>) -> Option<()> {
        match self {
            Attribute::Subject => encode(&principal.subject, false, value),
            Attribute::Authenticator => value.extend_from_slice(authenticator.as_bytes()),
            Attribute::Issuer => encode(principal.issuer.as_ref()?, false, value),
            Attribute::Scopes if principal.scopes.is_empty() => return None,
            Attribute::Scopes => join(principal.scopes.iter().map(String::as_str), value),
            Attribute::Claims => base64url_of(&Value::Object(principal.claims.members().clone()), value),
            Attribute::Claim(selector) => render_claim(selector.find(&principal.claims)?, value)?,
        }
        Some(())
    }
}

/// Appends a claim: a scalar as text, an array of scalars joined with `,`, and anything else as base64url of its JSON.
fn render_claim(claim: &Value, value: &mut Vec<u8>) -> Option<()> {
    match claim {
        Value::Array(elements) => {
            let scalars: Option<Vec<Cow<'_, str>>> = elements.iter().map(scalar).collect();
            match scalars {
                Some(scalars) => join(scalars.iter().map(Cow::as_ref), value),
                None => base64url_of(claim, value),
            }
        }
        Value::Object(_) => base64url_of(claim, value),
        _ => encode(&scalar(claim)?, false, value),
    }
    Some(())
}

/// Returns a scalar as text. `null` counts as absent.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn join<'a>(elements: impl Iterator<Item = &'a str>, value: &mut Vec<u8>) {
    for (at, element) in elements.enumerate() {
        if at > 0 {
            value.push(b',');
        }
        encode(element, true, value);
    }
}

fn base64url_of(json: &Value, value: &mut Vec<u8>) {
    value.extend_from_slice(URL_SAFE_NO_PAD.encode(json.to_string()).as_bytes());
}

/// Returns the text with `%` and everything except visible ASCII percent-encoded.
pub fn visible(text: &str) -> String {
    let mut value = Vec::with_capacity(text.len());
    encode(text, false, &mut value);
    // The value is ASCII after encoding.
    value.into_iter().map(char::from).collect()
}

/// Appends a text with `%` and everything except visible ASCII percent-encoded; in a list, also `,`.
fn encode(text: &str, in_list: bool, value: &mut Vec<u8>) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%' && !(in_list && byte == b',');
    percent_encode(text.as_bytes(), is_plain, value);
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::json;

    use super::*;
    use crate::jose::claims::Claims;
    use crate::principal::Authenticated;

    const NAMES: &[&str] = &["people", "machines", "others"];

    fn names() -> Vec<String> {
        NAMES.iter().map(|name| (*name).to_owned()).collect()
    }

    fn permit() -> Permit {
        let claims = json!({
            "email": "a@b.c", "name": "Ünal, 100%", "n": 7, "ok": true, "none": null,
            "list": ["a,b", "c d", 1], "mixed": [{"a": 1}], "o": {"b": [1]}, "a.b": "dotted", "empty": [],
        });
        let principal = Principal {
            subject: "al ice\n".to_owned(),
            issuer: Some("https://idp".to_owned()),
            scopes: vec!["read".to_owned(), "a,b".to_owned()],
            claims: Claims::from_json(claims).unwrap(),
        };
        let machine = Principal {
            subject: "ci".to_owned(),
            issuer: None,
            scopes: Vec::new(),
            claims: Claims::from_json(json!({"team": "web"})).unwrap(),
        };
        Permit::issue(
            Authenticated { authenticator: AuthenticatorId::new(0), principal: Rc::new(principal) },
            vec![Authenticated { authenticator: AuthenticatorId::new(1), principal: Rc::new(machine) }],
        )
    }

    #[test]
    fn values_are_visible_ascii_and_absent_ones_write_nothing() {
        let permit = permit();
        let check = |template: &str, expected: Option<&str>| {
            let value = Template::parse(template, NAMES).unwrap().render(&permit, &names());
            assert_eq!(
                value.map(|value| String::from_utf8(value).unwrap()).as_deref(),
                expected,
                "{template}"
            );
        };
        check("{subject}", Some("al%20ice%0A"));
        check("{authenticator}/{subject}", Some("people/al%20ice%0A"));
        check("{issuer}", Some("https://idp"));
        check("{scopes}", Some("read,a%2Cb"));
        check("{claim:email}", Some("a@b.c"));
        check("{claim:name}", Some("%C3%9Cnal,%20100%25"));
        check("{claim:n}{claim:ok}", Some("7true"));
        check("{claim:list}", Some("a%2Cb,c%20d,1"));
        check("{claim:empty}", Some(""));
        check("{claim:mixed}", Some("W3siYSI6MX1d"));
        check("{claim:o}", Some("eyJiIjpbMV19"));
        check("{claim:/o/b/0}", Some("1"));
        check("{claim:a.b}", Some("dotted"));
        check("{claim:none}", None);
        check("{claim:missing}", None);
        check("x{claim:missing}", None);
        check("{machines.subject}", Some("ci"));
        check("{machines.authenticator}", Some("machines"));
        check("{machines.claim:team}", Some("web"));
        check("{machines.claims}", Some("eyJ0ZWFtIjoid2ViIn0"));
        check("{machines.issuer}", None);
        check("{machines.scopes}", None);
        check("{others.subject}", None);
        check("fixed text", Some("fixed text"));
    }

    #[test]
    fn templates_with_faults_are_refused() {
        let check = |template: &str, expected: TemplateError| {
            assert_eq!(Template::parse(template, NAMES).err(), Some(expected), "{template}");
        };
        check("{subject", TemplateError::Unbalanced);
        check("subject}", TemplateError::Unbalanced);
        check("{subject}}", TemplateError::Unbalanced);
        check("{sub}", TemplateError::UnknownPlaceholder);
        check("{}", TemplateError::UnknownPlaceholder);
        check("{machines.sub}", TemplateError::UnknownPlaceholder);
        check("{nobody.subject}", TemplateError::UnknownAuthenticator("nobody".to_owned()));
        check("a\n{subject}", TemplateError::Text);
        check("ü", TemplateError::Text);
    }
}
