//! Envoy's `envoy.filters.http.rbac`: conditions on path, method, host and source address.

use super::super::message::Message;
use super::super::output::Output;
use super::Place;
use super::path::Path;
use super::route_match::{Common, Matched, Methods};
use super::routes::{Access, Draft, Filter};

const ADVICE: &str = "Write the rule by hand: authgate matches path, method, host and source address, and claims with `authorize`.";

/// Converts one filter.
pub fn convert<'a>(filter: &Message<'a>, place: &Place<'a>) -> Output {
    let mut output = Output::from(filter.at());
    output.head.push(
        "from rbac, which matches what came before it: behind a filter of its own for tokens".to_owned(),
    );
    let drafts = match place.is_disabled {
        true => vec![all("not-enabled", Access::Public, filter)],
        false => rules(filter),
    };
    place.write(&mut output, &Filter { name: place.name, own: &drafts }, &mut |_, route| {
        // Rules of a route are several; one that is not simply open or closed is not converted.
        match route.message("rbac") {
            None => Access::Public,
            Some(inner) => match rules(&inner).as_slice() {
                [Draft { matched, access, .. }] if *matched == Matched::any() => access.clone(),
                _ => {
                    inner.finding("has rules of its own for a route", ADVICE);
                    Access::Deny(Vec::new())
                }
            },
        }
    });
    output
}

fn all(name: &str, access: Access, filter: &Message<'_>) -> Draft {
    let at = filter.at();
    Draft { name: name.to_owned(), matched: Matched::any(), access, comments: Vec::new(), at }
}

/// The rules for an `RBAC`, to the end.
fn rules(filter: &Message<'_>) -> Vec<Draft> {
    let shadow = ["shadow_rules", "shadow_matcher"].iter().any(|name| filter.has(name));
    filter.skip(&["shadow_rules_stat_prefix", "rules_stat_prefix", "track_per_rule_stats"]);
    let mut comments = Vec::new();
    if shadow {
        comments.push("shadow rules decide nothing, and were not converted".to_owned());
    }
    if filter.has("matcher") {
        filter.finding_at("matcher", "has no equivalent here", ADVICE);
        return vec![all("matcher", Access::Deny(vec!["`matcher`".to_owned()]), filter)];
    }
    let Some(rules) = filter.message("rules") else {
        return vec![Draft { comments, ..all("rest", Access::Public, filter) }];
    };
    let action = rules.value("action");
    let action = match action.as_ref().map(|action| (action.as_str(), action.as_u64())) {
        None | Some((Some("ALLOW"), _) | (_, Some(0))) => Some(true),
        Some((Some("DENY"), _) | (_, Some(1))) => Some(false),
        Some((Some("LOG"), _) | (_, Some(2))) => {
            rules.skip(&["policies", "audit_logging_options"]);
            comments.push("`LOG` decides nothing, and was not converted".to_owned());
            return vec![Draft { comments, ..all("rest", Access::Public, filter) }];
        }
        Some(_) => None,
    };
    rules.skip(&["audit_logging_options"]);
    let Some(allows) = action else {
        rules.finding_at("action", "is none of ALLOW, DENY and LOG", "Correct the input.");
        return vec![all("action", Access::Deny(vec!["`action`".to_owned()]), filter)];
    };
    let (mut drafts, mut closed) = (Vec::new(), Vec::new());
    let mut policies = rules.map("policies");
    policies.sort_by_key(|(name, _)| *name);
    for (name, policy) in policies {
        let (at, findings) = (policy.at(), policy.file().findings);
        let mark = findings.mark();
        let requests = requests(&policy);
        drop(policy);
        let lost = findings.since(mark);
        for matched in requests {
            let (access, list) = match (allows, lost.is_empty()) {
                (true, true) => (Access::Public, &mut drafts),
                // Whoever is allowed by another policy stays so.
                (true, false) => (Access::Deny(lost.clone()), &mut closed),
                (false, _) => (Access::Deny(lost.clone()), &mut drafts),
            };
            list.push(Draft { name: name.to_owned(), matched, access, comments: Vec::new(), at: at.clone() });
        }
    }
    drafts.extend(closed);
    let (name, access) = if allows { ("denied", Access::Deny(Vec::new())) } else { ("rest", Access::Public) };
    drafts.push(Draft { comments, ..all(name, access, filter) });
    drafts
}

/// The requests that a policy is about: any of its permissions and any of its principals.
fn requests(policy: &Message<'_>) -> Vec<Matched> {
    let any = |name: &str, read: &dyn Fn(&Message<'_>) -> Vec<Matched>| {
        let list = policy.messages(name);
        if list.is_empty() {
            policy.finding_at(name, "is empty", "Correct the input: Envoy would refuse it.");
            return vec![Matched::any()];
        }
        list.iter().flat_map(read).collect::<Vec<_>>()
    };
    let permissions = any("permissions", &|given| condition(given, 0));
    let principals = any("principals", &|given| condition(given, 0));
    both(&permissions, &principals, policy)
}

/// Every combination; what cannot be told matches more than it should, and is a finding.
fn both(first: &[Matched], second: &[Matched], of: &Message<'_>) -> Vec<Matched> {
    const MOST: usize = 200;
    let mut combined: Vec<Matched> = Vec::new();
    for a in first {
        for b in second {
            match a.and(b) {
                Common::Nothing => {}
                Common::This(matched) if combined.contains(&matched) => {}
                Common::This(matched) => combined.push(matched),
                Common::Unknown => {
                    of.finding("combines conditions in a way that has no equivalent here", ADVICE);
                    combined.push(a.clone());
                }
            }
        }
    }
    if combined.len() > MOST {
        of.finding("has too many combinations of conditions", ADVICE);
        return vec![Matched::any()];
    }
    combined
}

/// A `Permission` or `Principal`: any of the result. What has no equivalent is a finding and matches every request.
fn condition(given: &Message<'_>, depth: usize) -> Vec<Matched> {
    const DEEPEST: usize = 20;
    let every = || vec![Matched::any()];
    let names = given.names();
    let [name] = names.as_slice() else {
        given.finding("does not have exactly one condition", "Correct the input.");
        return every();
    };
    if depth > DEEPEST {
        given.finding("is nested too deeply", ADVICE);
        return every();
    }
    match *name {
        "any" if given.is_true("any") => every(),
        "and_rules" | "andRules" | "and_ids" | "andIds" => {
            let list = members(given);
            list.iter().fold(every(), |found, inner| both(&found, &condition(inner, depth + 1), given))
        }
        "or_rules" | "orRules" | "or_ids" | "orIds" => {
            let list = members(given);
            let any: Vec<Matched> = list.iter().flat_map(|inner| condition(inner, depth + 1)).collect();
            if list.is_empty() { every() } else { any }
        }
        "not_rule" | "notRule" | "not_id" | "notId" => {
            let inner = given.message(name).map(|inner| condition(&inner, depth + 1)).unwrap_or_default();
            match inner.as_slice() {
                [matched] => match (&matched.path, &matched.methods, &matched.hosts, &matched.sources) {
                    (Path::Any, Methods::Only(names), hosts, sources)
                        if hosts.is_empty() && sources.is_empty() =>
                    {
                        vec![Matched { methods: Methods::Except(names.clone()), ..Matched::any() }]
                    }
                    _ => unknown(given, name),
                },
                _ => unknown(given, name),
            }
        }
        "url_path" | "urlPath" => {
            let path = given.message(name).and_then(|path| {
                let matcher = path.message("path")?;
                let ignores_case = matcher.is_true("ignore_case");
                let text = |kind: &str, name: &str| Path::of_text(kind, matcher.filled(name)?, ignores_case);
                let regex = || Path::of_regex(matcher.message("safe_regex")?.text("regex")?);
                let part = |name: &str, rest: &str| {
                    let part = super::path::escaped(matcher.filled(name).filter(|_| !ignores_case)?);
                    Path::of_regex(&format!(".*{part}{rest}"))
                };
                text("path", "exact")
                    .or_else(|| text("prefix", "prefix"))
                    .or_else(|| part("suffix", ""))
                    .or_else(|| part("contains", ".*"))
                    .or_else(regex)
            });
            match path {
                Some(path) => vec![Matched { path, ..Matched::any() }],
                None => unknown(given, name),
            }
        }
        "header" => match given.message(name).as_ref().and_then(super::route_match::method) {
            Some(methods) => vec![Matched { methods, ..Matched::any() }],
            None => every(),
        },
        "remote_ip" | "remoteIp" => match given.message(name).as_ref().and_then(block) {
            Some(source) => vec![Matched { sources: vec![source], ..Matched::any() }],
            None => unknown(given, name),
        },
        // Also of the connection, which is not what authgate compares: `source_ip`, `direct_remote_ip`.
        name => unknown(given, name),
    }
}

fn unknown(given: &Message<'_>, name: &str) -> Vec<Matched> {
    given.skip(&[name]);
    given.finding_at(name, "has no equivalent here", ADVICE);
    vec![Matched::any()]
}

/// The members of a set of conditions.
fn members<'a>(given: &Message<'a>) -> Vec<Message<'a>> {
    let set = ["and_rules", "or_rules", "and_ids", "or_ids"].iter().find_map(|name| given.message(name));
    let Some(set) = set else { return Vec::new() };
    let mut list = set.messages("rules");
    list.extend(set.messages("ids"));
    if list.is_empty() {
        set.finding("is empty", "Correct the input: Envoy would refuse it.");
    }
    list
}

/// A `CidrRange`.
fn block(range: &Message<'_>) -> Option<String> {
    let address = range.filled("address_prefix")?;
    let bits = range.number("prefix_len").unwrap_or(0);
    Some(format!("{address}/{bits}"))
}
