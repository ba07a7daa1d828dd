//! What changes in a request's header section before it goes on, or before it is logged.

use std::collections::BTreeSet;

use crate::place::{self, Cookies, Place};
use crate::policy::{Policy, Protection};
use crate::principal::Permit;
use crate::request::Request;

/// Whose credentials held, and where they stood.
pub type Held<'p> = Vec<(usize, &'p Place)>;

/// Changes to a header section: first fields are taken out, then written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Names of fields that are taken out.
    pub remove: BTreeSet<Vec<u8>>,
    /// Fields that replace all of their name. `:path` may be among them.
    pub set: Vec<(String, Vec<u8>)>,
}

/// A public rule touches no credential; forged identity is taken out all the same.
pub fn of_public(policy: &Policy, request: &Request<'_>) -> Edits {
    let mut edits = Edits::default();
    edits.without_forged_identity(policy, request);
    edits
}

/// A request that is refused goes nowhere, but it is logged: tokens are taken out of its query.
pub fn of_denied(policy: &Policy, request: &Request<'_>) -> Edits {
    let mut edits = of_public(policy, request);
    let names: Vec<&str> = policy.token_parameters.iter().map(String::as_str).collect();
    edits.without_parameters(request, &names);
    edits
}

/// Every place that the rule's authenticators read is emptied, but for credentials that held and are to be forwarded.
/// Then the permit's identity is written.
pub fn of_protected(
    policy: &Policy,
    protection: &Protection,
    request: &Request<'_>,
    permit: Option<&Permit>,
    held: &Held<'_>,
) -> Edits {
    let mut edits = of_public(policy, request);
    let is_forwarded = |place: &Place| {
        held.iter().any(|(at, held)| {
            place.overlaps(held)
                && policy
                    .authenticators
                    .get(*at)
                    .is_some_and(|authenticator| authenticator.forward_credentials)
        })
    };
    let members = protection.members.iter().filter_map(|at| policy.authenticators.get(*at));
    let emptied: Vec<&Place> =
        members.flat_map(|member| member.scheme.places()).filter(|place| !is_forwarded(place)).collect();
    let (mut parameters, mut cookies) = (Vec::new(), Vec::new());
    for place in emptied {
        match place {
            Place::Field { name, .. } => {
                edits.remove_present(request, |field| field.eq_ignore_ascii_case(name.as_bytes()))
            }
            Place::Query(name) => parameters.push(name.as_str()),
            Place::Cookie(name) => cookies.push(name.as_str()),
        }
    }
    edits.without_parameters(request, &parameters);
    match place::without_cookies(request, &cookies) {
        Cookies::Unchanged => {}
        Cookies::Empty => edits.remove_present(request, |field| field.eq_ignore_ascii_case(b"cookie")),
        Cookies::Left(value) => {
            edits.remove_present(request, |field| field.eq_ignore_ascii_case(b"cookie"));
            edits.set.push(("cookie".to_owned(), value));
        }
    }
    if let Some(permit) = permit {
        edits.set.extend(policy.identity.render(permit, &policy.names()));
    }
    edits
}

impl Edits {
    fn without_forged_identity(&mut self, policy: &Policy, request: &Request<'_>) {
        self.remove_present(request, |name| policy.identity.reserves(name));
    }

    fn without_parameters(&mut self, request: &Request<'_>, names: &[&str]) {
        if let Some(path) = request.path.and_then(|path| place::without_parameters(path, names)) {
            self.set.push((":path".to_owned(), path));
        }
    }

    fn remove_present(&mut self, request: &Request<'_>, is_removed: impl Fn(&[u8]) -> bool) {
        let removed = request.fields.iter().filter(|(name, _)| is_removed(name));
        self.remove.extend(removed.map(|(name, _)| name.to_vec()));
    }
}
