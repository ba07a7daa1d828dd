//! Runs of the tests that reach a mutation.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::build::{Copy, Executable, package_of};
use super::report::Outcome;
use crate::command::{Result, output};

/// Tests that run for longer run alone, after the others, and only if they are of the package of the mutation.
const SHORT: Duration = Duration::from_millis(100);
/// Limits the memory of a test whose loop does not end.
const LIMITED: &str = "ulimit -v 8000000; exec \"$0\" \"$@\"";

/// All tests, with the mutations that each of them reaches.
pub struct Suite<'c> {
    copy: &'c Copy,
    executables: Vec<Executable>,
    /// In order of duration.
    tests: Vec<Test>,
    /// Indices of the tests that reach a mutation, by its number.
    reaching: Vec<Vec<usize>>,
}

struct Test {
    name: String,
    /// Index of the executable.
    executable: usize,
    duration: Duration,
    reached: Vec<usize>,
}

impl<'c> Suite<'c> {
    /// Builds all tests, and runs each alone and without a mutation.
    ///
    /// # Errors
    /// If a test cannot be built, or fails.
    pub fn new(copy: &'c Copy, mutants: usize) -> Result<Suite<'c>> {
        let executables = copy.tests()?;
        let mut suite = Suite { copy, executables, tests: Vec::new(), reaching: vec![Vec::new(); mutants] };
        suite.activate("record")?;
        for (index, executable) in suite.executables.iter().enumerate() {
            let listed = output(Command::new(&executable.path).args(["--list", "--format=terse"]))?;
            for name in listed.lines().filter_map(|line| line.strip_suffix(": test")) {
                let record = copy.folder.join("reached");
                fs::write(&record, "")?;
                let start = Instant::now();
                if suite.passes(index, &[name], Duration::from_secs(3600))? != Some(true) {
                    return Err(format!("without a mutation, {name} fails").into());
                }
                let duration = start.elapsed();
                let reached = fs::read_to_string(&record)?.lines().flat_map(str::parse).collect();
                suite.tests.push(Test { name: name.to_owned(), executable: index, duration, reached });
            }
        }
        suite.tests.sort_by_key(|test| test.duration);
        for (index, test) in suite.tests.iter().enumerate() {
            for &number in &test.reached {
                if let Some(tests) = suite.reaching.get_mut(number) {
                    tests.push(index);
                }
            }
        }
        let total: Duration = suite.tests.iter().map(|test| test.duration).sum();
        println!("{} tests, {} s", suite.tests.len(), total.as_secs());
        Ok(suite)
    }

    /// Runs the tests that reach a mutation of a file, until one fails.
    ///
    /// # Errors
    /// If a test cannot be run.
    pub fn run(&self, number: usize, file: &str) -> Result<Outcome> {
        self.activate(&number.to_string())?;
        let reaching = self.reaching.get(number).map_or(&[][..], Vec::as_slice);
        self.run_tests(reaching.iter().filter_map(|&index| self.tests.get(index)), file)
    }

    /// Runs all tests without an active mutation, until one fails: the executables have a mutation of this file.
    ///
    /// # Errors
    /// If a test cannot be run.
    pub fn run_alone(&self, file: &str) -> Result<Outcome> {
        self.activate("")?;
        let package = package_of(file);
        let is_of_package = |test: &&Test| self.package(test) == package;
        self.run_tests(self.tests.iter().filter(is_of_package), file)
    }

    fn run_tests<'t>(&self, tests: impl Iterator<Item = &'t Test>, file: &str) -> Result<Outcome> {
        let package = package_of(file);
        let runs = |test: &&Test| test.duration < SHORT || self.package(test) == package;
        let (short, long): (Vec<&Test>, Vec<&Test>) =
            tests.filter(runs).partition(|test| test.duration < SHORT);
        if short.is_empty() && long.is_empty() {
            return Ok(Outcome::Unreached);
        }
        let total = |group: &[&Test]| group.iter().map(|test| test.duration).sum::<Duration>();
        let of = |index| short.iter().copied().filter(|test| test.executable == index).collect();
        let mut groups: Vec<Vec<&Test>> = (0..self.executables.len()).map(of).collect();
        groups.sort_by_key(|group| total(group));
        groups.extend(long.into_iter().map(|test| vec![test]));
        for group in groups {
            let Some(first) = group.first() else { continue };
            let names: Vec<&str> = group.iter().map(|test| test.name.as_str()).collect();
            match self.passes(first.executable, &names, Duration::from_secs(10) + total(&group) * 10)? {
                Some(true) => {}
                Some(false) => return Ok(Outcome::Caught),
                None => return Ok(Outcome::TimedOut),
            }
        }
        Ok(Outcome::Survived)
    }

    fn package(&self, test: &Test) -> Option<&'static str> {
        self.executables.get(test.executable).map(|executable| executable.package)
    }

    /// Makes a mutation the active one.
    fn activate(&self, active: &str) -> Result {
        Ok(fs::write(self.copy.folder.join("active"), active)?)
    }

    /// True if the named tests of an executable pass; `None` if they run for longer than `limit`.
    fn passes(&self, executable: usize, names: &[&str], limit: Duration) -> Result<Option<bool>> {
        let executable = self.executables.get(executable).ok_or("no such executable")?;
        let mut command = Command::new("sh");
        command.args(["-c", LIMITED]).arg(&executable.path).arg("--exact").args(names);
        command.current_dir(&executable.folder).process_group(0);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status.success()));
            }
            if start.elapsed() > limit {
                // The group, since tests start programs.
                Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(if start.elapsed() < SHORT { 1 } else { 10 }));
        }
    }
}
