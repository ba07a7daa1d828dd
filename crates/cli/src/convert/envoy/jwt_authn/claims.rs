//! One configuration for a `jwt_authn` and an `rbac` after it that has conditions on claims.

use serde_json::{Value, json};

use super::super::super::access::{self, Caller, Clause, Effect, Policy, Stage};
use super::super::super::finding::Findings;
use super::super::super::message::Message;
use super::super::super::output::Output;
use super::super::super::put;
use super::super::rbac::{self, Decisions, Tokens};
use super::super::route_match::Matched;
use super::super::routes::{Access, Draft, Filter, Rules};
use super::{Context, Place};

/// Writes the rules of both filters.
pub fn write<'a>(
    output: &mut Output,
    context: &Context<'_>,
    own: &[Draft],
    filter: &Message<'_>,
    (name, rbac): &(&'a str, Message<'a>),
    place: &Place<'a>,
) {
    let at = rbac.at();
    let findings = filter.file().findings;
    output.head.push(format!(
        "with the rbac at {}:{}, which has conditions on claims. A claim that is a list matches if one of its \
         elements does, and a claim that is not a list also matches a condition on a list",
        at.file, at.line
    ));
    let names: Vec<String> = output.authenticators.iter().map(|part| part.name.clone()).collect();
    let mark = findings.mark();
    let spaced = spaced(context, &names, filter);
    let unclear = findings.since(mark);
    let payloads =
        context.payloads.iter().map(|known| (known.name.clone(), known.authenticator.clone())).collect();
    let tokens = Tokens { payloads, names, spaced, ..Tokens::default() };
    let decisions = rbac::decisions(rbac, place.has_plain_host, &tokens);
    output.head.extend(decisions.comments.iter().cloned());
    let otherwise = decisions.otherwise;
    let mut all = vec![decisions];
    let everywhere = [Draft {
        name: "rbac".to_owned(),
        matched: Matched::any(),
        access: Access::Other(0),
        comments: Vec::new(),
        at: at.clone(),
    }];
    let by_route = Filter { name, own: &everywhere };
    let (drafts, unplaced) = place.collect(output, &by_route, &mut |_, route| match route.message("rbac") {
        None => Rules::All(Access::Public),
        Some(inner) => {
            all.push(rbac::decisions(&inner, place.has_plain_host, &tokens));
            Rules::All(Access::Other(all.len() - 1))
        }
    });
    let clauses = drafts.iter().flat_map(|draft| clauses(draft, &all, rbac)).collect();
    if let Some(claim) = tokens.scope_claim.into_inner() {
        for part in &mut output.authenticators {
            if let Some(jwt) = part.value.get_mut("jwt") {
                put(jwt, "scope_claims", json!([claim]));
            }
        }
    }
    let callers = output.authenticators.iter().map(|part| {
        let issuer = part.value.get("jwt").and_then(|jwt| jwt.get("issuer")?.as_str());
        Caller::new(part, issuer.map(str::to_owned))
    });
    let policy = Policy {
        callers: callers.collect(),
        anonymous: true,
        with: Vec::new(),
        stages: own.iter().map(|draft| stage(draft, context, findings)).collect(),
        clauses,
        otherwise,
    };
    access::compile(policy, findings, output);
    for reasons in [unplaced, unclear].iter().filter(|reasons| !reasons.is_empty()) {
        output.deny_all(reasons);
    }
    place.close(output);
}

/// The clauses of an `rbac` for the requests of a draft. The last clause applies to all of these requests.
fn clauses(draft: &Draft, all: &[Decisions], rbac: &Message<'_>) -> Vec<Clause> {
    let region = draft.matched.region();
    let last = |effect: Effect, lost: &[String]| Clause {
        name: draft.name.clone(),
        at: draft.at.clone(),
        effect,
        region: region.clone(),
        who: Vec::new(),
        lost: lost.to_vec(),
    };
    match &draft.access {
        Access::Public => vec![last(Effect::Allow, &[])],
        Access::Other(number) => {
            let Some(decisions) = all.get(*number) else { return vec![last(Effect::Deny, &[])] };
            let within = decisions.clauses.iter().filter_map(|clause| rbac::within(clause, &region, rbac));
            within.chain([last(decisions.otherwise, &[])]).collect()
        }
        Access::Deny(reasons) => vec![last(Effect::Deny, reasons)],
        Access::Require { .. } => vec![last(Effect::Deny, &[])],
    }
}

/// The claims that all providers split into words. If providers differ, a condition on such a claim is ambiguous.
fn spaced(context: &Context<'_>, names: &[String], filter: &Message<'_>) -> Vec<String> {
    let of = |name: &String| {
        let payload = context.payloads.iter().find(|known| known.authenticator == *name);
        payload.map(|known| known.spaced.clone()).unwrap_or_default()
    };
    let first = names.first().map(of).unwrap_or_default();
    if names.iter().any(|name| of(name) != first) {
        let advice = "Let all providers split the same claims, or convert them apart.";
        filter.finding_at("providers", "split different claims into words", advice);
    }
    first
}

fn stage(draft: &Draft, context: &Context<'_>, findings: &Findings) -> Stage {
    let (callers, anonymous, mut lost) = match &draft.access {
        Access::Public => (Some(Vec::new()), true, Vec::new()),
        Access::Deny(reasons) => (None, false, reasons.clone()),
        Access::Require { requirement, optional, .. } => (callers(requirement), *optional, Vec::new()),
        Access::Other(_) => (None, false, Vec::new()),
    };
    let callers = callers.unwrap_or_default();
    for name in &callers {
        lost.extend(context.broken.get(name).into_iter().flatten().cloned());
    }
    if lost.is_empty() && callers.is_empty() && draft.access != Access::Public {
        let what = format!(
            "{} requires several tokens, and the rbac has conditions on the claims of one",
            draft.name
        );
        findings.add(&draft.at, what.clone(), "Write the rules for these requests by hand.");
        lost.push(what);
    }
    Stage {
        name: draft.name.clone(),
        at: draft.at.clone(),
        region: draft.matched.region(),
        callers,
        anonymous,
        lost,
    }
}

/// The authenticators of which one is sufficient; `None` if the requirement needs several.
fn callers(requirement: &Value) -> Option<Vec<String>> {
    match requirement {
        Value::String(name) => Some(vec![name.clone()]),
        requirement => {
            let members = requirement.get("any_of")?.as_array()?;
            members.iter().map(|member| member.as_str().map(str::to_owned)).collect()
        }
    }
}
