//! Envoy's `envoy.filters.http.jwt_authn`.

mod claims;
pub mod provider;
mod requirement;

use std::collections::BTreeMap;

use serde_json::json;

use self::requirement::Need;
use super::super::finding::At;
use super::super::message::Message;
use super::super::output::Output;
use super::Place;
use super::path::Path;
use super::route_match::{self, Matched, Methods};
use super::routes::{Access, Draft, Filter, Rules};

/// State of the conversion of a filter.
pub(super) struct Context<'a> {
    /// Provider → authenticator.
    names: BTreeMap<&'a str, String>,
    /// Authenticators that could not be converted, with the reasons.
    broken: BTreeMap<String, Vec<String>>,
    /// Authenticator, header, and the part of the token that fills the header, such as `claims` or `claim:sub`.
    headers: Vec<(String, String, String)>,
    /// Claims that authenticators write into metadata.
    payloads: Vec<Payload>,
    /// True if a filter after this one has conditions on claims in metadata, and is converted together with it.
    has_partner: bool,
}

/// Claims that a provider writes into metadata: its authenticator, the metadata name, and the claims that it splits
/// into words.
#[derive(Clone)]
struct Payload {
    authenticator: String,
    name: String,
    spaced: Vec<String>,
}

/// Converts a filter, together with an `rbac` after it that has conditions on the claims.
pub fn convert<'a>(filter: &Message<'a>, place: &Place<'a>, rbac: Option<&(&'a str, Message<'a>)>) -> Output {
    let mut output = Output::from(filter.at());
    output.head.push(
        "from jwt_authn. Stricter: a token needs a subject, is in one location only, and has no duplicate names; a \
         path with several interpretations for which rules differ is rejected"
            .to_owned(),
    );
    let findings = filter.file().findings;
    let mut context = Context {
        names: BTreeMap::new(),
        broken: BTreeMap::new(),
        headers: Vec::new(),
        payloads: Vec::new(),
        has_partner: rbac.is_some(),
    };
    for (name, given) in filter.map("providers") {
        let mark = findings.mark();
        let own = output.free_name(name);
        context.names.insert(name, own.clone());
        let part = provider::convert(&own, given, &mut context);
        output.authenticators.push(part);
        let reasons = findings.since(mark);
        if !reasons.is_empty() {
            context.broken.insert(own, reasons);
        }
    }
    let named = filter.node_of("requirement_map");
    let mut own = Vec::new();
    for (number, rule) in filter.messages("rules").into_iter().enumerate() {
        own.push(rule_of(&mut output, &mut context, filter, rule, number));
    }
    own.extend(rest(filter, &own, filter.at()));
    if place.is_disabled {
        own = vec![public("not-enabled", filter.at(), "the filter is disabled unless a route enables it")];
    }
    if filter.is_true("bypass_cors_preflight") {
        output.more.push(("cors_preflight", json!("allow")));
    }
    filter.skip(&["strip_failure_response", "stat_prefix"]);
    if filter.is_true("strip_failure_response") {
        output.head.push("`strip_failure_response` has no equivalent; see `denials`".to_owned());
    }
    match rbac {
        Some(rbac) => {
            let own_rules = Filter { name: place.name, own: &own };
            let (own, unplaced) = place.collect(&mut output, &own_rules, &mut |output, route| {
                Rules::All(per_route(output, &mut context, filter, route))
            });
            claims::write(&mut output, &context, &own, filter, rbac, place);
            if !unplaced.is_empty() {
                output.deny_all(&unplaced);
            }
        }
        None => {
            let own_rules = Filter { name: place.name, own: &own };
            place.write(&mut output, &own_rules, &mut |output, route| {
                Rules::All(per_route(output, &mut context, filter, route))
            });
        }
    }
    // Unused requirements are read as well, so that errors in them become findings.
    let known = output.authenticators.len();
    if let Some(node) = named {
        let map = Message::new(filter.file(), node, filter.path("requirement_map"));
        for name in map.names() {
            if let Some(requirement) = map.message(name) {
                let _ = requirement::read(&mut output, &mut context, requirement);
            }
        }
    }
    output.authenticators.truncate(known);
    provider::write_headers(&mut output, &context, filter);
    for (name, reasons) in std::mem::take(&mut context.broken) {
        output.refuse(&name, &reasons);
    }
    output
}

fn public(name: &str, at: At, comment: &str) -> Draft {
    Draft {
        name: name.to_owned(),
        matched: Matched::any(),
        access: Access::Public,
        comments: vec![comment.to_owned()],
        at,
    }
}

/// The rule for requests that no rule matches: `jwt_authn` allows them.
fn rest(filter: &Message<'_>, own: &[Draft], at: At) -> Option<Draft> {
    let takes_all = |draft: &Draft| draft.matched.path == Path::Any && draft.matched.methods == Methods::All;
    let mark = filter.file().findings.mark();
    if filter.has("filter_state_rules") {
        filter.finding_at(
            "filter_state_rules",
            "has no equivalent here: rules do not see the state that other filters set",
            "Write a rule for the requests that these rules are meant for.",
        );
        let reasons = filter.file().findings.since(mark);
        return Some(Draft { access: Access::Deny(reasons), ..public("rest", at, "") });
    }
    let comment =
        "jwt_authn allows requests that no rule matches; without this rule they are denied, which is safer";
    (!own.iter().any(takes_all)).then(|| public("rest", at, comment))
}

fn rule_of<'a>(
    output: &mut Output,
    context: &mut Context<'a>,
    filter: &Message<'a>,
    rule: Message<'a>,
    number: usize,
) -> Draft {
    let findings = filter.file().findings;
    let (at, mark) = (rule.at(), findings.mark());
    let matched = match rule.message("match") {
        Some(matched) => route_match::read(&matched),
        None => {
            rule.finding("has no `match`", "Correct the input: Envoy would refuse it.");
            Matched::any()
        }
    };
    let need = match (rule.message("requires"), rule.filled("requirement_name")) {
        (Some(_), Some(_)) => {
            rule.finding("has `requires` and `requirement_name`", "Keep one of them.");
            Need::Lost
        }
        (Some(requirement), None) => requirement::read(output, context, requirement),
        (None, Some(name)) => requirement::named(output, context, filter, &rule, name),
        (None, None) => Need::Nothing,
    };
    drop(rule);
    let access = access(need, findings.since(mark));
    let comments = notes(&matched);
    Draft { name: format!("rule-{number}"), matched, access, comments, at }
}

fn notes(matched: &Matched) -> Vec<String> {
    match (&matched.path, matched.path.member()) {
        (Path::Prefix(_), Some(("regex", regex))) => {
            vec![format!(
                "`prefix` matches whole segments here; if that is what you want, write it for {regex}"
            )]
        }
        _ => Vec::new(),
    }
}

fn access(need: Need, reasons: Vec<String>) -> Access {
    match need {
        _ if !reasons.is_empty() => Access::Deny(reasons),
        Need::Lost => Access::Deny(vec!["its requirement".to_owned()]),
        Need::Nothing => Access::Public,
        Need::This { requirement, optional } => Access::Require { requirement, optional, authorize: None },
    }
}

/// Converts a `PerRouteConfig`.
fn per_route<'a>(
    output: &mut Output,
    context: &mut Context<'a>,
    filter: &Message<'a>,
    route: Message<'a>,
) -> Access {
    let findings = filter.file().findings;
    let mark = findings.mark();
    let need = match (route.is_true("disabled"), route.filled("requirement_name")) {
        (true, None) => Need::Nothing,
        (false, Some(name)) => requirement::named(output, context, filter, &route, name),
        _ => {
            let advice = "Correct the input: Envoy would refuse it.";
            route.finding("needs either `disabled: true` or `requirement_name`", advice);
            Need::Lost
        }
    };
    drop(route);
    access(need, findings.since(mark))
}
