//! Outcomes of mutations, and their summary.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::schemata::Mutant;
use crate::command::Result;

/// The result for one mutation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed.
    Caught,
    /// A test did not end.
    TimedOut,
    /// The mutation does not compile.
    NotViable,
    /// All tests passed.
    Survived,
    /// No test reaches the mutation.
    Unreached,
}

impl Outcome {
    const ALL: [Outcome; 5] =
        [Outcome::Caught, Outcome::TimedOut, Outcome::NotViable, Outcome::Survived, Outcome::Unreached];

    fn code(self) -> &'static str {
        match self {
            Outcome::Caught => "caught",
            Outcome::TimedOut => "timeout",
            Outcome::NotViable => "not viable",
            Outcome::Survived => "survived",
            Outcome::Unreached => "unreached",
        }
    }
}

/// Reads the outcomes of the last run.
///
/// # Errors
/// If the file cannot be read.
pub fn read(file: &Path) -> Result<BTreeMap<String, Outcome>> {
    let text = fs::read_to_string(file)?;
    let outcome = |code: &str| Outcome::ALL.into_iter().find(|outcome| outcome.code() == code);
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(lines.filter_map(|(code, name)| Some((name.to_owned(), outcome(code)?))).collect())
}

/// Outcomes that are written to a file as they become known.
pub struct Log {
    file: fs::File,
    /// All outcomes.
    pub outcomes: BTreeMap<String, Outcome>,
}

impl Log {
    /// Starts with the outcomes of the last run, except for survivors.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn new(file: &Path, known: BTreeMap<String, Outcome>) -> Result<Log> {
        let mut log = Log { file: fs::File::create(file)?, outcomes: BTreeMap::new() };
        let is_survivor = |outcome| matches!(outcome, Outcome::Survived | Outcome::Unreached);
        let mut kept = known.into_iter().filter(|(_, outcome)| !is_survivor(*outcome));
        kept.try_for_each(|(name, outcome)| log.add(&name, outcome))?;
        Ok(log)
    }

    /// True if the outcome of a mutation is known.
    pub fn is_done(&self, name: &str) -> bool {
        self.outcomes.contains_key(name)
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

/// Largest share of survivors, in per cent, that may be unexplained.
const MAX_UNEXPLAINED: usize = 2;
/// Document with the explanations.
const EXPLANATIONS: &str = "docs/assurance.md";

/// Numbers of outcomes.
#[derive(Default)]
struct Counts {
    caught: usize,
    timed_out: usize,
    not_viable: usize,
    explained: usize,
    unexplained: usize,
}

impl Counts {
    fn add(&mut self, outcome: Outcome, is_explained: bool) {
        *match outcome {
            Outcome::Caught => &mut self.caught,
            Outcome::TimedOut => &mut self.timed_out,
            Outcome::NotViable => &mut self.not_viable,
            _ if is_explained => &mut self.explained,
            _ => &mut self.unexplained,
        } += 1;
    }

    fn row(&self, room: &str) -> String {
        let Counts { caught, timed_out, not_viable, explained, unexplained } = self;
        let all = caught + timed_out + not_viable + explained + unexplained;
        format!("| {room} | {all} | {not_viable} | {caught} | {timed_out} | {explained} | {unexplained} |")
    }
}

/// Prints the numbers of outcomes for each room or crate, and the survivors that are not explained.
///
/// # Errors
/// If there are too many of those.
pub fn summarize(mutants: &[Mutant], outcomes: &BTreeMap<String, Outcome>) -> Result {
    let explanations = fs::read_to_string(EXPLANATIONS)?;
    let (mut rooms, mut total) = (BTreeMap::<String, Counts>::new(), Counts::default());
    for (mutant, outcome) in mutants.iter().filter_map(|mutant| Some((mutant, outcomes.get(&mutant.name)?))) {
        let is_explained = explanations.contains(&format!("`{}`", without_position(&mutant.name)));
        let before = total.unexplained;
        rooms.entry(room(&mutant.file)).or_default().add(*outcome, is_explained);
        total.add(*outcome, is_explained);
        if total.unexplained > before {
            println!("{}: {}", outcome.code(), mutant.name);
        }
    }
    println!("| room | mutations | not viable | caught | by time | explained | unexplained |");
    rooms.iter().for_each(|(name, counts)| println!("{}", counts.row(name)));
    println!("{}", total.row("all"));
    let viable = mutants.len() - total.not_viable;
    if total.unexplained * 100 > viable * MAX_UNEXPLAINED {
        return Err(format!("{} of {viable} mutations are unexplained survivors", total.unexplained).into());
    }
    Ok(())
}

/// Returns the room of a file of the core, such as `http`, or its crate.
fn room(file: &str) -> String {
    let path = file.trim_start_matches("crates/").trim_start_matches("src/");
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
}

/// Returns a name without line and column, which change with any edit above.
fn without_position(name: &str) -> String {
    match name.splitn(4, ':').collect::<Vec<_>>().as_slice() {
        [file, _, _, description] => format!("{file}:{description}"),
        _ => name.to_owned(),
    }
}
