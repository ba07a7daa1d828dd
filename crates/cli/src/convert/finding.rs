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
    /// Description of the part that was not converted.
    pub what: String,
    /// The next step for the user.
    pub advice: String,
}

/// Collection of findings, shared by all converters.
#[derive(Default)]
pub struct Findings(RefCell<Collected>);

#[derive(Default)]
struct Collected {
    /// All findings, without duplicates.
    list: Vec<Finding>,
    /// Indices into `list`, one for each call that added a finding.
    added: Vec<usize>,
}

/// A point in time between findings.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Findings {
    /// Adds a finding. The summary lists it once, even if it is added several times.
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

    /// Returns the current point in time, for [`Findings::since`].
    pub fn mark(&self) -> Mark {
        Mark(self.0.borrow().added.len())
    }

    /// Returns the findings that were added since `mark`, including those that were added before as well: the reasons
    /// why a part of the output must deny.
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

    /// True if there are no findings.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().list.is_empty()
    }

    /// Returns the numbered summary for standard error; empty if there are no findings.
    pub fn summary(&self) -> String {
        let list = &self.0.borrow().list;
        if list.is_empty() {
            return String::new();
        }
        let parts = if list.len() == 1 { "1 part".to_owned() } else { format!("{} parts", list.len()) };
        let mut text = format!(
            "authgate: {parts} of the input could not be converted; the output denies the affected requests\n"
        );
        for (number, finding) in (1..).zip(list.iter()) {
            let Finding { at: At { file, line }, what, advice } = finding;
            text.push_str(&format!("{number}. {file}:{line}: {what}\n   {advice}\n"));
        }
        text
    }
}
