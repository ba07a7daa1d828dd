//! The credentials to try for each pair of rules: none, unknown ones, and those that each authenticator could verify.

use std::collections::HashSet;

use authgate::policy::requirement::Requirement;
use authgate::principal::AuthenticatorId;
use serde_json::{Value, json};

use super::callers;
use super::side::Side;

/// Credentials of a request.
#[derive(Clone)]
pub struct Credentials {
    /// A readable name.
    pub label: String,
    /// Authenticator → verified principal, in the form of `as` in a test.
    pub identities: Vec<(String, Value)>,
    /// Set if the request has an `Authorization` header that no authenticator accepts.
    pub has_unknown: bool,
}

/// The maximum number of sets of authenticators to try.
const MOST_SETS: usize = 32;

/// The sets of authenticators that satisfy the requirement of the rule.
fn sets_of(side: &Side<'_>) -> Vec<Vec<String>> {
    let Some(protection) = side.protection() else { return Vec::new() };
    let name = |id| side.policy.authenticator(id).map(|known| known.name.clone());
    let sets = sets(&protection.requirement).into_iter();
    sets.map(|set| set.into_iter().filter_map(name).collect()).collect()
}

fn sets(requirement: &Requirement) -> Vec<Vec<AuthenticatorId>> {
    let mut found = match requirement {
        Requirement::One(at) => vec![vec![*at]],
        Requirement::AnyOf(parts) => parts.iter().flat_map(sets).collect(),
        Requirement::AllOf(parts) => parts.iter().fold(vec![Vec::new()], |done, part| {
            let more = sets(part);
            let joined =
                done.iter().flat_map(|set| more.iter().map(|other| [set.as_slice(), other].concat()));
            joined.take(MOST_SETS).collect()
        }),
    };
    found.truncate(MOST_SETS);
    found
}

/// Returns all credentials to try for these rules.
pub fn of(sides: [Side<'_>; 2]) -> Vec<Credentials> {
    let mut all = List::default();
    all.add("no credentials".to_owned(), Vec::new(), false);
    all.add("unknown credentials".to_owned(), Vec::new(), true);
    let mut all_sets: Vec<Vec<String>> = Vec::new();
    for set in sides.iter().flat_map(sets_of) {
        for name in set.iter().filter(|_| set.len() > 1) {
            all_sets.push(vec![name.clone()]);
        }
        all_sets.push(set);
    }
    let everybody = all_sets.iter().flatten().cloned().fold(Vec::new(), |mut names: Vec<String>, name| {
        if !names.contains(&name) {
            names.push(name);
        }
        names
    });
    all_sets.push(everybody);
    let mut tried = HashSet::new();
    for set in all_sets.into_iter().filter(|set| !set.is_empty() && tried.insert(set.clone())) {
        // Each authenticator in turn has all its callers; the others have a default caller.
        for special in &set {
            for (label, value) in callers::of(sides, special) {
                let others = set.iter().filter(|name| *name != special);
                let labels: Vec<&str> = others.clone().map(String::as_str).collect();
                let with =
                    if labels.is_empty() { String::new() } else { format!(" and {}", labels.join(" and ")) };
                let identities = set.iter().map(|name| {
                    (
                        name.clone(),
                        if name == special { value.clone() } else { callers::default(sides, name) },
                    )
                });
                all.add(format!("{label}{with}"), identities.collect(), false);
            }
        }
    }
    all.list
}

#[derive(Default)]
struct List {
    list: Vec<Credentials>,
    known: HashSet<String>,
}

impl List {
    fn add(&mut self, label: String, identities: Vec<(String, Value)>, has_unknown: bool) {
        if self.known.insert(format!("{has_unknown} {}", json!(identities))) {
            self.list.push(Credentials { label, identities, has_unknown });
        }
    }
}
