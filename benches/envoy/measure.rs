//! Measures the cases, interleaved over several rounds.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::{BARE, Case, EMPTY, Traffic, bearer, request};
use crate::load::Load;
use crate::options::Options;
use crate::process::Envoy;
use crate::usage::cpu_nanoseconds;

/// Microseconds of CPU per request, of each case, as often as it was measured.
pub type Samples = BTreeMap<&'static str, Vec<f64>>;

/// Minting takes longer than sending.
const MOST_FRESH: usize = 300;
/// What a slice has at least, however slow the case is.
const FEWEST: usize = 4;
/// After so many cases, those that all others are compared with are measured once more.
const YARDSTICKS_EVERY: usize = 8;
/// After that long without a request, Envoy has tidied up after the last one, and sleeps.
const SETTLE: Duration = Duration::from_millis(3);

/// Measures these cases. Panics where an answer is not the one that is expected.
pub fn measure(envoy: &Envoy, cases: &[&Case], options: &Options) -> Samples {
    let start = Instant::now();
    let mut bench = Bench { envoy, tokens: Tokens::default() };
    let mut slices: Vec<usize> = Vec::new();
    for case in cases {
        bench.refuses_without_credentials(case);
        slices.push(bench.requests_per_slice(case, options));
    }

    let mut samples = Samples::new();
    for round in 0..options.rounds {
        if start.elapsed() > options.limit {
            eprintln!("{round} rounds instead of {}: time is up", options.rounds);
            break;
        }
        bench.tokens.start_round();
        for (number, at) in order(round, cases.len()).into_iter().enumerate() {
            // All ratios stand on these two, so they are looked at more often.
            let yardsticks = (0..cases.len()).filter(|&at| [BARE, EMPTY].contains(&cases[at].name));
            let repeated = if number % YARDSTICKS_EVERY == 0 { yardsticks.collect() } else { Vec::new() };
            for at in repeated.into_iter().chain([at]) {
                samples.entry(cases[at].name).or_default().push(bench.slice(cases[at], slices[at]));
            }
        }
        eprint!("\rround {} of {} ", round + 1, options.rounds);
    }
    eprintln!();
    samples
}

/// Another order in each round, so that no case always follows the same one.
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

    /// A filter that is not there would look fast.
    fn refuses_without_credentials(&self, case: &Case) {
        if let Some(stripped) = case.stripped() {
            let answer = self.open(case).drive([stripped.as_slice()].into_iter(), 401);
            answer.unwrap_or_else(|error| panic!("{} without credentials: {error}", case.name));
        }
    }

    /// How many requests a slice of this case has. Warms the case up as well.
    fn requests_per_slice(&mut self, case: &Case, options: &Options) -> usize {
        let most = match case.traffic {
            Traffic::Same(_) => options.requests,
            Traffic::Fresh { .. } => options.requests.min(MOST_FRESH),
        };
        self.tokens.start_round();
        let requests = self.tokens.requests(case, most + FEWEST);
        let requests: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
        let (first, rest) = requests.split_at(FEWEST);
        let mut load = self.open(case);
        self.drive(case, &mut load, first);
        let start = Instant::now();
        let mut sent = 0;
        for chunk in rest.chunks(FEWEST) {
            self.drive(case, &mut load, chunk);
            sent += chunk.len();
            if start.elapsed() > options.slice * 2 {
                break;
            }
        }
        let each = start.elapsed().as_secs_f64() / sent as f64;
        ((options.slice.as_secs_f64() / each) as usize).clamp(FEWEST.min(most), most)
    }

    /// Microseconds of CPU per request.
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

/// The tokens of a round: each is used once by each listener that wants new ones.
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
            Traffic::Fresh { path, mint } => {
                let batch = self.batches.entry(*mint as usize).or_default();
                while batch.len() < count {
                    self.serial += 1;
                    batch.push(mint(self.serial));
                }
                batch[..count].iter().map(|token| request(path, Some(&bearer(token)))).collect()
            }
        }
    }
}
