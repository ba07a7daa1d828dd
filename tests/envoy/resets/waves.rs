//! HTTP/2 requests with unknown tokens, in waves: some get a response, others are reset at about the time of their
//! response, cut off with their connection, ended by trailers, or left idle until the proxy replies.

use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use authgate_testing::e2e::h2::{self, Connection, Ending};

/// Response time of the introspection endpoint. The resets happen at about this time.
pub const LATENCY: Duration = Duration::from_millis(8);
/// Number of requests in a wave.
const WAVE: usize = 40;

/// Counts of the streams of all connections, by their ends.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The first fault of each connection.
    pub faults: Vec<String>,
    /// Requests that got a 401.
    pub refused: u64,
    /// Requests that got a 503, because many wait.
    pub unavailable: u64,
    /// Requests that were reset.
    pub reset: u64,
    /// Requests that the proxy replied to, because they were idle.
    pub idle: u64,
    /// Connections that the client closed while requests waited.
    pub closed: u64,
    /// Connections that the proxy closed, as it does after many early resets.
    pub ended: u64,
}

#[derive(Default)]
struct Tally {
    refused: AtomicU64,
    unavailable: AtomicU64,
    reset: AtomicU64,
    idle: AtomicU64,
    closed: AtomicU64,
    ended: AtomicU64,
}

/// Sends waves over several connections for this duration.
pub fn run(port: u16, connections: usize, lasts: Duration) -> Outcome {
    let end = Instant::now() + lasts;
    let (tally, faults) = (Tally::default(), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for number in 0..connections {
            let (tally, faults) = (&tally, &faults);
            scope.spawn(move || {
                for round in 0.. {
                    if Instant::now() >= end {
                        break;
                    }
                    let outcome = Connection::open(port)
                        .map_err(|error| format!("no connection: {error}"))
                        .and_then(|connection| waves(connection, number, round, end, tally));
                    if let Err(error) = outcome {
                        faults.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                        break;
                    }
                }
            });
        }
    });
    Outcome {
        faults: faults.into_inner().unwrap_or_else(PoisonError::into_inner),
        refused: tally.refused.into_inner(),
        unavailable: tally.unavailable.into_inner(),
        reset: tally.reset.into_inner(),
        idle: tally.idle.into_inner(),
        closed: tally.closed.into_inner(),
        ended: tally.ended.into_inner(),
    }
}

/// True if the proxy closed the connection. A proxy that crashed does not accept the next one, which is a fault.
fn is_ended(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}

/// Sends waves over one connection, with resets slightly earlier or later each time, and cuts off the last wave.
fn waves(
    mut connection: Connection,
    number: usize,
    round: usize,
    end: Instant,
    tally: &Tally,
) -> Result<(), String> {
    // Envoy closes a connection after some premature resets: 1.36.4 earlier than 1.40.0, which allows 250.
    const WAVES: usize = 8;
    let ended = || {
        tally.ended.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    for wave in 0..WAVES {
        let (mut ids, mut frames) = (Vec::new(), Vec::new());
        for n in 0..WAVE {
            let token = format!("Bearer junk-{number}-{round}-{wave}-{n}");
            let has_body = n % 4 == 0;
            let (id, headers) = connection.request(
                if has_body { "POST" } else { "GET" },
                "/",
                &[("authorization", &token)],
                !has_body,
            );
            frames.extend(headers);
            if has_body {
                frames.extend(h2::data(id, &[b'x'; 1000], false));
            }
            ids.push(id);
        }
        match connection.send(&frames) {
            Err(error) if is_ended(&error) => return ended(),
            sent => sent.map_err(|error| format!("requests: {error}"))?,
        }
        // From 2 ms before the responses to 2 ms after.
        let late = Duration::from_micros(u64::try_from(wave * 4000 / WAVES).unwrap_or(0));
        thread::sleep(LATENCY - Duration::from_millis(2) + late);
        let mut ends = Vec::new();
        for (n, id) in ids.iter().enumerate() {
            match n % 8 {
                // This completes the request.
                0 => ends.extend(h2::trailers(*id, &[("x-auth-user", "root")])),
                // These wait for their response; the second one never ends its body.
                1 | 4 => {}
                _ => {
                    tally.reset.fetch_add(1, Ordering::Relaxed);
                    ends.extend(h2::reset(*id));
                }
            }
        }
        if wave + 1 == WAVES || Instant::now() >= end {
            tally.closed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        match connection.send(&ends) {
            Err(error) if is_ended(&error) => return ended(),
            sent => sent.map_err(|error| format!("resets: {error}"))?,
        }
        for (n, id) in ids.iter().enumerate().filter(|(n, _)| matches!(n % 8, 0 | 1 | 4)) {
            match connection.status(*id) {
                Ok(401) => tally.refused.fetch_add(1, Ordering::Relaxed),
                Ok(503) => tally.unavailable.fetch_add(1, Ordering::Relaxed),
                Ok(408 | 504) => tally.idle.fetch_add(1, Ordering::Relaxed),
                // A response that is complete before the request is followed by a reset.
                Err(_) if n % 4 == 0 && connection.ending(*id) == Some(Ending::Reset) => 0,
                Ok(status) => return Err(format!("status {status} for a token that nobody knows")),
                Err(error) if is_ended(&error) => return ended(),
                Err(error) => return Err(format!("no answer: {error}")),
            };
        }
    }
    Ok(())
}
