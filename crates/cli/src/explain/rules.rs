//! The rules that a decision considered, and the parts of each that did not match.

use authgate::config::{self, Config};
use authgate::http::cors;
use authgate::http::host::Host;
use authgate::http::mcp::McpCall;
use authgate::http::path::PathInterpretations;
use authgate::http::request::Request;
use authgate::policy::rules::{MatchPart, MatchSpec, McpMatch, Target};
use authgate::policy::variables::Variable;
use authgate::policy::{self, Access, Policy, Rule};
use authgate::response::Reason;
use serde::Serialize;

use super::RequestLine;
use crate::authorization::required_login;
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
    let mcp = call(policy, request);
    let target = target(policy, request, &interpretations, host.as_ref(), mcp.as_ref());
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
    let Ok(parts) = spec.mismatches(target) else { return vec!["path, in some interpretations"] };
    let is_other_method = parts.contains(&MatchPart::Method);
    let names = parts.into_iter().flat_map(|part| match part {
        MatchPart::Path => vec!["path"],
        MatchPart::Method => vec!["method"],
        MatchPart::Host => vec!["host"],
        MatchPart::Source => vec!["source address"],
        // Only a POST has a call.
        MatchPart::Mcp if is_other_method => Vec::new(),
        MatchPart::Mcp => call_mismatches(spec, target),
    });
    names.collect()
}

/// The parts of the MCP call that do not match.
fn call_mismatches(spec: &MatchSpec, target: &Target<'_>) -> Vec<&'static str> {
    let (Some(mcp), Some(call)) = (spec.mcp(), target.mcp) else { return vec![NO_CALL] };
    if !mcp.names.is_empty() && call.has_ambiguous_name() {
        return vec!["MCP name, which servers may take for another one"];
    }
    let any_name = McpMatch { methods: mcp.methods.clone(), names: Vec::new() };
    let any_method = McpMatch { methods: Vec::new(), names: mcp.names.clone() };
    let parts = [("MCP method", any_name), ("MCP name", any_method)];
    parts.into_iter().filter(|(_, part)| !part.matches(call)).map(|(name, _)| name).collect()
}

/// The part of a rule for MCP calls that a request without valid headers lacks.
pub const NO_CALL: &str = "valid MCP headers";

/// A sentence on the part of the request or the credential that the rule with this configuration requires.
pub fn lacking(reason: Reason, rule: Option<&config::Rule>, request: &Request<'_>) -> Option<String> {
    match reason {
        Reason::McpHeaders => Some(match McpCall::of(request) {
            Ok(_) => "mcp-name is a URI that servers may take for another one".to_owned(),
            Err(error) => error.to_string(),
        }),
        Reason::InsufficientUserAuthentication => Some(required_login(rule?)),
        Reason::OriginNotAllowed => {
            let allowed = rule?.origins.as_ref()?.join(", ");
            let sent: Vec<_> = request.values("origin").map(String::from_utf8_lossy).collect();
            Some(format!("the request has the origin {:?}; `origins` allows {allowed}", sent.join(", ")))
        }
        _ => None,
    }
}

/// A variable that has several values, depending on the interpretation of the path.
#[derive(Serialize)]
pub struct AmbiguousVariable {
    pub rule: String,
    pub variable: String,
    /// The interpretations of the path, each with its value.
    pub values: Vec<(String, String)>,
}

impl AmbiguousVariable {
    /// A line that says so, and one for each interpretation.
    pub fn lines(&self) -> Vec<String> {
        let first = format!("✗ {} depends on the interpretation of the path", self.variable);
        let values = self.values.iter().map(|(path, value)| format!("  {path} → {value:?}"));
        std::iter::once(first).chain(values).collect()
    }
}

/// The ambiguous variables of the rule that all interpretations of the path select.
pub fn ambiguous(policy: &Policy, request: &Request<'_>) -> Vec<AmbiguousVariable> {
    find_ambiguous(policy, request).unwrap_or_default()
}

fn find_ambiguous(policy: &Policy, request: &Request<'_>) -> Option<Vec<AmbiguousVariable>> {
    let interpretations = request.path.and_then(|path| PathInterpretations::of(path).ok())?;
    let host = Host::parse(request.authority.unwrap_or_default()).ok()?;
    let mcp = call(policy, request);
    let target = target(policy, request, &interpretations, host.as_ref(), mcp.as_ref());
    let rule = policy.rules.get(policy.index.select(&target).ok()??.index())?;
    let Access::Protected(protection) = &rule.access else { return None };
    protection.variables.values(request, &target).err()?;
    let variables = protection.variables.iter().filter_map(|(_, variable)| {
        let Variable::Path(name) = variable else { return None };
        let values = protection.variables.interpretations(name, &target).into_iter();
        let mut values: Vec<(String, String)> = values
            .map(|(path, value)| (path.to_owned(), String::from_utf8_lossy(&value).into_owned()))
            .collect();
        values.dedup();
        let [(_, first), rest @ ..] = values.as_slice() else { return None };
        rest.iter().any(|(_, value)| value != first).then(|| AmbiguousVariable {
            rule: rule.name.clone(),
            variable: variable.to_string(),
            values,
        })
    });
    Some(variables.collect())
}

/// The MCP call that the decision uses.
fn call<'a>(policy: &Policy, request: &Request<'a>) -> Option<McpCall<'a>> {
    let is_preflight = policy.allow_preflight && cors::asked_method(request).is_some();
    if is_preflight { Some(McpCall::of_preflight()) } else { McpCall::of(request).ok() }
}

fn target<'a>(
    policy: &Policy,
    request: &Request<'a>,
    interpretations: &'a PathInterpretations<'a>,
    host: Option<&'a Host<'a>>,
    mcp: Option<&'a McpCall<'a>>,
) -> Target<'a> {
    let asked = if policy.allow_preflight { cors::asked_method(request) } else { None };
    Target { method: asked.unwrap_or(request.method), host, peer: request.peer, interpretations, mcp }
}

/// The request as parsed; `path` has no credentials.
pub fn request_line(policy: &Policy, own: &OwnRequest, path: String) -> RequestLine {
    let request = own.borrowed();
    let mcp = match McpCall::of(&request) {
        Ok(McpCall { method, name: None }) => method.to_owned(),
        Ok(McpCall { method, name: Some(name) }) => format!("{method} {name:?}"),
        Err(error) => format!("no valid headers: {error}"),
    };
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
        mcp: Some(mcp).filter(|_| policy.index.wants_mcp() && own.method == b"POST"),
        peer: own.peer.map(|peer| peer.to_string()),
        time: time::rfc3339(own.now.seconds()),
    }
}
