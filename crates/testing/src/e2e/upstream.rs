//! The service behind the proxy: it responds with 200 to every request and records what reaches it.

use std::collections::HashMap;
use std::io::{BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::e2e::wire::Message;

/// Received requests, by the values of `x-case`. A test may send thousands.
type Seen = HashMap<Vec<String>, Vec<Message>>;

/// A listening service. Its threads live as long as the test process.
#[derive(Debug)]
pub struct Upstream {
    /// Port on 127.0.0.1.
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        let seen = Arc::new(Mutex::new(Seen::new()));
        let records = Arc::clone(&seen);
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let records = Arc::clone(&records);
                thread::spawn(move || serve(stream, &records));
            }
        });
        Self { port, seen, connections }
    }

    /// Returns the number of connections. Zero means that not a single byte has reached the service.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Returns the requests whose `x-case` is `mark`.
    pub fn seen(&self, mark: &str) -> Vec<Message> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&[mark.to_owned()][..]).cloned().unwrap_or_default()
    }
}

fn serve(stream: TcpStream, records: &Mutex<Seen>) -> Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Message::read(&mut reader, false)? {
        let body = if request.start.starts_with("HEAD ") { "" } else { "upstream" };
        let mark = request.all("x-case").into_iter().map(str::to_owned).collect();
        records.lock().unwrap_or_else(PoisonError::into_inner).entry(mark).or_default().push(request);
        writer.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{body}").as_bytes())?;
    }
    Ok(())
}
