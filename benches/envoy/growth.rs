//! Costs that grow with size: the time to load a large configuration, the memory of the VM, the module itself.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use crate::bootstrap::{authgate, bootstrap, with_ballast};
use crate::cases::{MANY_USERS, bearer, request};
use crate::load::Load;
use crate::options::Options;
use crate::policy::{default_policy, fresh_hs256, users};
use crate::report::Verdicts;
use crate::table::{Table, median};
use crate::usage::{largest_vm, resident};
use authgate_testing::e2e::process::{Envoy, directory, module};

const MIB: f64 = (1 << 20) as f64;
const LOADING: &str = "loading 100,000 users";
const MODULE: &str = "size of the module";

/// True if the options select any of these measurements.
pub fn is_wanted(options: &Options) -> bool {
    options.wants(MODULE) || options.wants(LOADING)
}

/// Measures the limits that do not depend on requests.
pub fn over_sizes(options: &Options, verdicts: &mut Verdicts) {
    if options.wants(MODULE) {
        let bytes = fs::metadata(module()).expect("the module").len();
        verdicts.add(MODULE, bytes as f64 / MIB, 1.3, "MiB");
    }
    if options.wants(LOADING) {
        let runs = if options.rounds > 3 { 3 } else { 1 };
        let (mut seconds, mut vm) = (Vec::new(), 0.0);
        for _ in 0..runs {
            let few = Start::of(users(10), Some(users(MANY_USERS)));
            let many = Start::of(users(MANY_USERS), None);
            seconds.push(many.seconds - few.seconds);
            vm = many.vm as f64 / MIB;
        }
        verdicts.add(LOADING, median(&seconds), 2.0, "s");
        verdicts.add("memory of the VM with 100,000 users", vm, 64.0, "MiB");
    }
}

/// One start of Envoy with one listener.
struct Start {
    /// Seconds until Envoy serves. By then it has configured the filter three times: for validation, in its main thread
    /// and in its worker.
    seconds: f64,
    /// Memory of the largest VM, in bytes.
    vm: u64,
}

impl Start {
    /// Starts Envoy with a configuration of the filter. `ballast` is a configuration that Envoy reads without passing
    /// it to the filter; a comparison with it excludes the time that Envoy takes to read its file.
    fn of(configuration: Value, ballast: Option<Value>) -> Self {
        let listener = ("loading", authgate(&module(), "loading", configuration));
        let bootstrap =
            with_ballast(bootstrap(&[listener]), ballast.unwrap_or(Value::Object(Default::default())));
        let directory = directory("bench-loading");
        let start = Instant::now();
        let envoy = Envoy::start(&directory, &bootstrap, &[]);
        Self { seconds: start.elapsed().as_secs_f64(), vm: largest_vm(envoy.pid()) }
    }
}

/// Measures memory while a worker sees very many different tokens.
pub fn over_tokens(options: &Options) -> Verdicts {
    const SAMPLES: usize = 10;
    const CHUNK: usize = 1000;
    /// Allowed growth of Envoy itself, in MiB: counters and allocator caches.
    const NOISE: f64 = 1.0;

    let bootstrap = bootstrap(&[("default", authgate(&module(), "default", default_policy()))]);
    let envoy = Envoy::start(&directory("bench-memory"), &bootstrap, &[]);
    let mut load = Load::open(envoy.ports["default"]).expect("a connection to Envoy");
    let mut serial = 0;
    let mut rows = Vec::new();
    for sample in 0..=SAMPLES {
        let until = (options.tokens * sample / SAMPLES) as u64;
        while serial < until {
            let chunk = serial..until.min(serial + CHUNK as u64);
            serial = chunk.end;
            let requests: Vec<_> =
                chunk.map(|n| request("/shared/x", Some(&bearer(&fresh_hs256(n))))).collect();
            load.drive(requests.iter().map(Vec::as_slice), 200).expect("200 to every token");
        }
        rows.push((serial, largest_vm(envoy.pid()) as f64 / MIB, resident(envoy.pid()) as f64 / MIB));
        eprint!("\r{serial} tokens ");
    }
    eprintln!();
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new(), "the module trapped");

    let cells = |(tokens, vm, resident): &(u64, f64, f64)| {
        vec![tokens.to_string(), format!("{vm:.2}"), format!("{resident:.2}")]
    };
    Table::new(vec!["different tokens", "VM, MiB", "Envoy resident, MiB"], rows.iter().map(cells).collect())
        .print(options.markdown);
    let mut verdicts = Verdicts::none();
    let (half, end) = (rows[SAMPLES / 2], rows[SAMPLES]);
    verdicts.add("memory of the VM, added by the second half", end.1 - half.1, 0.0, "MiB");
    verdicts.add("Envoy resident, added by the second half", end.2 - half.2, NOISE, "MiB");
    verdicts
}
