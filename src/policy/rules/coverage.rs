//! Comparison of matches with each other and with requests, for tools that explain a policy. Decisions do not use it.

use super::methods::Methods;
use super::pattern::{Pattern, Segment, Tail};
use super::{Conditions, MatchSpec, McpMatch, PathPattern, RuleIndex, SelectError, Target};
use crate::http::cidr::Cidr;
use crate::http::host::{Host, HostPattern};

/// A part of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchPart {
    /// `path`, `prefix`, `template` or `regex`.
    Path,
    /// `methods` or `except_methods`.
    Method,
    /// `hosts`.
    Host,
    /// `sources`.
    Source,
    /// `mcp`.
    Mcp,
}

impl MatchSpec {
    /// True if this matches every request that `other` matches. May be false for regexes although it is so.
    pub fn subsumes(&self, other: &MatchSpec) -> bool {
        self.path.subsumes(&other.path)
            && self.conditions.methods.subsumes(&other.conditions.methods)
            && covers_all(&self.hosts, &other.hosts, HostPattern::subsumes)
            && covers_all(&self.conditions.sources, &other.conditions.sources, Cidr::subsumes)
            && self
                .conditions
                .mcp
                .as_ref()
                .is_none_or(|mcp| other.conditions.mcp.as_ref().is_some_and(|other| mcp.subsumes(other)))
    }

    /// Returns the parts that do not match a request; none if the request matches.
    ///
    /// # Errors
    /// Fails if the interpretations of the path do not agree.
    pub fn mismatches(&self, target: &Target) -> Result<Vec<MatchPart>, SelectError> {
        let path = MatchSpec::new(self.path.clone(), Methods::All, Vec::new(), Vec::new());
        let takes_path = RuleIndex::new(vec![vec![path]]).select(target)?.is_some();
        let Conditions { methods, sources, mcp } = &*self.conditions;
        let takes_mcp = mcp.as_ref().is_none_or(|mcp| target.mcp.is_some_and(|call| mcp.matches(call)));
        let takes_source = sources.is_empty()
            || target.peer.is_some_and(|peer| sources.iter().any(|block| block.contains(peer)));
        let parts = [
            (MatchPart::Path, takes_path),
            (MatchPart::Method, methods.contains(target.method)),
            (MatchPart::Host, self.host_matches(target)),
            (MatchPart::Source, takes_source),
            (MatchPart::Mcp, takes_mcp),
        ];
        Ok(parts.into_iter().filter(|(_, matches)| !matches).map(|(part, _)| part).collect())
    }

    /// True if this matches every path.
    pub fn matches_every_path(&self) -> bool {
        PathPattern::any().subsumes(&self.path) && self.path.subsumes(&PathPattern::any())
    }

    /// Returns the methods of the match.
    pub fn methods(&self) -> &Methods {
        &self.conditions.methods
    }

    /// Returns the MCP calls of the match, if it has any.
    pub fn mcp(&self) -> Option<&McpMatch> {
        self.conditions.mcp.as_ref()
    }

    /// Returns a path that matches, unless the path is a regex.
    pub fn example_path(&self) -> Option<String> {
        let Pattern::Segments(segments, tail) = &self.path.pattern else { return None };
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            path.push_str(match segment {
                Segment::Literal(literal) => literal,
                Segment::Any => "x",
            });
        }
        if path.is_empty() || *tail == Tail::More {
            path.push('/');
        }
        Some(path)
    }

    /// Returns a host that matches, or `None` if any host matches.
    pub fn example_host(&self) -> Option<Host<'static>> {
        self.hosts.first().map(|pattern| match pattern {
            HostPattern::Exact(host) => host.clone(),
            HostPattern::Below(name) | HostPattern::Label { parent: name, .. } => {
                Host::Name(format!("x.{name}").into())
            }
        })
    }

    /// Returns an address that matches, or `None` if any address matches.
    pub fn example_source(&self) -> Option<std::net::IpAddr> {
        self.conditions.sources.first().map(Cidr::first)
    }
}

/// True if each of `others` is subsumed by one of `these`. An empty list subsumes everything.
fn covers_all<T>(these: &[T], others: &[T], subsumes: fn(&T, &T) -> bool) -> bool {
    let is_covered = |other| these.iter().any(|this| subsumes(this, other));
    these.is_empty() || (!others.is_empty() && others.iter().all(is_covered))
}

impl PathPattern {
    fn subsumes(&self, other: &PathPattern) -> bool {
        let (segments, tail, others, other_tail) = match (&self.pattern, &other.pattern) {
            (Pattern::Regex(regex), Pattern::Regex(other)) => return regex.as_str() == other.as_str(),
            (Pattern::Segments(segments, tail), Pattern::Segments(others, other_tail)) => {
                (segments, *tail, others, *other_tail)
            }
            // A regex matches only paths.
            (Pattern::Segments(segments, Tail::Any), Pattern::Regex(_)) => return segments.is_empty(),
            _ => return false,
        };
        let fits = match tail {
            Tail::Any => segments.len() <= others.len(),
            Tail::End => other_tail == Tail::End && segments.len() == others.len(),
            Tail::More => {
                segments.len() < others.len() || (segments.len() == others.len() && other_tail == Tail::More)
            }
        };
        fits && segments.iter().zip(others).all(|(segment, other)| segment.subsumes(other))
    }
}

impl Segment {
    fn subsumes(&self, other: &Segment) -> bool {
        match (self, other) {
            (Segment::Any, Segment::Literal(literal)) => !literal.is_empty(),
            (Segment::Any, Segment::Any) => true,
            (literal, other) => literal == other,
        }
    }
}

impl HostPattern {
    fn subsumes(&self, other: &HostPattern) -> bool {
        match (self, other) {
            (pattern, HostPattern::Exact(host)) => pattern.matches(host),
            (
                HostPattern::Below(parent),
                HostPattern::Below(name) | HostPattern::Label { parent: name, .. },
            ) => name == parent || name.strip_suffix(&**parent).is_some_and(|rest| rest.ends_with('.')),
            (HostPattern::Label { parent, .. }, HostPattern::Label { parent: other, .. }) => parent == other,
            (HostPattern::Label { .. }, HostPattern::Below(_))
            | (HostPattern::Exact(_), HostPattern::Below(_) | HostPattern::Label { .. }) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MethodSet;
    use super::*;

    fn spec(path: PathPattern, methods: Methods, hosts: &[&str], sources: &[&str]) -> MatchSpec {
        let hosts = hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect();
        let sources = sources.iter().map(|block| Cidr::parse(block).unwrap()).collect();
        MatchSpec::new(path, methods, hosts, sources)
    }

    fn pattern(text: &str) -> PathPattern {
        match text.split_at(1) {
            ("=", path) => PathPattern::exact(path).unwrap(),
            ("~", regex) => PathPattern::regex(regex).unwrap(),
            ("{", template) => PathPattern::template(template).unwrap(),
            _ => PathPattern::prefix(text).unwrap(),
        }
    }

    #[test]
    fn what_takes_more_covers_what_takes_less() {
        let check = |wide: &str, narrow: &str, both_ways: bool| {
            let (wide_spec, narrow_spec) = (pattern(wide), pattern(narrow));
            assert!(wide_spec.subsumes(&narrow_spec), "{wide} covers {narrow}");
            assert_eq!(narrow_spec.subsumes(&wide_spec), both_ways, "{narrow} covers {wide}");
        };
        check("/", "/a", false);
        check("/", "=/", false);
        check("/", "~/.*", false);
        check("/", "{/{x=**}", false);
        check("/a", "/a/b", false);
        check("/a", "=/a", false);
        check("/a", "=/a/b/c", false);
        check("/a", "{/a/{id}", false);
        check("/a", "{/a/{rest=**}", false);
        check("/a/", "/a", true);
        check("{/a/{id}", "=/a/b", false);
        check("{/a/{id}", "{/a/{name}", true);
        check("{/a/{rest=**}", "=/a/b/c", false);
        check("{/a/{rest=**}", "/a/b", false);
        check("~/a[0-9]", "~/a[0-9]", true);
        let apart = [
            ("/a", "/b"),
            ("/a", "/ab"),
            ("{/a/{id}", "=/a/"),
            ("{/a/{id}", "/a/b"),
            ("~/a", "=/a"),
            ("=/a", "{/{x}"),
        ];
        for (one, other) in apart {
            assert!(!pattern(one).subsumes(&pattern(other)), "{one} {other}");
        }
    }

    #[test]
    fn each_part_has_to_cover() {
        let only = |names: &[&str]| Methods::Only(MethodSet::new(names.iter().copied()).unwrap());
        let except = |names: &[&str]| Methods::Except(MethodSet::new(names.iter().copied()).unwrap());
        let all = || spec(PathPattern::any(), Methods::All, &[], &[]);
        let check = |wide: MatchSpec, narrow: MatchSpec| {
            assert!(wide.subsumes(&narrow));
            assert!(!narrow.subsumes(&wide));
        };
        let methods = |methods| spec(PathPattern::any(), methods, &[], &[]);
        check(all(), methods(only(&["GET"])));
        check(all(), methods(except(&["GET"])));
        check(methods(only(&["GET", "PUT"])), methods(only(&["PUT"])));
        check(methods(except(&["GET"])), methods(only(&["PUT"])));
        check(methods(except(&["GET"])), methods(except(&["GET", "PUT"])));
        assert!(!methods(except(&["GET"])).subsumes(&methods(only(&["GET"]))));
        let hosts = |hosts| spec(PathPattern::any(), Methods::All, hosts, &[]);
        check(all(), hosts(&["a.example"]));
        check(hosts(&["*.example"]), hosts(&["a.example", "*.b.example"]));
        assert!(!hosts(&["*.example"]).subsumes(&hosts(&["example"])));
        let sources = |sources| spec(PathPattern::any(), Methods::All, &[], sources);
        check(all(), sources(&["10.0.0.0/8"]));
        check(sources(&["10.0.0.0/8", "::/0"]), sources(&["10.1.0.0/16"]));
        assert!(!sources(&["10.0.0.0/8"]).subsumes(&sources(&["11.0.0.0/8"])));
    }
}
