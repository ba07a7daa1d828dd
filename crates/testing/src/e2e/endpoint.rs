//! An introspection endpoint (RFC 7662) that answers as a test wants, faults included, and remembers what it was asked.

use std::collections::HashMap;
use std::io::{BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::e2e::wire::Message;

/// What it answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// 200 with this.
    Json(Value),
    /// 200 with this, after a while.
    Late(Duration, Value),
    /// 200 with this, once [`Endpoint::release`] is called.
    Held(Value),
    /// This status and content.
    Text(u16, &'static str),
    /// 200 and true, with so many octets beside it.
    Large(usize),
    /// The connection ends within the answer.
    Cut,
    /// The connection ends without one.
    Nothing,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The form, decoded.
    pub form: HashMap<String, String>,
    /// The request that it came in.
    pub request: Message,
}

/// A listening endpoint. Its threads live as long as the test process.
#[derive(Debug)]
pub struct Endpoint {
    /// Its port on 127.0.0.1.
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
    /// Listens on a free port. A token that nothing was said of is not active.
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

    /// Says what is answered to a token from now on.
    pub fn reply(&self, token: &str, reply: Reply) {
        lock(&self.state).replies.insert(token.to_owned(), reply);
    }

    /// What a token gets that nothing is said of; to begin with, that it is not active.
    pub fn otherwise(&self, reply: Reply) {
        lock(&self.state).otherwise = Some(reply);
    }

    /// Answers everything that is held, and holds nothing from now on.
    pub fn release(&self) {
        lock(&self.state).is_released = true;
    }

    /// How many questions came so far.
    pub fn count(&self) -> usize {
        lock(&self.state).asked.len()
    }

    /// What was asked about a token.
    pub fn asked(&self, token: &str) -> Vec<Question> {
        let state = lock(&self.state);
        state.asked.iter().filter(|question| question.token() == token).cloned().collect()
    }

    /// How many questions were open at a time, at the most.
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
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("an escape")
            }
            octet => octet,
        });
    }
    String::from_utf8(octets).expect("UTF-8")
}
