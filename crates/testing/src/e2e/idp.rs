//! A real identity provider: npm `oidc-provider`, which `make test` installs into `tests/idp`. Only these tests need
//! Node. Without it they print a message and are skipped; in CI they fail.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use serde_json::Value;

use crate::e2e::client::{Connection, Request, get, request};
use crate::e2e::wire::Message;

/// The client that requests tokens. Any name works.
pub const MACHINE: &str = "machine";

/// A running provider. It ends with the test in any case: when it is dropped, or when its pipe closes.
#[derive(Debug)]
pub struct Idp {
    child: Child,
    /// Port on 127.0.0.1.
    pub port: u16,
    /// The `iss` of its tokens.
    pub issuer: String,
}

impl Idp {
    /// Starts a provider; `None`, with a message, if Node or the packages are missing.
    pub fn start() -> Option<Self> {
        Self::start_with_login(&[])
    }

    /// Starts a provider whose client `web` can log people in; `arguments` is its redirect URI.
    pub fn start_with_login(arguments: &[&str]) -> Option<Self> {
        let folder = crate::root().join("tests/idp");
        let missing = if !Command::new("node").arg("--version").output().is_ok_and(|o| o.status.success()) {
            Some("`node` does not run here")
        } else if !folder.join("node_modules/oidc-provider").is_dir() {
            Some("tests/idp/node_modules has no oidc-provider, which `make test` installs")
        } else {
            None
        };
        if let Some(why) = missing {
            assert!(std::env::var_os("CI").is_none(), "the identity provider is needed, but {why}");
            say_once(why);
            return None;
        }
        let mut child = Command::new("node")
            .arg("server.mjs")
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut line = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let port = line.strip_prefix("port ").and_then(|port| port.trim().parse().ok());
        let Some(port) = port else {
            let _ = child.kill();
            panic!("no port from the identity provider: {read:?} {line:?}");
        };
        Some(Self { child, port, issuer: format!("http://127.0.0.1:{port}") })
    }

    /// Requests an access token for a resource, with the scope `read`, by the client credentials grant ([RFC 6749
    /// §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)). `proof` is the DPoP header of a client that binds
    /// its tokens.
    pub fn token(&self, client: &str, resource: &str, proof: Option<&str>) -> String {
        let body = format!("grant_type=client_credentials&scope=read&resource={resource}");
        let mut request = request("POST", "/token")
            .basic(client, &format!("secret-of-{client}"))
            .field("content-type", "application/x-www-form-urlencoded")
            .chunked(&body, &[]);
        if let Some(proof) = proof {
            request = request.field("dpop", proof);
        }
        let answer = self.send(&request);
        let token = json(&answer)["access_token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("no token for {client}: {} {}", answer.start, answer.body))
    }

    /// Publishes a new key and signs with it from now on. The other keys stay published.
    pub fn publish_key(&self) {
        self.send(&request("POST", "/control/publish"));
    }

    /// Withdraws all keys except the one that signs.
    pub fn withdraw_keys(&self) {
        self.send(&request("POST", "/control/withdraw"));
    }

    /// Returns the number of requests for a path.
    pub fn count(&self, path: &str) -> u64 {
        json(&self.send(&get("/control/counts")))[path].as_u64().unwrap_or(0)
    }

    fn send(&self, request: &Request) -> Message {
        let request = request.clone().host(format!("127.0.0.1:{}", self.port));
        let answer = Connection::open(self.port).and_then(|mut provider| provider.send(&request, "idp"));
        answer.expect("an answer of the identity provider")
    }
}

/// Prints a message once, past the output capture of the test harness.
fn say_once(why: &str) {
    static SAID: Once = Once::new();
    let line = format!("tests against a real identity provider: skipped, {why}\n");
    SAID.call_once(|| std::io::stderr().write_all(line.as_bytes()).expect("stderr"));
}

fn json(answer: &Message) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("JSON: {} {}", answer.start, answer.body))
}

impl Drop for Idp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
