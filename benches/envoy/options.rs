//! Command-line options of the bench.

use std::time::Duration;

/// Usage text.
pub const USAGE: &str = "\
make bench ARGS='…', or ENVOY=… cargo bench --profile drive --bench envoy -- …

  --filter TEXT    only the cases whose name contains TEXT (case is ignored), and those that they are compared with
  --rounds N       how often each case is measured (default 15)
  --requests N     at most so many requests in one measurement (default 2000)
  --seconds N      no round starts after so many seconds (default 150)
  --quick          3 short rounds: does everything work?
  --markdown       tables in Markdown
  --check          exit with 1 where a limit is missed
  --memory         instead: memory over many different tokens
  --tokens N       how many (default 1000000)
  --flood          instead: what a flood of wrong passwords does to others
  --soak N         instead: mixed load for N seconds while policies change; exits with 1 where anything is wrong";

/// The command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Part of the name of the selected cases, in lower case.
    pub filter: Option<String>,
    /// Number of measurements of each case.
    pub rounds: usize,
    /// Maximum number of requests in one measurement.
    pub requests: usize,
    /// Maximum duration of one measurement, as far as [`Options::requests`] allows it.
    pub slice: Duration,
    /// Time after which no round starts.
    pub limit: Duration,
    /// True to print tables in Markdown.
    pub markdown: bool,
    /// True to fail if a limit is missed.
    pub check: bool,
    /// True to measure memory over many tokens, and nothing else.
    pub memory: bool,
    /// Number of tokens for that.
    pub tokens: usize,
    /// True to measure a flood of wrong passwords, and nothing else.
    pub flood: bool,
    /// Duration of a soak; nothing else is measured.
    pub soak: Option<Duration>,
}

impl Options {
    /// Parses the command line.
    ///
    /// # Errors
    /// A message about the first invalid argument.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            filter: None,
            rounds: 15,
            requests: 2000,
            slice: Duration::from_millis(120),
            limit: Duration::from_secs(150),
            markdown: false,
            check: false,
            memory: false,
            tokens: 1_000_000,
            flood: false,
            soak: None,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {} // from cargo
                "--help" => return Err("What the bench takes:".to_owned()),
                "--filter" => options.filter = Some(value()?.to_lowercase()),
                "--rounds" => options.rounds = number(&value()?)?,
                "--requests" => options.requests = number(&value()?)?,
                "--seconds" => options.limit = Duration::from_secs(number(&value()?)? as u64),
                "--quick" => {
                    options.rounds = 3;
                    options.requests = 300;
                    options.slice = Duration::from_millis(30);
                }
                "--markdown" => options.markdown = true,
                "--check" => options.check = true,
                "--memory" => options.memory = true,
                "--flood" => options.flood = true,
                "--soak" => {
                    options.soak = Some(Duration::from_secs(number(&value()?)? as u64));
                    options.check = true;
                }
                "--tokens" => options.tokens = number(&value()?)?,
                _ => return Err(format!("{argument} is not known")),
            }
        }
        Ok(options)
    }

    /// True if the options select a case with this name.
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.to_lowercase().contains(filter))
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or(format!("{text} is not a number above 0"))
}
