//! Locations of credentials, as an authenticator is configured (`from`).

use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::shape::List;
use crate::config::{ConfigErrorKind, TokenLocation};
use crate::http::location::CredentialLocation;
use crate::http::request::is_token;

/// Builds the locations; by default only `default`.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    from: Option<&List<TokenLocation>>,
    default: CredentialLocation,
) -> Vec<CredentialLocation> {
    let Some(from) = from else { return vec![default] };
    if from.0.is_empty() {
        cx.expected(at, "at least one location");
    }
    let mut locations: Vec<CredentialLocation> = Vec::new();
    for (index, location) in from.0.iter().enumerate() {
        let at = &at.index(index);
        let Some(location) = build_one(cx, at, location) else { continue };
        if locations.iter().any(|known| known.overlaps(&location) && !known.is_told_from(&location)) {
            cx.expected(at, "a location that is not in the list already");
        } else {
            locations.push(location);
        }
    }
    locations
}

fn build_one(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    location: &TokenLocation,
) -> Option<CredentialLocation> {
    const NO_TOKENS_THERE: &[&str] =
        &["host", "cookie", "connection", "content-length", "transfer-encoding", "dpop"];
    if location.scheme.is_some() && location.header.is_none() {
        cx.expected(&at.member("scheme"), "`header` in the same location");
    }
    match (&location.header, &location.query, &location.cookie) {
        (Some(name), None, None) => {
            let lower = name.to_ascii_lowercase();
            if !is_token(name) || NO_TOKENS_THERE.contains(&lower.as_str()) {
                let expected = "the name of a header that can contain a token, such as x-jwt";
                cx.expected(&at.member("header"), expected);
                return None;
            }
            if location.scheme.as_ref().is_some_and(|scheme| !is_token(scheme)) {
                cx.expected(&at.member("scheme"), "an auth-scheme, such as Bearer");
                return None;
            }
            Some(CredentialLocation::Field { name: lower, scheme: location.scheme.clone() })
        }
        (None, Some(name), None) if !name.is_empty() => Some(CredentialLocation::Query(name.clone())),
        (None, None, Some(name)) if is_token(name) => Some(CredentialLocation::Cookie(name.clone())),
        (None, Some(_), None) => {
            cx.expected(&at.member("query"), "the name of a query parameter");
            None
        }
        (None, None, Some(_)) => {
            let expected = "the name of a cookie, such as session";
            cx.expected(&at.member("cookie"), expected);
            None
        }
        _ => {
            cx.error(at, ConfigErrorKind::ExactlyOne(&["header", "query", "cookie"]));
            None
        }
    }
}
