//! An introspection endpoint ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)) that responds as a test requires,
//! including faults, and records its requests.

use std::collections::HashMap;
use std::io::{BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::e2e::wire::Message;

/// A response of the endpoint.
#[derive(Debug, Clone)]
pub enum Reply {
    /// 200 with this body.
    Json(Value),
    /// 200 with this body, after a delay.
    Late(Duration, Value),
    /// 200 with this body, once [`Endpoint::release`] is called.
    Held(Value),
    /// This status and body.
    Text(u16, &'static str),
    /// 200 and an active token, padded by this number of bytes.
    Large(usize),
    /// A connection that is closed within the response.
    Cut,
    /// A connection that is closed without a response.
    Nothing,
}

/// A request that the endpoint received.
#[derive(Debug, Clone)]
pub struct Question {
    /// The decoded form.
    pub form: HashMap<String, String>,
    /// The HTTP request.
    pub request: Message,
}

/// A listening endpoint. Its threads live as long as the test process.
#[derive(Debug)]
pub struct Endpoint {
    /// Port on 127.0.0.1.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    replies: HashMap<String, Reply>,
    otherwise: Option<Reply>,
    asked: Vec<Question>,
    open: usize,
    most_open: usize,
    is_released: bool,
}

impl Endpoint {
    /// Listens on a free port. A token without a reply is inactive.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        let state = Arc::new(Mutex::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { port, state }
    }

    /// Sets the reply for a token.
    pub fn reply(&self, token: &str, reply: Reply) {
        lock(&self.state).replies.insert(token.to_owned(), reply);
    }

    /// Sets the reply for tokens without one. Initially they are inactive.
    pub fn otherwise(&self, reply: Reply) {
        lock(&self.state).otherwise = Some(reply);
    }

    /// Sends all held responses, and holds none from now on.
    pub fn release(&self) {
        lock(&self.state).is_released = true;
    }

    /// Returns the number of requests so far.
    pub fn count(&self) -> usize {
        lock(&self.state).asked.len()
    }

    /// Returns the requests about a token.
    pub fn asked(&self, token: &str) -> Vec<Question> {
        let state = lock(&self.state);
        state.asked.iter().filter(|question| question.token() == token).cloned().collect()
    }

    /// Returns the maximum number of concurrent requests so far.
    pub fn most_at_a_time(&self) -> usize {
        lock(&self.state).most_open
    }
}

impl Question {
    fn token(&self) -> &str {
        self.form.get("token").map(String::as_str).unwrap_or_default()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Message::read(&mut reader, false)? {
        let form = request.body.split('&').filter_map(|pair| pair.split_once('='));
        let form = form.map(|(name, value)| (decode(name), decode(value))).collect();
        let question = Question { form, request };
        let reply = {
            let mut state = lock(state);
            state.open += 1;
            state.most_open = state.most_open.max(state.open);
            let reply = state.replies.get(question.token()).cloned();
            state.asked.push(question);
            let reply = reply.or_else(|| state.otherwise.clone());
            reply.unwrap_or_else(|| Reply::Json(json!({"active": false})))
        };
        if let Reply::Late(pause, _) = &reply {
            thread::sleep(*pause);
        }
        while matches!(reply, Reply::Held(_)) && !lock(state).is_released {
            thread::sleep(Duration::from_millis(1));
        }
        lock(state).open -= 1;
        let (status, body) = match reply {
            Reply::Json(value) | Reply::Late(_, value) | Reply::Held(value) => (200, value.to_string()),
            Reply::Text(status, text) => (status, text.to_owned()),
            Reply::Large(size) => {
                (200, json!({"active": true, "sub": "x", "more": "x".repeat(size)}).to_string())
            }
            Reply::Cut => {
                return writer.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"active\":true,\"sub\":\"x\"}",
                );
            }
            Reply::Nothing => return Ok(()),
        };
        let length = body.len();
        writer.write_all(
            format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
        )?;
    }
    Ok(())
}

/// Decodes `application/x-www-form-urlencoded`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("an escape")
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}
