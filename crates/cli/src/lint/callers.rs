//! Warnings about rules whose conditions on the caller are missing or can never be met.

use std::collections::BTreeSet;

use authgate::config::path::ConfigPath;
use authgate::config::{Authenticator, Authorization, Config, Rule, Variable};
use authgate::http::host::HostPattern;
use authgate::policy::requirement::Requirement;
use authgate::policy::rules::MatchSpec;
use authgate::policy::{self, Access, Policy};
use authgate::principal::AuthenticatorId;
use serde_json::{Value, json};

use super::Lint;

/// Returns warnings about variables and step-up authentication.
pub fn lints(config: &Config, policy: &Policy) -> Vec<Lint> {
    let mut lints = Vec::new();
    let specs = policy::matches(config);
    let root = ConfigPath::Root.member("rules");
    for (at, (rule, specs)) in config.rules.0.iter().zip(&specs).enumerate() {
        let at = root.index(at);
        unused_variables(&at, rule, specs, &mut lints);
        unchecked_variable(&at, rule, specs, &mut lints);
    }
    for (rule, written) in policy.rules.iter().zip(&config.rules.0) {
        if let Access::Protected(protection) = &rule.access {
            for caller in callers(&protection.requirement) {
                step_up(&root.index(rule.number), config, policy, written, caller, &mut lints);
            }
        }
    }
    lints
}

fn authorizations(rule: &Rule) -> &[Authorization] {
    rule.authorize.as_ref().map(|list| list.0.as_slice()).unwrap_or_default()
}

/// Warns about labels of `hosts` with a name that nothing uses.
fn unused_variables(at: &ConfigPath<'_>, rule: &Rule, specs: &[MatchSpec], lints: &mut Vec<Lint>) {
    let mut seen = BTreeSet::new();
    let count = specs.len();
    for (number, spec) in specs.iter().enumerate() {
        for (index, pattern) in spec.hosts().iter().enumerate() {
            let (Some(name), HostPattern::Label { parent, .. }) = (pattern.variable(), pattern) else {
                continue;
            };
            if authorizations(rule).iter().any(|wanted| compares(wanted, "host", name)) || !seen.insert(name)
            {
                continue;
            }
            let path = at.member("match");
            let path = path.element(number, count);
            let path = path.member("hosts");
            lints.push(Lint {
                code: "unused-variable",
                path: path.index(index).to_string(),
                message: format!(
                    "the variable `{{{name}}}` is not used; compare it in `authorize`, as in `claims: {{tenant: {{host: \
                     {name}}}}}`, or write `*.{parent}`, which also matches names with more labels"
                ),
            });
        }
    }
}

/// Warns about a rule that requires certain subjects, and does not compare the object in the path with them.
fn unchecked_variable(at: &ConfigPath<'_>, rule: &Rule, specs: &[MatchSpec], lints: &mut Vec<Lint>) {
    let wanted = authorizations(rule);
    let has_subject = |wanted: &Authorization| {
        wanted.subject.is_some()
            || wanted.subjects.is_some()
            || wanted.claims.0.iter().any(|(claim, _)| matches!(claim.as_str(), "sub" | "/sub"))
    };
    let names: Vec<&str> = specs.iter().flat_map(|spec| spec.path().variables()).collect();
    let is_compared = names.iter().any(|name| wanted.iter().any(|wanted| compares(wanted, "path", name)));
    let (Some(first), false, true) = (names.first(), is_compared, wanted.iter().any(has_subject)) else {
        return;
    };
    let number = specs.iter().position(|spec| spec.path().variables().next().is_some()).unwrap_or_default();
    let path = at.member("match");
    let path = path.element(number, specs.len());
    lints.push(Lint {
        code: "unchecked-variable",
        path: path.member("template").to_string(),
        message: format!(
            "`authorize` does not compare the variable `{{{first}}}` with the caller, so each caller that it allows can \
             access every object; compare it, as in `subject: {{path: {first}}}`"
        ),
    });
}

/// True if an object of `authorize` compares this variable.
fn compares(wanted: &Authorization, kind: &str, name: &str) -> bool {
    let is_subject = match &wanted.subject {
        Some(Variable::Path(known)) => kind == "path" && known == name,
        Some(Variable::Host(known)) => kind == "host" && known == name,
        Some(Variable::Header(_)) | None => false,
    };
    is_subject || wanted.claims.0.iter().any(|(_, matcher)| *matcher == json!({ kind: name }))
}

/// The authenticators whose principal can be the caller: of `all_of`, the first one.
fn callers(requirement: &Requirement) -> Vec<AuthenticatorId> {
    match requirement {
        Requirement::One(id) => vec![*id],
        Requirement::AnyOf(parts) => parts.iter().flat_map(callers).collect(),
        Requirement::AllOf(parts) => parts.first().map(callers).unwrap_or_default(),
    }
}

/// Warns if all objects of `authorize` for this authenticator require a login that it never has.
fn step_up(
    at: &ConfigPath<'_>,
    config: &Config,
    policy: &Policy,
    rule: &Rule,
    caller: AuthenticatorId,
    lints: &mut Vec<Lint>,
) {
    let Some(authenticator) = policy.authenticator(caller) else { return };
    let written = config.authenticators.0.iter().find(|(name, _)| *name == authenticator.name);
    let Some((name, written)) = written else { return };
    let all = authorizations(rule);
    let meant = all.iter().enumerate().filter(|(_, wanted)| {
        wanted.authenticators.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
    });
    let mut first = None;
    for (index, wanted) in meant {
        let Some(field) = unmet(wanted, written) else { return };
        first = first.or(Some((index, field)));
    }
    let Some((index, field)) = first else { return };
    let path = at.member("authorize");
    let path = path.element(index, all.len());
    lints.push(Lint {
        code: "unmet-step-up",
        path: path.member(field).to_string(),
        message: format!(
            "credentials of \"{name}\" ({}) can never meet `{field}`, so its callers always get 401; remove \"{name}\" \
             from `require`, or add an object with `authenticators: [{name}]`",
            authenticator.scheme.name()
        ),
    });
}

/// The field of a step-up condition that no credential of the authenticator meets.
fn unmet(wanted: &Authorization, authenticator: &Authenticator) -> Option<&'static str> {
    let claims: Vec<&serde_json::Map<String, Value>> = match authenticator {
        Authenticator::Jwt(_) | Authenticator::Introspection(_) => return None,
        Authenticator::Basic(basic) => basic.users.0.iter().map(|(_, user)| &user.claims).collect(),
        Authenticator::ApiKey(keys) => keys.keys.0.iter().map(|key| &key.claims).collect(),
        _ => Vec::new(),
    };
    let has_acr = |acr: &Vec<String>| {
        claims.iter().any(|claims| {
            claims.get("acr").and_then(Value::as_str).is_some_and(|known| acr.iter().any(|acr| acr == known))
        })
    };
    match (&wanted.max_auth_age, &wanted.acr) {
        (Some(_), _) => Some("max_auth_age"),
        (None, Some(acr)) if !has_acr(acr) => Some("acr"),
        (None, _) => None,
    }
}
