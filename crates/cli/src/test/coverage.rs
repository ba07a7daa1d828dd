//! Coverage of rules by tests.

use std::collections::BTreeSet;

use authgate::policy::Policy;

/// The rules of a configuration, and those that decided a request of a test.
#[derive(Clone)]
pub struct Coverage {
    /// The file with the configuration.
    pub config: String,
    rules: Vec<String>,
    reached: BTreeSet<usize>,
}

impl Coverage {
    /// Coverage with no rule reached.
    pub fn new(config: String, policy: &Policy) -> Self {
        let rules = policy.rules.iter().map(|rule| rule.name.clone()).collect();
        Coverage { config, rules, reached: BTreeSet::new() }
    }

    /// Records the deciding rule, if there is one.
    pub fn reach(&mut self, rule: Option<usize>) {
        self.reached.extend(rule);
    }

    /// The number of rules.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// The number of rules that tests reach.
    pub fn reached(&self) -> usize {
        self.reached.len()
    }

    /// The names of the rules that no test reaches.
    pub fn unreached(&self) -> Vec<&str> {
        let rules = self.rules.iter().enumerate().filter(|(at, _)| !self.reached.contains(at));
        rules.map(|(_, name)| name.as_str()).collect()
    }

    /// A readable line.
    pub fn line(&self) -> String {
        let unreached: Vec<String> = self.unreached().iter().map(|name| format!("{name:?}")).collect();
        let rest = if unreached.is_empty() {
            String::new()
        } else {
            format!("; unreached: {}", unreached.join(", "))
        };
        format!("{}: tests reach {} of {} rules{rest}\n", self.config, self.reached(), self.rules())
    }
}

/// The coverage of each configuration by all test files together.
pub fn merged<'a>(all: impl Iterator<Item = &'a Coverage>) -> Vec<Coverage> {
    let mut merged: Vec<Coverage> = Vec::new();
    for coverage in all {
        match merged.iter_mut().find(|known| known.config == coverage.config) {
            Some(known) => known.reached.extend(&coverage.reached),
            None => merged.push(coverage.clone()),
        }
    }
    merged
}
