//! Cost of authgate per request in a real Envoy, compared with Envoy's own filters. `make bench` runs it;
//! `docs/performance.md` explains the output.
//!
//! A single Envoy has a listener for each filter, all with the same direct response. This process sends requests to
//! them in turn, over several rounds, and reads the CPU time of Envoy's threads in the meantime.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

// Shared with the end-to-end tests: an Envoy process, tokens and responses.

#[path = "envoy/bootstrap.rs"]
mod bootstrap;
#[path = "envoy/cases.rs"]
mod cases;
#[path = "envoy/digest.rs"]
mod digest;
#[path = "envoy/endurance.rs"]
mod endurance;
#[path = "envoy/flood.rs"]
mod flood;
#[path = "envoy/growth.rs"]
mod growth;
#[path = "envoy/load.rs"]
mod load;
#[path = "envoy/measure.rs"]
mod measure;
#[path = "envoy/options.rs"]
mod options;
#[path = "envoy/policy.rs"]
mod policy;
#[path = "envoy/report.rs"]
mod report;
#[path = "envoy/table.rs"]
mod table;
#[path = "envoy/usage.rs"]
mod usage;

use std::collections::BTreeSet;
use std::process::ExitCode;

use authgate_testing::e2e::process::{Envoy, directory, existing, module};
use cases::{BARE, Case, EMPTY, LIMITS, cases, listeners};
use measure::{Samples, measure};
use options::{Options, USAGE};
use report::{Costs, Verdicts};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let verdicts = match &options {
        Options { memory: true, .. } => growth::over_tokens(&options),
        Options { soak: Some(lasts), .. } => endurance::over_time(&options, *lasts),
        Options { flood: true, .. } => flood::over_budgets(&options),
        _ => over_cases(&options),
    };
    verdicts.table().print(options.markdown);
    if options.check && !verdicts.all_met() {
        eprintln!("a limit is missed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn over_cases(options: &Options) -> Verdicts {
    let cases = cases();
    let wanted = wanted(&cases, options);
    assert!(!wanted.is_empty() || growth::is_wanted(options), "no case has such a name");
    let mut samples = Samples::new();
    if !wanted.is_empty() {
        let empty =
            existing("EMPTY_WASM", "target/empty/wasm32-wasip1/release/empty.wasm", "the empty filter");
        let floor =
            existing("FLOOR_WASM", "target/floor/wasm32-wasip1/release/floor.wasm", "the floor of the host");
        let bootstrap = bootstrap::bootstrap(&listeners(&module(), &empty, &floor));
        let envoy = Envoy::start(&directory("bench"), &bootstrap, &[]);
        samples = measure(&envoy, &wanted, options);
        assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new(), "the module trapped");
    }
    let costs = Costs(&samples);
    if !samples.is_empty() {
        println!("CPU of Envoy per request, over the same listener without a filter; medians.\n");
        costs.table(&wanted).print(options.markdown);
    }
    let mut verdicts = Verdicts::on_ratios(&costs);
    growth::over_sizes(options, &mut verdicts);
    verdicts
}

/// Returns the cases that the filter selects, and all cases that they are compared with.
fn wanted<'c>(cases: &'c [Case], options: &Options) -> Vec<&'c Case> {
    let named: Vec<&Case> = cases.iter().filter(|case| options.wants(case.name)).collect();
    let names: BTreeSet<&str> = named.iter().map(|case| case.name).collect();
    let mut all = names.clone();
    all.extend(named.iter().filter_map(|case| case.native));
    all.extend(LIMITS.iter().filter(|limit| names.contains(limit.case)).map(|limit| limit.over));
    if !all.is_empty() {
        all.extend([BARE, EMPTY]);
    }
    cases.iter().filter(|case| all.contains(case.name)).collect()
}
