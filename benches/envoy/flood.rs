//! A flood of wrong passwords from one address against users with bcrypt, and its effect on clients at other addresses:
//! with the default share of CPU time for slow hashes, also with `throttle`, and without a limit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bootstrap::{authgate, bootstrap};
use crate::options::Options;
use crate::policy::{BOB, BOB_HASH};
use crate::report::Verdicts;
use crate::table::Table;
use authgate_testing::e2e::client::{Connection, Request, get};
use authgate_testing::e2e::process::{Envoy, directory, module};

/// Duration of the flood.
const LASTS: Duration = Duration::from_secs(8);
/// Wrong passwords a second, and the number of connections. A connection that waits for its response sends nothing, so
/// fewer are sent if the worker does not keep up.
const ATTEMPTS: u32 = 2_000;
const ATTACKERS: u32 = 200;
/// Address of all attackers.
const ATTACKER: &str = "127.0.0.1";
/// Clients with valid credentials that logged in before the flood, and the interval between the requests of each. Each
/// has its own address.
const CLIENTS: usize = 10;
const EVERY: Duration = Duration::from_millis(100);
/// Interval between first logins, each from a new address. A client that is told to wait retries at once.
const LOGIN_EVERY: Duration = Duration::from_millis(500);
/// Time after which a client gives up.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time after which a client that logs in gives up.
const LOGIN_PATIENCE: Duration = Duration::from_secs(2);
/// Number of users. All have `bob`'s password, hashed with cost 10.
const USERS: usize = 100;

/// Floods a worker under each configuration, once with guesses at existing users and once at unknown ones.
pub fn over_budgets(options: &Options) -> Verdicts {
    let (default, throttled) = (json!({}), json!({"throttle": {}}));
    let free = json!({"slow_hashes": {"cpu_share": 1}});
    let configurations: [(&str, &Value, &[&str]); 3] = [
        ("default", &default, &["user", "nobody"]),
        ("throttle: {}", &throttled, &["user", "nobody"]),
        ("cpu_share 1 (no limit)", &free, &["user"]),
    ];
    let runs: Vec<(String, Run)> = configurations
        .iter()
        .flat_map(|(name, more, guessed)| {
            guessed.iter().map(move |user| (format!("{name}, guesses at {user}-n"), Run::of(more, user)))
        })
        .collect();
    let heads = vec![
        "configuration",
        "wrong, sent/s",
        "401, got/s",
        "good, sent/s",
        "answered in 1 s",
        "median, ms",
        "p99, ms",
        "first logins",
        "let in within 2 s",
        "slowest, ms",
    ];
    Table::new(heads, runs.iter().map(|(name, run)| run.row(name)).collect()).print(options.markdown);
    let mut verdicts = Verdicts::none();
    // Without a limit there is nothing to guarantee.
    let limited = runs.iter().take(4);
    let most = |of: &dyn Fn(&Run) -> f64| limited.clone().map(|(_, run)| of(run)).fold(0.0, f64::max);
    verdicts.add(
        "good credentials in a flood, not answered",
        most(&|run| 100.0 - run.good.percent(PATIENCE)),
        1.0,
        "%",
    );
    let not_in_time = most(&|run| 100.0 - run.logins.percent(LOGIN_PATIENCE));
    verdicts.add("first logins in a flood, not within 2 s", not_in_time, 1.0, "%");
    verdicts
}

/// Results of one flood.
struct Run {
    wrong: u64,
    hashed: u64,
    good: Waits,
    logins: Waits,
}

/// Response times, each with a flag that is true if the request was allowed.
#[derive(Default)]
struct Waits(Vec<(Duration, bool)>);

impl Run {
    fn of(more: &Value, guessed: &str) -> Self {
        let users: serde_json::Map<_, _> =
            (0..USERS).map(|n| (format!("user-{n}"), BOB_HASH.into())).collect();
        let mut configuration = json!({
            "authenticators": {"staff": {"basic": {"users": users}}},
            "rules": [{"require": "staff"}],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            configuration[name] = value.clone();
        }
        let envoy = Envoy::start(
            &directory("bench-flood"),
            &bootstrap(&[("gate", authgate(&module(), "flood", configuration))]),
            &[],
        );
        let port = envoy.ports["gate"];
        // Wait until the code is compiled with optimisation, the budget has recovered, and each address is known.
        for client in 0..CLIENTS {
            // The first hashes take longer; the budget has to recover from them.
            while ask(&mut open(&address(client), port), &known()) != Some(200) {
                thread::sleep(Duration::from_millis(200));
            }
        }
        thread::sleep(Duration::from_secs(8));

        let (serial, hashed) = (AtomicU64::new(0), AtomicU64::new(0));
        let (good, logins) = (Mutex::new(Waits::default()), Mutex::new(Waits::default()));
        let end = Instant::now() + LASTS;
        thread::scope(|scope| {
            for _ in 0..ATTACKERS {
                scope.spawn(|| {
                    let pace = Duration::from_secs(1) * ATTACKERS / ATTEMPTS;
                    paced(end, pace, ATTACKER, port, |connection| {
                        let n = serial.fetch_add(1, Ordering::Relaxed);
                        let answer = ask(connection, &guess(guessed, n));
                        assert!(matches!(answer, None | Some(401 | 429)), "{answer:?} to a wrong password");
                        hashed.fetch_add(u64::from(answer == Some(401)), Ordering::Relaxed);
                    });
                });
            }
            let good = &good;
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    paced(end, EVERY, &address(client), port, |connection| wait(connection, &known(), good));
                });
            }
            scope.spawn(|| {
                for user in 1.. {
                    let start = Instant::now();
                    if start >= end {
                        break;
                    }
                    let request = get("/").basic(&format!("user-{user}"), BOB);
                    let mut connection = open(&address(CLIENTS + user), port);
                    let passed = loop {
                        match ask(&mut connection, &request) {
                            Some(429) if start.elapsed() < LOGIN_PATIENCE => thread::sleep(EVERY),
                            status => break status == Some(200),
                        }
                    };
                    logins.lock().expect("waits").0.push((start.elapsed(), passed));
                    thread::sleep(LOGIN_EVERY.saturating_sub(start.elapsed()));
                }
            });
            thread::sleep(LASTS);
            assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new(), "the module trapped");
            // Clients that still wait are disconnected.
            drop(envoy);
        });
        let (good, logins) = (good.into_inner().expect("waits"), logins.into_inner().expect("waits"));
        Self { wrong: serial.into_inner(), hashed: hashed.into_inner(), good, logins }
    }

    fn row(&self, name: &str) -> Vec<String> {
        let each_second = |count: u64| format!("{:.0}", count as f64 / LASTS.as_secs_f64());
        vec![
            name.to_owned(),
            each_second(self.wrong),
            format!("{:.1}", self.hashed as f64 / LASTS.as_secs_f64()),
            each_second(self.good.0.len() as u64),
            format!("{:.1} %", self.good.percent(PATIENCE)),
            format!("{:.1}", self.good.milliseconds(0.5)),
            format!("{:.1}", self.good.milliseconds(0.99)),
            self.logins.0.len().to_string(),
            format!("{:.1} %", self.logins.percent(LOGIN_PATIENCE)),
            format!("{:.0}", self.logins.milliseconds(1.0)),
        ]
    }
}

impl Waits {
    /// Returns the percentage that was allowed within this time.
    fn percent(&self, patience: Duration) -> f64 {
        let in_time = self.0.iter().filter(|(wait, passed)| *passed && *wait <= patience).count();
        100.0 * in_time as f64 / self.0.len().max(1) as f64
    }

    fn milliseconds(&self, part: f64) -> f64 {
        let mut waits: Vec<Duration> = self.0.iter().map(|(wait, _)| *wait).collect();
        waits.sort();
        let at = (waits.len() as f64 * part).ceil() as usize;
        waits.get(at.saturating_sub(1)).map_or(0.0, |wait| wait.as_secs_f64() * 1000.0)
    }
}

fn known() -> Request {
    get("/").basic("user-0", BOB)
}

/// Returns a different wrong password for each number.
fn guess(name: &str, n: u64) -> Request {
    get("/").basic(&format!("{name}-{}", n % USERS as u64), &format!("wrong-{n}"))
}

/// Returns the address of a client that is not an attacker.
fn address(n: usize) -> String {
    format!("127.0.1.{}", n + 1)
}

fn open(source: &str, port: u16) -> Option<Connection> {
    Connection::open_from(source, port).ok()
}

/// Returns the status of the response; `None` if there is none, and closes the connection then.
fn ask(connection: &mut Option<Connection>, request: &Request) -> Option<u16> {
    let answer = connection.as_mut()?.send(request, "flood").ok();
    if answer.is_none() {
        *connection = None;
    }
    answer?.second_word().parse().ok()
}

fn wait(connection: &mut Option<Connection>, request: &Request, waits: &Mutex<Waits>) {
    let start = Instant::now();
    let passed = ask(connection, request) == Some(200);
    waits.lock().expect("waits").0.push((start.elapsed(), passed));
}

/// Runs a function at this interval until the end, over a connection that is reopened after it was closed.
fn paced(
    end: Instant,
    every: Duration,
    source: &str,
    port: u16,
    mut act: impl FnMut(&mut Option<Connection>),
) {
    let mut connection = open(source, port);
    let mut next = Instant::now();
    while Instant::now() < end {
        if connection.is_none() {
            connection = open(source, port);
        }
        act(&mut connection);
        next = (next + every).max(Instant::now() - every);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
