//! An identity provider whose responses a test scripts: valid, invalid, late or none.

use std::collections::BTreeMap;
use std::io::{BufReader, ErrorKind, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::e2e::wire::Message;

/// Behaviour for a request.
#[derive(Debug, Clone)]
pub enum Does {
    /// Responds.
    Answers {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// Responds after a delay.
    Waits(Duration, Box<Does>),
    /// Closes the connection without a response.
    Resets,
}

/// Responds with a key set.
pub fn keys(keys: &[Value]) -> Does {
    answers(200, &json!({ "keys": keys }).to_string())
}

/// Responds with this status and body.
pub fn answers(status: u16, body: &str) -> Does {
    Does::Answers { status, body: body.to_owned() }
}

/// A listening provider. Its threads live as long as the test process.
#[derive(Debug)]
pub struct Provider {
    /// Port on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Behaviour by path; other paths get 404.
    script: Mutex<BTreeMap<String, Does>>,
    asked: Mutex<Vec<Message>>,
    is_down: AtomicBool,
}

impl Provider {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        thread::spawn(move || listen(listener, port, &accepting));
        Provider { port, shared }
    }

    /// Sets the behaviour for a path.
    pub fn on(&self, path: &str, does: Does) {
        self.shared.script.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), does);
    }

    /// Refuses connections from now on, or accepts them again.
    pub fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(50)); // longer than a proxy needs to notice
    }

    /// Returns the requests for a path so far.
    pub fn asked(&self, path: &str) -> Vec<Message> {
        let asked = self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|message| message.start.split(' ').nth(1) == Some(path)).cloned().collect()
    }
}

fn listen(listener: TcpListener, port: u16, shared: &Arc<Shared>) {
    let mut listener = Some(listener);
    loop {
        match (&listener, shared.is_down.load(Ordering::SeqCst)) {
            (Some(_), true) => listener = None,
            (None, false) => listener = TcpListener::bind(("127.0.0.1", port)).ok(),
            _ => {}
        }
        let Some(listening) = &listener else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        listening.set_nonblocking(true).expect("a listener that does not block");
        match listening.accept() {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                thread::spawn(move || serve(stream, &shared));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
            Err(_) => {}
        }
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nonblocking(false)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Message::read(&mut reader, false)? {
        let path = request.start.split(' ').nth(1).unwrap_or_default().to_owned();
        shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let script = shared.script.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        let mut does = script.unwrap_or_else(|| answers(404, "not found"));
        while let Does::Waits(time, then) = does {
            thread::sleep(time);
            does = *then;
        }
        let Does::Answers { status, body } = does else { return Ok(()) };
        // Proxies reuse connections; a provider that is down does not respond on them.
        if shared.is_down.load(Ordering::SeqCst) {
            return Ok(());
        }
        let head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n\r\n", body.len());
        writer.write_all(head.as_bytes())?;
        writer.write_all(body.as_bytes())?;
    }
    Ok(())
}
