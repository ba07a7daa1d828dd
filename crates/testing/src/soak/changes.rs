//! Puts one configuration in the place of another, good ones and bad ones in turn, and sees which is in force.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Stage;
use super::clients::{Client, Tally};
use super::policies::{Policy, policy, refused};
use super::traffic::{only_under, turn};

/// How long Envoy may take to say yes or no, and its workers to take up what was accepted.
const PATIENCE: Duration = Duration::from_secs(20);
/// A pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What was done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes {
    /// Policies that were taken up.
    pub accepted: u64,
    /// Configurations that were refused.
    pub refused: u64,
    /// Looks at which policy is in force, each over a connection of its own.
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

/// Has Envoy take a configuration, and waits until all workers have; or until it is refused.
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

/// A new connection is answered by what is in force, and by nothing else.
fn probe(port: u16, in_force: Policy, tally: &Tally) {
    let mut client = Client::new(port, tally);
    for exchange in [turn(), only_under(in_force), only_under(in_force.other())] {
        if client.exchange(&exchange).is_none() {
            // What there was to say of that is said.
            return;
        }
    }
    match client.close() {
        Some(policy) if policy == in_force => {}
        other => tally.fault("in force", format!("{other:?} instead of {in_force:?}")),
    }
}
