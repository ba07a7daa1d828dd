//! `authgate explain`

mod credentials;
pub mod outcome;
mod recording;
pub mod rules;
mod summary;
mod text;

use authgate::authn::Context;
use authgate::cache::CredentialCache;
use authgate::config::{Authenticator, Keys};
use authgate::decision::state::State;
use authgate::decision::{Trace as _, Verdict, decide_traced};
use authgate::http::location::Found;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::Access;
use serde::Serialize;
use serde_json::Value;

use super::authorization::{self, ClaimValues, Object};
use super::load::{Loaded, Source};
use super::report::TextOrJson as Format;
use super::request::{self, OwnRequest};
use super::test_identity::{self, TestIdentities};
use super::trace::Record;
use super::{CommandOutput, Failure, input, report};
use recording::{Entry, Kind, Recording};

/// Show the decision of the filter for a request, and the reasons.
///
/// The request is a URL with the arguments of curl, or a recorded request: a line of an access log or an entry of a HAR
/// file. Exit code 0: the request is allowed; 1: it is denied. Passwords, keys and tokens are not shown.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    request: request::Curl,
    #[command(flatten)]
    recorded: recording::RecordedRequests,
    /// An authenticator, and the subject or the claims (as JSON) that it is assumed to have verified. May be given
    /// several times.
    #[arg(long = "as", value_name = "NAME=IDENTITY", value_parser = test_identity::argument)]
    identities: Vec<(String, Value)>,
    /// The output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

/// The explanation of the decision on a request.
#[derive(Serialize)]
struct Explanation {
    request: RequestLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Recorded>,
    rules: Vec<rules::Considered>,
    authenticators: Vec<credentials::Tried>,
    /// The objects of `authorize`, if a caller was authenticated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization: Vec<Object>,
    /// The variables with several values, if these are the reason of the denial.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ambiguous: Vec<rules::AmbiguousVariable>,
    outcome: outcome::Outcome,
    notes: Vec<String>,
}

/// The request as parsed.
#[derive(Serialize)]
pub struct RequestLine {
    method: String,
    /// The path without possible credentials.
    path: String,
    host: Option<String>,
    /// The interpretations of the path.
    #[serde(rename = "readings")]
    interpretations: Vec<String>,
    /// The MCP call of a POST, if the policy has rules for MCP calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<String>,
    peer: Option<String>,
    time: String,
}

/// The recording of a request.
#[derive(Serialize)]
struct Recorded {
    file: String,
    entry: usize,
    /// The status of the recorded response.
    status: Option<u16>,
}

/// Runs `authgate explain`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let loaded = arguments.source.load()?;
    let explanation = match arguments.recorded.read()? {
        None => explain(&loaded, &arguments.request.own()?, &arguments.identities, ClaimValues::Shown)?,
        Some(recording) if !recording.is_one => {
            return summarise(arguments, &loaded, recording);
        }
        Some(Recording { kind, name, entries, .. }) => {
            let only = entries.into_iter().next();
            let Some(Entry { number, status, request: Ok(mut own) }) = only else {
                return Err(format!("{name}: no requests"));
            };
            arguments.request.complete(&mut own)?;
            let mut explanation = explain(&loaded, &own, &arguments.identities, ClaimValues::Hidden)?;
            if !explanation.authenticators.is_empty()
                && arguments.identities.is_empty()
                && !has_credentials(&loaded, &own)
            {
                explanation.notes.insert(0, no_credentials(kind).to_owned());
            }
            explanation.recorded = Some(Recorded { file: name, entry: number, status });
            explanation
        }
    };
    let text = match arguments.output {
        Format::Text => text::render(&explanation),
        Format::Json => {
            report::pretty(&serde_json::to_value(&explanation).map_err(|error| error.to_string())?)
        }
    };
    let is_success = explanation.outcome.passes();
    Ok(CommandOutput { text, notes: String::new(), is_success })
}

/// Explains one request as the first request that the filter sees, with the given identities as verified.
fn explain(
    loaded: &Loaded,
    own: &OwnRequest,
    identities: &[(String, Value)],
    claims: ClaimValues,
) -> Result<Explanation, Failure> {
    let (policy, request) = (&loaded.policy, own.borrowed());
    let mut state = State::new(policy, CredentialCache::new(input::random()?, policy.limits));
    let context = Context { now: own.now, signatures: &SoftwareVerifier, host: own, may_wait: false };
    let identities = TestIdentities::read(&loaded.config, policy, identities)?;
    let mut record = Record { identities, ..Record::default() };
    let decision = decide_traced(policy, &request, &mut state, context, &mut record);
    let Record { events, authorizing, identities } = record;
    let assumed = |id| identities.assumed(id).map(|principal| principal.subject);
    let path = String::from_utf8_lossy(&outcome::without_credentials(policy, &request)).into_owned();
    let written = decision.rule.and_then(|rule| loaded.config.rules.0.get(rule.number));
    let protection = match decision.rule.map(|rule| &rule.access) {
        Some(Access::Protected(protection)) => Some(protection),
        _ => None,
    };
    let authorization =
        authorization::objects(&loaded.config, &decision, authorizing.as_ref(), claims, own.now);
    let mut outcome = outcome::of(policy, &request, &decision, &events);
    let verdict = decision.shadowed.as_ref().unwrap_or(&decision.verdict);
    if let Verdict::Deny(denial) = verdict {
        outcome.lacks = rules::lacking(denial.reason, written, &request).or(outcome.lacks);
    }
    Ok(Explanation {
        request: rules::request_line(policy, own, path),
        recorded: None,
        rules: rules::consider(&loaded.config, policy, &request, decision.rule),
        authenticators: protection
            .map(|protection| credentials::tried(policy, protection, &request, &events, own.now, &assumed))
            .unwrap_or_default(),
        authorization,
        ambiguous: rules::ambiguous(policy, &request),
        outcome,
        notes: notes(loaded, policy.index.wants_peer() && own.peer.is_none()),
    })
}

/// Summarises all recorded requests, one line for each.
fn summarise(arguments: &Arguments, loaded: &Loaded, recording: Recording) -> Result<CommandOutput, Failure> {
    let Recording { kind, name, entries, .. } = recording;
    let mut summary =
        summary::Summary { file: name, entries: Vec::with_capacity(entries.len()), notes: Vec::new() };
    let (mut lacks_peer, mut lacks_credentials) = (false, false);
    for Entry { number, status, request } in entries {
        let line = match request {
            Err(why) => summary::Line::unreadable(number, why),
            Ok(mut own) => {
                arguments.request.complete(&mut own)?;
                lacks_peer |= loaded.policy.index.wants_peer() && own.peer.is_none();
                let has_credentials = !arguments.identities.is_empty() || has_credentials(loaded, &own);
                let explanation = explain(loaded, &own, &arguments.identities, ClaimValues::Hidden)?;
                lacks_credentials |= !has_credentials && !explanation.authenticators.is_empty();
                summary::Line::of(number, status, explanation, has_credentials)
            }
        };
        summary.entries.push(line);
    }
    summary.notes = notes(loaded, lacks_peer);
    if lacks_credentials {
        summary.notes.insert(0, no_credentials(kind).to_owned());
    }
    let text = match arguments.output {
        Format::Text => summary.render(),
        Format::Json => report::pretty(&serde_json::to_value(&summary).map_err(|error| error.to_string())?),
    };
    Ok(CommandOutput { text, notes: String::new(), is_success: summary.passes() })
}

/// Returns true if a request has an `Authorization` or `Cookie` header, or a credential at a location of an
/// authenticator.
fn has_credentials(loaded: &Loaded, own: &OwnRequest) -> bool {
    let request = own.borrowed();
    let has_field = ["authorization", "cookie"].iter().any(|name| request.values(name).next().is_some());
    let locations =
        loaded.policy.authenticators.iter().flat_map(|authenticator| authenticator.scheme.locations());
    has_field || locations.into_iter().any(|place| !matches!(place.find(&request), Found::Nothing))
}

fn no_credentials(kind: Kind) -> &'static str {
    match kind {
        Kind::AccessLog => {
            "an access log has no credentials or cookies and few other headers, so this is the decision on a request \
             without them; add them with -u and -H"
        }
        Kind::Har => {
            "browsers leave credentials out of a HAR file unless they export sensitive data, so this is the decision \
             on the request as recorded; add credentials with -u and -H"
        }
    }
}

fn notes(loaded: &Loaded, lacks_peer: bool) -> Vec<String> {
    let (mut notes, missing) = (Vec::new(), &loaded.missing);
    if !missing.is_empty() {
        notes.push(format!(
            "environment variables not set: {}; placeholders that match no credential replace them; set them with \
             --env-file",
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
                notes
                    .push(format!("the keys of `{name}` are not fetched; pass them with --jwks {name}=FILE"));
            }
            _ if learns => notes.push(format!("the introspection endpoint of `{name}` is not called")),
            _ => {}
        }
    }
    if lacks_peer {
        notes.push("rules depend on the client address; set it with --peer".to_owned());
    }
    notes
}
