//! Builds `authorize`.

use super::Builder;
use crate::authn::Authenticator;
use crate::config::reader::member;
use crate::config::shape::OneOrMany;
use crate::config::{self, ConfigErrorKind};
use crate::jose::claims::{ClaimMatcher, ClaimSelector};
use crate::policy::authorization::Authorization;
use crate::principal::AuthenticatorId;

impl Builder<'_> {
    /// Builds a rule's `authorize`. `members` are the rule's authenticators.
    pub(super) fn authorizations(
        &mut self,
        path: &str,
        ways: &OneOrMany<config::Authorization>,
        members: &[AuthenticatorId],
        authenticators: &[Authenticator],
    ) -> Vec<Authorization> {
        let single = ways.0.len() == 1;
        if ways.0.is_empty() {
            self.error(path, ConfigErrorKind::Expected("at least one element"));
        }
        let ways = ways.0.iter().enumerate().filter_map(|(at, way)| {
            let path = if single { path.to_owned() } else { format!("{path}[{at}]") };
            self.authorization(&path, way, members, authenticators)
        });
        ways.collect()
    }

    fn authorization(
        &mut self,
        path: &str,
        way: &config::Authorization,
        members: &[AuthenticatorId],
        authenticators: &[Authenticator],
    ) -> Option<Authorization> {
        let errors = self.errors.len();
        if way.scopes.is_none()
            && way.any_scope.is_none()
            && way.subjects.is_none()
            && way.claims.0.is_empty()
        {
            self.error(
                path,
                ConfigErrorKind::Expected("at least one of: scopes, any_scope, subjects, claims"),
            );
        }
        let speaks_for = match &way.authenticators {
            None => members.to_vec(),
            Some(names) => self.speaks_for(&format!("{path}.authenticators"), names, members, authenticators),
        };
        let subjects = way.subjects.as_ref().map(|subjects| {
            self.non_empty(&format!("{path}.subjects"), subjects);
            let paths =
                subjects.iter().enumerate().map(|(at, subject)| (format!("{path}.subjects[{at}]"), subject));
            paths
                .filter_map(|(path, subject)| self.subject(&path, subject, members, authenticators))
                .collect()
        });
        let authorization = Authorization {
            authenticators: speaks_for,
            scopes: self.scopes(&format!("{path}.scopes"), way.scopes.as_deref()),
            any_scope: self.scopes(&format!("{path}.any_scope"), way.any_scope.as_deref()),
            subjects,
            claims: self.claim_matchers(&format!("{path}.claims"), &way.claims.0),
        };
        (self.errors.len() == errors).then_some(authorization)
    }

    fn speaks_for(
        &mut self,
        path: &str,
        names: &[String],
        members: &[AuthenticatorId],
        authenticators: &[Authenticator],
    ) -> Vec<AuthenticatorId> {
        self.non_empty(path, names);
        let mut speaks_for = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let path = format!("{path}[{at}]");
            match self.authenticator_named(&path, name, authenticators) {
                Some(authenticator) if members.contains(&authenticator) => speaks_for.push(authenticator),
                Some(_) => self.error(
                    path,
                    ConfigErrorKind::Expected("one of the authenticators that the rule requires"),
                ),
                None => {}
            }
        }
        speaks_for
    }

    /// Parses a subject. If the rule has several authenticators, it must be `authenticator/subject`.
    fn subject(
        &mut self,
        path: &str,
        subject: &str,
        members: &[AuthenticatorId],
        authenticators: &[Authenticator],
    ) -> Option<(AuthenticatorId, String)> {
        if subject.is_empty() {
            self.error(path, ConfigErrorKind::Expected("a subject that is not empty"));
            return None;
        }
        if let [only] = members {
            return Some((*only, subject.to_owned()));
        }
        let found = subject.split_once('/').and_then(|(name, subject)| {
            let at = members
                .iter()
                .find(|at| authenticators.get(at.index()).is_some_and(|known| known.name == name))?;
            (!subject.is_empty()).then(|| (*at, subject.to_owned()))
        });
        if found.is_none() {
            let expected = "`authenticator/subject`, since this rule has several authenticators";
            self.error(path, ConfigErrorKind::Expected(expected));
        }
        found
    }

    /// Checks that these are scope tokens ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
    pub(super) fn scopes(&mut self, path: &str, scopes: Option<&[String]>) -> Vec<String> {
        let Some(scopes) = scopes else { return Vec::new() };
        self.non_empty(path, scopes);
        for (at, scope) in scopes.iter().enumerate() {
            let allowed = |byte: u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
            if scope.is_empty() || !scope.bytes().all(allowed) {
                let expected = "a scope of visible ASCII characters, without spaces, quotes and backslashes";
                self.error(format!("{path}[{at}]"), ConfigErrorKind::Expected(expected));
            }
        }
        scopes.to_vec()
    }

    /// Builds matchers of claims.
    pub(super) fn claim_matchers(
        &mut self,
        path: &str,
        claims: &[(String, serde_json::Value)],
    ) -> Vec<(ClaimSelector, ClaimMatcher)> {
        let mut matchers = Vec::new();
        for (name, value) in claims {
            let path = member(path, name);
            match (ClaimSelector::parse(name), ClaimMatcher::from_json(value)) {
                (Ok(selector), Ok(matcher)) => matchers.push((selector, matcher)),
                (Err(error), _) => self.invalid(path, &error),
                (_, Err(error)) => self.invalid(path, &error),
            }
        }
        matchers
    }

    /// Checks that neither a list nor any of its texts is empty, since that can only be a mistake.
    pub(super) fn texts(&mut self, path: &str, list: &[String]) {
        self.non_empty(path, list);
        for (at, _) in list.iter().enumerate().filter(|(_, text)| text.is_empty()) {
            let path = if list.len() == 1 { path.to_owned() } else { format!("{path}[{at}]") };
            self.error(path, ConfigErrorKind::Expected("a string that is not empty"));
        }
    }

    pub(super) fn non_empty(&mut self, path: &str, list: &[String]) {
        if list.is_empty() {
            self.error(path, ConfigErrorKind::Expected("at least one element"));
        }
    }
}
