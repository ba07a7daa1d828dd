//! One request for all requests that select the same rules and from which these compare the same parts with the caller.

use std::collections::HashSet;

use authgate::http::host::Host;
use authgate::http::mcp::McpCall;
use authgate::http::path::PathInterpretations;
use authgate::http::request::Request;
use authgate::policy::rules::Target;
use authgate::policy::variables::Variable;
use authgate::timestamp::NumericDate;

use super::calls::Fields;
use super::compare::{self, Policy, Selected};
use super::probes::{self, Probes};
use super::side::Values;
use crate::request::{self, OwnRequest};

/// The maximum number of origins to try for one request.
const MOST_ORIGINS: usize = 50;

/// An origin that rules usually do not list.
const FOREIGN: &str = "https://origin.test";

/// A request that represents all requests that select the same rules.
#[derive(Clone)]
pub struct Class {
    pub own: OwnRequest,
    pub selected: [Selected; 2],
    /// The variables that the rules compare; empty if a value is ambiguous.
    pub values: [Values; 2],
    /// Set for a CORS preflight.
    pub is_preflight: bool,
    /// The headers that make the difference, by name and value.
    pub headers: Vec<(String, String)>,
}

/// Returns a request for each pair of rules that some request selects. If there are too many, adds a note to `unknown`.
pub fn of(old: &Policy, new: &Policy, probes: &Probes, unknown: &mut Vec<String>) -> Vec<Class> {
    let mut classes = by_rule(old, new, probes);
    if [old, new].iter().any(|policy| policy.loaded.policy.allow_preflight) {
        let preflights: Vec<Class> = classes.iter().map(preflight).collect();
        classes.extend(preflights);
    }
    let with_origins: Vec<Class> =
        classes.iter().flat_map(|class| with_origins(old, new, class, unknown)).collect();
    classes.extend(with_origins);
    classes
}

fn by_rule(old: &Policy, new: &Policy, probes: &Probes) -> Vec<Class> {
    // Whole seconds, so that the times of logins are exact.
    let now = request::now();
    let now = NumericDate::from_seconds(now.seconds().floor()).unwrap_or(now);
    let common = common_fields([old, new]);
    let common_request = as_request(&common);
    let calls: Vec<Request<'_>> = probes.calls.iter().map(as_request).collect();
    let calls = calls.iter().zip(&probes.calls);
    let calls: Vec<(McpCall<'_>, &Fields)> =
        calls.filter_map(|(request, fields)| Some((McpCall::of(request).ok()?, fields))).collect();
    let hosts = probes.hosts.iter().filter_map(|text| Some((text, Host::parse(text.as_bytes()).ok()??)));
    let hosts: Vec<_> = hosts.collect();
    let (mut classes, mut known, mut answered) = (Vec::new(), HashSet::new(), HashSet::new());
    for path in &probes.paths {
        let Ok(interpretations) = PathInterpretations::of(path.as_bytes()) else { continue };
        for ((host, parsed), peer) in
            hosts.iter().flat_map(|host| probes.peers.iter().map(move |peer| (host, *peer)))
        {
            for method in &probes.methods {
                let mut try_call = |call: Option<(&McpCall<'_>, &Fields)>| {
                    let target = Target {
                        method: method.as_bytes(),
                        host: Some(parsed),
                        peer: Some(peer),
                        interpretations: &interpretations,
                        mcp: call.map(|(call, _)| call),
                    };
                    let selected = [old.select(&target), new.select(&target)];
                    let [of_old, of_new] = selected;
                    let values = [
                        old.values(of_old, &common_request, &target),
                        new.values(of_new, &common_request, &target),
                    ];
                    let is_metadata = path.starts_with("/.well-known/") && method == "GET";
                    let is_known = !known.insert((selected, pattern(&values)));
                    if is_known && !is_metadata {
                        return selected;
                    }
                    let mut own = compare::request(method, host, path, now);
                    own.peer = Some(peer);
                    // Metadata does not depend on host and address.
                    let is_answered = is_metadata
                        && (old.answers(&own) || new.answers(&own))
                        && answered.insert(path.as_str());
                    if !is_known || is_answered {
                        let called = call.map(|(_, fields)| fields.as_slice()).unwrap_or_default();
                        own.fields = [common.as_slice(), called].concat();
                        let values = values.map(Option::unwrap_or_default);
                        let headers = compared(&common, &values).into_iter().chain(called.iter().map(text));
                        let headers = headers.collect();
                        classes.push(Class { own, selected, values, is_preflight: false, headers });
                    }
                    selected
                };
                let selected = try_call(None);
                // Without valid MCP headers, the first rule that covers the path is decisive. If it is not one for MCP
                // calls, these headers do not matter.
                if method == "POST" && selected.contains(&Selected::Ambiguous) {
                    for (call, fields) in &calls {
                        try_call(Some((call, fields)));
                    }
                }
            }
        }
    }
    classes
}

fn as_request(fields: &Fields) -> Request<'_> {
    Request::new(fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())), None)
}

/// The headers of all requests: forged identity, and a value of its own for each header that rules compare.
fn common_fields(policies: [&Policy; 2]) -> Fields {
    let forged = policies
        .iter()
        .flat_map(|policy| probes::identity_names(&policy.loaded.value))
        .chain(["x-auth-user", "x-auth-by"].map(str::to_owned));
    let forged: HashSet<Vec<u8>> = forged.map(|name| name.to_ascii_lowercase().into_bytes()).collect();
    let rules = policies.iter().flat_map(|policy| &policy.loaded.policy.rules);
    let mut compared: Vec<&[u8]> =
        rules.flat_map(|rule| rule.compared_headers()).map(str::as_bytes).collect();
    compared.sort_unstable();
    compared.dedup();
    compared.retain(|name| !forged.contains(*name));
    let compared = compared.into_iter().enumerate();
    let mut fields: Fields =
        compared.map(|(at, name)| (name.to_vec(), format!("value-{at}").into_bytes())).collect();
    fields.extend(forged.into_iter().map(|name| (name, b"forged".to_vec())));
    fields.sort();
    fields
}

/// The common headers that the rules compare.
fn compared(common: &Fields, values: &[Values; 2]) -> Vec<(String, String)> {
    let is_compared = |name: &[u8]| {
        values.iter().flatten().any(|(variable, _)| match variable {
            Variable::Header(known) => known.as_bytes() == name,
            Variable::Path(_) | Variable::Host(_) => false,
        })
    };
    common.iter().filter(|(name, _)| is_compared(name)).map(text).collect()
}

fn text((name, value): &(Vec<u8>, Vec<u8>)) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(name), text(value))
}

/// A number for each distinct value of all variables, in order. Requests with the same numbers are decided alike for
/// callers that differ alike.
fn pattern(values: &[Option<Values>; 2]) -> Vec<Option<usize>> {
    if values.iter().all(|values| values.as_ref().is_some_and(Vec::is_empty)) {
        return Vec::new();
    }
    let mut seen: Vec<&str> = Vec::new();
    let mut pattern = Vec::new();
    for values in values {
        match values {
            None => pattern.push(None),
            Some(values) => pattern.extend(values.iter().map(|(_, value)| {
                let Some(value) = value.as_deref() else { return Some(usize::MAX) };
                let known = seen.iter().position(|known| *known == value);
                Some(known.unwrap_or_else(|| {
                    seen.push(value);
                    seen.len() - 1
                }))
            })),
        }
    }
    pattern
}

/// The preflight for the method of a request.
fn preflight(class: &Class) -> Class {
    let mut preflight = Class { is_preflight: true, ..class.clone() };
    let method = std::mem::replace(&mut preflight.own.method, b"OPTIONS".to_vec());
    preflight.own.fields.push((b"origin".to_vec(), FOREIGN.into()));
    preflight.own.fields.push((b"access-control-request-method".to_vec(), method));
    preflight
}

/// The request with each origin that the rules list, and with one that none lists, unless both list the same.
fn with_origins(old: &Policy, new: &Policy, class: &Class, unknown: &mut Vec<String>) -> Vec<Class> {
    let [of_old, of_new] = class.selected;
    let listed = [old.origins(of_old), new.origins(of_new)];
    let set =
        |origins: Option<&[String]>| origins.map(|origins| origins.iter().cloned().collect::<HashSet<_>>());
    let [first, second] = listed;
    if set(first) == set(second) {
        return Vec::new();
    }
    let mut origins: Vec<&str> = listed.into_iter().flatten().flatten().map(String::as_str).collect();
    let foreign = (0u32..).map(|number| format!("https://origin-{number}.test"));
    let foreign = std::iter::once(FOREIGN.to_owned()).chain(foreign);
    let foreign = foreign.into_iter().find(|origin| !origins.contains(&origin.as_str())).unwrap_or_default();
    origins.sort_unstable();
    origins.dedup();
    if origins.len() > MOST_ORIGINS {
        let note = "some of more than 50 origins of a rule".to_owned();
        if !unknown.contains(&note) {
            unknown.push(note);
        }
        origins.truncate(MOST_ORIGINS);
    }
    origins.push(&foreign);
    let with_origin = |origin: &str| {
        let mut class = class.clone();
        class.own.fields.retain(|(name, _)| name != b"origin");
        class.own.fields.push((b"origin".to_vec(), origin.into()));
        class.headers.push(("origin".to_owned(), origin.to_owned()));
        class
    };
    origins.into_iter().map(with_origin).collect()
}
