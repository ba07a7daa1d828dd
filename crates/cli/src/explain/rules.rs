//! The rules that a decision considered, and the parts of each that did not match.

use authgate::config::Config;
use authgate::http::cors;
use authgate::http::host::Host;
use authgate::http::path::PathInterpretations;
use authgate::http::request::Request;
use authgate::policy::rules::{MatchPart, MatchSpec, Target};
use authgate::policy::{self, Policy, Rule};
use serde::Serialize;

use super::RequestLine;
use crate::request::OwnRequest;
use crate::time;

/// A rule and the parts of it that do not match.
#[derive(Serialize)]
pub struct Considered {
    number: usize,
    pub name: String,
    pub matches: bool,
    /// The parts that do not match, for each alternative of `match`.
    #[serde(rename = "misses")]
    pub mismatches: Vec<Vec<&'static str>>,
}

/// The rules up to the deciding rule, or all rules if no rule decides.
pub fn consider(
    config: &Config,
    policy: &Policy,
    request: &Request<'_>,
    decided: Option<&Rule>,
) -> Vec<Considered> {
    let interpretations = request.path.and_then(|path| PathInterpretations::of(path).ok());
    let host = Host::parse(request.authority.unwrap_or_default());
    let (Some(interpretations), Ok(host)) = (interpretations, host) else { return Vec::new() };
    let asked = if policy.allow_preflight { cors::asked_method(request) } else { None };
    let target = Target {
        method: asked.unwrap_or(request.method),
        host: host.as_ref(),
        peer: request.peer,
        interpretations: &interpretations,
    };
    let last = decided.map_or(policy.rules.len(), |rule| rule.number + 1);
    let specs = policy::matches(config);
    let considered = policy.rules.iter().zip(&specs).take(last);
    considered
        .map(|(rule, specs)| {
            let matches = decided.is_some_and(|decided| decided.number == rule.number);
            let mismatches = specs
                .iter()
                .map(|spec| mismatches(spec, &target))
                .filter(|mismatches| !mismatches.is_empty());
            Considered {
                number: rule.number,
                name: rule.name.clone(),
                matches,
                mismatches: if matches { Vec::new() } else { mismatches.collect() },
            }
        })
        .collect()
}

fn mismatches(spec: &MatchSpec, target: &Target<'_>) -> Vec<&'static str> {
    match spec.mismatches(target) {
        Ok(parts) => parts.into_iter().map(part).collect(),
        Err(_) => vec!["path, in some interpretations"],
    }
}

fn part(part: MatchPart) -> &'static str {
    match part {
        MatchPart::Path => "path",
        MatchPart::Method => "method",
        MatchPart::Host => "host",
        MatchPart::Source => "source address",
    }
}

/// The request as parsed; `path` has no credentials.
pub fn request_line(own: &OwnRequest, path: String) -> RequestLine {
    let interpretations = PathInterpretations::of(own.path.as_bytes());
    let interpretations = interpretations
        .map(|interpretations| interpretations.iter().map(str::to_owned).collect())
        .unwrap_or_default();
    let host = match Host::parse(&own.authority) {
        Ok(Some(Host::Name(name))) => Some(name.into_owned()),
        Ok(Some(Host::Ip(address))) => Some(address.to_string()),
        Ok(None) | Err(_) => None,
    };
    RequestLine {
        method: String::from_utf8_lossy(&own.method).into_owned(),
        path,
        host,
        interpretations,
        peer: own.peer.map(|peer| peer.to_string()),
        time: time::rfc3339(own.now.seconds()),
    }
}
