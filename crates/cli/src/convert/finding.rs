//! Findings: the parts of the input that were not converted.

use std::cell::RefCell;
use std::rc::Rc;

/// A line of an input file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    pub file: Rc<str>,
    pub line: usize,
}

/// A part of the input that was not converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub at: At,
    /// What was not converted.
    pub what: String,
    /// What the user can do about it.
    pub advice: String,
}

/// Collects findings; shared by everything that reads the input.
#[derive(Default)]
pub struct Findings(RefCell<Collected>);

#[derive(Default)]
struct Collected {
    /// Each once.
    list: Vec<Finding>,
    /// Indices into `list`, one for each time that a finding was added.
    added: Vec<usize>,
}

/// A point in time between findings.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Findings {
    /// Adds a finding. The summary has it once, however often it is added.
    pub fn add(&self, at: &At, what: impl Into<String>, advice: impl Into<String>) {
        let finding = Finding { at: at.clone(), what: what.into(), advice: advice.into() };
        let mut collected = self.0.borrow_mut();
        let known = collected.list.iter().position(|known| *known == finding);
        let index = known.unwrap_or_else(|| {
            collected.list.push(finding);
            collected.list.len() - 1
        });
        collected.added.push(index);
    }

    /// Now, for [`Findings::since`].
    pub fn mark(&self) -> Mark {
        Mark(self.0.borrow().added.len())
    }

    /// What was added since `mark`, also if it was known before: the reasons why a part of the output has to deny.
    pub fn since(&self, mark: Mark) -> Vec<String> {
        let collected = self.0.borrow();
        let mut reasons: Vec<String> = Vec::new();
        for finding in collected.added.iter().skip(mark.0).filter_map(|index| collected.list.get(*index)) {
            if !reasons.contains(&finding.what) {
                reasons.push(finding.what.clone());
            }
        }
        reasons
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().list.is_empty()
    }

    /// The numbered summary for standard error; empty without findings.
    pub fn summary(&self) -> String {
        let list = &self.0.borrow().list;
        if list.is_empty() {
            return String::new();
        }
        let parts = if list.len() == 1 { "1 part".to_owned() } else { format!("{} parts", list.len()) };
        let mut text =
            format!("authgate: {parts} of the input could not be converted; the output denies there\n");
        for (number, finding) in (1..).zip(list.iter()) {
            let Finding { at: At { file, line }, what, advice } = finding;
            text.push_str(&format!("{number}. {file}:{line}: {what}\n   {advice}\n"));
        }
        text
    }
}
