//! Which rule a request selects: the first that matches, by path, method, host and peer.
//!
//! Paths go into a trie of segments, hosts into tables at its nodes, so that a request costs the same with one rule or a
//! thousand. Only regexes are tried one after the other, and rules of one path that differ in method or sources alone.

mod coverage;
mod methods;
mod pattern;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::Arc;

use regex_lite::Regex;

use crate::http::cidr::Cidr;
use crate::http::host::{Host, HostPattern};
use crate::http::path::PathInterpretations;

pub use coverage::MatchPart;
pub use methods::{MethodError, MethodSet, Methods};
pub use pattern::{MAX_PATTERN, MAX_REGEX, PathPattern, PatternError};
use pattern::{Pattern, Segment, Tail};

/// How many octets of a path's readings regexes are run over. A path with more is ambiguous: a regex costs milliseconds
/// on a hostile one of 60 KB, and once for each reading.
pub const MAX_REGEX_READINGS: usize = 8 * 1024;

/// One alternative of a rule's `match`: all of its parts must hold.
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
}

impl MatchSpec {
    /// No hosts means any host, or none; no sources means any peer.
    pub fn new(
        path: PathPattern,
        methods: Methods,
        hosts: Vec<HostPattern>,
        sources: Vec<Cidr>,
    ) -> MatchSpec {
        MatchSpec { path, hosts, conditions: Arc::new(Conditions { methods, sources }) }
    }
}

/// What a rule is selected by.
pub struct Target<'a> {
    /// The method as it came.
    pub method: &'a [u8],
    /// The host; `None` is taken by no rule that names hosts.
    pub host: Option<&'a Host<'a>>,
    /// The peer that the proxy settled on; `None` is taken by no rule that names sources.
    pub peer: Option<IpAddr>,
    /// The path. One without readings selects nothing.
    pub readings: &'a PathInterpretations<'a>,
}

/// The readings of a path select different rules, or one of them selects none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguousPath;

impl fmt::Display for AmbiguousPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path can be read in several ways, for which different rules would apply")
    }
}

impl std::error::Error for AmbiguousPath {}

/// Identifier of a rule: its position in the policy. A lower one goes first.
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

/// The rules of a policy, made ready for [`RuleIndex::select`].
#[derive(Debug, Default)]
pub struct RuleIndex {
    root: Node,
    regexes: Vec<RegexEntry>,
    wants_peer: bool,
}

impl RuleIndex {
    /// Takes the specs of each rule, in order. A rule without specs matches every request that has a path.
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

    /// The first rule that matches, counted from 0, where all readings of the path agree on it.
    pub fn select(&self, target: &Target) -> Result<Option<RuleId>, AmbiguousPath> {
        let mut readings = target.readings.iter();
        let Some(first) = readings.next() else { return Ok(None) };
        if self.is_too_long(target) {
            return Err(AmbiguousPath);
        }
        let selected = self.select_for(first, target);
        if readings.all(|reading| self.select_for(reading, target) == selected) {
            Ok(selected)
        } else {
            Err(AmbiguousPath)
        }
    }

    /// Whether the rule that one of the readings selects is meant, `None` standing for no rule. If the readings are too
    /// long to tell, it is.
    pub fn may_select(&self, target: &Target, is_meant: impl Fn(Option<RuleId>) -> bool) -> bool {
        self.is_too_long(target)
            || target.readings.iter().any(|reading| is_meant(self.select_for(reading, target)))
    }

    /// Whether the readings of the path are too long for regexes.
    fn is_too_long(&self, target: &Target) -> bool {
        !self.regexes.is_empty() && target.readings.iter().map(str::len).sum::<usize>() > MAX_REGEX_READINGS
    }

    /// Whether any rule looks at the peer. If not, [`Target::peer`] may be left out.
    pub fn wants_peer(&self) -> bool {
        self.wants_peer
    }

    // Rules come in order, so each list of entries is sorted by rule.
    fn insert(&mut self, rule: RuleId, spec: MatchSpec) {
        self.wants_peer |= !spec.conditions.sources.is_empty();
        let entry = Entry { rule, conditions: spec.conditions };
        match spec.path.0 {
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

    /// The first rule that matches under one reading.
    fn select_for(&self, reading: &str, target: &Target) -> Option<RuleId> {
        let mut best = Best { rule: None, target };
        // `None` in place of the rest: the path has ended. Each node is reached by one way only, so it is visited once.
        let mut next = Some((&self.root, reading.strip_prefix('/')));
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
            if host_matches && entry.conditions.hold(target) && regex.is_match(reading) {
                best.rule = Some(entry.rule);
            }
        }
        best.rule
    }
}

/// Keys come from the configuration alone, so nobody can aim at collisions, and no random seed is needed.
type Table<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A place in the trie: the segments from the root to it stand for the start of a path.
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

/// Entries by the host that they ask for.
#[derive(Debug, Default)]
struct Entries {
    any_host: Vec<Entry>,
    by_host: Option<Box<HostEntries>>,
}

#[derive(Debug, Default)]
struct HostEntries {
    exact: Table<Host<'static>, Vec<Entry>>,
    below: Table<Box<str>, Vec<Entry>>,
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
            };
            entries.push(entry.clone());
        }
    }
}

/// The first matching rule that has been found so far.
struct Best<'t> {
    rule: Option<RuleId>,
    target: &'t Target<'t>,
}

impl Best<'_> {
    fn would_improve(&self, rule: RuleId) -> bool {
        self.rule.is_none_or(|best| rule < best)
    }

    fn improve(&mut self, entries: &Entries) {
        self.improve_by(&entries.any_host);
        let (Some(by_host), Some(host)) = (&entries.by_host, self.target.host) else { return };
        if let Some(entries) = by_host.exact.get(host) {
            self.improve_by(entries);
        }
        if by_host.below.is_empty() {
            return;
        }
        let Host::Name(name) = host else { return };
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
        if let Some(entry) = candidates.find(|entry| entry.conditions.hold(self.target)) {
            self.rule = Some(entry.rule);
        }
    }
}

impl Conditions {
    fn hold(&self, target: &Target) -> bool {
        let peer_matches = self.sources.is_empty()
            || target.peer.is_some_and(|peer| self.sources.iter().any(|block| block.contains(peer)));
        peer_matches && self.methods.take(target.method)
    }
}

#[cfg(test)]
mod tests;
