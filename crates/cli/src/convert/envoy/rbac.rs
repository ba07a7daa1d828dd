//! Envoy's `envoy.filters.http.rbac`: conditions on path, method, host and source address, and on the claims that a
//! `jwt_authn` of the same chain verified.

mod condition;
mod header;
mod matcher;

use serde_json::Value;

use self::condition::{Case, Reader};
pub use self::condition::{Tokens, reads_tokens};
use super::super::access::{self, Clause, Effect, Policy};
use super::super::finding::Findings;
use super::super::message::Message;
use super::super::output::Output;
use super::super::space::{Atom, Constraint, Region, Shape};
use super::Place;
use super::path::Path;
use super::route_match::{Matched, Methods};
use super::routes::{Access, Draft, Filter, Rules};

const ADVICE: &str = "Write the rule by hand: authgate matches path, method, host and source address, and claims \
                      with `authorize`.";

/// The clauses of an `RBAC`.
pub struct Decisions {
    pub clauses: Vec<Clause>,
    /// The effect on requests to which no clause applies.
    pub otherwise: Effect,
    pub comments: Vec<String>,
}

/// Converts one filter.
pub fn convert<'a>(filter: &Message<'a>, place: &Place<'a>) -> Output {
    let mut output = Output::from(filter.at());
    output.head.push("from rbac: load this as a separate filter, after the filter for tokens".to_owned());
    if place.is_disabled {
        let own = [all("not-enabled", Access::Public, filter)];
        write(&mut output, place, &own);
        return output;
    }
    let decisions = decisions(filter, place.has_plain_host, &Tokens::default());
    match decisions.drafts(filter) {
        Some(own) => write(&mut output, place, &own),
        None if place.is_special() => {
            let what = "has conditions that cannot be combined with settings of routes";
            filter.finding_at("rules", what, ADVICE);
            output.deny_all(&[format!("`rules` {what}")]);
        }
        None => {
            output.head.extend(decisions.comments.iter().cloned());
            let findings = filter.file().findings;
            access::compile(decisions.policy(), findings, &mut output);
            place.close(&mut output);
        }
    }
    output
}

/// Writes rules, separately for each route if routes have rules of their own.
fn write<'a>(output: &mut Output, place: &Place<'a>, own: &[Draft]) {
    place.write(output, &Filter { name: place.name, own }, &mut |_, route| match route.message("rbac") {
        None => Rules::All(Access::Public),
        Some(inner) => match decisions(&inner, place.has_plain_host, &Tokens::default()).drafts(&inner) {
            Some(drafts) => Rules::These(drafts),
            None => {
                inner.finding("has rules for a route that have no equivalent here", ADVICE);
                Rules::All(Access::Deny(Vec::new()))
            }
        },
    });
}

fn all(name: &str, access: Access, filter: &Message<'_>) -> Draft {
    let at = filter.at();
    Draft { name: name.to_owned(), matched: Matched::any(), access, comments: Vec::new(), at }
}

/// Reads an `RBAC`.
pub fn decisions(filter: &Message<'_>, has_plain_host: bool, tokens: &Tokens) -> Decisions {
    let mut decisions = Decisions { clauses: Vec::new(), otherwise: Effect::Allow, comments: Vec::new() };
    let findings = filter.file().findings;
    let lost = |what: &str| Clause {
        name: what.to_owned(),
        at: filter.at(),
        effect: Effect::Deny,
        region: Default::default(),
        who: Vec::new(),
        lost: vec![format!("`{what}`")],
    };
    if ["shadow_rules", "shadow_matcher"].iter().any(|name| filter.has(name)) {
        decisions.comments.push("shadow rules decide nothing, and were not converted".to_owned());
    }
    filter.skip(&["shadow_rules_stat_prefix", "rules_stat_prefix", "track_per_rule_stats"]);
    if let Some(given) = filter.message("matcher") {
        (decisions.clauses, decisions.otherwise) = matcher::read(&given, &Reader { has_plain_host, tokens });
        return decisions;
    }
    let Some(rules) = filter.message("rules") else { return decisions };
    let action = rules.value("action");
    let effect = match action.as_ref().map(|action| (action.as_str(), action.as_u64())) {
        None | Some((Some("ALLOW"), _) | (_, Some(0))) => Effect::Allow,
        Some((Some("DENY"), _) | (_, Some(1))) => Effect::Deny,
        Some((Some("LOG"), _) | (_, Some(2))) => {
            rules.skip(&["policies", "audit_logging_options"]);
            decisions.comments.push("`LOG` decides nothing, and was not converted".to_owned());
            return decisions;
        }
        Some(_) => {
            rules.finding_at("action", "is not ALLOW, DENY or LOG", "Correct the input.");
            decisions.clauses.push(lost("action"));
            return decisions;
        }
    };
    rules.skip(&["audit_logging_options"]);
    if effect == Effect::Allow {
        decisions.otherwise = Effect::Deny;
    }
    let mut policies = rules.map("policies");
    policies.sort_by_key(|(name, _)| *name);
    for (name, policy) in policies {
        decisions.clauses.extend(clauses(name, policy, effect, findings, has_plain_host, tokens));
    }
    decisions
}

/// The clauses of a policy, one for each combination of a permission and a principal.
fn clauses(
    name: &str,
    policy: Message<'_>,
    effect: Effect,
    findings: &Findings,
    has_plain_host: bool,
    tokens: &Tokens,
) -> Vec<Clause> {
    let at = policy.at();
    let mark = findings.mark();
    let reader = Reader { has_plain_host, tokens };
    let any = |name: &str| {
        let list = policy.messages(name);
        if list.is_empty() {
            policy.finding_at(name, "is empty", "Correct the input: Envoy would refuse it.");
            return vec![Case::default()];
        }
        let may_grow = effect == Effect::Deny;
        list.iter().flat_map(|given| reader.cases(given, 0, may_grow)).collect::<Vec<_>>()
    };
    let (permissions, principals) = (any("permissions"), any("principals"));
    let cases = condition::both(&permissions, &principals, &policy);
    drop(policy);
    // Members of the policy itself are lost in all its clauses.
    let known: Vec<&String> = cases.iter().flat_map(|case| &case.lost).collect();
    let own: Vec<String> = findings.since(mark).into_iter().filter(|lost| !known.contains(&lost)).collect();
    let clause = |case: &Case| Clause {
        name: super::super::label(name),
        at: at.clone(),
        effect,
        region: case.region.clone(),
        who: case.who.clone(),
        lost: case.lost.iter().chain(&own).cloned().collect(),
    };
    let mut clauses: Vec<Clause> = cases.iter().map(clause).collect();
    if cases.is_empty() && !own.is_empty() {
        clauses.push(clause(&Case::default()));
    }
    clauses
}

/// Restricts a clause to the requests of a region; `None` if it applies to none of them.
pub fn within(clause: &Clause, region: &Region, of: &Message<'_>) -> Option<Clause> {
    let outer = Case { region: region.clone(), ..Case::default() };
    let inner = Case { region: clause.region.clone(), who: clause.who.clone(), lost: clause.lost.clone() };
    let Case { region, who, lost } = outer.and(&inner, of)?;
    Some(Clause { region, who, lost, ..clause.clone() })
}

impl Decisions {
    /// Converts the clauses to a policy without tokens.
    fn policy(self) -> Policy {
        Policy {
            callers: Vec::new(),
            anonymous: true,
            with: Vec::new(),
            stages: Vec::new(),
            clauses: self.clauses,
            otherwise: self.otherwise,
        }
    }

    /// Converts the clauses to ordered rules, of which the last matches every request. `None` if conditions exclude
    /// requests or depend on the caller.
    fn drafts(&self, filter: &Message<'_>) -> Option<Vec<Draft>> {
        let (mut drafts, mut closed) = (Vec::new(), Vec::new());
        for clause in &self.clauses {
            if !clause.who.is_empty() {
                return None;
            }
            let (access, list) = match (clause.effect, clause.lost.is_empty()) {
                (Effect::Allow, true) => (Access::Public, &mut drafts),
                // A caller that another policy allows remains allowed.
                (Effect::Allow, false) => (Access::Deny(clause.lost.clone()), &mut closed),
                (Effect::Deny, _) => (Access::Deny(clause.lost.clone()), &mut drafts),
            };
            for matched in matches(clause)? {
                let (name, access, at) = (clause.name.clone(), access.clone(), clause.at.clone());
                list.push(Draft { name, matched, access, comments: Vec::new(), at });
            }
        }
        drafts.extend(closed);
        let rest = match self.otherwise {
            Effect::Deny => all("denied", Access::Deny(Vec::new()), filter),
            Effect::Allow => all("rest", Access::Public, filter),
        };
        drafts.push(Draft { comments: self.comments.clone(), ..rest });
        Some(drafts)
    }
}

/// The matches of a clause, of which a request must meet one; `None` if the clause excludes requests.
fn matches(clause: &Clause) -> Option<Vec<Matched>> {
    let [paths, hosts, sources, methods] = &clause.region;
    if ![paths, hosts, sources].iter().all(|constraint| constraint.none.is_empty()) {
        return None;
    }
    let methods = match (texts(&methods.any), texts(&methods.none)) {
        (any, none) if any.is_empty() && none.is_empty() => Methods::All,
        (any, none) if any.is_empty() => Methods::Except(none),
        (any, none) => Methods::Only(any.into_iter().filter(|name| !none.contains(name)).collect()),
    };
    if methods == Methods::Only(Vec::new()) {
        return Some(Vec::new());
    }
    let matched = |path: Path| Matched {
        path,
        methods: methods.clone(),
        hosts: texts(&hosts.any),
        sources: texts(&sources.any),
    };
    Some(match paths {
        Constraint { any, .. } if any.is_empty() => vec![matched(Path::Any)],
        Constraint { any, .. } => any.iter().map(|atom| matched(path_of(atom))).collect(),
    })
}

fn texts(atoms: &[Atom]) -> Vec<String> {
    let text = |atom: &Atom| match atom {
        Atom::Host(text) | Atom::Source(text) | Atom::Method(text) => Some(text.clone()),
        Atom::Path(_) => None,
    };
    atoms.iter().filter_map(text).collect()
}

fn path_of(atom: &Atom) -> Path {
    match atom {
        Atom::Path(Shape::Exact(path)) => Path::Exact(path.clone()),
        Atom::Path(Shape::Affix { prefix, suffix }) if suffix.is_empty() => Path::Prefix(prefix.clone()),
        Atom::Path(shape) => match shape.to_match().get("regex").and_then(Value::as_str) {
            Some(regex) => Path::Regex(regex.to_owned()),
            // No condition of `rbac` becomes such a shape.
            None => Path::Any,
        },
        _ => Path::Any,
    }
}
