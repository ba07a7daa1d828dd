//! Endurance: mixed load on two workers for a long time, with every response checked, while configurations alternate
//! every second. The requests and expected responses are in `crates/testing/src/soak`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bootstrap::{authgate, forwarding, from_file};
use crate::options::Options;
use crate::report::Verdicts;
use crate::table::{Table, median};
use crate::usage::{largest_vm, resident};
use authgate_testing::e2e::process::{Envoy, directory, module};
use authgate_testing::soak::{DRAINING, Echo, Outcome, Policy, Stage, policy};

const MIB: f64 = (1 << 20) as f64;
const WORKERS: usize = 2;
/// Enough that both workers always have a request to work on.
const CONNECTIONS: usize = 16;
/// Bounds of the warm-up, which is a third of the time. After it, memory must not grow: replaced configurations are
/// freed after a minute, and their memory is reused.
const WARM_UP: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(300));
/// Interval between memory samples.
const EVERY: Duration = Duration::from_secs(5);
/// Allowed growth of a VM after the warm-up, in MiB: some pages, since cached values differ in size.
const PAGES: f64 = 0.5;
/// Allowed growth of Envoy after the warm-up, in MiB: that of each VM, counters, and allocator caches.
const NOISE: f64 = 4.0;

/// Memory at one time.
struct Sample {
    at: Duration,
    vm: f64,
    resident: f64,
}

/// Runs the soak for this duration.
pub fn over_time(options: &Options, lasts: Duration) -> Verdicts {
    let directory = directory("soak");
    let listeners = directory.join("listeners.json");
    let service = Echo::start();
    let module = module();
    let listener = |policy: Value| forwarding(&("gate", authgate(&module, "soak", policy)));
    let envoy = start(&directory, &listeners, &listener(policy(Policy::A)), service.port);
    let mut samples: Vec<Sample> = Vec::new();
    let stage = Stage {
        envoy: &envoy,
        listeners,
        listener: &listener,
        port: envoy.ports["gate"],
        workers: WORKERS as u64,
        connections: CONNECTIONS,
    };
    let outcome = stage.run(lasts, |at| {
        if samples.last().is_none_or(|last| at - last.at >= EVERY) {
            let pid = envoy.pid();
            samples.push(Sample {
                at,
                vm: largest_vm(pid) as f64 / MIB,
                resident: resident(pid) as f64 / MIB,
            });
            eprint!("\r{} of {} s ", at.as_secs(), lasts.as_secs());
        }
    });
    eprintln!();
    for fault in &outcome.faults {
        eprintln!("WRONG: {fault}");
    }
    figures(&outcome).print(options.markdown);
    memory(&samples).print(options.markdown);
    let mut verdicts = Verdicts::none();
    verdicts.add("kinds of wrong answers, and of traps", outcome.faults.len() as f64, 0.0, "");
    let warm = (lasts / 3).clamp(WARM_UP.0, WARM_UP.1);
    if lasts >= warm * 2 {
        let vm = added(&samples, warm, |sample| sample.vm);
        verdicts.add("memory of the VM, added since warm", vm, PAGES, "MiB");
        let resident = added(&samples, warm, |sample| sample.resident);
        verdicts.add("Envoy resident, added since warm", resident, NOISE, "MiB");
    } else {
        println!("Too short to see what grows: that takes {} s.\n", 2 * WARM_UP.0.as_secs());
    }
    verdicts
}

fn start(directory: &Path, listeners: &PathBuf, listener: &Value, service: u16) -> Envoy {
    let resources = json!({ "resources": [listener] });
    std::fs::write(listeners, resources.to_string()).expect("a file of listeners");
    Envoy::start_with_arguments(WORKERS, directory, &from_file(listeners, service), &[], DRAINING)
}

/// Returns the growth: the median of the last samples minus the median of the first ones after the warm-up.
fn added(samples: &[Sample], warm: Duration, of: impl Fn(&Sample) -> f64) -> f64 {
    let warm: Vec<f64> = samples.iter().filter(|sample| sample.at >= warm).map(of).collect();
    let few = (warm.len() / 5).max(1);
    median(&warm[warm.len() - few..]) - median(&warm[..few])
}

fn figures(outcome: &Outcome) -> Table {
    let seconds = outcome.lasted.as_secs_f64();
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    let wait = |part| format!("{:.2}", outcome.waits.milliseconds(part));
    Table::new(
        vec!["what", "figure"],
        vec![
            row("seconds", format!("{seconds:.0}")),
            row("requests, each answer looked at", outcome.requests.to_string()),
            row("requests a second", format!("{:.0}", outcome.requests as f64 / seconds)),
            row("let in", outcome.allowed.to_string()),
            row("connections", outcome.connections.to_string()),
            row("policies taken up", outcome.changes.accepted.to_string()),
            row("configurations refused", outcome.changes.refused.to_string()),
            row("looks at what is in force", outcome.changes.probes.to_string()),
            row(
                "seconds for which the machine stood still",
                format!("{:.1}", outcome.stood_still.as_secs_f64()),
            ),
            row("requests sent again for that", outcome.repeated.to_string()),
            row("median, ms", wait(0.5)),
            row("p99, ms", wait(0.99)),
            row("p99.9, ms", wait(0.999)),
            row("longest, ms", wait(1.0)),
        ],
    )
}

/// Returns a table of some samples over the whole duration.
fn memory(samples: &[Sample]) -> Table {
    let each = samples.len().div_ceil(12).max(1);
    let shown = samples.iter().enumerate().filter(|(at, _)| at % each == 0 || at + 1 == samples.len());
    let row = |(_, sample): (usize, &Sample)| {
        vec![sample.at.as_secs().to_string(), format!("{:.2}", sample.vm), format!("{:.2}", sample.resident)]
    };
    Table::new(vec!["after, s", "largest VM, MiB", "Envoy resident, MiB"], shown.map(row).collect())
}
