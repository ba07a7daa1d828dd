//! Requests as bytes, over a raw socket: a client library would normalise the malformed requests that these tests send.

use std::fmt;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use socket2::{Domain, Socket, Type};

use crate::e2e::wire::Message;

/// Timeout for a response, far longer than any request needs.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request that is sent exactly as it was built.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: Vec<u8>,
    host: Option<Vec<u8>>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Option<String>,
    trailers: Vec<(String, String)>,
}

/// Creates `GET target`.
pub fn get(target: impl AsRef<[u8]>) -> Request {
    request("GET", target)
}

/// Creates `method target` for the host `api.example.com`.
pub fn request(method: &str, target: impl AsRef<[u8]>) -> Request {
    Request {
        method: method.to_owned(),
        target: target.as_ref().to_vec(),
        host: Some(b"api.example.com".to_vec()),
        fields: Vec::new(),
        body: None,
        trailers: Vec::new(),
    }
}

impl Request {
    /// Replaces `Host`.
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Self {
        self.host = Some(host.as_ref().to_vec());
        self
    }

    /// Appends a header.
    pub fn field(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Appends an `Authorization` header.
    pub fn authorization(self, value: impl AsRef<[u8]>) -> Self {
        self.field("Authorization", value)
    }

    /// Appends a Bearer token ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
    pub fn bearer(self, token: &str) -> Self {
        self.authorization(format!("Bearer {token}"))
    }

    /// Appends Basic credentials ([RFC 7617 §2](https://www.rfc-editor.org/rfc/rfc7617#section-2)).
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.basic_bytes(format!("{user}:{password}"))
    }

    /// Appends Basic credentials of any bytes.
    pub fn basic_bytes(self, user_pass: impl AsRef<[u8]>) -> Self {
        self.authorization(format!("Basic {}", BASE64_STANDARD.encode(user_pass)))
    }

    /// Sets a chunked body and its trailers.
    pub fn chunked(mut self, body: &str, trailers: &[(&str, &str)]) -> Self {
        self.body = Some(body.to_owned());
        self.trailers = trailers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self
    }

    /// Sets a body.
    pub fn body(self, body: &str) -> Self {
        self.chunked(body, &[])
    }

    /// True if the response has no body.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Returns the values that no log line and no response may contain: all words of at least 16 bytes that may be a
    /// credential.
    pub fn secrets(&self) -> Vec<String> {
        let words = |bytes: &[u8]| {
            let text: String = bytes.iter().map(|&o| char::from(o)).collect();
            text.split([' ', '=', '&', ';', '?', ',', '/']).map(str::to_owned).collect::<Vec<_>>()
        };
        let secret_fields = ["authorization", "x-jwt", "x-api-key", "cookie", "dpop"];
        self.fields
            .iter()
            .filter(|(name, _)| secret_fields.iter().any(|s| name.eq_ignore_ascii_case(s.as_bytes())))
            .flat_map(|(_, value)| words(value))
            .chain(words(&self.target).into_iter().filter(|word| word.starts_with("eyJ")))
            .filter(|word| word.len() >= 16)
            .collect()
    }

    /// Serializes the request. `mark` is the value of an `x-case` header, by which the upstream's record is found.
    fn bytes(&self, mark: &str) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        let mut field = |name: &[u8], value: &[u8]| {
            bytes.extend([name, b": ", value, b"\r\n"].concat());
        };
        if let Some(host) = &self.host {
            field(b"Host", host);
        }
        for (name, value) in &self.fields {
            field(name, value);
        }
        field(b"x-case", mark.as_bytes());
        let Some(body) = &self.body else {
            bytes.extend(b"\r\n");
            return bytes;
        };
        field(b"Transfer-Encoding", b"chunked");
        // An empty chunk would end the body.
        let chunk = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
        bytes.extend(format!("\r\n{chunk}0\r\n").bytes());
        for (name, value) in &self.trailers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(b"\r\n");
        bytes
    }
}

/// Formats the bytes of the request, and escapes those that are not text.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.300}", self.bytes("").escape_ascii().to_string())
    }
}

/// A stream that requests are written to and responses are read from.
pub trait Stream: Read + Write + fmt::Debug + Send {}

impl<S: Read + Write + fmt::Debug + Send> Stream for S {}

/// Connects to a local port.
pub fn stream(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    with_timeouts(&stream)?;
    Ok(stream)
}

/// Connects to a local port from another local address.
pub fn stream_from(source: &str, port: u16) -> Result<TcpStream> {
    let address = |text: &str, port| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
    let invalid = |error| Error::new(ErrorKind::InvalidInput, error);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&address(source, 0).map_err(invalid)?.into())?;
    socket.connect(&address("127.0.0.1", port).map_err(invalid)?.into())?;
    let stream = TcpStream::from(socket);
    with_timeouts(&stream)?;
    Ok(stream)
}

fn with_timeouts(stream: &TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)
}

/// A connection to Envoy, for one or more requests.
#[derive(Debug)]
pub struct Connection(BufReader<Box<dyn Stream>>);

impl Connection {
    /// Connects to a local port.
    pub fn open(port: u16) -> Result<Self> {
        stream(port).map(Self::over)
    }

    /// Wraps a connected stream.
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self(BufReader::new(Box::new(stream)))
    }

    /// Connects to a local port from another local address.
    pub fn open_from(source: &str, port: u16) -> Result<Self> {
        stream_from(source, port).map(Self::over)
    }

    /// Sends a request and reads its response. The connection can be used again.
    pub fn send(&mut self, request: &Request, mark: &str) -> Result<Message> {
        self.send_bytes(&request.bytes(mark), request.is_head())
    }

    /// Sends raw bytes and reads one response.
    pub fn send_bytes(&mut self, bytes: &[u8], bodiless: bool) -> Result<Message> {
        // Envoy may respond and close before it has read everything: the response counts, not the broken pipe.
        let written = self.0.get_mut().write_all(bytes);
        match Message::read(&mut self.0, bodiless) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => written.and(Err(Error::from(ErrorKind::UnexpectedEof))),
            Err(error) => Err(error),
        }
    }
}
