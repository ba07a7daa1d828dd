//! Builds `identity`.

use std::collections::HashSet;

use crate::authn::Authenticator;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::shape::Named;
use crate::config::{self, ConfigErrorKind};
use crate::http::header_name::canonical;
use crate::http::location::CredentialLocation;
use crate::policy::identity::{IdentityFields, Template, TemplateError, identity_name, removable_name};

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    identity: &config::Identity,
    authenticators: &[Authenticator],
) -> IdentityFields {
    let defaults = default_headers(cx.declared.len());
    let headers = identity.headers.as_ref().unwrap_or(&defaults);
    let names: Vec<String> = cx.declared.clone();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut known = HashSet::new();
    let mut fields = Vec::new();
    for (name, template) in &headers.0 {
        let at = &at.member("headers");
        let at = &at.member(name);
        let name = cx.checked(at, identity_name(name));
        let template = match Template::parse(template, &names) {
            Err(TemplateError::UnknownAuthenticator(name)) => {
                cx.unknown_authenticator(at, &name);
                None
            }
            template => cx.checked(at, template),
        };
        let (Some(name), Some(template)) = (name, template) else { continue };
        not_read_by_anyone(cx, at, &name, authenticators);
        if !known.insert(canonical(name.as_bytes())) {
            cx.error(at, ConfigErrorKind::DuplicateName(name.clone()));
        }
        fields.push((name, template));
    }
    let mut removed = Vec::new();
    for (index, name) in identity.remove.iter().enumerate() {
        let at = &at.member("remove");
        let at = &at.index(index);
        if let Some(name) = cx.checked(at, removable_name(name)) {
            not_read_by_anyone(cx, at, &name, authenticators);
            removed.push(name);
        }
    }
    IdentityFields::new(fields, &removed, cx.declared.clone())
}

/// Records an error if an authenticator reads credentials from the header. Such a header cannot be removed as
/// forged identity.
fn not_read_by_anyone(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    name: &str,
    authenticators: &[Authenticator],
) {
    let is_same = |location: &CredentialLocation| match location {
        CredentialLocation::Field { name: read, .. } => {
            canonical(read.as_bytes()) == canonical(name.as_bytes())
        }
        _ => false,
    };
    let reader = authenticators.iter().find(|authenticator| {
        let scheme = &authenticator.scheme;
        scheme.locations().iter().chain(scheme.proof_locations()).any(is_same)
    });
    if let Some(reader) = reader {
        let text = format!("\"{}\" reads credentials from this header; expected another name", reader.name);
        cx.error(at, ConfigErrorKind::Invalid(text));
    }
}

fn default_headers(authenticators: usize) -> Named<String> {
    let mut headers = vec![("x-auth-user".to_owned(), "{subject}".to_owned())];
    if authenticators > 1 {
        headers.push(("x-auth-by".to_owned(), "{authenticator}".to_owned()));
    }
    Named(headers)
}
