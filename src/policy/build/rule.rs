//! Builds `rules`, except their `match`.

use std::collections::HashSet;

use super::parts::Parts;
use super::{authorization, requirement};
use crate::config::context::{BuildContext, is_label};
use crate::config::path::ConfigPath;
use crate::config::{self, Config, ConfigErrorKind, MOST_NAMED, WarningKind};
use crate::http::origin::{self, Origins};
use crate::policy::requirement::Requirement;
use crate::policy::rules::MatchSpec;
use crate::policy::variables::Variables;
use crate::policy::{Access, Protection, Rule};

/// Builds all rules, in order. Omits those with errors.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    config: &Config,
    parts: &Parts<'_>,
) -> Vec<Rule> {
    let rules = &config.rules.0;
    if rules.is_empty() {
        cx.expected(at, "at least one rule");
    }
    let mut names = HashSet::new();
    let mut built = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let at = &at.index(index);
        let name = rule.name.clone().unwrap_or_else(|| format!("rule-{index}"));
        if !is_label(&name) {
            let expected = "a name of letters, digits, `-`, `_` and `.`";
            cx.expected(&at.member("name"), expected);
        } else if !names.insert(name.clone()) {
            cx.error(&at.member("name"), ConfigErrorKind::DuplicateName(name.clone()));
        }
        let is_shadowed = rule.shadow.unwrap_or(config.shadow);
        let origins = rule
            .origins
            .as_ref()
            .map(|origins| Origins::new(cx.elements(&at.member("origins"), Some(origins), origin::parse)));
        let matches = parts.specs.get(index).map(Vec::as_slice).unwrap_or_default();
        if let Some(access) = access(cx, at, rule, is_shadowed, matches, parts) {
            built.push(Rule { number: index, name, is_shadowed, origins, access });
        }
    }
    warn_of_shadow(cx, config.shadow, &built);
    built
}

/// Warns of shadow mode, so that nobody mistakes a rule in it for an enforced one.
fn warn_of_shadow(cx: &mut BuildContext<'_>, is_shadowed: bool, rules: &[Rule]) {
    let names: Vec<&str> =
        rules.iter().filter(|rule| rule.is_shadowed).map(|rule| rule.name.as_str()).collect();
    if is_shadowed || !names.is_empty() {
        let unmatched = is_shadowed.then_some("requests without a rule");
        let named = names.iter().copied().take(MOST_NAMED).chain(unmatched);
        let more = names.len().saturating_sub(MOST_NAMED);
        let kind = WarningKind::NotEnforced { what: named.collect::<Vec<_>>().join(", "), more };
        cx.warn(&ConfigPath::Root.member("shadow"), kind);
    }
}

fn access(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    rule: &config::Rule,
    is_shadowed: bool,
    matches: &[MatchSpec],
    parts: &Parts<'_>,
) -> Option<Access> {
    for (name, value) in [("public", rule.public), ("deny", rule.deny)] {
        if value == Some(false) {
            cx.expected(&at.member(name), "true, or no such field");
        }
    }
    let access = match (rule.public, rule.deny, &rule.require) {
        (Some(_), None, None) => Some(Access::Public),
        (None, Some(_), None) => Some(Access::Denied),
        (None, None, Some(requirement)) => {
            let protection = protection(cx, at, rule, requirement, is_shadowed, matches, parts);
            return protection.map(Access::Protected);
        }
        _ => {
            cx.error(at, ConfigErrorKind::ExactlyOne(&["public", "deny", "require"]));
            None
        }
    };
    for (name, is_present) in [("optional", rule.optional), ("authorize", rule.authorize.is_some())] {
        if is_present {
            cx.expected(&at.member(name), "`require` in the same rule");
        }
    }
    access
}

fn protection(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    rule: &config::Rule,
    requirement: &config::Requirement,
    is_shadowed: bool,
    matches: &[MatchSpec],
    parts: &Parts<'_>,
) -> Option<Box<Protection>> {
    if rule.optional && rule.authorize.is_some() {
        let expected = "no `authorize` in the same rule: nothing is known about a caller without credentials";
        cx.expected(&at.member("optional"), expected);
    }
    let requirement = requirement::build(cx, &at.member("require"), requirement, parts.authenticators);
    let members = requirement.as_ref().map(Requirement::members).unwrap_or_default();
    let mut variables = Variables::new(matches.to_vec());
    let authorizations = match (&rule.authorize, &requirement) {
        (Some(authorizations), Some(_)) => {
            let at = &at.member("authorize");
            authorization::build(cx, at, authorizations, &members, &mut variables, parts)
        }
        _ => Vec::new(),
    };
    let (requirement, optional) = (requirement?, rule.optional);
    Some(Box::new(Protection { requirement, members, optional, authorizations, variables, is_shadowed }))
}
