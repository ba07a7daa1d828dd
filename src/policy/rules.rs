//! Rule selection: the first rule that matches the path, method, host and address of a request.
//!
//! Paths are in a trie of segments, and hosts in tables at its nodes, so the cost of a request does not grow with the
//! number of rules. Two kinds of rules are tried one by one: those with a regex, and those with the same path that
//! differ in methods or sources only.

mod coverage;
mod mcp;
mod methods;
mod pattern;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::Arc;

use regex_lite::Regex;

use crate::http::cidr::Cidr;
use crate::http::host::{Host, HostPattern};
use crate::http::mcp::McpCall;
use crate::http::path::PathInterpretations;

pub use coverage::MatchPart;
pub use mcp::{McpMatch, NamePattern};
pub use methods::{MethodError, MethodSet, Methods};
pub use pattern::{MAX_PATTERN, MAX_REGEX, PathPattern, PatternError};
use pattern::{Pattern, Segment, Tail};

/// Maximum bytes of all interpretations of a path together, if any rule has a regex. A longer path is rejected as
/// ambiguous: on a hostile path of 60 KB a regex takes milliseconds, for each interpretation.
pub const MAX_REGEX_INPUT: usize = 8 * 1024;

/// A match of a rule. A request matches if it meets all parts.
#[derive(Debug, Clone)]
pub struct MatchSpec {
    path: PathPattern,
    hosts: Vec<HostPattern>,
    conditions: Arc<Conditions>,
}

#[derive(Debug)]
struct Conditions {
    methods: Methods,
    sources: Vec<Cidr>,
    mcp: Option<McpMatch>,
}

impl MatchSpec {
    /// Creates a match. Without hosts it matches any host, or none; without sources it matches any address.
    pub fn new(
        path: PathPattern,
        methods: Methods,
        hosts: Vec<HostPattern>,
        sources: Vec<Cidr>,
    ) -> MatchSpec {
        MatchSpec { path, hosts, conditions: Arc::new(Conditions { methods, sources, mcp: None }) }
    }

    /// Creates a match of MCP calls, which are POST requests.
    pub fn of_mcp(
        path: PathPattern,
        hosts: Vec<HostPattern>,
        sources: Vec<Cidr>,
        mcp: McpMatch,
    ) -> MatchSpec {
        let conditions = Conditions { methods: Methods::post(), sources, mcp: Some(mcp) };
        MatchSpec { path, hosts, conditions: Arc::new(conditions) }
    }

    /// The path pattern.
    pub fn path(&self) -> &PathPattern {
        &self.path
    }

    /// The host patterns. Without any, any host matches.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// Returns the value of a host variable; `None` if no host pattern with this variable matches.
    pub(super) fn capture_host<'h>(&self, variable: &str, host: &'h Host<'_>) -> Option<&'h str> {
        let mut named = self.hosts.iter().filter(|pattern| pattern.variable() == Some(variable));
        named.find_map(|pattern| pattern.capture(host))
    }

    /// True if this matches the target, with one interpretation of the path.
    pub(super) fn matches(&self, interpretation: &str, target: &Target) -> bool {
        self.path.matches(interpretation)
            && self.host_matches(target)
            && self.conditions.check(target) != Fit::Misses
    }

    fn host_matches(&self, target: &Target) -> bool {
        self.hosts.is_empty()
            || target.host.is_some_and(|host| self.hosts.iter().any(|pattern| pattern.matches(host)))
    }
}

/// Result of comparing a request with all conditions of a match beside path and host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Misses,
    Matches,
    /// The request is a POST, and its MCP headers would decide, but they are not valid, or servers read them differently.
    LacksMcp,
}

/// The parts of a request that select a rule.
pub struct Target<'a> {
    /// The method as received.
    pub method: &'a [u8],
    /// The host. `None` matches no rule with hosts.
    pub host: Option<&'a Host<'a>>,
    /// The client's address as the proxy determined it. `None` matches no rule with sources.
    pub peer: Option<IpAddr>,
    /// The interpretations of the path. Without any, no rule is selected.
    pub interpretations: &'a PathInterpretations<'a>,
    /// The MCP call of a POST with valid MCP headers. Can be omitted unless [`RuleIndex::wants_mcp`].
    pub mcp: Option<&'a McpCall<'a>>,
}

/// Error for a request that selects no rule with certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The interpretations of the path do not all select the same rule.
    #[error("the path has several interpretations, which select different rules")]
    AmbiguousPath,
    /// A rule for MCP calls covers the host and path, and the request is a POST without MCP headers that all servers read
    /// alike.
    #[error("a rule for MCP calls covers the path, and the MCP headers are not valid")]
    McpHeaders,
}

/// Identifier of a rule: its position in the policy. The first matching rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(usize);

impl RuleId {
    /// The rule at this position.
    pub fn new(position: usize) -> Self {
        RuleId(position)
    }

    /// The position of the rule in the policy.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The rules of a policy, indexed for [`RuleIndex::select`].
#[derive(Debug, Default)]
pub struct RuleIndex {
    root: Node,
    regexes: Vec<RegexEntry>,
    wants_peer: bool,
    wants_mcp: bool,
}

impl RuleIndex {
    /// Creates an index from the matches of each rule, in order. A rule without matches matches every request with a
    /// path.
    pub fn new(rules: Vec<Vec<MatchSpec>>) -> RuleIndex {
        let mut index = RuleIndex::default();
        for (position, specs) in rules.into_iter().enumerate() {
            let rule = RuleId(position);
            if specs.is_empty() {
                index.insert(rule, MatchSpec::new(PathPattern::any(), Methods::All, Vec::new(), Vec::new()));
            }
            specs.into_iter().for_each(|spec| index.insert(rule, spec));
        }
        index
    }

    /// Returns the first rule that matches.
    ///
    /// # Errors
    /// Fails if the interpretations of the path do not all select the same rule, or are too long for regexes, or if MCP
    /// headers would decide and are not valid.
    pub fn select(&self, target: &Target) -> Result<Option<RuleId>, SelectError> {
        let mut interpretations = target.interpretations.iter();
        let Some(first) = interpretations.next() else { return Ok(None) };
        if self.is_too_long(target) {
            return Err(SelectError::AmbiguousPath);
        }
        let selected = self.select_for(first, target);
        if !interpretations.all(|interpretation| self.select_for(interpretation, target) == selected) {
            return Err(SelectError::AmbiguousPath);
        }
        match selected {
            Some(Selected { lacks_mcp: true, .. }) => Err(SelectError::McpHeaders),
            selected => Ok(selected.map(|selected| selected.rule)),
        }
    }

    /// True if any interpretation of the path selects a rule for which `is_meant` is true; it gets `None` for no rule. Also
    /// true if the interpretations are too long to search.
    pub fn may_select(&self, target: &Target, is_meant: impl Fn(Option<RuleId>) -> bool) -> bool {
        self.is_too_long(target)
            || target.interpretations.iter().any(|interpretation| {
                is_meant(self.select_for(interpretation, target).map(|selected| selected.rule))
            })
    }

    /// True if the interpretations of the path are too long for regexes.
    fn is_too_long(&self, target: &Target) -> bool {
        !self.regexes.is_empty()
            && target.interpretations.iter().map(str::len).sum::<usize>() > MAX_REGEX_INPUT
    }

    /// True if any rule looks at the address of the client. If not, [`Target::peer`] can be omitted.
    pub fn wants_peer(&self) -> bool {
        self.wants_peer
    }

    /// True if any rule looks at the MCP call of a request. If not, [`Target::mcp`] can be omitted.
    pub fn wants_mcp(&self) -> bool {
        self.wants_mcp
    }

    // Rules are inserted in order, so each list of entries is sorted by rule.
    fn insert(&mut self, rule: RuleId, spec: MatchSpec) {
        self.wants_peer |= !spec.conditions.sources.is_empty();
        self.wants_mcp |= spec.conditions.mcp.is_some();
        let entry = Entry { rule, conditions: spec.conditions };
        match spec.path.pattern {
            Pattern::Segments(segments, tail) => {
                let node = segments.into_iter().fold(&mut self.root, Node::child);
                let entries = match tail {
                    Tail::End => &mut node.exact,
                    Tail::Any => &mut node.prefix,
                    Tail::More => &mut node.rest,
                };
                entries.insert(spec.hosts, entry);
            }
            Pattern::Regex(regex) => self.regexes.push(RegexEntry { regex, hosts: spec.hosts, entry }),
        }
    }

    /// Returns the first rule that matches one interpretation of the path.
    fn select_for(&self, interpretation: &str, target: &Target) -> Option<Selected> {
        let mut best = Best { selected: None, target };
        // A rest of `None` means that the path has ended. Each node has one parent, so it is visited once.
        let mut next = Some((&self.root, interpretation.strip_prefix('/')));
        let mut later = Vec::new();
        while let Some((node, rest)) = next.take().or_else(|| later.pop()) {
            best.improve(&node.prefix);
            let Some(rest) = rest else {
                best.improve(&node.exact);
                continue;
            };
            best.improve(&node.rest);
            let (segment, rest) =
                rest.split_once('/').map_or((rest, None), |(segment, rest)| (segment, Some(rest)));
            next = node.literals.get(segment).map(|child| (child, rest));
            if let Some(child) = node.any.as_deref().filter(|_| !segment.is_empty()) {
                later.push((child, rest));
            }
        }
        for RegexEntry { regex, hosts, entry } in &self.regexes {
            if !best.would_improve(entry.rule) {
                break;
            }
            let host_matches = hosts.is_empty()
                || target.host.is_some_and(|host| hosts.iter().any(|pattern| pattern.matches(host)));
            if host_matches && entry.conditions.check(target) != Fit::Misses && regex.is_match(interpretation)
            {
                best.select(entry);
            }
        }
        best.selected
    }
}

/// Hash table without a random seed. Its keys are from the configuration, so nobody can provoke collisions.
type Table<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A node of the trie. The segments from the root to the node are the start of a path.
#[derive(Debug, Default)]
struct Node {
    literals: Table<Box<str>, Node>,
    any: Option<Box<Node>>,
    exact: Entries,
    prefix: Entries,
    rest: Entries,
}

impl Node {
    fn child(&mut self, segment: Segment) -> &mut Node {
        match segment {
            Segment::Literal(literal) => self.literals.entry(literal).or_default(),
            Segment::Any => self.any.get_or_insert_default(),
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    rule: RuleId,
    conditions: Arc<Conditions>,
}

#[derive(Debug)]
struct RegexEntry {
    regex: Regex,
    hosts: Vec<HostPattern>,
    entry: Entry,
}

/// Entries by the host that they require.
#[derive(Debug, Default)]
struct Entries {
    any_host: Vec<Entry>,
    by_host: Option<Box<HostEntries>>,
}

#[derive(Debug, Default)]
struct HostEntries {
    exact: Table<Host<'static>, Vec<Entry>>,
    below: Table<Box<str>, Vec<Entry>>,
    /// Entries for names with one label before the key.
    one_label_below: Table<Box<str>, Vec<Entry>>,
}

impl Entries {
    fn insert(&mut self, hosts: Vec<HostPattern>, entry: Entry) {
        if hosts.is_empty() {
            self.any_host.push(entry);
            return;
        }
        let by_host = self.by_host.get_or_insert_default();
        for host in hosts {
            let entries = match host {
                HostPattern::Exact(host) => by_host.exact.entry(host).or_default(),
                HostPattern::Below(name) => by_host.below.entry(name).or_default(),
                HostPattern::Label { parent, .. } => by_host.one_label_below.entry(parent).or_default(),
            };
            entries.push(entry.clone());
        }
    }
}

/// A rule that matches a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Selected {
    rule: RuleId,
    /// True if the rule matches MCP calls, and the request has no valid MCP headers.
    lacks_mcp: bool,
}

/// The first matching rule found so far.
struct Best<'t> {
    selected: Option<Selected>,
    target: &'t Target<'t>,
}

impl Best<'_> {
    fn would_improve(&self, rule: RuleId) -> bool {
        self.selected.is_none_or(|best| rule < best.rule)
    }

    fn select(&mut self, entry: &Entry) {
        let lacks_mcp = entry.conditions.check(self.target) == Fit::LacksMcp;
        self.selected = Some(Selected { rule: entry.rule, lacks_mcp });
    }

    fn improve(&mut self, entries: &Entries) {
        self.improve_by(&entries.any_host);
        let (Some(by_host), Some(host)) = (&entries.by_host, self.target.host) else { return };
        if let Some(entries) = by_host.exact.get(host) {
            self.improve_by(entries);
        }
        let Host::Name(name) = host else { return };
        if let Some(entries) =
            name.split_once('.').and_then(|(_, parent)| by_host.one_label_below.get(parent))
        {
            self.improve_by(entries);
        }
        if by_host.below.is_empty() {
            return;
        }
        let mut rest: &str = name;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(entries) = by_host.below.get(parent) {
                self.improve_by(entries);
            }
            rest = parent;
        }
    }

    fn improve_by(&mut self, entries: &[Entry]) {
        let mut candidates = entries.iter().take_while(|entry| self.would_improve(entry.rule));
        if let Some(entry) = candidates.find(|entry| entry.conditions.check(self.target) != Fit::Misses) {
            self.select(entry);
        }
    }
}

impl Conditions {
    fn check(&self, target: &Target) -> Fit {
        let peer_matches = self.sources.is_empty()
            || target.peer.is_some_and(|peer| self.sources.iter().any(|block| block.contains(peer)));
        if !peer_matches || !self.methods.contains(target.method) {
            return Fit::Misses;
        }
        match (&self.mcp, target.mcp) {
            (None, _) => Fit::Matches,
            (Some(_), None) => Fit::LacksMcp,
            (Some(mcp), Some(call)) if mcp.depends_on_reader(call) => Fit::LacksMcp,
            (Some(mcp), Some(call)) if mcp.matches(call) => Fit::Matches,
            (Some(_), Some(_)) => Fit::Misses,
        }
    }
}

#[cfg(test)]
mod tests;
