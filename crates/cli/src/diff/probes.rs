//! The requests to try: one for each set of requests that the rules of two policies distinguish.
//!
//! Rules match path, method, host and address independently, so the combinations of a few values of each cover every
//! case.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use authgate::config::{Config, Match, Variable};
use authgate::http::cidr::Cidr;
use authgate::http::path::PathInterpretations;
use authgate::policy::rules::{MatchSpec, Methods, PathPattern, RuleId, RuleIndex, Target};
use serde_json::Value;

use super::calls::{self, Fields};
use super::examples;
use super::pattern::Pattern;

/// Values of each part of a request.
pub struct Probes {
    pub paths: Vec<String>,
    pub methods: Vec<String>,
    pub hosts: Vec<String>,
    pub peers: Vec<IpAddr>,
    /// The headers of MCP calls, for POST.
    pub calls: Vec<Fields>,
    /// Parts of requests for which not all values are tried.
    pub unknown: Vec<String>,
}

/// A host that no rule names.
const HOSTS: [&str; 3] = ["host.test", "other.test", "host.invalid"];

/// An address that rules usually do not name ([RFC 5737](https://www.rfc-editor.org/rfc/rfc5737)).
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "OTHER"];

/// The maximum number of patterns for which intersections are computed: the cost is quadratic.
const MOST_PATTERNS: usize = 3000;

/// The maximum number of values for variable segments, to find paths that a regex also matches.
const MOST_SEGMENTS: usize = 24;

/// The maximum number of paths of one pattern to test against regexes.
const MOST_FILLED: usize = 2000;

impl Probes {
    /// Returns the probes for two policies.
    pub fn of(configs: [&Config; 2]) -> Probes {
        let all: Vec<&Match> = configs
            .iter()
            .flat_map(|config| &config.rules.0)
            .flat_map(|rule| rule.matches.iter().flat_map(|matches| &matches.0))
            .collect();
        let mut unknown = Vec::new();
        let mut paths = Unique::default();
        add_paths(&all, compare_path(configs), &mut paths, &mut unknown);
        configs.iter().for_each(|config| add_metadata(config, &mut paths));
        let calls = calls::of(&all, &mut unknown);
        let (methods, hosts, peers) = (methods(&all), hosts(&all), peers(&all));
        Probes { paths: paths.list, methods, hosts, peers, calls, unknown }
    }

    /// Returns true if this host represents all hosts that no rule names.
    pub fn is_any_host(host: &str) -> bool {
        HOSTS.contains(&host)
    }

    /// Returns true if this address represents all addresses that no rule names.
    pub fn is_any_peer(peer: IpAddr) -> bool {
        peer == PEER
    }

    /// The maximum number of combinations; calls are only combined with one method.
    pub fn count(&self) -> usize {
        [self.methods.len() + self.calls.len(), self.hosts.len(), self.peers.len()]
            .iter()
            .fold(self.paths.len(), |product, count| product.saturating_mul(*count))
    }
}

/// A list without duplicates, in the order of their first appearance.
#[derive(Default)]
struct Unique {
    list: Vec<String>,
    known: HashSet<String>,
}

impl Unique {
    fn extend(&mut self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            if self.known.insert(text.clone()) {
                self.list.push(text);
            }
        }
    }
}

/// Returns true if a rule compares a variable of its path with the caller.
fn compare_path(configs: [&Config; 2]) -> bool {
    let rules = configs.iter().flat_map(|config| &config.rules.0);
    let mut authorizations = rules.flat_map(|rule| rule.authorize.iter().flat_map(|list| &list.0));
    authorizations.any(|authorization| {
        matches!(authorization.subject, Some(Variable::Path(_)))
            || authorization.claims.0.iter().any(|(_, matcher)| matcher.get("path").is_some())
    })
}

/// Adds paths. With `compare`, also paths with different values for variable segments.
fn add_paths(all: &[&Match], compare: bool, paths: &mut Unique, unknown: &mut Vec<String>) {
    let mut patterns: Vec<Pattern> = Vec::new();
    let mut known = HashSet::new();
    for pattern in all.iter().filter_map(|matched| Pattern::of(matched)) {
        if known.insert(pattern.clone()) {
            patterns.push(pattern);
        }
    }
    let literals: HashSet<&str> = patterns.iter().flat_map(Pattern::literals).collect();
    let fresh = (0u32..).map(|number| if number == 0 { "x".to_owned() } else { format!("x{number}") });
    let fresh = fresh.into_iter().find(|name| !literals.contains(name.as_str())).unwrap_or_default();
    let depth = patterns.iter().map(Pattern::length).max().unwrap_or_default();
    for pattern in &patterns {
        paths.extend(pattern.inside(&fresh, depth));
        paths.extend(compare.then(|| pattern.distinct(&fresh)));
    }
    for pattern in &patterns {
        paths.extend(pattern.beside(&fresh));
    }
    let overlapping = if patterns.len() <= MOST_PATTERNS { patterns.as_slice() } else { &[] };
    for (at, pattern) in overlapping.iter().enumerate() {
        for other in overlapping.iter().skip(at + 1) {
            if let Some(both) = pattern.intersection(other).filter(|both| !known.contains(both)) {
                paths.extend(both.inside(&fresh, depth));
                paths.extend(compare.then(|| both.distinct(&fresh)));
                known.insert(both);
            }
        }
    }
    if overlapping.len() < patterns.len() {
        unknown.push(format!("paths that more than one of {} patterns match", patterns.len()));
    }
    let regexes: Vec<&str> = all.iter().filter_map(|matched| matched.regex.as_deref()).collect();
    let mut examples = Unique::default();
    for regex in &regexes {
        let found = examples::of(regex).into_iter();
        let only = Regexes::new(&[regex]);
        let matching: Vec<String> = found.filter(|path| only.match_path(path)).collect();
        let what = format!("paths of the regex {regex:?}");
        if matching.is_empty() && !unknown.contains(&what) {
            unknown.push(what);
        }
        let beside: Vec<String> = matching.iter().take(1).map(|path| format!("{path}{fresh}")).collect();
        examples.extend(matching);
        paths.extend(beside);
    }
    // Paths that match a pattern and a regex.
    if !regexes.is_empty() {
        let mut segments: Vec<&str> =
            examples.list.iter().flat_map(|path| path.split('/')).chain(literals).collect();
        segments.sort_unstable();
        segments.dedup();
        segments.retain(|segment| !segment.is_empty());
        segments.truncate(MOST_SEGMENTS);
        let regexes = Regexes::new(&regexes);
        for pattern in &patterns {
            let filled = pattern.filled(&segments, MOST_FILLED).into_iter();
            paths.extend(filled.filter(|path| regexes.match_path(path)));
        }
    }
    paths.extend(examples.list);
    paths.extend([format!("/{fresh}"), "/".to_owned()]);
    // Paths with several interpretations are rejected if these select different rules.
    let ambiguous: Vec<String> =
        paths.list.iter().flat_map(|path| [format!("/{path}"), format!("/{fresh}/..{path}")]).collect();
    paths.extend(ambiguous);
}

/// The core's index of regexes.
struct Regexes(RuleIndex);

impl Regexes {
    fn new(regexes: &[&str]) -> Self {
        let patterns = regexes.iter().filter_map(|regex| PathPattern::regex(regex).ok());
        let specs = patterns.map(|pattern| MatchSpec::new(pattern, Methods::All, Vec::new(), Vec::new()));
        let specs: Vec<MatchSpec> = specs.collect();
        // A rule without specs would match everything.
        Regexes(RuleIndex::new(if specs.is_empty() { Vec::new() } else { vec![specs] }))
    }

    /// Returns true if a regex matches all interpretations of the path.
    fn match_path(&self, path: &str) -> bool {
        let Ok(interpretations) = PathInterpretations::of(path.as_bytes()) else { return false };
        let target =
            Target { method: b"GET", host: None, peer: None, interpretations: &interpretations, mcp: None };
        self.0.select(&target) == Ok(Some(RuleId::new(0)))
    }
}

/// Adds the paths of protected resource metadata
/// ([RFC 9728 §3.1](https://www.rfc-editor.org/rfc/rfc9728#section-3.1)).
fn add_metadata(config: &Config, paths: &mut Unique) {
    for resource in config.protected_resource.iter().flat_map(|resources| &resources.0) {
        let url = resource.0.iter().find(|(name, _)| name == "resource").and_then(|(_, url)| url.as_str());
        let path = url
            .and_then(|url| url.split_once("://"))
            .and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        let path = path.unwrap_or_default().trim_end_matches('/');
        paths.extend([format!("/.well-known/oauth-protected-resource{path}")]);
    }
}

/// The methods that rules name, and one that no rule names.
fn methods(all: &[&Match]) -> Vec<String> {
    let lists = all.iter().flat_map(|matched| [&matched.methods, &matched.except_methods]);
    let calls = all.iter().filter(|matched| matched.mcp.is_some()).map(|_| "POST");
    let named: HashSet<&str> = lists.flatten().flatten().map(String::as_str).chain(calls).collect();
    let other = METHODS.iter().copied().find(|method| !named.contains(method)).unwrap_or("OTHER");
    let mut methods: Vec<&str> = named.into_iter().chain([other]).collect();
    let rank = |method: &&str| {
        (METHODS.iter().position(|known| known == method).unwrap_or(usize::MAX), method.to_string())
    };
    methods.sort_by_key(rank);
    methods.into_iter().map(str::to_owned).collect()
}

/// The hosts that rules name, hosts below and above wildcards, and one that no rule names.
fn hosts(all: &[&Match]) -> Vec<String> {
    let patterns: Vec<&str> =
        all.iter().filter_map(|matched| matched.hosts.as_ref()).flatten().map(String::as_str).collect();
    let mut hosts = Unique::default();
    let suffix = |pattern: &str| {
        let (label, rest) = pattern.split_once('.')?;
        (label == "*" || label.starts_with('{')).then(|| rest.to_owned())
    };
    let is_other = |host: &&str| {
        patterns.iter().all(|pattern| match suffix(pattern) {
            Some(parent) => !host.ends_with(&format!(".{parent}")) && *host != parent,
            None => host != pattern,
        })
    };
    hosts.extend(HOSTS.iter().copied().find(is_other).map(str::to_owned));
    for pattern in &patterns {
        match suffix(pattern) {
            Some(parent) => hosts.extend([format!("x.{parent}"), format!("x.x.{parent}"), parent]),
            None => hosts.extend([(*pattern).to_owned()]),
        }
    }
    hosts.list
}

/// An address outside all blocks, the first address of each block, and the address after each block: every set of
/// blocks that contain an address starts at one of these.
fn peers(all: &[&Match]) -> Vec<IpAddr> {
    let texts = all.iter().filter_map(|matched| matched.sources.as_ref()).flatten();
    let blocks: Vec<Cidr> = texts.filter_map(|text| Cidr::parse(text).ok()).collect();
    let mut peers: Vec<IpAddr> = Vec::new();
    let mut add = |peer: IpAddr| {
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    };
    add(PEER);
    if blocks.is_empty() {
        return peers;
    }
    for block in &blocks {
        match *block {
            Cidr::V4(network, mask) => {
                add(Ipv4Addr::from_bits(network).into());
                if let Some(behind) = (network | !mask).checked_add(1) {
                    add(Ipv4Addr::from_bits(behind).into());
                }
            }
            Cidr::V6(network, mask) => {
                add(Ipv6Addr::from_bits(network).into());
                if let Some(behind) = (network | !mask).checked_add(1) {
                    add(Ipv6Addr::from_bits(behind).into());
                }
            }
        }
    }
    add(Ipv4Addr::UNSPECIFIED.into());
    add(Ipv6Addr::UNSPECIFIED.into());
    peers
}

/// The names of the headers that a policy writes or removes.
pub fn identity_names(value: &Value) -> Vec<String> {
    let identity = value.get("identity");
    let headers = identity.and_then(|identity| identity.get("headers")).and_then(Value::as_object);
    let removed = identity.and_then(|identity| identity.get("remove")).and_then(Value::as_array);
    let removed = removed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    headers.into_iter().flat_map(|headers| headers.keys().cloned()).chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use authgate::config;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_part_has_its_boundaries() {
        let rules = json!([
            {"match": {"prefix": "/a", "methods": ["POST", "PURGE"], "hosts": ["*.example.com", "h"]}, "deny": true},
            {"match": {"regex": "/r[0-9]", "sources": ["10.0.0.0/8", "2001:db8::/32"]}, "deny": true},
            {"match": {"template": "/{n}/b"}, "deny": true},
        ]);
        let config = config::from_value(json!({"rules": rules})).unwrap();
        let probes = Probes::of([&config, &config]);
        for path in ["/a", "/a/", "/a/x", "/ax", "/", "/x/b", "/a/b", "/r0", "/r0x", "/x"] {
            assert!(probes.paths.iter().any(|known| known == path), "{path}: {:?}", probes.paths);
        }
        assert_eq!(probes.methods, ["GET", "POST", "PURGE"]);
        assert_eq!(probes.hosts, ["host.test", "x.example.com", "x.x.example.com", "example.com", "h"]);
        let peers: Vec<String> = probes.peers.iter().map(ToString::to_string).collect();
        assert_eq!(peers, ["192.0.2.1", "10.0.0.0", "11.0.0.0", "2001:db8::", "2001:db9::", "0.0.0.0", "::"]);
        assert!(probes.unknown.is_empty());
        let rules = json!([{"match": {"regex": "(?i)/a"}, "deny": true}]);
        let config = config::from_value(json!({ "rules": rules })).unwrap();
        assert_eq!(Probes::of([&config, &config]).unknown, ["paths of the regex \"(?i)/a\""]);
    }
}
