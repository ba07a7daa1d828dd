//! Builds `require`.

use crate::authn::Authenticator;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, ConfigErrorKind};
use crate::policy::requirement::Requirement;
use crate::principal::AuthenticatorId;

/// Builds a requirement from the names of authenticators.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    requirement: &config::Requirement,
    authenticators: &[Authenticator],
) -> Option<Requirement> {
    match requirement {
        config::Requirement::One(name) => {
            authenticator_named(cx, at, name, authenticators).map(Requirement::One)
        }
        config::Requirement::AnyOf(parts) => {
            let parts = build_parts(cx, &at.member("any_of"), parts, authenticators)?;
            Some(Requirement::AnyOf(parts))
        }
        config::Requirement::AllOf(parts) => {
            let at = &at.member("all_of");
            let parts = build_parts(cx, at, parts, authenticators)?;
            if let Some((a, b)) = overlap(&parts, authenticators) {
                let text = if a == b {
                    format!("\"{a}\" is in two parts; expected it in one")
                } else {
                    format!("\"{a}\" and \"{b}\" read the same location, so one request cannot satisfy both")
                };
                cx.error(at, ConfigErrorKind::Invalid(text));
                return None;
            }
            Some(Requirement::AllOf(parts))
        }
    }
}

fn build_parts(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    parts: &[config::Requirement],
    authenticators: &[Authenticator],
) -> Option<Vec<Requirement>> {
    if parts.is_empty() {
        cx.expected(at, "at least one authenticator");
    }
    let resolved: Vec<Option<Requirement>> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| build(cx, &at.index(index), part, authenticators))
        .collect();
    resolved.into_iter().collect::<Option<Vec<_>>>().filter(|resolved| !resolved.is_empty())
}

/// Returns the authenticator with this name.
pub(super) fn authenticator_named(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    name: &str,
    authenticators: &[Authenticator],
) -> Option<AuthenticatorId> {
    if let Some(at) = authenticators.iter().position(|known| known.name == name) {
        return Some(AuthenticatorId::new(at));
    }
    // An authenticator with errors is not built, but its errors have been recorded.
    if !cx.declared.iter().any(|declared| declared == name) {
        cx.unknown_authenticator(at, name);
    }
    None
}

/// Returns two authenticators of different parts that read the same location.
fn overlap<'a>(parts: &[Requirement], authenticators: &'a [Authenticator]) -> Option<(&'a str, &'a str)> {
    let members: Vec<Vec<&Authenticator>> = parts
        .iter()
        .map(|part| part.members().into_iter().filter_map(|id| authenticators.get(id.index())).collect())
        .collect();
    let pairs = members.iter().enumerate().flat_map(|(index, first)| {
        let others = members.iter().skip(index + 1).flatten();
        others.flat_map(move |other| first.iter().map(move |one| (*one, *other)))
    });
    pairs
        .into_iter()
        .find(|(a, b)| reads_same_location(a, b))
        .map(|(a, b)| (a.name.as_str(), b.name.as_str()))
}

fn reads_same_location(a: &Authenticator, b: &Authenticator) -> bool {
    a.scheme
        .locations()
        .iter()
        .any(|location| b.scheme.locations().iter().any(|other| location.overlaps(other)))
}
