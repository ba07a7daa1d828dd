//! Builds `authorize`.

use serde_json::Value;

use super::parts::Parts;
use super::requirement::authenticator_named;
use crate::authn::Authenticator;
use crate::authn::token::build_matchers;
use crate::config;
use crate::config::context::{BuildContext, is_scope};
use crate::config::path::ConfigPath;
use crate::config::shape::OneOrMany;
use crate::http::request::is_token;
use crate::jose::claims::ClaimSelector;
use crate::policy::authorization::{Authorization, ClaimCondition, RequiredAuthentication};
use crate::policy::variables::{Variable, VariableId, Variables};
use crate::principal::AuthenticatorId;

/// Builds a rule's `authorize`. `members` are the rule's authenticators, and `variables` those that were used so far.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    authorizations: &OneOrMany<config::Authorization>,
    members: &[AuthenticatorId],
    variables: &mut Variables,
    parts: &Parts<'_>,
) -> Vec<Authorization> {
    cx.non_empty(at, &authorizations.0);
    let built = authorizations.0.iter().enumerate().filter_map(|(index, config)| {
        let at = &at.element(index, authorizations.0.len());
        authorization(cx, at, config, members, variables, parts)
    });
    built.collect()
}

fn authorization(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    config: &config::Authorization,
    members: &[AuthenticatorId],
    variables: &mut Variables,
    parts: &Parts<'_>,
) -> Option<Authorization> {
    let errors = cx.errors.len();
    let lists = [&config.scopes, &config.any_scope, &config.subjects, &config.acr];
    if lists.iter().all(|list| list.is_none())
        && config.claims.0.is_empty()
        && config.subject.is_none()
        && config.max_auth_age.is_none()
    {
        cx.expected(at, "at least one of: scopes, any_scope, subjects, subject, claims, acr, max_auth_age");
    }
    let speaks_for = match &config.authenticators {
        None => members.to_vec(),
        Some(names) => speaks_for(cx, &at.member("authenticators"), names, members, parts.authenticators),
    };
    let subjects = config.subjects.as_ref().map(|subjects| {
        let at = &at.member("subjects");
        cx.non_empty(at, subjects);
        let built = subjects.iter().enumerate();
        built
            .filter_map(|(index, text)| subject(cx, &at.index(index), text, members, parts.authenticators))
            .collect()
    });
    let subject = config.subject.as_ref().and_then(|config| {
        let variable = match config {
            config::Variable::Path(name) => Variable::Path(name.clone()),
            config::Variable::Host(name) => Variable::Host(name.clone()),
            config::Variable::Header(name) => Variable::Header(name.clone()),
        };
        use_variable(cx, &at.member("subject"), variable, variables, parts)
    });
    let require = |scopes: Vec<String>| scopes.iter().map(|scope| parts.scopes.require(scope)).collect();
    let authorization = Authorization {
        scopes: require(cx.scopes(&at.member("scopes"), config.scopes.as_deref())),
        any_scope: require(cx.scopes(&at.member("any_scope"), config.any_scope.as_deref())),
        asks_for_first: parts.specs.iter().flatten().any(|spec| spec.mcp().is_some()),
        subjects,
        subject,
        claims: claims(cx, &at.member("claims"), &config.claims.0, variables, parts),
        authentication: authentication(cx, at, config, &speaks_for, parts.authenticators),
        authenticators: speaks_for,
    };
    (cx.errors.len() == errors).then_some(authorization)
}

/// Builds `acr` and `max_auth_age`.
fn authentication(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    config: &config::Authorization,
    members: &[AuthenticatorId],
    authenticators: &[Authenticator],
) -> RequiredAuthentication {
    let is_bearer = |id: &AuthenticatorId| {
        authenticators.get(id.index()).is_some_and(|authenticator| authenticator.scheme.is_bearer())
    };
    for (name, is_present) in [("acr", config.acr.is_some()), ("max_auth_age", config.max_auth_age.is_some())]
    {
        if is_present && !members.is_empty() && !members.iter().any(is_bearer) {
            cx.expected(&at.member(name), "a jwt or introspection authenticator in the same rule");
        }
    }
    let max_age = config.max_auth_age.map(|age| age.0);
    if max_age.is_some_and(|age| age.as_secs() == 0 || age.subsec_nanos() != 0) {
        cx.expected(&at.member("max_auth_age"), "whole seconds, at least one: challenges cannot name others");
    }
    let acr = config.acr.clone().unwrap_or_default();
    if config.acr.is_some() {
        let at = &at.member("acr");
        cx.non_empty(at, &acr);
        // Challenges separate the values with spaces.
        for (index, _) in acr.iter().enumerate().filter(|(_, value)| !is_scope(value)) {
            let expected = "a value of visible ASCII characters, without spaces, quotes and backslashes";
            cx.expected(&at.index(index), expected);
        }
    }
    RequiredAuthentication { acr, max_age }
}

/// Adds a variable to those of the rule, or records why the rule cannot use it.
fn use_variable(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    variable: Variable,
    variables: &mut Variables,
    parts: &Parts<'_>,
) -> Option<VariableId> {
    let variable = match variable {
        Variable::Header(name) if !is_token(&name) => {
            cx.expected(&at.member("header"), "a header name such as x-org-id");
            return None;
        }
        Variable::Header(name) => Variable::Header(name.to_ascii_lowercase()),
        other => other,
    };
    let expected = match &variable {
        Variable::Header(name) if name == "host" => {
            "another header; `{host: tenant}` compares a label of `hosts: [\"{tenant}.example.com\"]`"
        }
        Variable::Header(name) if (parts.is_replaced)(name) => {
            "a header that carries neither identity nor a credential"
        }
        Variable::Path(_) if !variables.offers(&variable) => {
            "a variable of the `template` in each `match` of the rule"
        }
        Variable::Host(_) if !variables.offers(&variable) => {
            "a variable of all `hosts` in each `match` of the rule, as in `{tenant}.example.com`"
        }
        _ => return Some(variables.add(variable)),
    };
    let name = match variable {
        Variable::Path(_) => "path",
        Variable::Host(_) => "host",
        Variable::Header(_) => "header",
    };
    cx.expected(&at.member(name), expected);
    None
}

/// Builds the conditions on claims.
fn claims(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    claims: &[(String, Value)],
    variables: &mut Variables,
    parts: &Parts<'_>,
) -> Vec<(ClaimSelector, ClaimCondition)> {
    let mut conditions = Vec::new();
    let mut constants = Vec::new();
    for (name, value) in claims {
        let Some(variable) = variable(value) else {
            constants.push((name.clone(), value.clone()));
            continue;
        };
        let at = &at.member(name);
        let variable = use_variable(cx, at, variable, variables, parts);
        if let (Some(selector), Some(variable)) = (cx.checked(at, ClaimSelector::parse(name)), variable) {
            conditions.push((selector, ClaimCondition::Equals(variable)));
        }
    }
    let constants = build_matchers(cx, at, &constants).into_iter();
    conditions.extend(constants.map(|(selector, matcher)| (selector, ClaimCondition::Matches(matcher))));
    conditions
}

/// Returns the variable in `{path: NAME}`, `{host: NAME}` or `{header: NAME}`.
fn variable(value: &Value) -> Option<Variable> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (source, name) = members.iter().next()?;
    let name = name.as_str()?.to_owned();
    match source.as_str() {
        "path" => Some(Variable::Path(name)),
        "host" => Some(Variable::Host(name)),
        "header" => Some(Variable::Header(name)),
        _ => None,
    }
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
