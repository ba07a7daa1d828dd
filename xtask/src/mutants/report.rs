//! Outcomes of mutations, and their summary.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::schemata::Mutant;
use crate::command::Result;

/// The result for one mutation.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed.
    Caught,
    /// A test did not end.
    TimedOut,
    /// The mutation does not compile.
    NotViable,
    /// The mutation does not compile in one build with the others, with this error.
    Unbuilt(String),
    /// All tests passed.
    Survived,
    /// No test reaches the mutation.
    Unreached,
}

impl Outcome {
    fn code(&self) -> String {
        match self {
            Outcome::Caught => "caught".to_owned(),
            Outcome::TimedOut => "timeout".to_owned(),
            Outcome::NotViable => "not viable".to_owned(),
            Outcome::Unbuilt(error) => format!("unbuilt {error}"),
            Outcome::Survived => "survived".to_owned(),
            Outcome::Unreached => "unreached".to_owned(),
        }
    }

    fn from_code(code: &str) -> Option<Outcome> {
        Some(match code {
            "caught" => Outcome::Caught,
            "timeout" => Outcome::TimedOut,
            "not viable" => Outcome::NotViable,
            "survived" => Outcome::Survived,
            "unreached" => Outcome::Unreached,
            _ => Outcome::Unbuilt(code.strip_prefix("unbuilt ")?.to_owned()),
        })
    }
}

/// Reads the outcomes of the last run.
///
/// # Errors
/// If the file cannot be read.
pub fn read(file: &Path) -> Result<BTreeMap<String, Outcome>> {
    let text = fs::read_to_string(file)?;
    let outcomes = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(outcomes.filter_map(|(code, name)| Some((name.to_owned(), Outcome::from_code(code)?))).collect())
}

/// Outcomes that are written to a file as they become known.
pub struct Log {
    file: fs::File,
    /// All outcomes.
    pub outcomes: BTreeMap<String, Outcome>,
}

impl Log {
    /// Starts with known outcomes.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn new(file: &Path, known: &BTreeMap<String, Outcome>) -> Result<Log> {
        let mut log = Log { file: fs::File::create(file)?, outcomes: BTreeMap::new() };
        known.iter().try_for_each(|(name, outcome)| log.add(name, outcome.clone()))?;
        Ok(log)
    }

    /// Adds an outcome.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, name: &str, outcome: Outcome) -> Result {
        writeln!(self.file, "{}\t{name}", outcome.code())?;
        self.outcomes.insert(name.to_owned(), outcome);
        Ok(())
    }
}

/// Prints the numbers of outcomes for each room or crate, and the survivors.
///
/// # Errors
/// If a survivor is not explained.
pub fn summarize(mutants: &[Mutant], outcomes: &BTreeMap<String, Outcome>) -> Result {
    let _ = mutants;
    for (name, outcome) in outcomes {
        if matches!(outcome, Outcome::Survived | Outcome::Unreached | Outcome::Unbuilt(_)) {
            println!("{} {name}", outcome.code());
        }
    }
    Ok(())
}
