//! Load over keep-alive connections: one request at a time on each, with every response checked.
//!
//! Reading spins. If a thread slept until a response arrived, Envoy would have to wake it, at Envoy's expense, and more
//! often the faster Envoy is: the cost of a filter would be lost in that.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Connections of a case: enough that Envoy always finds a request to work on and does not sleep.
const CONNECTIONS: usize = 8;
/// Timeout, far longer than any request takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Several connections to one listener.
pub struct Load(Vec<Connection>);

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Load {
    /// Connects to a local port.
    pub fn open(port: u16) -> Result<Self> {
        (0..CONNECTIONS).map(|_| Connection::open(port)).collect::<Result<_>>().map(Self)
    }

    /// Sends these requests and reads their responses, all of which must have the status.
    pub fn drive<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>, status: u16) -> Result<()> {
        let connections = &mut self.0;
        let mut sent = 0;
        for request in requests {
            let connection = &mut connections[sent % CONNECTIONS];
            if sent >= CONNECTIONS {
                connection.expect(status)?;
            }
            // A request is far smaller than the socket's buffer, which is empty because the previous response has
            // arrived.
            connection.stream.write_all(request)?;
            sent += 1;
        }
        for at in sent.saturating_sub(CONNECTIONS)..sent {
            connections[at % CONNECTIONS].expect(status)?;
        }
        Ok(())
    }
}

impl Connection {
    fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    /// Reads a whole response. Envoy sends all of these with a length.
    fn expect(&mut self, status: u16) -> Result<()> {
        let mut filled = 0;
        let mut end = None;
        while end.is_none_or(|end| filled < end) {
            let read = self.read(filled)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            end = end.or_else(|| end_of_message(&self.buffer[..filled]));
        }
        let answer = &self.buffer[..filled];
        if answer.get(9..12) != Some(status.to_string().as_bytes()) {
            let text = String::from_utf8_lossy(answer);
            return Err(Error::other(format!("{status} was expected, and this came:\n{text}")));
        }
        Ok(())
    }

    fn read(&mut self, filled: usize) -> Result<usize> {
        let start = Instant::now();
        loop {
            match self.stream.read(&mut self.buffer[filled..]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && start.elapsed() < TIMEOUT => {
                    // Let other threads, possibly Envoy's, use this processor.
                    thread::yield_now();
                }
                other => return other,
            }
        }
    }
}

fn end_of_message(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = std::str::from_utf8(&bytes[..head])
        .ok()?
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    Some(head + length.unwrap_or(0))
}
