//! HTTP/1.1 messages as both ends of the proxy read them. Text is Latin-1, so no byte is lost or changed.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// A request or response, as sent on the wire.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The request line or status line.
    pub start: String,
    /// Headers in order, with their names as sent.
    pub fields: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: String,
    /// Trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Message {
    /// Returns all values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// Returns the second word of the start line: the target of a request, the status of a response.
    pub fn second_word(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// Reads a message; `None` if the peer has closed the connection. `bodiless` marks the response to a HEAD request,
    /// whose Content-Length is not followed by a body.
    pub fn read(reader: &mut impl BufRead, bodiless: bool) -> Result<Option<Self>> {
        let Some(start) = line(reader)? else { return Ok(None) };
        let mut message = Self { start, fields: fields(reader)?, ..Self::default() };
        let chunked = message.all("transfer-encoding").iter().any(|v| v.eq_ignore_ascii_case("chunked"));
        let length = message.all("content-length").first().and_then(|v| v.parse().ok()).unwrap_or(0);
        if bodiless {
            return Ok(Some(message));
        }
        if !chunked {
            message.body = latin1(&exactly(reader, length)?);
            return Ok(Some(message));
        }
        loop {
            let size = line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
            let size =
                usize::from_str_radix(size.trim(), 16).map_err(|_| Error::from(ErrorKind::InvalidData))?;
            if size == 0 {
                message.trailers = fields(reader)?;
                return Ok(Some(message));
            }
            message.body.push_str(&latin1(&exactly(reader, size)?));
            line(reader)?;
        }
    }
}

fn fields(reader: &mut impl BufRead) -> Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while let Some(line) = line(reader)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
        fields.push((name.to_owned(), value.trim_matches(' ').to_owned()));
    }
    Ok(fields)
}

fn line(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    Ok(Some(latin1(&bytes).trim_end_matches(['\r', '\n']).to_owned()))
}

fn exactly(reader: &mut impl BufRead, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Maps each byte to one character.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
