//! Mixed traffic, good, bad and hostile, while the policy is replaced every moment; each answer is looked at.
//!
//! `tests/envoy/reload.rs` runs it for seconds, `make soak` for half an hour.

mod changes;
mod clients;
mod echo;
mod expectation;
mod policies;
mod traffic;
mod waits;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::e2e::process::Envoy;
use clients::Tally;

pub use changes::Changes;
pub use echo::Echo;
pub use policies::{Policy, policy};
pub use waits::Waits;

/// How connections are closed to which the old configuration belongs: at once, and in any case after two seconds.
pub const DRAINING: &[&str] = &["--drain-time-s", "2", "--drain-strategy", "immediate"];

/// How long each configuration is in force.
const EVERY: Duration = Duration::from_secs(1);

/// What is soaked.
pub struct Stage<'a> {
    /// The proxy. It was started with [`DRAINING`], takes its listeners from `listeners`, and serves [`Policy::A`].
    pub envoy: &'a Envoy,
    /// The file that it takes listeners from.
    pub listeners: PathBuf,
    /// A listener for a policy, as Envoy takes it.
    pub listener: &'a (dyn Fn(Value) -> Value + Sync),
    /// The port of that listener.
    pub port: u16,
    /// How many workers it has.
    pub workers: u64,
    /// How many connections send requests.
    pub connections: usize,
}

/// What came of it.
pub struct Outcome {
    /// What was not as it had to be; the first of each kind.
    pub faults: Vec<String>,
    /// Requests whose answers were looked at, of them those that were let in.
    pub requests: u64,
    /// Of them, let in.
    pub allowed: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Requests that were sent again since the machine had stood still meanwhile.
    pub repeated: u64,
    /// How long it did, in all.
    pub stood_still: Duration,
    /// What was done to the configuration meanwhile.
    pub changes: Changes,
    /// How long answers took.
    pub waits: Waits,
    /// How long it lasted.
    pub lasted: Duration,
}

impl Stage<'_> {
    /// Soaks for so long. `watch` is called every second.
    pub fn run(&self, lasts: Duration, mut watch: impl FnMut(Duration)) -> Outcome {
        let start = Instant::now();
        let end = start + lasts;
        let tally = Tally::default();
        let changes = thread::scope(|scope| {
            for number in 0..self.connections {
                let tally = &tally;
                scope.spawn(move || clients::run(self.port, number as u64, end, tally));
            }
            scope.spawn(|| tally.watch(end));
            let changes = scope.spawn(|| changes::run(self, EVERY, end, &tally));
            while Instant::now() < end {
                thread::sleep(Duration::from_secs(1).min(end.saturating_duration_since(Instant::now())));
                watch(start.elapsed());
            }
            changes.join().unwrap_or_default()
        });
        let lasted = start.elapsed();
        for sign in self.envoy.signs_of_a_trap() {
            tally.fault("a trap", sign);
        }
        // What Envoy says of a configuration that is refused is no more than that.
        let is_sign = |line: &&str| line.contains("][critical]") && !line.ends_with(" failed to load");
        for line in self.envoy.log().lines().filter(is_sign) {
            tally.fault("a critical line in the log", line.to_owned());
        }
        for (kind, needed) in
            [("accepted", changes.accepted), ("refused", changes.refused), ("probed", changes.probes)]
        {
            if needed == 0 {
                tally.fault("no change", format!("no configuration was {kind}"));
            }
        }
        tally.outcome(changes, lasted)
    }
}
