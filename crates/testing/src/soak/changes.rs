//! Replaces one configuration by another, valid and invalid ones in turn, and checks which one is in force.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Stage;
use super::clients::{Client, Tally};
use super::policies::{Policy, policy, refused};
use super::traffic::{only_under, turn};

/// Time limit for Envoy to accept or reject a configuration, and for its workers to apply it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two polls.
const PAUSE: Duration = Duration::from_millis(20);

/// Counts of configuration changes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes {
    /// Accepted policies.
    pub accepted: u64,
    /// Rejected configurations.
    pub refused: u64,
    /// Checks of the policy in force, each over a new connection.
    pub probes: u64,
}

/// Changes the configuration until the end.
pub fn run(stage: &Stage<'_>, every: Duration, end: Instant, tally: &Tally) -> Changes {
    let mut changes = Changes::default();
    let mut in_force = Policy::A;
    for number in 0_usize.. {
        let start = Instant::now();
        if start >= end {
            break;
        }
        let is_taken = if number % 2 == 1 {
            in_force = in_force.other();
            changes.accepted += 1;
            put(stage, policy(in_force), "lds.update_success")
        } else {
            changes.refused += 1;
            put(stage, refused(number / 2), "lds.update_rejected")
        };
        if !is_taken {
            tally.fault("a change", format!("change {number} was not answered as it should be"));
        }
        // At least once, however long the change took.
        while {
            probe(stage.port, in_force, tally);
            changes.probes += 1;
            start.elapsed() < every && Instant::now() < end
        } {
            thread::sleep(PAUSE);
        }
    }
    changes
}

/// Passes a configuration to Envoy, and waits until all workers use it or Envoy rejects it; false after a timeout.
fn put(stage: &Stage<'_>, policy: serde_json::Value, counter: &str) -> bool {
    const TAKEN_UP: &str = "listener_create_success";
    let count = |counter: &str| {
        let stats = stage.envoy.admin(&format!("/stats?filter=listener_manager.{counter}$"));
        stats.trim().rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    let before = (count(counter), count(TAKEN_UP));
    let new = stage.listeners.with_extension("new");
    let resources = json!({ "resources": [(stage.listener)(policy)] });
    fs::write(&new, resources.to_string()).expect("a file of listeners");
    fs::rename(&new, &stage.listeners).expect("a file of listeners");
    let wanted = (before.0 + 1, before.1 + if counter.ends_with("success") { stage.workers } else { 0 });
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if (count(counter), count(TAKEN_UP)) == wanted {
            return true;
        }
        thread::sleep(PAUSE);
    }
    false
}

/// Checks that a new connection is served by the policy in force and no other.
fn probe(port: u16, in_force: Policy, tally: &Tally) {
    let mut client = Client::new(port, tally);
    for exchange in [turn(), only_under(in_force), only_under(in_force.other())] {
        if client.exchange(&exchange).is_none() {
            // The fault is already reported.
            return;
        }
    }
    match client.close() {
        Some(policy) if policy == in_force => {}
        other => tally.fault("in force", format!("{other:?} instead of {in_force:?}")),
    }
}
