//! An HTTP/2 client that sends exactly the requested frames, including resets; a client library would normalise them.
//!
//! The client requests an empty dynamic table ([RFC 7541 §4.2](https://www.rfc-editor.org/rfc/rfc7541#section-4.2)), so
//! each `:status` can be decoded without state.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;

use crate::e2e::client;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection with prior knowledge of HTTP/2.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    next: u32,
    statuses: BTreeMap<u32, u16>,
    ended: BTreeMap<u32, Ending>,
}

/// End of a stream, as the proxy ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A complete response.
    Response,
    /// `RST_STREAM`.
    Reset,
}

impl Connection {
    /// Connects to a local port.
    pub fn open(port: u16) -> Result<Self> {
        let stream = client::stream(port)?;
        let mut connection = Self { stream, next: 1, statuses: BTreeMap::new(), ended: BTreeMap::new() };
        // SETTINGS_HEADER_TABLE_SIZE = 0, SETTINGS_INITIAL_WINDOW_SIZE = 2^31 - 1.
        let settings = [0, 1, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff];
        let window = 0x7fff_0000_u32.to_be_bytes();
        let frames = [frame(SETTINGS, 0, 0, &settings), frame(WINDOW_UPDATE, 0, 0, &window)].concat();
        connection.stream.write_all(&[PREFACE, &frames].concat())?;
        Ok(connection)
    }

    /// Builds the HEADERS frame of a request, and returns it with the stream id. Sends nothing. Pseudo-headers among the
    /// fields replace those of the same name.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        ends: bool,
    ) -> (u32, Vec<u8>) {
        let id = self.next;
        self.next += 2;
        let (given, fields): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| name.starts_with(':'));
        let pseudo =
            [(":method", method), (":scheme", "http"), (":authority", "api.example.com"), (":path", path)];
        let usual = pseudo.iter().filter(|(name, _)| given.iter().all(|(other, _)| other != name));
        let block: Vec<u8> =
            usual.chain(&given).chain(&fields).flat_map(|(name, value)| literal(name, value)).collect();
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        (id, frame(HEADERS, flags, id, &block))
    }

    /// Sends `GET path` with these headers, and returns the stream id.
    pub fn get(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<u32> {
        let (id, frame) = self.request("GET", path, fields, true);
        self.send(&frame).map(|()| id)
    }

    /// Sends frames unchanged.
    pub fn send(&mut self, frames: &[u8]) -> Result<()> {
        self.stream.write_all(frames)
    }

    /// Waits for the headers of a response, and returns its status.
    ///
    /// # Errors
    /// If the stream is reset before, or the connection fails.
    pub fn status(&mut self, id: u32) -> Result<u16> {
        loop {
            if let Some(status) = self.statuses.get(&id) {
                return Ok(*status);
            }
            if self.ended.contains_key(&id) {
                return Err(Error::new(ErrorKind::ConnectionReset, "the stream was reset"));
            }
            self.read_frame()?;
        }
    }

    /// Returns the end of a stream, as far as it was read.
    pub fn ending(&self, id: u32) -> Option<Ending> {
        self.ended.get(&id).copied()
    }

    fn read_frame(&mut self) -> Result<()> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let id = u32::from_be_bytes(id) & 0x7fff_ffff;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload)?;
        match kind {
            // Trailers have no status; the first header block with a status counts.
            HEADERS => {
                if let Some(status) = status(&payload) {
                    self.statuses.entry(id).or_insert(status);
                }
            }
            RST_STREAM => {
                self.ended.entry(id).or_insert(Ending::Reset);
            }
            SETTINGS if flags & ACK == 0 => self.stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?,
            PING if flags & ACK == 0 => self.stream.write_all(&frame(PING, ACK, 0, &payload))?,
            GOAWAY => return Err(Error::new(ErrorKind::ConnectionAborted, "the proxy has sent GOAWAY")),
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            self.ended.entry(id).or_insert(Ending::Response);
        }
        Ok(())
    }
}

/// Builds `RST_STREAM` with `CANCEL`.
pub fn reset(id: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, id, &[0, 0, 0, 8])
}

/// Builds a DATA frame.
pub fn data(id: u32, content: &[u8], ends: bool) -> Vec<u8> {
    frame(DATA, if ends { END_STREAM } else { 0 }, id, content)
}

/// Builds trailers, which end the stream.
pub fn trailers(id: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    frame(HEADERS, END_HEADERS | END_STREAM, id, &block)
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

/// Encodes a literal header field without indexing ([RFC 7541
/// §6.2.2](https://www.rfc-editor.org/rfc/rfc7541#section-6.2.2)), without Huffman coding.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0], string(name).as_slice(), &string(value)].concat()
}

/// Encodes a string ([RFC 7541 §5.2](https://www.rfc-editor.org/rfc/rfc7541#section-5.2)) with its length (§5.1).
fn string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut length = text.len();
    if length < 127 {
        bytes.push(length as u8);
    } else {
        bytes.push(127);
        length -= 127;
        while length >= 128 {
            bytes.push((length % 128) as u8 | 128);
            length /= 128;
        }
        bytes.push(length as u8);
    }
    bytes.extend(text.bytes());
    bytes
}

/// Decodes the `:status` at the start of a header block, after an optional table size update.
fn status(mut block: &[u8]) -> Option<u16> {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500]; // RFC 7541 Appendix A, 8 to 14
    while let [update, rest @ ..] = block
        && update & 0xe0 == 0x20
    {
        block = rest;
    }
    match block {
        [indexed @ 0x88..=0x8e, ..] => Some(STATIC[usize::from(indexed - 0x88)]),
        // Indexed name, 8 to 14: with indexing, without indexing and never indexed.
        [0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e, length, text @ ..] => {
            let text = text.get(..usize::from(length & 0x7f))?;
            let digits = if length & 0x80 != 0 { huffman_digits(text) } else { text.to_vec() };
            String::from_utf8(digits).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// Decodes three digits in the Huffman code of [RFC 7541 Appendix
/// B](https://www.rfc-editor.org/rfc/rfc7541#appendix-B): 0, 1 and 2 have five bits, the others six.
fn huffman_digits(text: &[u8]) -> Vec<u8> {
    let mut bits = text.iter().flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1)));
    let mut take = |count: usize| bits.by_ref().take(count).fold(0, |code, bit| code << 1 | bit);
    let digit = |_| match take(5) {
        code @ 0..=2 => b'0' + code as u8,
        code => (b'3' - 0b01_1001) + (code << 1 | take(1)) as u8,
    };
    (0..3).map(digit).collect()
}
