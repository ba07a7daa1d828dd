//! Policies that allow and deny → rules of which the first that matches decides.
//!
//! A [`Clause`] allows or denies some requests to some callers; the first clause that applies decides, as in Envoy's
//! `rbac`. [`compile`] divides the requests into cells ([`super::space`]) and computes the allowed callers of each
//! cell. If these cannot be expressed as a rule, the rule allows fewer callers, and a finding says so.

mod callers;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

pub use callers::{Condition, Identity, Text};

use self::callers::{Authorization, Conjunction};
use super::finding::{At, Findings};
use super::output::{Output, Part};
use super::space::{self, Atom, Constraint, DIMENSIONS, Region};

/// The effect of a clause on the requests that it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// A clause of a policy: allows or denies some requests to some callers.
#[derive(Debug, Clone)]
pub struct Clause {
    /// The name of the rule that the clause becomes.
    pub name: String,
    pub at: At,
    pub effect: Effect,
    /// The requests to which the clause applies.
    pub region: Region,
    /// The callers to which the clause applies: those that meet all of these conditions.
    pub who: Vec<Condition>,
    /// Conditions that have no equivalent and are missing in `region` and `who`. A clause with such conditions allows
    /// nothing, and denies its requests to all callers.
    pub lost: Vec<String>,
}

/// An authenticator of tokens.
#[derive(Debug, Clone)]
pub struct Caller {
    pub name: String,
    pub issuer: Option<String>,
    /// The locations of its tokens: `from` of the authenticator.
    pub from: Value,
}

impl Caller {
    /// Creates the caller of an authenticator of tokens.
    pub fn new(part: &Part, issuer: Option<String>) -> Self {
        let from = part.value.get("jwt").and_then(|jwt| jwt.get("from")).cloned().unwrap_or_default();
        Caller { name: part.name.clone(), issuer, from }
    }
}

/// The authenticators whose tokens are verified for the requests of a region.
#[derive(Debug, Clone)]
pub struct Stage {
    pub name: String,
    pub at: At,
    pub region: Region,
    /// Names of the authenticators whose tokens are verified; empty if tokens are ignored.
    pub callers: Vec<String>,
    /// True if requests without a token continue.
    pub anonymous: bool,
    /// Reasons why the stage is unknown. If there are any, all requests of the region are denied.
    pub lost: Vec<String>,
}

/// A policy.
pub struct Policy {
    pub callers: Vec<Caller>,
    /// True if requests without a token are anonymous; if false, they are denied.
    pub anonymous: bool,
    /// Authenticators that every request must satisfy in addition to a token.
    pub with: Vec<String>,
    /// The stages in order: the first that applies selects the authenticators. If empty, the tokens of all callers are
    /// verified for every request.
    pub stages: Vec<Stage>,
    /// The clauses, in the order in which they are evaluated.
    pub clauses: Vec<Clause>,
    /// The effect on requests to which no clause applies.
    pub otherwise: Effect,
}

/// The callers that may send the requests of a cell.
#[derive(Debug, Clone, PartialEq)]
enum Access {
    Public,
    Deny,
    Require { names: Vec<String>, optional: bool, authorizations: Vec<Value> },
}

/// The rule of a cell.
#[derive(Debug, Clone)]
struct Outcome {
    access: Access,
    comments: BTreeSet<String>,
    name: Option<String>,
    at: Option<At>,
}

impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        self.access == other.access && self.comments == other.comments
    }
}

type Rules = Vec<(Map<String, Value>, Outcome)>;

/// Maximum number of rules; a user would not review more.
const MAX_RULES: usize = 2000;

/// Adds the rules of a policy to an output.
pub fn compile(mut policy: Policy, findings: &Findings, output: &mut Output) {
    policy.untangle(findings);
    let mut compiler = Compiler { policy: &policy, findings, known: BTreeMap::new(), count: 0 };
    let alive: Vec<usize> = (0..policy.clauses.len() + policy.stages.len()).collect();
    let Some(rules) = compiler.divide(0, &alive) else {
        let what = "these policies distinguish more requests than rules can express";
        let at = policy.clauses.first().map(|clause| clause.at.clone()).or_else(|| output.at.clone());
        if let Some(at) = at {
            findings.add(&at, what, "Write the rules by hand.");
        }
        output.deny_all(&[what.to_owned()]);
        return;
    };
    emit(&policy, rules, output);
}

impl Policy {
    /// The region of a clause or a stage; indices of stages follow those of clauses.
    fn region(&self, at: usize) -> Option<&Region> {
        let stage = || self.stages.get(at.checked_sub(self.clauses.len())?).map(|stage| &stage.region);
        self.clauses.get(at).map(|clause| &clause.region).or_else(stage)
    }

    /// The conditions of these clauses and stages in one dimension, without duplicates.
    fn atoms(&self, alive: &[usize], dimension: usize) -> Vec<Atom> {
        let mut atoms: Vec<Atom> = Vec::new();
        let constraints = alive.iter().filter_map(|at| self.region(*at)?.get(dimension));
        for atom in constraints.flat_map(Constraint::atoms) {
            if !atoms.contains(atom) {
                atoms.push(atom.clone());
            }
        }
        atoms
    }

    /// Removes path conditions whose overlap with others cannot be expressed.
    fn untangle(&mut self, findings: &Findings) {
        loop {
            let all: Vec<usize> = (0..self.clauses.len() + self.stages.len()).collect();
            let Err(space::Entangled(atom)) = space::cells(&self.atoms(&all, 0)) else { return };
            let shown = match &atom {
                Atom::Path(shape) => shape.to_match().to_string(),
                _ => String::new(),
            };
            let mut changed = false;
            let clauses = self.clauses.iter_mut().map(|part| (&mut part.region, &mut part.lost, &part.at));
            let stages = self.stages.iter_mut().map(|part| (&mut part.region, &mut part.lost, &part.at));
            for (region, lost, at) in clauses.chain(stages) {
                let Some(constraint) = region.first_mut() else { continue };
                if constraint.atoms().any(|known| *known == atom) {
                    *constraint = Constraint::default();
                    let what =
                        format!("the path {shown} overlaps with another in a way that rules cannot express");
                    let advice = "Write rules for both paths by hand, the more specific first.";
                    findings.add(at, what.clone(), advice);
                    lost.push(what);
                    changed = true;
                }
            }
            if !changed {
                // This cannot happen; it guarantees that the loop ends.
                self.clauses.iter_mut().for_each(|clause| clause.region = Region::default());
                self.stages.iter_mut().for_each(|stage| stage.region = Region::default());
            }
        }
    }
}

struct Compiler<'a> {
    policy: &'a Policy,
    findings: &'a Findings,
    /// Cache of [`Compiler::divide`]: dimension, clauses and stages → rules.
    known: BTreeMap<(usize, Vec<usize>), Rules>,
    count: usize,
}

impl Compiler<'_> {
    /// The rules for the requests to which these clauses and stages may apply, divided from this dimension on. `None`
    /// if there are too many.
    fn divide(&mut self, dimension: usize, alive: &[usize]) -> Option<Rules> {
        let key = (dimension, alive.to_vec());
        if let Some(rules) = self.known.get(&key) {
            return Some(rules.clone());
        }
        let policy = self.policy;
        let atoms = policy.atoms(alive, dimension);
        let rules = if dimension >= DIMENSIONS {
            vec![(Map::new(), self.outcome(alive))]
        } else if atoms.is_empty() {
            self.divide(dimension + 1, alive)?
        } else {
            let cells = space::cells(&atoms).ok()?;
            let mut below = Vec::with_capacity(cells.len());
            for cell in &cells {
                let is_met = |at: &&usize| {
                    let constraint = policy.region(**at).and_then(|region| region.get(dimension));
                    constraint.is_some_and(|constraint| constraint.is_met(&atoms, cell))
                };
                let alive: Vec<usize> = alive.iter().filter(is_met).copied().collect();
                below.push(self.divide(dimension + 1, &alive)?);
            }
            let mut rules = Rules::new();
            for (cell, below) in space::prune(cells, below) {
                for (matched, outcome) in below {
                    let mut all = cell.matched.as_object().cloned().unwrap_or_default();
                    all.extend(matched);
                    rules.push((all, outcome));
                }
            }
            rules
        };
        self.count += rules.len();
        if self.count > MAX_RULES {
            return None;
        }
        self.known.insert(key, rules.clone());
        Some(rules)
    }

    /// The rule for the requests to which all these clauses and stages apply, as far as the request decides that.
    fn outcome(&self, alive: &[usize]) -> Outcome {
        let clauses: Vec<&Clause> = alive.iter().filter_map(|at| self.policy.clauses.get(*at)).collect();
        let clauses = clauses.as_slice();
        let count = self.policy.clauses.len();
        let stage = alive.iter().find_map(|at| self.policy.stages.get(at.checked_sub(count)?));
        let is_open = self.policy.stages.is_empty();
        let mut comments = BTreeSet::new();
        if let Some(stage) = stage.filter(|stage| !stage.lost.is_empty()) {
            comments.extend(stage.lost.iter().map(|lost| format!("NOT CONVERTED, so denied: {lost}")));
            let (name, at) = (Some(stage.name.clone()), Some(stage.at.clone()));
            return Outcome { access: Access::Deny, comments, name, at };
        }
        // If stages exist and none applies, tokens are ignored.
        let counts =
            |caller: &&Caller| is_open || stage.is_some_and(|stage| stage.callers.contains(&caller.name));
        let callers: Vec<&Caller> = self.policy.callers.iter().filter(counts).collect();
        let may_lack = stage.map_or(is_open.then_some(self.policy.anonymous), |stage| Some(stage.anonymous));
        let may_lack = may_lack.unwrap_or(true);
        for clause in clauses {
            let consequence = if clause.effect == Effect::Deny { ", so denied" } else { "" };
            comments.extend(clause.lost.iter().map(|lost| format!("NOT CONVERTED{consequence}: {lost}")));
        }
        let first = clauses.iter().find(|clause| clause.lost.is_empty()).or(clauses.first());
        let anonymous = may_lack && self.passes_without_token(clauses);
        let mut alternatives: Vec<Vec<Conjunction>> = Vec::new();
        for caller in &callers {
            alternatives.push(self.passes_with_token(clauses, caller));
        }
        let access = self.access(anonymous, &callers, &alternatives, clauses);
        if matches!(access, Access::Public) || matches!(&access, Access::Require { optional: true, .. }) {
            comments.clear();
        }
        Outcome {
            access,
            comments,
            name: first.map(|clause| clause.name.clone()).or_else(|| stage.map(|stage| stage.name.clone())),
            at: first.map(|clause| clause.at.clone()).or_else(|| stage.map(|stage| stage.at.clone())),
        }
    }

    fn passes_without_token(&self, clauses: &[&Clause]) -> bool {
        for clause in clauses {
            let applies = clause.who.iter().all(Condition::holds_without_token);
            match (clause.effect, clause.lost.is_empty()) {
                (Effect::Deny, false) => return false,
                (Effect::Allow, false) => {}
                (effect, true) if applies => return effect == Effect::Allow,
                _ => {}
            }
        }
        self.policy.otherwise == Effect::Allow
    }

    /// The alternatives under which a token of this caller is allowed. An empty conjunction allows every token.
    fn passes_with_token(&self, clauses: &[&Clause], caller: &Caller) -> Vec<Conjunction> {
        let mut passing: Vec<Conjunction> = Vec::new();
        // The alternatives under which no clause so far has denied the token.
        let mut remaining: Vec<Conjunction> = vec![Vec::new()];
        let mut is_decided = false;
        for clause in clauses {
            let wanted = match (clause.effect, clause.lost.is_empty()) {
                (Effect::Allow, false) => continue,
                (Effect::Deny, false) => Some(Vec::new()),
                _ => callers::of_token(&clause.who, caller, &clause.at),
            };
            let Some(wanted) = wanted else { continue };
            match clause.effect {
                Effect::Allow => passing.extend(callers::both(&remaining, std::slice::from_ref(&wanted))),
                Effect::Deny => {
                    remaining = callers::both(&remaining, &callers::negated(&wanted, self.findings))
                }
            }
            if wanted.is_empty() || remaining.is_empty() {
                is_decided = true;
                break;
            }
        }
        if !is_decided && self.policy.otherwise == Effect::Allow {
            passing.extend(remaining);
        }
        callers::simplified(passing)
    }

    fn access(
        &self,
        anonymous: bool,
        callers: &[&Caller],
        alternatives: &[Vec<Conjunction>],
        clauses: &[&Clause],
    ) -> Access {
        let open = callers.iter().copied().zip(alternatives).filter(|(_, list)| !list.is_empty());
        let open: Vec<(&Caller, &Vec<Conjunction>)> = open.collect();
        let names: Vec<String> = open.iter().map(|(caller, _)| caller.name.clone()).collect();
        let is_whole = open.iter().all(|(_, list)| list.iter().any(Vec::is_empty));
        // A token in a location that the rule does not read would count as no token.
        let sees_all = callers.iter().all(|caller| open.iter().any(|(known, _)| known.from == caller.from));
        match (anonymous, open.is_empty()) {
            (false, true) => return Access::Deny,
            (true, true) if callers.is_empty() && self.policy.with.is_empty() => return Access::Public,
            (true, true) if callers.is_empty() => {
                return Access::Require { names, optional: false, authorizations: Vec::new() };
            }
            (true, false) if is_whole && sees_all && self.policy.with.is_empty() => {
                return Access::Require { names, optional: true, authorizations: Vec::new() };
            }
            (true, none) => self.without_anonymous(clauses, none),
            (false, false) => {}
        }
        if open.is_empty() {
            return Access::Deny;
        }
        let authorizations = if is_whole { Some(Vec::new()) } else { self.authorizations(&open) };
        match authorizations {
            Some(authorizations) => Access::Require { names, optional: false, authorizations },
            None => Access::Deny,
        }
    }

    fn without_anonymous(&self, clauses: &[&Clause], nobody_else: bool) {
        let Some(clause) = clauses.iter().find(|clause| !clause.who.is_empty()).or(clauses.first()) else {
            return;
        };
        let what = match nobody_else {
            true => {
                "only requests without a token are allowed here, which rules cannot express; all requests are denied"
            }
            false => {
                "requests without a token are allowed here and only some with one, which rules cannot express; \
                 requests without a token are denied"
            }
        };
        let advice = "To allow requests without a token, write a `public` rule for them by hand.";
        self.findings.add(&clause.at, what, advice);
    }

    /// The value of `authorize`; `None` if no alternative is left.
    fn authorizations(&self, open: &[(&Caller, &Vec<Conjunction>)]) -> Option<Vec<Value>> {
        let mut found: Vec<(Authorization, Vec<String>)> = Vec::new();
        for (caller, conjunctions) in open {
            for conjunction in *conjunctions {
                let Some(authorization) = callers::authorization(conjunction, self.findings) else {
                    continue;
                };
                match found.iter_mut().find(|(known, _)| *known == authorization) {
                    // One caller can have the same alternative twice.
                    Some((_, names)) if names.contains(&caller.name) => {}
                    Some((_, names)) => names.push(caller.name.clone()),
                    None => found.push((authorization, vec![caller.name.clone()])),
                }
            }
        }
        let members = open.len() + self.policy.with.len();
        let values = found.into_iter().map(|(mut authorization, names)| {
            if names.len() < members && members > 1 {
                authorization.insert("authenticators".to_owned(), json!(names));
            }
            Value::Object(authorization)
        });
        let values: Vec<Value> = values.collect();
        (!values.is_empty()).then_some(values)
    }
}

/// Adds the rules to an output; consecutive rules with the same outcome are merged.
fn emit(policy: &Policy, rules: Rules, output: &mut Output) {
    let mut merged: Vec<(Vec<Map<String, Value>>, Outcome)> = Vec::new();
    for (matched, outcome) in rules {
        match merged.last_mut() {
            Some((matches, last)) if *last == outcome => {
                if matched.is_empty() {
                    matches.clear();
                    matches.push(matched);
                    // The rule for the remaining requests has no name of its own.
                    last.name = outcome.name;
                } else if !matches.last_mut().is_some_and(|known| join(known, &matched)) {
                    matches.push(matched);
                }
            }
            _ => merged.push((vec![matched], outcome)),
        }
    }
    for (matches, outcome) in merged {
        let name = output.free_name(outcome.name.as_deref().unwrap_or("rest"));
        let mut part = Part { at: outcome.at.clone(), ..Part::new(name) };
        match matches.as_slice() {
            [one] if one.is_empty() => {}
            [one] => part.set("match", Value::Object(one.clone())),
            several => part.set("match", several.iter().cloned().map(Value::Object).collect::<Vec<_>>()),
        }
        match &outcome.access {
            Access::Public => part.set("public", true),
            Access::Deny => part.set("deny", true),
            Access::Require { names, optional, authorizations } => {
                part.set("require", requirement(names, &policy.with));
                if *optional {
                    part.set("optional", true);
                }
                match authorizations.as_slice() {
                    [] => {}
                    [one] => part.set("authorize", one.clone()),
                    several => part.set("authorize", several.to_vec()),
                }
            }
        }
        outcome.comments.into_iter().for_each(|comment| part.comment(comment));
        output.rules.push(part);
    }
}

/// The requirement for any of the callers `names` and all authenticators `with`.
fn requirement(names: &[String], with: &[String]) -> Value {
    let any = match names {
        [] => None,
        [one] => Some(json!(one)),
        several => Some(json!({"any_of": several})),
    };
    let all: Vec<Value> = any.into_iter().chain(with.iter().map(|name| json!(name))).collect();
    match all.as_slice() {
        [one] => one.clone(),
        several => json!({"all_of": several}),
    }
}

/// Merges a match into another if they differ in the elements of a single list. Returns true if they do.
fn join(known: &mut Map<String, Value>, other: &Map<String, Value>) -> bool {
    if known.len() != other.len() {
        return false;
    }
    let differing: Vec<&String> = known.keys().filter(|name| known.get(*name) != other.get(*name)).collect();
    let [name] = differing.as_slice() else { return false };
    let name = (*name).clone();
    match (known.get_mut(&name), other.get(&name)) {
        (Some(Value::Array(elements)), Some(Value::Array(more))) => {
            elements.extend(more.iter().cloned());
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The union of two lists would match combinations that neither match has.
    #[test]
    fn matches_are_joined_only_if_one_list_differs() {
        let check = |other: Value, expected: Option<Value>| {
            let mut known = json!({"hosts": ["a"], "methods": ["GET"]}).as_object().cloned().unwrap();
            let is_joined = join(&mut known, other.as_object().unwrap());
            assert_eq!(is_joined.then_some(Value::Object(known)), expected, "{other}");
        };
        check(
            json!({"hosts": ["b"], "methods": ["GET"]}),
            Some(json!({"hosts": ["a", "b"], "methods": ["GET"]})),
        );
        check(json!({"hosts": ["b"], "methods": ["PUT"]}), None);
        check(json!({"hosts": ["a"]}), None);
        check(json!({"hosts": ["a"], "sources": ["GET"]}), None);
        check(json!({"hosts": "b", "methods": ["GET"]}), None);
    }
}
