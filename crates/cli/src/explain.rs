//! `authgate explain`

mod credentials;
pub mod outcome;
mod rules;
mod text;

use authgate::authn::Context;
use authgate::cache::CredentialCache;
use authgate::config::{Authenticator, Keys};
use authgate::decision::state::State;
use authgate::decision::{Decision, Verdict, decide_traced};
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::Access;
use clap::ValueEnum;
use serde::Serialize;

use super::color::Color;
use super::load::{Loaded, Source};
use super::trace::Record;
use super::{Failure, Said, input, report, request};

/// Say what the filter would do with a request, and why.
///
/// Exit code 0: it passes; 1: it is refused. Passwords, keys and tokens are not shown.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    request: request::Curl,
    /// What is written.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// All that there is to say of a request.
#[derive(Serialize)]
struct Explanation {
    request: RequestLine,
    rules: Vec<rules::Considered>,
    authenticators: Vec<credentials::Tried>,
    outcome: outcome::Outcome,
    notes: Vec<String>,
}

/// A request, as it was understood.
#[derive(Serialize)]
struct RequestLine {
    method: String,
    /// Without what may be a credential.
    path: String,
    host: Option<String>,
    /// The ways in which something behind the filter may read the path.
    readings: Vec<String>,
    peer: Option<String>,
    time: String,
}

/// Explains the request.
pub fn run(arguments: &Arguments) -> Result<Said, Failure> {
    let loaded = arguments.source.load()?;
    let own = arguments.request.own()?;
    let request = own.borrowed();
    let policy = &loaded.policy;
    let mut state = State::new(policy, CredentialCache::new(input::random()?, policy.limits));
    let context = Context { now: own.now, signatures: &SoftwareVerifier, host: &own, may_wait: false };
    let mut record = Record::default();
    let decision = decide_traced(policy, &request, &mut state, context, &mut record);
    let heard = record.0;

    let path = String::from_utf8_lossy(&outcome::without_credentials(policy, &request)).into_owned();
    let explanation = Explanation {
        request: rules::request_line(&own, path),
        rules: rules::consider(&loaded.config, policy, &request, decision.rule),
        authenticators: match decision.rule.map(|rule| &rule.access) {
            Some(Access::Protected(protection)) => {
                credentials::tried(policy, protection, &request, &heard, own.now)
            }
            _ => Vec::new(),
        },
        outcome: outcome::of(policy, &request, &decision, &heard),
        notes: notes(&loaded, policy.index.wants_peer() && own.peer.is_none()),
    };
    let text = match arguments.output {
        Format::Text => text::render(&explanation, Color::for_output()),
        Format::Json => {
            report::pretty(&serde_json::to_value(&explanation).map_err(|error| error.to_string())?)
        }
    };
    let is_well = matches!(decision, Decision { verdict: Verdict::Allow(_) | Verdict::Reply(_), .. });
    Ok(Said { text, notes: String::new(), is_well })
}

fn notes(loaded: &Loaded, lacks_peer: bool) -> Vec<String> {
    let (mut notes, missing) = (Vec::new(), &loaded.missing);
    if !missing.is_empty() {
        notes.push(format!(
            "not set, so that something that fits nothing stands in: {}; --env-file gives them",
            missing.join(", ")
        ));
    }
    for (name, authenticator) in &loaded.config.authenticators.0 {
        let learns = match authenticator {
            Authenticator::Jwt(jwt) => matches!(jwt.keys, Keys::Remote(_) | Keys::Discovery(_)),
            Authenticator::Introspection(_) => true,
            _ => false,
        };
        match authenticator {
            Authenticator::Jwt(_) if learns => {
                notes.push(format!(
                    "the keys of `{name}` are not fetched here; --jwks {name}=FILE gives them"
                ));
            }
            _ if learns => notes.push(format!("the endpoint of `{name}` is not asked here")),
            _ => {}
        }
    }
    if lacks_peer {
        notes.push("rules look at the address that a request comes from; --peer gives it".to_owned());
    }
    notes
}
