//! Header mutations: changes to a request's headers before it is forwarded, or before it is logged.

use smallvec::SmallVec;

use crate::http::header_name::is_spelling_of;
use crate::http::location::{self, Cookies, CredentialLocation};
use crate::http::request::Request;
use crate::policy::{Policy, Protection};
use crate::principal::{AuthenticatorId, Permit};

/// Authenticators whose credentials were verified, with the locations of these.
pub type VerifiedLocations<'p> = SmallVec<[(AuthenticatorId, &'p CredentialLocation); 2]>;

/// Changes to the headers of a request: `remove` first, then `set`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeaderMutations<'a> {
    /// Names of headers to remove, as spelled in the request, each once.
    pub remove: SmallVec<[&'a [u8]; 4]>,
    /// Headers that replace all headers of the same name. May contain `:path`.
    pub set: SmallVec<[(&'a str, Vec<u8>); 4]>,
}

/// Returns the mutations of a public request: forged identity is removed, and credentials are kept.
pub fn of_public<'a>(policy: &Policy, request: &Request<'a>) -> HeaderMutations<'a> {
    let mut mutations = HeaderMutations::default();
    mutations.remove_present(request, |name| policy.identity.reserves(name));
    mutations
}

/// Returns the mutations of a denied request. It is not forwarded, but it is logged, so tokens are removed from its
/// query too.
pub fn of_denied<'a>(policy: &Policy, request: &Request<'a>) -> HeaderMutations<'a> {
    let mut mutations = of_public(policy, request);
    mutations.without_token_parameters(policy, request);
    mutations
}

/// Returns the mutations of a pending request. It is logged if its client disconnects, so tokens are removed from its
/// query.
pub fn of_waiting<'a>(policy: &Policy, request: &Request<'a>) -> HeaderMutations<'a> {
    let mut mutations = HeaderMutations::default();
    mutations.without_token_parameters(policy, request);
    mutations
}

/// Returns the mutations of an allowed request with a protected rule.
///
/// Credentials are removed from every location that the rule's authenticators read, except verified ones with
/// `forward_credentials`. Headers are removed in every spelling, since some servers accept `x_api_key` for `x-api-key`.
/// Then the identity of the permit is written.
pub fn of_protected<'a>(
    policy: &'a Policy,
    protection: &Protection,
    request: &Request<'a>,
    permit: Option<&Permit>,
    verified: &VerifiedLocations<'_>,
) -> HeaderMutations<'a> {
    let mut mutations = of_public(policy, request);
    let is_forwarded = |location: &CredentialLocation| {
        verified.iter().any(|(at, used)| {
            policy.authenticator(*at).is_some_and(|authenticator| {
                authenticator.forward_credentials
                    && (location.overlaps(used) || authenticator.scheme.proof_locations().contains(location))
            })
        })
    };
    let members = protection.members.iter().filter_map(|at| policy.authenticator(*at));
    let read =
        members.flat_map(|member| member.scheme.locations().iter().chain(member.scheme.proof_locations()));
    let mut headers: SmallVec<[&str; 4]> = SmallVec::new();
    let mut forwarded: SmallVec<[&str; 2]> = SmallVec::new();
    let (mut parameters, mut cookies) = (Vec::new(), Vec::new());
    for location in read {
        match (location, is_forwarded(location)) {
            (CredentialLocation::Field { name, .. }, is_forwarded) => {
                headers.push(name);
                forwarded.extend(is_forwarded.then_some(name.as_str()));
            }
            (_, true) => {}
            (CredentialLocation::Query(name), false) => parameters.push(name.as_str()),
            (CredentialLocation::Cookie(name), false) => cookies.push(name.as_str()),
        }
    }
    mutations.remove_present(request, |field| {
        headers.iter().any(|name| is_spelling_of(field, name))
            && !forwarded.iter().any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
    });
    mutations.without_parameters(request, &parameters);
    match location::without_cookies(request, &cookies) {
        Cookies::Unchanged => {}
        Cookies::Empty => mutations.remove_named(request, "cookie"),
        Cookies::Left(value) => {
            mutations.remove_named(request, "cookie");
            mutations.set.push(("cookie", value));
        }
    }
    if let Some(permit) = permit {
        mutations.set.extend(policy.identity.render(permit));
    }
    mutations
}

impl<'a> HeaderMutations<'a> {
    /// True if `:path` is replaced.
    pub fn has_path(&self) -> bool {
        self.set.iter().any(|(name, _)| *name == ":path")
    }

    /// Returns the original path of the request if it is replaced.
    pub fn replaced_path(&self, request: &Request<'a>) -> Option<&'a [u8]> {
        request.path.filter(|_| self.has_path())
    }

    fn without_token_parameters(&mut self, policy: &Policy, request: &Request<'a>) {
        let names: Vec<&str> = policy.token_parameters.iter().map(String::as_str).collect();
        self.without_parameters(request, &names);
    }

    fn without_parameters(&mut self, request: &Request<'a>, names: &[&str]) {
        if let Some(path) = request.path.and_then(|path| location::without_parameters(path, names)) {
            self.set.push((":path", path));
        }
    }

    fn remove_named(&mut self, request: &Request<'a>, name: &str) {
        self.remove_present(request, |field| field.eq_ignore_ascii_case(name.as_bytes()));
    }

    fn remove_present(&mut self, request: &Request<'a>, is_removed: impl Fn(&[u8]) -> bool) {
        for (name, _) in request.fields.iter().filter(|(name, _)| is_removed(name)) {
            if !self.remove.contains(name) {
                self.remove.push(name);
            }
        }
    }
}
