//! Mixed traffic (valid, invalid and hostile) while the policy is replaced continuously; every response is checked.
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

/// Arguments that make Envoy drain the connections of a replaced configuration at once, and close them after at most
/// two seconds.
pub const DRAINING: &[&str] = &["--drain-time-s", "2", "--drain-strategy", "immediate"];

/// Time for which each configuration is in force.
const EVERY: Duration = Duration::from_secs(1);

/// The system under test.
pub struct Stage<'a> {
    /// The proxy, started with [`DRAINING`]. It reads its listeners from `listeners`, and serves [`Policy::A`].
    pub envoy: &'a Envoy,
    /// The file from which it reads listeners.
    pub listeners: PathBuf,
    /// Builds the Envoy listener for a policy.
    pub listener: &'a (dyn Fn(Value) -> Value + Sync),
    /// The port of that listener.
    pub port: u16,
    /// Number of workers.
    pub workers: u64,
    /// Number of connections that send requests.
    pub connections: usize,
}

/// Results of a soak.
pub struct Outcome {
    /// The first fault of each kind.
    pub faults: Vec<String>,
    /// Requests whose responses were checked.
    pub requests: u64,
    /// Requests that were allowed.
    pub allowed: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Requests that were repeated because the machine was suspended.
    pub repeated: u64,
    /// Total suspension time of the machine.
    pub stood_still: Duration,
    /// Changes of the configuration.
    pub changes: Changes,
    /// Response times.
    pub waits: Waits,
    /// Duration of the soak.
    pub lasted: Duration,
}

impl Stage<'_> {
    /// Runs the soak for this duration. `watch` is called every second.
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
        // Envoy's message about a rejected configuration is not a fault.
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
