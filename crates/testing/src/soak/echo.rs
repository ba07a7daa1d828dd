//! A service that echoes the request it received, so the client sees the identity that reached it.

use std::io::{BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::e2e::wire::Message;

/// A listening service. Its threads live as long as the process.
#[derive(Debug)]
pub struct Echo {
    /// Port on 127.0.0.1.
    pub port: u16,
}

impl Echo {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Self { port }
    }
}

fn serve(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Message::read(&mut reader, false)? {
        let fields = request.fields.iter().filter(|(_, value)| value.len() < 1000);
        let body: String = fields.map(|(name, value)| format!("{name}: {value}\n")).collect();
        // Each character represents a byte.
        let body: Vec<u8> = body.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
        let head = format!("HTTP/1.1 200 OK\r\nx-echo: 1\r\ncontent-length: {}\r\n\r\n", body.len());
        writer.write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}
