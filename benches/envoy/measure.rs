//! Measures the cases, interleaved over several rounds.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::{BARE, Case, EMPTY, Traffic, bearer, request};
use crate::load::Load;
use crate::options::Options;
use crate::usage::cpu_nanoseconds;
use authgate_testing::e2e::process::Envoy;

/// Microseconds of CPU time per request, one value for each measurement of a case: absolute for [`BARE`], minus
/// [`BARE`] for all others.
pub type Samples = BTreeMap<&'static str, Vec<f64>>;

/// Maximum number of new credentials in a slice, since minting takes longer than sending.
const MOST_FRESH: usize = 300;
/// Minimum number of requests in a slice, however slow the case is.
const FEWEST: usize = 4;
/// Duration of the warm-up of a case, and its maximum number of requests.
const WARM_UP: Duration = Duration::from_millis(300);
const MOST_TO_WARM_UP: usize = 5000;
/// Number of requests between reads of the clock.
const CHUNK: usize = 8;
/// Most ratios depend on the empty filter, so it is measured again after this number of cases.
const EMPTY_EVERY: usize = 8;
/// Idle time after which Envoy has cleaned up after the last request, and sleeps.
const SETTLE: Duration = Duration::from_millis(3);

/// Measures these cases.
///
/// # Panics
/// If a response is not the expected one.
pub fn measure(envoy: &Envoy, cases: &[&Case], options: &Options) -> Samples {
    let start = Instant::now();
    let mut bench = Bench { envoy, tokens: Tokens::default() };
    let mut slices: Vec<usize> = Vec::new();
    for case in cases {
        bench.refuses_without_credentials(case);
        slices.push(bench.requests_per_slice(case, options));
    }

    let place = |name| cases.iter().position(|case| case.name == name);
    let mut samples = Samples::new();
    for round in 0..options.rounds {
        if start.elapsed() > options.limit {
            eprintln!("{round} rounds instead of {}: time is up", options.rounds);
            break;
        }
        bench.tokens.start_round();
        for (number, at) in order(round, cases.len()).into_iter().enumerate() {
            let again = if number % EMPTY_EVERY == 0 { place(EMPTY) } else { None };
            for at in again.into_iter().chain([at]) {
                // The machine's speed drifts, so each slice is compared with a slice of the bare listener immediately
                // before it. Both send the same requests, since Envoy has more to read of a token than of a password.
                let Some(bare) = place(BARE) else { continue };
                let case = cases[at];
                let unfiltered =
                    Case { listener: cases[bare].listener, status: cases[bare].status, ..case.clone() };
                let count = match case.traffic {
                    Traffic::Same(_) => slices[bare],
                    Traffic::Fresh { .. } => slices[at],
                };
                let unfiltered = bench.slice(&unfiltered, count);
                if case.name == BARE {
                    samples.entry(BARE).or_default().push(unfiltered);
                } else {
                    let cost = bench.slice(case, slices[at]) - unfiltered;
                    samples.entry(case.name).or_default().push(cost);
                }
            }
        }
        eprint!("\rround {} of {} ", round + 1, options.rounds);
    }
    eprintln!();
    samples
}

/// Returns a different order for each round, so that no case always follows the same one.
fn order(round: usize, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.rotate_left(round * 7 % count);
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

struct Bench<'e> {
    envoy: &'e Envoy,
    tokens: Tokens,
}

impl Bench<'_> {
    fn open(&self, case: &Case) -> Load {
        Load::open(self.envoy.ports[case.listener]).expect("a connection to Envoy")
    }

    fn drive(&self, case: &Case, load: &mut Load, requests: &[&[u8]]) {
        if let Err(error) = load.drive(requests.iter().copied(), case.status) {
            panic!("{}: {error}", case.name);
        }
    }

    /// Checks that the filter denies requests without credentials: a missing filter would look fast.
    fn refuses_without_credentials(&self, case: &Case) {
        if let Some(stripped) = case.stripped() {
            let answer = self.open(case).drive([stripped.as_slice()].into_iter(), 401);
            answer.unwrap_or_else(|error| panic!("{} without credentials: {error}", case.name));
        }
    }

    /// Warms a case up, so that V8 has compiled all of its code with optimisation, and returns the number of requests
    /// in a slice.
    fn requests_per_slice(&mut self, case: &Case, options: &Options) -> usize {
        let (most, warm_up) = match case.traffic {
            Traffic::Same(_) => (options.requests, MOST_TO_WARM_UP),
            Traffic::Fresh { .. } => (options.requests.min(MOST_FRESH), MOST_FRESH),
        };
        self.tokens.start_round();
        let requests = self.tokens.requests(case, FEWEST + warm_up);
        let requests: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
        // Requests with cached credentials do not cost what the first ones cost.
        let (first, rest) = requests.split_at(FEWEST);
        let mut load = self.open(case);
        self.drive(case, &mut load, first);
        let start = Instant::now();
        let mut sent = 0;
        for chunk in rest.chunks(CHUNK) {
            self.drive(case, &mut load, chunk);
            sent += chunk.len();
            if start.elapsed() > WARM_UP {
                break;
            }
        }
        let each = start.elapsed().as_secs_f64() / sent as f64;
        ((options.slice.as_secs_f64() / each) as usize).clamp(FEWEST.min(most), most)
    }

    /// Returns microseconds of CPU time per request.
    fn slice(&mut self, case: &Case, count: usize) -> f64 {
        let warm_up = (count / 10).clamp(1, 50);
        let requests = self.tokens.requests(case, warm_up + count);
        let requests: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
        let (warm_up, measured) = requests.split_at(warm_up);
        let pid = self.envoy.pid();
        let mut load = self.open(case);
        self.drive(case, &mut load, warm_up);
        thread::sleep(SETTLE);
        let before = cpu_nanoseconds(pid);
        self.drive(case, &mut load, measured);
        thread::sleep(SETTLE);
        let used = cpu_nanoseconds(pid) - before;
        used as f64 / 1000.0 / count as f64
    }
}

/// Tokens of a round. Each listener that requires new tokens uses each of them once.
#[derive(Default)]
struct Tokens {
    serial: u64,
    batches: BTreeMap<usize, Vec<String>>,
}

impl Tokens {
    fn start_round(&mut self) {
        self.batches.clear();
    }

    fn requests(&mut self, case: &Case, count: usize) -> Vec<Vec<u8>> {
        match &case.traffic {
            Traffic::Same(request) => vec![request.clone(); count],
            Traffic::Fresh { path, mint, is_token } => {
                let batch = self.batches.entry(*mint as usize).or_default();
                while batch.len() < count {
                    self.serial += 1;
                    batch.push(mint(self.serial));
                }
                let value = |minted: &String| if *is_token { bearer(minted) } else { minted.clone() };
                batch[..count].iter().map(|minted| request(path, Some(&value(minted)))).collect()
            }
        }
    }
}
