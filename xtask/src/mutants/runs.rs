//! Runs of the tests that reach a mutation.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::build::{Copy, Executable};
use super::report::Outcome;
use crate::command::{Result, output};

/// Tests that run for longer run alone, after the others.
const SHORT: Duration = Duration::from_millis(100);
/// Tests that run for longer are left out if the mutation is in another package, or nothing but a quick look is wanted.
const LONG: Duration = Duration::from_secs(1);
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
    pub fn new(copy: &'c Copy, count: usize) -> Result<Suite<'c>> {
        let executables = copy.tests()?;
        let mut suite = Suite { copy, executables, tests: Vec::new(), reaching: vec![Vec::new(); count] };
        let mut failed = Vec::new();
        suite.activate("record")?;
        for (index, executable) in suite.executables.iter().enumerate() {
            let listed = output(Command::new(&executable.path).arg("--list").arg("--format=terse"))?;
            for name in listed.lines().filter_map(|line| line.strip_suffix(": test")) {
                let record = copy.folder.join("reached");
                fs::write(&record, "")?;
                let start = Instant::now();
                if !suite.passes(index, &[name], Duration::from_secs(600))?.unwrap_or(false) {
                    failed.push(name.to_owned());
                }
                let duration = start.elapsed();
                let reached = fs::read_to_string(&record)?.lines().flat_map(str::parse).collect();
                suite.tests.push(Test { name: name.to_owned(), executable: index, duration, reached });
            }
        }
        if !failed.is_empty() {
            return Err(format!("without a mutation, these tests fail: {}", failed.join(", ")).into());
        }
        suite.tests.sort_by_key(|test| test.duration);
        for (index, test) in suite.tests.iter().enumerate() {
            for &number in &test.reached {
                if let Some(tests) = suite.reaching.get_mut(number) {
                    tests.push(index);
                }
            }
        }
        let durations = suite.tests.iter().map(|test| format!("{:?} {}\n", test.duration, test.name));
        fs::write(copy.folder.join("tests"), durations.collect::<String>())?;
        let total: Duration = suite.tests.iter().map(|test| test.duration).sum();
        println!("tests: {}, {} s", suite.tests.len(), total.as_secs());
        Ok(suite)
    }

    /// Runs the tests that reach a mutation, until one fails.
    ///
    /// # Errors
    /// If a test cannot be run.
    pub fn run(&self, number: usize, package: &str, is_quick: bool) -> Result<Outcome> {
        self.activate(&number.to_string())?;
        let reaching = self.reaching.get(number).map_or(&[][..], Vec::as_slice);
        let tests = reaching.iter().filter_map(|&index| self.tests.get(index));
        let is_of_package = |test: &&Test| {
            test.duration < LONG
                || !is_quick && self.executables.get(test.executable).is_some_and(|executable| executable.package == package)
        };
        let tests: Vec<&Test> = tests.filter(is_of_package).collect();
        if tests.is_empty() {
            return Ok(Outcome::Unreached);
        }
        let (short, long): (Vec<&Test>, Vec<&Test>) = tests.iter().partition(|test| test.duration < SHORT);
        let groups = (0..self.executables.len())
            .map(|executable| short.iter().copied().filter(|test| test.executable == executable).collect());
        for group in groups.chain(long.into_iter().map(|test| vec![test])) {
            let Some(first) = group.first() else { continue };
            let names: Vec<&str> = group.iter().map(|test| test.name.as_str()).collect();
            let usual: Duration = group.iter().map(|test| test.duration).sum();
            match self.passes(first.executable, &names, Duration::from_secs(10) + usual * 10)? {
                Some(true) => {}
                Some(false) => return Ok(Outcome::Caught),
                None => return Ok(Outcome::TimedOut),
            }
        }
        Ok(Outcome::Survived)
    }

    fn activate(&self, active: &str) -> Result {
        Ok(fs::write(self.copy.folder.join("active"), active)?)
    }

    /// True if the named tests of an executable pass, or nothing if they run for longer than `limit`.
    fn passes(&self, executable: usize, names: &[&str], limit: Duration) -> Result<Option<bool>> {
        let executable = self.executables.get(executable).ok_or("no such executable")?;
        let mut command = Command::new("sh");
        command.args(["-c", LIMITED]).arg(&executable.path).arg("--exact").args(names);
        command.current_dir(&executable.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
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

impl Drop for Suite<'_> {
    fn drop(&mut self) {
        let _ = std::io::stdout().flush();
        let _ = self.activate("");
    }
}
