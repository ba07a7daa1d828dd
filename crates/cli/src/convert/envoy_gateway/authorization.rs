//! `authorization` of a SecurityPolicy → clauses.

use crate::convert::access::{Clause, Condition, Effect, Text};
use crate::convert::message::Message;
use crate::convert::space::{self, Atom, Constraint, Region, Shape};
use crate::convert::{claim, label};

/// The rules in order, and the effect on other requests. `providers` maps names in the policy to authenticators.
pub fn clauses(authorization: Message<'_>, providers: &[(String, String)]) -> (Vec<Clause>, Effect) {
    let otherwise = match authorization.filled("defaultAction") {
        None | Some("Deny") => Effect::Deny,
        Some("Allow") => Effect::Allow,
        Some(_) => {
            authorization.finding_at("defaultAction", "is neither Allow nor Deny", "Correct it.");
            Effect::Deny
        }
    };
    let rules = authorization.messages("rules");
    (rules.into_iter().map(|rule| clause(rule, providers)).collect(), otherwise)
}

fn clause(rule: Message<'_>, providers: &[(String, String)]) -> Clause {
    let findings = rule.file().findings;
    let mark = findings.mark();
    let name = rule.filled("name").map(label).unwrap_or_default();
    let at = rule.at();
    let effect = if rule.text("action") == Some("Allow") { Effect::Allow } else { Effect::Deny };
    if !matches!(rule.text("action"), Some("Allow" | "Deny")) {
        rule.finding_at("action", "is neither Allow nor Deny", "Correct it.");
    }
    let mut region = Region::default();
    let [path, _, source, method] = &mut region;
    if let Some(operation) = rule.message("operation") {
        for given in operation.texts("methods") {
            method.any.push(Atom::Method(given.to_owned()));
        }
        if let Some(given) = operation.message("path") {
            read_path(&given, effect, path);
        }
    }
    let mut who = Vec::new();
    if let Some(principal) = rule.message("principal") {
        for block in principal.texts("clientCIDRs") {
            match space::source(block) {
                Some(atom) => source.any.push(atom),
                None => {
                    let what = format!("has {block:?}, which is not a block of addresses");
                    principal.finding_at("clientCIDRs", &what, "Correct it.");
                }
            }
        }
        if let Some(jwt) = principal.message("jwt") {
            read_token(&jwt, providers, &mut who);
        }
        for (name, what) in [
            ("headers", "is a condition on headers"),
            ("clientIPGeoLocations", "is a condition on the location of an address"),
        ] {
            if principal.has(name) {
                let what = format!("{what}, which has no equivalent");
                principal.finding_at(
                    name,
                    &what,
                    "Keep this rule in a SecurityPolicy, or ask for credentials.",
                );
            }
        }
    }
    if rule.has("cel") {
        rule.finding_at(
            "cel",
            "is an expression, which has no equivalent",
            "Write rules for its conditions by hand.",
        );
    }
    drop(rule);
    Clause { name, at, effect, region, who, lost: findings.since(mark) }
}

fn read_path(given: &Message<'_>, effect: Effect, constraint: &mut Constraint) {
    let value = given.filled("value").unwrap_or("/");
    let is_inverted = given.is_true("invert");
    let shapes = match given.filled("type").unwrap_or("PathPrefix") {
        "Exact" => vec![Shape::Exact(value.to_owned())],
        "PathPrefix" => match value.strip_suffix('/').unwrap_or(value) {
            "" if is_inverted => {
                given.finding("matches no path at all", "Remove the rule.");
                return;
            }
            "" => return,
            prefix => vec![Shape::Exact(prefix.to_owned()), Shape::prefix(&format!("{prefix}/"))],
        },
        // In Envoy Gateway, the regex also matches the query. A regex that ends with `.*` does not allow more without
        // it.
        "RegularExpression" if effect == Effect::Allow && !is_inverted && value.ends_with(".*") => {
            vec![Shape::regex(value.trim_start_matches('^'))]
        }
        kind => {
            let what = format!("has the type {kind}, which has no equivalent: it matches the query as well");
            given.finding_at(
                "type",
                &what,
                "Write a path, a prefix, or a regex for the path without its query by hand.",
            );
            return;
        }
    };
    let atoms = shapes.into_iter().map(Atom::Path);
    if is_inverted { constraint.none.extend(atoms) } else { constraint.any.extend(atoms) }
}

fn read_token(jwt: &Message<'_>, providers: &[(String, String)], who: &mut Vec<Condition>) {
    let provider = jwt.filled("provider").unwrap_or_default();
    match providers.iter().find(|(name, _)| name == provider) {
        Some((_, name)) => who.push(Condition::Authenticator(name.clone())),
        None => {
            let what = format!("names {provider:?}, which is not among `jwt.providers`");
            jwt.finding_at("provider", &what, "Correct it: Envoy Gateway refuses it.");
        }
    }
    for scope in jwt.texts("scopes") {
        who.push(Condition::Scope(vec![scope.to_owned()]));
    }
    for given in jwt.messages("claims") {
        let name = given.filled("name").unwrap_or_default();
        let values = given.texts("values");
        given.skip(&["valueType"]);
        if values.is_empty() {
            given.finding_at("values", "is empty", "Correct it: Envoy Gateway refuses it.");
        }
        if matches!(name, "scope" | "scp") {
            given.finding_at("name", "is a list of words", "Use `scopes`.");
        }
        let any = values.into_iter().map(|value| Text::Exact(value.to_owned())).collect();
        who.push(Condition::Claim { claim: claim(name), any, negated: false });
    }
}
