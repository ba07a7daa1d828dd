//! Runs the tool, and evaluates its output.

use std::io::Write as _;
use std::process::{Command, Stdio};

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Decision, Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{Policy, build};
use authgate::timestamp::NumericDate;
use serde::Deserialize as _;
use serde_json::Value;

/// The output of a run of `authgate convert`.
pub struct Converted {
    pub code: i32,
    pub text: String,
    pub summary: String,
}

/// Converts one file from standard input, or several files.
pub fn convert(files: &[(String, String)]) -> Converted {
    let folder = std::env::temp_dir().join(format!(
        "authgate-convert-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_authgate"));
    command.arg("convert").current_dir(&folder);
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
        command.arg(name);
    }
    let output = command.output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    converted(output)
}

/// Converts a text from standard input.
pub fn convert_text(text: &str) -> Converted {
    run("convert", text)
}

/// Runs a subcommand with a text on standard input.
pub fn run(subcommand: &str, text: &str) -> Converted {
    let mut child = Command::new(env!("CARGO_BIN_EXE_authgate"))
        .args([subcommand, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The write fails if the tool stops before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    converted(child.wait_with_output().unwrap())
}

fn converted(output: std::process::Output) -> Converted {
    Converted {
        code: output.status.code().unwrap_or(-1),
        text: String::from_utf8(output.stdout).unwrap(),
        summary: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The configurations of an output.
pub fn documents(text: &str) -> Vec<Value> {
    let read = |document| serde_yaml_ng::Value::deserialize(document).and_then(serde_yaml_ng::from_value);
    serde_yaml_ng::Deserializer::from_str(text).map(|document| read(document).unwrap()).collect()
}

/// The policy of a configuration.
pub fn policy(value: &Value) -> Result<Policy, String> {
    let config = config::from_value(value.clone()).map_err(|errors| format!("{errors:?}"))?;
    let hash = "user:{SHA}pD06tgAKLEpJDJ5HUSmPdPEA8Cw=";
    let built = build(&config, &|_| Some(hash.to_owned())).map_err(|errors| format!("{errors:?}"))?;
    Ok(built.policy)
}

/// A request of a test.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub authority: String,
    pub path: String,
    pub peer: String,
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// Parses `METHOD [HOST]/PATH [from ADDRESS]`.
    pub fn parse(text: &str) -> Asked {
        let (text, peer) = text.split_once(" from ").unwrap_or((text, "192.0.2.1"));
        let (method, target) = text.split_once(' ').unwrap();
        let at = target.find('/').unwrap();
        let authority = if at == 0 { "api.example.com" } else { &target[..at] };
        Asked {
            method: method.to_owned(),
            authority: authority.to_owned(),
            path: target[at..].to_owned(),
            peer: peer.to_owned(),
            headers: Vec::new(),
        }
    }

    /// Decides the request, and calls `look` with the decision.
    pub fn decide<T>(&self, policy: &Policy, now: f64, look: impl FnOnce(&Decision<'_>) -> T) -> T {
        let pseudo = [
            (":method", &self.method),
            (":scheme", &"https".to_owned()),
            (":authority", &self.authority),
            (":path", &self.path),
        ]
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let headers =
            self.headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = pseudo.into_iter().chain(headers).collect();
        let pairs = pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let request = Request::new(pairs, self.peer.parse().ok());
        let mut state = State::new(policy, CredentialCache::new([0; 16], policy.limits));
        let context = Context {
            now: NumericDate::from_seconds(now).unwrap(),
            signatures: &SoftwareVerifier,
            host: &NullHost,
            may_wait: false,
        };
        look(&decide(policy, &request, &mut state, context))
    }

    /// Returns true if the policy allows the request.
    pub fn is_allowed(&self, policy: &Policy, now: f64) -> bool {
        self.decide(policy, now, |decision| matches!(decision.verdict, Verdict::Allow(_)))
    }
}

/// The requirement of the rule that a request selects, or `public`, `deny`, `no rule` or `400`.
pub fn selected(value: &Value, policy: &Policy, asked: &Asked) -> String {
    asked.decide(policy, 1e9, |decision| {
        let Some(rule) = decision.rule else {
            return match &decision.verdict {
                Verdict::Deny(denial) if format!("{:?}", denial.reason).contains("AmbiguousPath") => {
                    "400".to_owned()
                }
                _ => "no rule".to_owned(),
            };
        };
        let rules = value["rules"].as_array().unwrap();
        let rule = rules.iter().find(|known| known["name"] == rule.name.as_str()).unwrap();
        if rule["public"] == true {
            return "public".to_owned();
        }
        if rule["deny"] == true {
            return "deny".to_owned();
        }
        let mut text = requirement(&rule["require"]);
        if rule["optional"] == true {
            text.push_str(" optional");
        }
        if let Some(way) = rule.get("authorize") {
            text.push_str(&format!(" authorize {way}"));
        }
        text
    })
}

fn requirement(value: &Value) -> String {
    let list =
        |members: &Value| members.as_array().unwrap().iter().map(requirement).collect::<Vec<_>>().join(", ");
    match value {
        Value::String(name) => name.clone(),
        value if value.get("any_of").is_some() => format!("any({})", list(&value["any_of"])),
        value => format!("all({})", list(&value["all_of"])),
    }
}
