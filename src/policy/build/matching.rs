//! Builds the `match` of rules.

use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, Config};
use crate::http::cidr::Cidr;
use crate::http::host::HostPattern;
use crate::http::mcp;
use crate::policy::rules::{MatchSpec, McpMatch, MethodError, MethodSet, Methods, NamePattern, PathPattern};

/// Returns the matches of each rule of a configuration, in order, for tools that explain why a request selects a rule.
/// A rule without matches matches every request.
pub fn matches(config: &Config) -> Vec<Vec<MatchSpec>> {
    let cx = &mut BuildContext::new(&|_| None, Vec::new());
    build(cx, &ConfigPath::Root.member("rules"), &config.rules.0)
}

/// Builds the matches of each rule, in order. A rule without matches matches every request.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    rules: &[config::Rule],
) -> Vec<Vec<MatchSpec>> {
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let Some(matches) = &rule.matches else { return Vec::new() };
        let at = &at.index(index);
        let at = &at.member("match");
        if matches.0.is_empty() {
            cx.expected(at, "at least one element; omit `match` to match every request");
        }
        let specs = matches.0.iter().enumerate();
        let specs = specs.map(|(index, matched)| spec(cx, &at.element(index, matches.0.len()), matched));
        specs.collect()
    });
    rules.collect()
}

/// Builds a match. A part with an error is treated as absent; the error is recorded, so no policy is built.
fn spec(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, matched: &config::Match) -> MatchSpec {
    let lists = [&matched.methods, &matched.except_methods, &matched.hosts, &matched.sources];
    let paths = [&matched.path, &matched.prefix, &matched.template, &matched.regex];
    if paths.iter().all(|text| text.is_none())
        && lists.iter().all(|list| list.is_none())
        && matched.mcp.is_none()
    {
        cx.expected(at, "at least one condition; omit `match` to match every request");
    }
    let pattern = match (&matched.path, &matched.prefix, &matched.template, &matched.regex) {
        (None, None, None, None) => None,
        (Some(text), None, None, None) => cx.checked(&at.member("path"), PathPattern::exact(text)),
        (None, Some(text), None, None) => cx.checked(&at.member("prefix"), PathPattern::prefix(text)),
        (None, None, Some(text), None) => cx.checked(&at.member("template"), PathPattern::template(text)),
        (None, None, None, Some(text)) => cx.checked(&at.member("regex"), PathPattern::regex(text)),
        _ => {
            cx.expected(at, "at most one of: path, prefix, template, regex");
            None
        }
    };
    let pattern = pattern.unwrap_or_else(PathPattern::any);
    let methods = methods(cx, at, matched);
    let hosts = cx.elements(&at.member("hosts"), matched.hosts.as_deref(), HostPattern::parse);
    let sources = cx.elements(&at.member("sources"), matched.sources.as_deref(), Cidr::parse);
    let Some(config) = &matched.mcp else { return MatchSpec::new(pattern, methods, hosts, sources) };
    let is_post = matches!(matched.methods.as_deref(), Some([only]) if only == "POST");
    for (name, is_wrong) in [
        ("methods", matched.methods.is_some() && !is_post),
        ("except_methods", matched.except_methods.is_some()),
    ] {
        if is_wrong {
            cx.expected(&at.member(name), "no such field beside `mcp`, which matches POST only");
        }
    }
    MatchSpec::of_mcp(pattern, hosts, sources, mcp_match(cx, &at.member("mcp"), config))
}

/// Builds the condition on MCP calls.
fn mcp_match(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, config: &config::Mcp) -> McpMatch {
    let methods = cx.elements(&at.member("methods"), config.methods.as_deref(), mcp_method);
    let at = &at.member("names");
    if config.names.is_some() && !methods.is_empty() && !methods.iter().any(|method| mcp::has_name(method)) {
        cx.expected(
            at,
            "`tools/call`, `prompts/get` or `resources/read` among the methods: only they have names",
        );
    }
    let names = config.names.as_ref().map(|names| {
        cx.non_empty(at, &names.0);
        let built = names.0.iter().enumerate().map(|(index, name)| {
            let (text, pattern) = match name {
                config::McpName::Exact(text) => (text, NamePattern::Exact(text.as_str().into())),
                config::McpName::Prefix(text) => (text, NamePattern::Prefix(text.as_str().into())),
            };
            if text.is_empty() {
                cx.expected(&at.index(index), "a name that is not empty");
            }
            pattern
        });
        built.collect()
    });
    McpMatch { methods, names: names.unwrap_or_default() }
}

fn mcp_method(text: &str) -> Result<Box<str>, &'static str> {
    if mcp::is_method(text) {
        Ok(text.into())
    } else {
        Err("expected the name of an MCP method, as in tools/call")
    }
}

fn methods(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, matched: &config::Match) -> Methods {
    match (&matched.methods, &matched.except_methods) {
        (None, None) => Methods::All,
        (Some(names), None) => {
            method_set(cx, &at.member("methods"), names).map_or(Methods::All, Methods::Only)
        }
        (None, Some(names)) => {
            method_set(cx, &at.member("except_methods"), names).map_or(Methods::All, Methods::Except)
        }
        (Some(_), Some(_)) => {
            cx.expected(at, "at most one of: methods, except_methods");
            Methods::All
        }
    }
}

fn method_set(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, names: &[String]) -> Option<MethodSet> {
    let set = MethodSet::new(names.iter().map(String::as_str));
    let at = match set {
        Err(
            MethodError::NotToken(index)
            | MethodError::Wildcard(index)
            | MethodError::NotUpperCase(index)
            | MethodError::Repeated(index),
        ) => at.index(index),
        _ => *at,
    };
    cx.checked(&at, set)
}
