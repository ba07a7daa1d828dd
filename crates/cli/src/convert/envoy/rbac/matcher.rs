//! The matching API of `rbac`: an ordered list of matchers, of which the first that matches decides.

use super::ADVICE;
use super::condition::{self, Case, NOT_HERE, Reader};
use crate::convert::access::{Clause, Effect};
use crate::convert::finding::At;
use crate::convert::label;
use crate::convert::message::Message;

/// Reads a `Matcher`: its clauses in order, and the effect on requests that no clause matches.
pub fn read(matcher: &Message<'_>, reader: &Reader<'_>) -> (Vec<Clause>, Effect) {
    let findings = matcher.file().findings;
    let mut clauses = Vec::new();
    if matcher.has("matcher_tree") {
        matcher.finding_at("matcher_tree", NOT_HERE, ADVICE);
        clauses.push(lost("matcher_tree", matcher.at(), vec!["`matcher_tree`".to_owned()]));
    }
    let list = matcher.message("matcher_list").map(|list| list.messages("matchers")).unwrap_or_default();
    for (number, given) in list.into_iter().enumerate() {
        let (at, mark) = (given.at(), findings.mark());
        let (name, effect) = match given.message("on_match").as_ref().and_then(action) {
            Some((name, effect)) => (name, effect),
            None => {
                given.finding_at("on_match", "is not an action of rbac that allows or denies", ADVICE);
                (format!("matcher-{number}"), Effect::Deny)
            }
        };
        let cases = match given.message("predicate") {
            Some(predicate) => cases(&predicate, reader, 0),
            None => condition::unknown(&given, "", "has no `predicate`"),
        };
        drop(given);
        let known: Vec<&String> = cases.iter().flat_map(|case| &case.lost).collect();
        let own: Vec<String> =
            findings.since(mark).into_iter().filter(|lost| !known.contains(&lost)).collect();
        clauses.extend(cases.iter().map(|case| Clause {
            name: label(&name),
            at: at.clone(),
            effect,
            region: case.region.clone(),
            who: case.who.clone(),
            lost: case.lost.iter().chain(&own).cloned().collect(),
        }));
        if cases.is_empty() && !own.is_empty() {
            clauses.push(lost(&name, at, own));
        }
    }
    // Without `on_no_match`, Envoy denies these requests.
    let Some(rest) = matcher.message("on_no_match") else { return (clauses, Effect::Deny) };
    match action(&rest) {
        Some((_, effect)) => (clauses, effect),
        None => {
            rest.finding("is not an action of rbac that allows or denies", ADVICE);
            (clauses, Effect::Deny)
        }
    }
}

fn lost(name: &str, at: At, lost: Vec<String>) -> Clause {
    let name = label(name);
    Clause { name, at, effect: Effect::Deny, region: Default::default(), who: Vec::new(), lost }
}

/// Name and effect of an `OnMatch`, if it is an `Action` that allows or denies.
fn action(given: &Message<'_>) -> Option<(String, Effect)> {
    let extension = given.message("action")?;
    let name = extension.filled("name").unwrap_or("matcher").to_owned();
    let config = extension.message("typed_config")?;
    if !config.filled("@type").is_some_and(|kind| kind.ends_with("config.rbac.v3.Action")) {
        return None;
    }
    config.skip(&["name"]);
    let value = config.value("action");
    match value.as_ref().map(|value| (value.as_str(), value.as_u64())) {
        None | Some((Some("ALLOW"), _) | (_, Some(0))) => Some((name, Effect::Allow)),
        Some((Some("DENY"), _) | (_, Some(1))) => Some((name, Effect::Deny)),
        Some(_) => None,
    }
}

/// The cases of a predicate.
fn cases(given: &Message<'_>, reader: &Reader<'_>, depth: usize) -> Vec<Case> {
    const DEEPEST: usize = 20;
    let names = given.names();
    let [name] = names.as_slice() else {
        return condition::unknown(given, "", "does not have exactly one condition");
    };
    if depth > DEEPEST {
        return condition::unknown(given, "", "is nested too deeply");
    }
    let members = |name: &str| given.message(name).map(|list| list.messages("predicate")).unwrap_or_default();
    let every = vec![Case::default()];
    match *name {
        "single_predicate" | "singlePredicate" => match given.message(name) {
            Some(single) => self::single(&single, reader),
            None => condition::unknown(given, name, NOT_HERE),
        },
        "or_matcher" | "orMatcher" => match members(name) {
            list if list.is_empty() => condition::unknown(given, name, "is empty"),
            list => list.iter().flat_map(|inner| cases(inner, reader, depth + 1)).collect(),
        },
        "and_matcher" | "andMatcher" => match members(name) {
            list if list.is_empty() => condition::unknown(given, name, "is empty"),
            list => list
                .iter()
                .fold(every, |found, inner| condition::both(&found, &cases(inner, reader, depth + 1), given)),
        },
        "not_matcher" | "notMatcher" => {
            let inner = given.message(name).map(|inner| cases(&inner, reader, depth + 1));
            condition::excluding(&inner.unwrap_or_default(), given)
        }
        name => condition::unknown(given, name, NOT_HERE),
    }
}

/// A condition on one property of the request.
fn single(given: &Message<'_>, reader: &Reader<'_>) -> Vec<Case> {
    let config = |name: &str| {
        given.message(name).and_then(|extension| {
            extension.skip(&["name"]);
            extension.message("typed_config")
        })
    };
    let Some(input) = config("input") else { return condition::unknown(given, "input", NOT_HERE) };
    let custom = config("custom_match");
    let kind = |of: &Option<Message<'_>>, end: &str| {
        of.as_ref().and_then(|of| of.filled("@type")).is_some_and(|url| url.ends_with(end))
    };
    let input = Some(input);
    if kind(&input, ".SourceIPInput") && kind(&custom, ".input_matchers.ip.v3.Ip") {
        let Some(ip) = custom else { return Vec::new() };
        ip.skip(&["stat_prefix"]);
        let blocks = ip.messages("cidr_ranges");
        let atoms: Option<Vec<_>> = blocks.iter().map(condition::block).collect();
        return match atoms.filter(|atoms| !atoms.is_empty()) {
            Some(atoms) => condition::of_sources(atoms),
            None => condition::unknown(&ip, "cidr_ranges", "is not a list of blocks"),
        };
    }
    if kind(&input, ".HttpRequestHeaderMatchInput")
        && let (Some(header), Some(value)) = (&input, given.message("value_match"))
        && header.filled("header_name") == Some(":method")
        && !value.is_true("ignore_case")
        && let Some(method) = value.filled("exact")
    {
        return condition::of_method(method);
    }
    if kind(&input, ".DynamicMetadataInput")
        && kind(&custom, ".input_matchers.metadata.v3.Metadata")
        && let (Some(input), Some(custom)) = (&input, &custom)
    {
        let value = custom.message("value");
        return reader.claim(input, value, custom.is_true("invert"));
    }
    for part in [&input, &custom].into_iter().flatten() {
        part.skip(&["header_name", "filter", "path", "value", "invert", "cidr_ranges", "stat_prefix"]);
    }
    given.skip(&["value_match"]);
    condition::unknown(given, "", "is a condition that has no equivalent here")
}
