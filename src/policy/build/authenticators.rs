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

use super::{Builder, is_label};
use crate::authn::Authenticator;
use crate::config::reader::member;
use crate::config::shape::Named;
use crate::config::{self, ConfigErrorKind};
use crate::http::challenge::Realm;
use crate::timestamp::NumericDate;

impl Builder<'_> {
    /// Builds all authenticators, in order. Omits those with errors.
    pub(super) fn authenticators(
        &mut self,
        authenticators: &Named<config::Authenticator>,
        realm: &Realm,
    ) -> Vec<Authenticator> {
        let mut made = Vec::new();
        for (name, authenticator) in &authenticators.0 {
            let path = member("authenticators", name);
            // A dot separates a name from the attribute in templates, and `/` separates it from the subject in
            // `subjects`.
            if !is_label(name) || name.contains('.') {
                self.error(&path, ConfigErrorKind::Expected("a name of letters, digits, `-` and `_`"));
            }
            // One arm for each scheme.
            let scheme = match authenticator {
                config::Authenticator::Basic(basic) => self.basic(&format!("{path}.basic"), basic, realm),
                config::Authenticator::Jwt(jwt) => self.jwt(&format!("{path}.jwt"), jwt, realm),
                config::Authenticator::ApiKey(api_key) => {
                    self.api_key(&format!("{path}.api_key"), api_key, realm)
                }
                config::Authenticator::Digest(digest) => self.digest(&format!("{path}.digest"), digest),
                config::Authenticator::Introspection(introspection) => {
                    self.introspection(&format!("{path}.introspection"), introspection, realm)
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

    /// Parses a time ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)).
    fn time(&mut self, path: &str, text: Option<&str>) -> Option<NumericDate> {
        let date = NumericDate::parse_rfc3339(text?);
        if date.is_none() {
            let expected = "an RFC 3339 time, such as 2026-01-01T00:00:00Z";
            self.error(path, ConfigErrorKind::Expected(expected));
        }
        date
    }
}
