//! Builds `authorize`.

use super::requirement::authenticator_named;
use crate::authn::Authenticator;
use crate::authn::token::build_matchers;
use crate::config;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::shape::OneOrMany;
use crate::policy::authorization::Authorization;
use crate::principal::AuthenticatorId;

/// Builds a rule's `authorize`. `members` are the rule's authenticators.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    configs: &OneOrMany<config::Authorization>,
    members: &[AuthenticatorId],
    authenticators: &[Authenticator],
) -> Vec<Authorization> {
    cx.non_empty(at, &configs.0);
    let built = configs.0.iter().enumerate().filter_map(|(index, config)| {
        authorization(cx, &at.element(index, configs.0.len()), config, members, authenticators)
    });
    built.collect()
}

fn authorization(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    config: &config::Authorization,
    members: &[AuthenticatorId],
    authenticators: &[Authenticator],
) -> Option<Authorization> {
    let errors = cx.errors.len();
    if config.scopes.is_none()
        && config.any_scope.is_none()
        && config.subjects.is_none()
        && config.claims.0.is_empty()
    {
        cx.expected(at, "at least one of: scopes, any_scope, subjects, claims");
    }
    let speaks_for = match &config.authenticators {
        None => members.to_vec(),
        Some(names) => speaks_for(cx, &at.member("authenticators"), names, members, authenticators),
    };
    let subjects = config.subjects.as_ref().map(|subjects| {
        let at = &at.member("subjects");
        cx.non_empty(at, subjects);
        let built = subjects.iter().enumerate();
        built
            .filter_map(|(index, text)| subject(cx, &at.index(index), text, members, authenticators))
            .collect()
    });
    let authorization = Authorization {
        authenticators: speaks_for,
        scopes: cx.scopes(&at.member("scopes"), config.scopes.as_deref()),
        any_scope: cx.scopes(&at.member("any_scope"), config.any_scope.as_deref()),
        subjects,
        claims: build_matchers(cx, &at.member("claims"), &config.claims.0),
    };
    (cx.errors.len() == errors).then_some(authorization)
}

fn speaks_for(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    names: &[String],
    members: &[AuthenticatorId],
    authenticators: &[Authenticator],
) -> Vec<AuthenticatorId> {
    cx.non_empty(at, names);
    let mut speaks_for = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let at = &at.index(index);
        match authenticator_named(cx, at, name, authenticators) {
            Some(authenticator) if members.contains(&authenticator) => speaks_for.push(authenticator),
            Some(_) => cx.expected(at, "one of the authenticators that the rule requires"),
            None => {}
        }
    }
    speaks_for
}

/// Parses a subject. If the rule has several authenticators, it must be `authenticator/subject`.
fn subject(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    subject: &str,
    members: &[AuthenticatorId],
    authenticators: &[Authenticator],
) -> Option<(AuthenticatorId, String)> {
    if subject.is_empty() {
        cx.expected(at, "a subject that is not empty");
        return None;
    }
    if let [only] = members {
        return Some((*only, subject.to_owned()));
    }
    let found = subject.split_once('/').and_then(|(name, subject)| {
        let id = members
            .iter()
            .find(|id| authenticators.get(id.index()).is_some_and(|known| known.name == name))?;
        (!subject.is_empty()).then(|| (*id, subject.to_owned()))
    });
    if found.is_none() {
        let expected = "`authenticator/subject`, since this rule has several authenticators";
        cx.expected(at, expected);
    }
    found
}
