//! A flood of wrong passwords against users with bcrypt, and what others notice of it: with the share of the time that
//! slow hashes have, and without one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bootstrap::{authgate, bootstrap};
use crate::client::{Connection, Request, get};
use crate::options::Options;
use crate::policy::{BOB, BOB_HASH};
use crate::process::{Envoy, directory, module};
use crate::report::Verdicts;
use crate::table::Table;

/// For how long the flood lasts.
const LASTS: Duration = Duration::from_secs(20);
/// Wrong passwords a second, over so many connections: a connection that waits for its answer sends nothing, so that
/// fewer are sent where the worker does not keep up.
const ATTEMPTS: u32 = 2_000;
const ATTACKERS: u32 = 200;
/// Clients with good credentials that have logged in before the flood, and how often each sends a request.
const CLIENTS: usize = 10;
const EVERY: Duration = Duration::from_millis(100);
/// How often somebody logs in who has not yet.
const LOGIN_EVERY: Duration = Duration::from_millis(500);
/// Whoever waits for longer than this has gone.
const PATIENCE: Duration = Duration::from_secs(1);
/// All users have `bob`'s password, hashed with cost 10.
const USERS: usize = 100;

/// Floods one worker twice.
pub fn over_budgets(options: &Options) -> Verdicts {
    let runs =
        [("cpu_share 0.2 (default)", Value::Null), ("cpu_share 1 (no limit)", json!({"cpu_share": 1}))];
    let runs = runs.map(|(name, slow_hashes)| (name, Run::of(&slow_hashes)));
    let heads = vec![
        "slow_hashes",
        "wrong, sent/s",
        "401, got/s",
        "good, sent/s",
        "answered in 1 s",
        "median, ms",
        "p99, ms",
        "first logins in 1 s",
    ];
    Table::new(heads, runs.iter().map(|(name, run)| run.row(name)).collect()).print(options.markdown);
    let [(_, rationed), (_, free)] = &runs;
    let mut verdicts = Verdicts::none();
    verdicts.add("good credentials in a flood, not answered", 100.0 - rationed.good.percent(), 1.0, "%");
    let ratio = rationed.good.milliseconds(0.99) / free.good.milliseconds(0.99);
    verdicts.add("their p99, over that without a limit", ratio, 0.2, "×");
    verdicts
}

/// What came of one flood.
struct Run {
    wrong: u64,
    hashed: u64,
    good: Waits,
    logins: Waits,
}

/// How long each waited, and whether it was let in.
#[derive(Default)]
struct Waits(Vec<(Duration, bool)>);

impl Run {
    fn of(slow_hashes: &Value) -> Self {
        let users: serde_json::Map<_, _> =
            (0..USERS).map(|n| (format!("user-{n}"), BOB_HASH.into())).collect();
        let mut configuration = json!({
            "authenticators": {"staff": {"basic": {"users": users}}},
            "rules": [{"require": "staff"}],
        });
        if !slow_hashes.is_null() {
            configuration["slow_hashes"] = slow_hashes.clone();
        }
        let envoy = Envoy::start(
            &directory("bench-flood"),
            &bootstrap(&[("gate", authgate(&module(), "flood", configuration))]),
            &[],
        );
        let port = envoy.ports["gate"];
        // Compiled for good, saved up, and known.
        let warm_up = (0..5).map(|n| (guess(u64::MAX - n), 401)).chain([(known(), 200)]);
        for (request, status) in warm_up {
            // The first hashes take longer; what they take has to come in again.
            while ask(&mut open(port), &request) == Some(429) {
                thread::sleep(Duration::from_millis(200));
            }
            assert_eq!(ask(&mut open(port), &request), Some(status));
        }
        thread::sleep(Duration::from_secs(5));

        let (serial, hashed) = (AtomicU64::new(0), AtomicU64::new(0));
        let (good, logins) = (Mutex::new(Waits::default()), Mutex::new(Waits::default()));
        let end = Instant::now() + LASTS;
        thread::scope(|scope| {
            for _ in 0..ATTACKERS {
                scope.spawn(|| {
                    paced(end, Duration::from_secs(1) * ATTACKERS / ATTEMPTS, port, |connection| {
                        let answer = ask(connection, &guess(serial.fetch_add(1, Ordering::Relaxed)));
                        assert!(matches!(answer, None | Some(401 | 429)), "{answer:?} to a wrong password");
                        hashed.fetch_add(u64::from(answer == Some(401)), Ordering::Relaxed);
                    });
                });
            }
            for _ in 0..CLIENTS {
                scope.spawn(|| paced(end, EVERY, port, |connection| wait(connection, &known(), &good)));
            }
            scope.spawn(|| {
                let mut user = 0;
                paced(end, LOGIN_EVERY, port, |connection| {
                    user += 1;
                    wait(connection, &get("/").basic(&format!("user-{user}"), BOB), &logins);
                });
            });
            thread::sleep(LASTS);
            assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new(), "the module trapped");
            // Whoever still waits is let go.
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
            format!("{:.1} %", self.good.percent()),
            format!("{:.1}", self.good.milliseconds(0.5)),
            format!("{:.1}", self.good.milliseconds(0.99)),
            format!("{:.1} %", self.logins.percent()),
        ]
    }
}

impl Waits {
    /// How many were let in while they were patient.
    fn percent(&self) -> f64 {
        let in_time = self.0.iter().filter(|(wait, passed)| *passed && *wait <= PATIENCE).count();
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

/// Another password for each number.
fn guess(n: u64) -> Request {
    get("/").basic(&format!("user-{}", n % USERS as u64), &format!("wrong-{n}"))
}

fn open(port: u16) -> Option<Connection> {
    Connection::open(port).ok()
}

/// The status of the answer; `None` where there is none, and the connection is then gone.
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

/// Does something at this pace until the end, over a connection that is opened anew when it is gone.
fn paced(end: Instant, every: Duration, port: u16, mut act: impl FnMut(&mut Option<Connection>)) {
    let mut connection = open(port);
    let mut next = Instant::now();
    while Instant::now() < end {
        if connection.is_none() {
            connection = open(port);
        }
        act(&mut connection);
        next = (next + every).max(Instant::now() - every);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
