//! Builds `require`.

use super::Builder;
use crate::authn::Authenticator;
use crate::config::error::suggestion;
use crate::config::{self, ConfigErrorKind};
use crate::policy::requirement::Requirement;
use crate::principal::AuthenticatorId;

impl Builder<'_> {
    /// Builds a requirement from the names of authenticators.
    pub(super) fn requirement(
        &mut self,
        path: &str,
        requirement: &config::Requirement,
        authenticators: &[Authenticator],
    ) -> Option<Requirement> {
        match requirement {
            config::Requirement::One(name) => {
                self.authenticator_named(path, name, authenticators).map(Requirement::One)
            }
            config::Requirement::AnyOf(parts) => {
                let parts = self.parts(&format!("{path}.any_of"), parts, authenticators)?;
                Some(Requirement::AnyOf(parts))
            }
            config::Requirement::AllOf(parts) => {
                let path = format!("{path}.all_of");
                let parts = self.parts(&path, parts, authenticators)?;
                if let Some((a, b)) = overlap(&parts, authenticators) {
                    let text = if a == b {
                        format!("\"{a}\" is in two parts; expected it in one")
                    } else {
                        format!(
                            "\"{a}\" and \"{b}\" read the same location, so one request cannot satisfy both"
                        )
                    };
                    self.error(path, ConfigErrorKind::Invalid(text));
                    return None;
                }
                Some(Requirement::AllOf(parts))
            }
        }
    }

    fn parts(
        &mut self,
        path: &str,
        parts: &[config::Requirement],
        authenticators: &[Authenticator],
    ) -> Option<Vec<Requirement>> {
        if parts.is_empty() {
            self.error(path, ConfigErrorKind::Expected("at least one authenticator"));
        }
        let resolved: Vec<Option<Requirement>> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| self.requirement(&format!("{path}[{at}]"), part, authenticators))
            .collect();
        resolved.into_iter().collect::<Option<Vec<_>>>().filter(|resolved| !resolved.is_empty())
    }

    /// Returns the authenticator with this name.
    pub(super) fn authenticator_named(
        &mut self,
        path: &str,
        name: &str,
        authenticators: &[Authenticator],
    ) -> Option<AuthenticatorId> {
        if let Some(at) = authenticators.iter().position(|known| known.name == name) {
            return Some(AuthenticatorId::new(at));
        }
        // An authenticator with errors is not built, but its errors have been recorded.
        if !self.declared.iter().any(|declared| declared == name) {
            self.unknown_authenticator(path, name);
        }
        None
    }

    pub(super) fn unknown_authenticator(&mut self, path: &str, name: &str) {
        let suggestion = suggestion(name, self.declared.iter().map(String::as_str));
        let kind = ConfigErrorKind::UnknownName { what: "authenticator", name: name.to_owned(), suggestion };
        self.error(path, kind);
    }
}

/// Returns two authenticators of different parts that read the same location.
fn overlap<'a>(parts: &[Requirement], authenticators: &'a [Authenticator]) -> Option<(&'a str, &'a str)> {
    let members: Vec<Vec<&Authenticator>> = parts
        .iter()
        .map(|part| part.members().into_iter().filter_map(|id| authenticators.get(id.index())).collect())
        .collect();
    let pairs = members.iter().enumerate().flat_map(|(at, first)| {
        let others = members.iter().skip(at + 1).flatten();
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
