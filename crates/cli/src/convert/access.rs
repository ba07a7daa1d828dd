//! Policies that allow and deny → rules of which the first that matches decides.
//!
//! A [`Clause`] allows or denies the requests of a region to some callers; the first clause that applies decides, as
//! Envoy's `rbac` does. [`compile`] divides the requests into cells ([`super::space`]) and computes for each who may
//! pass. Where that cannot be written as a rule, the rule allows fewer callers, and a finding says so.

mod callers;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

pub use callers::{Condition, Identity, Text};

use self::callers::{Conjunction, Way};
use super::finding::{At, Findings};
use super::output::{Output, Part};
use super::space::{self, Atom, Constraint, DIMENSIONS, Region};

/// The effect of a clause on the requests that it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// Allows or denies some requests to some callers.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Becomes the name of a rule.
    pub name: String,
    pub at: At,
    pub effect: Effect,
    /// Which requests.
    pub region: Region,
    /// Which callers: those that meet all of these.
    pub who: Vec<Condition>,
    /// Conditions that have no equivalent and are missing above. Such a clause allows nothing, and denies to everybody.
    pub lost: Vec<String>,
}

/// An authenticator of tokens.
#[derive(Debug, Clone)]
pub struct Caller {
    pub name: String,
    pub issuer: Option<String>,
}

/// A policy.
pub struct Policy {
    pub callers: Vec<Caller>,
    /// Whether requests without a token are authenticated as nobody.
    pub anonymous: bool,
    /// Authenticators that every request needs beside a token.
    pub with: Vec<String>,
    /// In the order in which they are evaluated.
    pub clauses: Vec<Clause>,
    /// What happens to requests to which no clause applies.
    pub otherwise: Effect,
}

/// Who may send the requests of a cell.
#[derive(Debug, Clone, PartialEq)]
enum Access {
    Public,
    Deny,
    Require { names: Vec<String>, optional: bool, ways: Vec<Value> },
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

/// More rules than anybody would read.
const MAX_RULES: usize = 2000;

/// Adds the rules of a policy to an output.
pub fn compile(mut policy: Policy, findings: &Findings, output: &mut Output) {
    policy.untangle(findings);
    let mut compiler = Compiler { policy: &policy, findings, known: BTreeMap::new(), count: 0 };
    let alive: Vec<usize> = (0..policy.clauses.len()).collect();
    let Some(rules) = compiler.divide(0, &alive) else {
        let what = "these policies tell more requests apart than rules can";
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
    /// Takes out path conditions whose overlap with others cannot be written.
    fn untangle(&mut self, findings: &Findings) {
        loop {
            let all: Vec<&Clause> = self.clauses.iter().collect();
            let Err(space::Entangled(atom)) = space::cells(&atoms(&all, 0)) else { return };
            let shown = match &atom {
                Atom::Path(shape) => shape.to_match().to_string(),
                _ => String::new(),
            };
            let mut changed = false;
            for clause in &mut self.clauses {
                let Some(constraint) = clause.region.first_mut() else { continue };
                if constraint.atoms().any(|known| *known == atom) {
                    *constraint = Constraint::default();
                    let what =
                        format!("the path {shown} overlaps with another in a way that rules cannot express");
                    let advice = "Write rules for both paths by hand, the more specific first.";
                    findings.add(&clause.at, what.clone(), advice);
                    clause.lost.push(what);
                    changed = true;
                }
            }
            if !changed {
                // Cannot happen; without it this might not end.
                self.clauses.iter_mut().for_each(|clause| clause.region = Region::default());
            }
        }
    }
}

/// The conditions of these clauses in one dimension, each once.
fn atoms(clauses: &[&Clause], dimension: usize) -> Vec<Atom> {
    let mut atoms: Vec<Atom> = Vec::new();
    for atom in clauses.iter().filter_map(|clause| clause.region.get(dimension)).flat_map(Constraint::atoms) {
        if !atoms.contains(atom) {
            atoms.push(atom.clone());
        }
    }
    atoms
}

struct Compiler<'a> {
    policy: &'a Policy,
    findings: &'a Findings,
    /// Dimension and clauses → the rules below.
    known: BTreeMap<(usize, Vec<usize>), Rules>,
    count: usize,
}

impl Compiler<'_> {
    /// The rules for the requests to which these clauses may apply, divided from this dimension on. None: too many.
    fn divide(&mut self, dimension: usize, alive: &[usize]) -> Option<Rules> {
        let key = (dimension, alive.to_vec());
        if let Some(rules) = self.known.get(&key) {
            return Some(rules.clone());
        }
        let policy = self.policy;
        let clauses: Vec<&Clause> = alive.iter().filter_map(|at| policy.clauses.get(*at)).collect();
        let atoms = atoms(&clauses, dimension);
        let rules = if dimension >= DIMENSIONS {
            vec![(Map::new(), self.outcome(&clauses))]
        } else if atoms.is_empty() {
            self.divide(dimension + 1, alive)?
        } else {
            let cells = space::cells(&atoms).ok()?;
            let mut below = Vec::with_capacity(cells.len());
            for cell in &cells {
                let is_met = |at: &&usize| {
                    let constraint = policy.clauses.get(**at).and_then(|clause| clause.region.get(dimension));
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

    /// Who may send the requests to which all these clauses apply, as far as it depends on the request.
    fn outcome(&self, clauses: &[&Clause]) -> Outcome {
        let mut comments = BTreeSet::new();
        for clause in clauses {
            let consequence = if clause.effect == Effect::Deny { ", so denied" } else { "" };
            comments.extend(clause.lost.iter().map(|lost| format!("NOT CONVERTED{consequence}: {lost}")));
        }
        let first = clauses.iter().find(|clause| clause.lost.is_empty()).or(clauses.first());
        let anonymous = self.policy.anonymous && self.passes_without_token(clauses);
        let mut ways: Vec<Vec<Conjunction>> = Vec::new();
        for caller in &self.policy.callers {
            ways.push(self.passes_with_token(clauses, caller));
        }
        let access = self.access(anonymous, &ways, clauses);
        if matches!(access, Access::Public) || matches!(&access, Access::Require { optional: true, .. }) {
            comments.clear();
        }
        Outcome {
            access,
            comments,
            name: first.map(|clause| clause.name.clone()),
            at: first.map(|clause| clause.at.clone()),
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

    /// In which ways a token of this caller passes; each is a conjunction, and an empty one asks for nothing.
    fn passes_with_token(&self, clauses: &[&Clause], caller: &Caller) -> Vec<Conjunction> {
        let mut passing: Vec<Conjunction> = Vec::new();
        // What a token is if no clause so far has denied it.
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

    fn access(&self, anonymous: bool, ways: &[Vec<Conjunction>], clauses: &[&Clause]) -> Access {
        let callers = &self.policy.callers;
        let open: Vec<(&Caller, &Vec<Conjunction>)> =
            callers.iter().zip(ways).filter(|(_, ways)| !ways.is_empty()).collect();
        let names: Vec<String> = open.iter().map(|(caller, _)| caller.name.clone()).collect();
        let is_whole = open.iter().all(|(_, ways)| ways.iter().any(Vec::is_empty));
        match (anonymous, open.is_empty()) {
            (false, true) => return Access::Deny,
            (true, true) if callers.is_empty() && self.policy.with.is_empty() => return Access::Public,
            (true, true) if callers.is_empty() => {
                return Access::Require { names, optional: false, ways: Vec::new() };
            }
            (true, false) if is_whole && self.policy.with.is_empty() => {
                return Access::Require { names, optional: true, ways: Vec::new() };
            }
            (true, none) => self.without_anonymous(clauses, none),
            (false, false) => {}
        }
        if open.is_empty() {
            return Access::Deny;
        }
        let ways = if is_whole { Some(Vec::new()) } else { self.ways(&open) };
        match ways {
            Some(ways) => Access::Require { names, optional: false, ways },
            None => Access::Deny,
        }
    }

    fn without_anonymous(&self, clauses: &[&Clause], nobody_else: bool) {
        let Some(clause) = clauses.iter().find(|clause| !clause.who.is_empty()).or(clauses.first()) else {
            return;
        };
        let what = match nobody_else {
            true => "only requests without a token pass here, which rules cannot express; all are denied",
            false => {
                "requests without a token pass here and only some with one, which rules cannot express; requests without a token are denied"
            }
        };
        let advice = "If requests without a token have to pass, write a `public` rule for them by hand.";
        self.findings.add(&clause.at, what, advice);
    }

    /// The value of `authorize`; none if nothing is left of it.
    fn ways(&self, open: &[(&Caller, &Vec<Conjunction>)]) -> Option<Vec<Value>> {
        let mut found: Vec<(Way, Vec<String>)> = Vec::new();
        for (caller, conjunctions) in open {
            for conjunction in *conjunctions {
                let Some(way) = callers::way(conjunction, self.findings) else { continue };
                match found.iter_mut().find(|(known, _)| *known == way) {
                    // One caller may have the same way twice.
                    Some((_, names)) if names.contains(&caller.name) => {}
                    Some((_, names)) => names.push(caller.name.clone()),
                    None => found.push((way, vec![caller.name.clone()])),
                }
            }
        }
        let members = open.len() + self.policy.with.len();
        let values = found.into_iter().map(|(mut way, names)| {
            if names.len() < members && members > 1 {
                way.insert("authenticators".to_owned(), json!(names));
            }
            Value::Object(way)
        });
        let values: Vec<Value> = values.collect();
        (!values.is_empty()).then_some(values)
    }
}

/// Adds the rules to an output; consecutive ones that decide alike become one.
fn emit(policy: &Policy, rules: Rules, output: &mut Output) {
    let mut merged: Vec<(Vec<Map<String, Value>>, Outcome)> = Vec::new();
    for (matched, outcome) in rules {
        match merged.last_mut() {
            Some((matches, last)) if *last == outcome => {
                if matched.is_empty() {
                    matches.clear();
                    matches.push(matched);
                    // What is left has no name of its own.
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
            Access::Require { names, optional, ways } => {
                part.set("require", requirement(names, &policy.with));
                if *optional {
                    part.set("optional", true);
                }
                match ways.as_slice() {
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

/// Any of the callers, and all of the others.
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

/// Adds a match to one that differs in the elements of a single list; whether it does.
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
