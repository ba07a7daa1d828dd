//! Builds the authenticators of a configuration.

mod api_key;
mod basic;
mod claims;
mod digest;
mod introspection;
mod jwt;
mod keys;
mod locations;
mod remote_keys;
mod sender_constraint;

use crate::authn::Authenticator;
use crate::config;
use crate::config::context::{BuildContext, is_label};
use crate::config::path::ConfigPath;
use crate::config::shape::Named;
use crate::http::challenge::Realm;

/// Builds all authenticators, in order. Omits those with errors.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    authenticators: &Named<config::Authenticator>,
    realm: &Realm,
) -> Vec<Authenticator> {
    let mut made = Vec::new();
    for (name, authenticator) in &authenticators.0 {
        let at = &at.member(name);
        // A dot separates a name from the attribute in templates, and `/` separates it from the subject in
        // `subjects`.
        if !is_label(name) || name.contains('.') {
            cx.expected(at, "a name of letters, digits, `-` and `_`");
        }
        // One arm for each scheme.
        let scheme = match authenticator {
            config::Authenticator::Basic(basic) => basic::build(cx, &at.member("basic"), basic, realm),
            config::Authenticator::Jwt(jwt) => jwt::build(cx, &at.member("jwt"), jwt, realm),
            config::Authenticator::ApiKey(api_key) => {
                api_key::build(cx, &at.member("api_key"), api_key, realm)
            }
            config::Authenticator::Digest(digest) => digest::build(cx, &at.member("digest"), digest),
            config::Authenticator::Introspection(introspection) => {
                introspection::build(cx, &at.member("introspection"), introspection, realm)
            }
        };
        made.extend(scheme.map(|(scheme, realm, forward_credentials)| Authenticator {
            name: name.clone(),
            realm,
            forward_credentials,
            scheme,
        }));
    }
    made
}
