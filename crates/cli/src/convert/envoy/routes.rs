//! Routes of Envoy that change the settings of a filter, by `typed_per_filter_config`.
//!
//! Envoy selects a virtual host, then the first route that matches, and runs the filter with the settings of that
//! route. The converted rules are in the same order: by host, and within a host by route. Routes without settings of
//! their own become rules too, with the filter's own rules for the paths that they match.

use super::super::finding::At;
use super::super::message::{File, Message};
use super::super::output::{Output, Part};
use super::route_match::{self, Common, Matched};
use crate::document::Node;
use serde_json::Value;

/// The access that a rule grants.
#[derive(Debug, Clone, PartialEq)]
pub enum Access {
    Public,
    Require {
        requirement: Value,
        optional: bool,
        authorize: Option<Value>,
    },
    /// Denied, with the reasons why a part was not converted. Without reasons, the original denies.
    Deny(Vec<String>),
    /// The decision of a list of clauses, by its index.
    Other(usize),
}

/// The converted settings of a route.
pub enum Rules {
    /// The same access for all requests.
    All(Access),
    /// Rules in order. The last rule matches every request.
    These(Vec<Draft>),
}

/// A rule that is not written yet.
#[derive(Clone)]
pub struct Draft {
    pub name: String,
    pub matched: Matched,
    pub access: Access,
    pub comments: Vec<String>,
    pub at: At,
}

impl Draft {
    /// Adds the rule to an output, under an unused name.
    pub fn write(self, output: &mut Output) {
        let mut part = Part::from(output.free_name(&self.name), self.at);
        if let Some(matched) = self.matched.value() {
            part.set("match", matched);
        }
        part.comments = self.comments;
        match self.access {
            Access::Public => part.set("public", true),
            Access::Deny(reasons) => part.close(&reasons),
            Access::Other(_) => part.close(&[]),
            Access::Require { requirement, optional, authorize } => {
                part.set("require", requirement);
                if optional {
                    part.set("optional", true);
                    part.comment(
                        "stricter: credentials of another kind count as credentials, and are refused",
                    );
                }
                if let Some(authorize) = authorize {
                    part.set("authorize", authorize);
                }
            }
        }
        output.rules.push(part);
    }
}

/// The settings of one filter on a route.
#[derive(Clone, Copy)]
enum Setting<'a> {
    /// No settings: those of the filter apply.
    Inherit,
    Disabled,
    Given(&'a Node),
}

struct Route<'a> {
    name: String,
    matched: Matched,
    /// Reasons why `matched` matches more requests than the route.
    lost: Vec<String>,
    setting: Setting<'a>,
    at: At,
}

/// Domains of a virtual host, with its settings.
struct Scope<'a> {
    /// The hosts; if empty, every host.
    hosts: Vec<String>,
    host: Message<'a>,
    setting: Setting<'a>,
    /// The number of its routes up to the last one with settings of its own.
    count: usize,
}

/// A `RouteConfiguration` of the input.
pub struct Routes<'a> {
    pub file: File<'a>,
    pub node: &'a Node,
    /// True if ports in `Host` are ignored.
    pub ignores_port: bool,
    /// True if a trailing dot in `Host` is ignored.
    pub ignores_dot: bool,
}

/// A filter whose rules depend on routes.
pub struct Filter<'f> {
    /// The name of the filter in the chain, which is also its key in `typed_per_filter_config`.
    pub name: &'f str,
    /// The filter's own rules. The last rule matches every request.
    pub own: &'f [Draft],
}

const ADVICE: &str = "Write the rules of this route by hand.";

/// Writes the rules of a filter for all routes.
pub fn write<'a>(
    output: &mut Output,
    filter: &Filter<'_>,
    routes: &Routes<'a>,
    convert: &mut dyn FnMut(&mut Output, Message<'a>) -> Rules,
) {
    let (drafts, unplaced) = collect(output, filter, routes, convert);
    drafts.into_iter().for_each(|draft| draft.write(output));
    if !unplaced.is_empty() {
        output.deny_all(&unplaced);
    }
}

/// The rules of a filter for all routes, and the reasons to deny everything if some rules cannot be placed.
pub fn collect<'a>(
    output: &mut Output,
    filter: &Filter<'_>,
    routes: &Routes<'a>,
    convert: &mut dyn FnMut(&mut Output, Message<'a>) -> Rules,
) -> (Vec<Draft>, Vec<String>) {
    let mut drafts = Vec::new();
    let file = &routes.file;
    let mark = file.findings.mark();
    let scopes = scopes(filter, routes);
    let unplaced = file.findings.since(mark);
    let is_special = |scope: &Scope<'_>| scope.count > 0 || !matches!(scope.setting, Setting::Inherit);
    let last = scopes.iter().rposition(is_special);
    for (number, scope) in scopes.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
        write_scope(output, &mut drafts, filter, file, scope, last == Some(number), convert);
    }
    // If every host has settings of its own, the filter's rules apply to no request.
    if !scopes.iter().any(|scope| scope.hosts.is_empty() && !matches!(scope.setting, Setting::Inherit)) {
        drafts.extend(filter.own.iter().cloned());
    }
    (drafts, unplaced)
}

fn write_scope<'a>(
    output: &mut Output,
    drafts: &mut Vec<Draft>,
    filter: &Filter<'_>,
    file: &File<'a>,
    scope: &Scope<'a>,
    is_last: bool,
    convert: &mut dyn FnMut(&mut Output, Message<'a>) -> Rules,
) {
    let whole = Matched { hosts: scope.hosts.clone(), ..Matched::any() };
    for (number, route) in scope.host.messages("routes").iter().take(scope.count).enumerate() {
        let route = read_route(filter, route, number, scope.setting);
        let matched = Matched { hosts: scope.hosts.clone(), ..route.matched.clone() };
        let draft = |access| Draft {
            name: route.name.clone(),
            matched: matched.clone(),
            access,
            comments: Vec::new(),
            at: route.at.clone(),
        };
        if !route.lost.is_empty() {
            drafts.push(draft(Access::Deny(route.lost.clone())));
            continue;
        }
        match route.setting {
            Setting::Inherit => inherit(drafts, filter.own, file, &matched, &route.name, &route.at),
            Setting::Disabled => drafts.push(draft(Access::Public)),
            Setting::Given(node) => match given(output, filter, file, node, convert) {
                Rules::All(access) => drafts.push(draft(access)),
                Rules::These(rules) => inherit(drafts, &rules, file, &matched, &route.name, &route.at),
            },
        }
    }
    // Envoy does not forward a request that no route matches; the settings of the virtual host apply to it.
    let at = scope.host.at();
    let draft = |access| Draft {
        name: "host".to_owned(),
        matched: whole.clone(),
        access,
        comments: Vec::new(),
        at: at.clone(),
    };
    match scope.setting {
        // The filter's own rules follow.
        Setting::Inherit if is_last || scope.hosts.is_empty() => {}
        Setting::Inherit => {
            for own in filter.own {
                if let Common::This(matched) = own.matched.and(&whole) {
                    drafts.push(Draft { matched, ..own.clone() });
                }
            }
        }
        Setting::Disabled => drafts.push(draft(Access::Public)),
        Setting::Given(node) => match given(output, filter, file, node, convert) {
            Rules::All(access) => drafts.push(draft(access)),
            Rules::These(rules) => inherit(drafts, &rules, file, &whole, "host", &at),
        },
    }
}

fn given<'a>(
    output: &mut Output,
    filter: &Filter<'_>,
    file: &File<'a>,
    node: &'a Node,
    convert: &mut dyn FnMut(&mut Output, Message<'a>) -> Rules,
) -> Rules {
    let mark = file.findings.mark();
    let rules = convert(output, Message::new(file, node, format!("typed_per_filter_config.{}", filter.name)));
    match file.findings.since(mark) {
        reasons if reasons.is_empty() => rules,
        reasons => Rules::All(Access::Deny(reasons)),
    }
}

/// Adds the rules of a filter, or of the settings of a route, for the requests that the route matches.
fn inherit(
    drafts: &mut Vec<Draft>,
    rules: &[Draft],
    file: &File<'_>,
    matched: &Matched,
    name: &str,
    at: &At,
) {
    for own in rules {
        match own.matched.and(matched) {
            Common::Nothing => {}
            Common::This(both) => {
                let is_all = both == *matched;
                drafts.push(Draft { matched: both, ..own.clone() });
                if is_all {
                    break;
                }
            }
            Common::Unknown => {
                let what = format!("the filter's rules for the route `{name}` cannot be determined");
                file.findings.add(at, what.clone(), ADVICE);
                drafts.push(Draft {
                    name: name.to_owned(),
                    matched: matched.clone(),
                    access: Access::Deny(vec![what]),
                    comments: Vec::new(),
                    at: at.clone(),
                });
                break;
            }
        }
    }
}

/// All domains, the more specific first, in the order in which Envoy looks for them.
fn scopes<'a>(filter: &Filter<'_>, routes: &Routes<'a>) -> Vec<Scope<'a>> {
    let table = Message::peek(&routes.file, routes.node, "");
    let of_table = setting(&table, filter.name, Setting::Inherit);
    let ignores_port = routes.ignores_port || table.is_true("ignore_port_in_host_matching");
    // If Envoy keeps port and dot, `a.example.com:8080` and `a.example.com.` match the virtual host `*`.
    let domains: Vec<&str> =
        table.messages("virtual_hosts").iter().flat_map(|host| host.texts("domains")).collect();
    let is_mixed = domains.contains(&"*") && domains.iter().any(|domain| *domain != "*");
    let kept = [(ignores_port, "strip_any_host_port"), (routes.ignores_dot, "strip_trailing_host_dot")];
    for (_, setting) in kept.into_iter().filter(|(ignores, _)| is_mixed && !ignores) {
        let what =
            format!("select by domain; without `{setting}`, Envoy and authgate match some hosts differently");
        let advice = format!("Set `{setting}: true` in the connection manager, and convert again.");
        table.finding_at("virtual_hosts", &what, advice);
    }
    let mut scopes = Vec::new();
    for (number, host) in table.messages("virtual_hosts").into_iter().enumerate() {
        if host.has("matcher") {
            host.finding_at("matcher", "selects routes in a way that has no equivalent here", ADVICE);
        }
        let mut exact = Vec::new();
        for domain in host.texts("domains") {
            match host_of(&host, domain, ignores_port) {
                None => {}
                Some(name) if name == "*" || name.starts_with('*') => {
                    let hosts = if name == "*" { Vec::new() } else { vec![name.to_owned()] };
                    scopes.push(scope(filter, &table, number, hosts, of_table));
                }
                Some(name) => exact.push(name.to_owned()),
            }
        }
        if !exact.is_empty() {
            scopes.push(scope(filter, &table, number, exact, of_table));
        }
    }
    let mut scopes: Vec<Scope<'a>> = scopes.into_iter().flatten().collect();
    scopes.sort_by_key(|scope| match scope.hosts.first() {
        None => (2, 0),
        Some(host) if host.starts_with('*') => (1, usize::MAX - host.len()),
        Some(_) => (0, 0),
    });
    scopes
}

fn scope<'a>(
    filter: &Filter<'_>,
    table: &Message<'a>,
    number: usize,
    hosts: Vec<String>,
    outer: Setting<'a>,
) -> Option<Scope<'a>> {
    let host = table.messages("virtual_hosts").into_iter().nth(number)?;
    let setting = setting(&host, filter.name, outer);
    let is_special = |route: &Message<'_>| is_special_route(route, filter.name);
    let count = host.messages("routes").iter().rposition(is_special).map_or(0, |last| last + 1);
    Some(Scope { hosts, host, setting, count })
}

/// The host of a domain. `None` if no host matches the domain, or, with a finding, if it has no equivalent.
fn host_of<'d>(host: &Message<'_>, domain: &'d str, ignores_port: bool) -> Option<&'d str> {
    let (name, port) = match domain.rsplit_once(':') {
        Some((name, port)) if port == "*" || port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        _ => (domain, ""),
    };
    // Envoy strips the port from the host of a request and not from a domain, so no host matches such a domain.
    if !port.is_empty() && ignores_port {
        return None;
    }
    let inner = name.strip_prefix("*.").unwrap_or(name);
    // Here, braces would be a variable.
    if name != "*" && inner.contains(['*', '{']) {
        let what = format!("has the domain `{domain}`, which has no equivalent here");
        host.finding_at("domains", &what, ADVICE);
        return None;
    }
    let is_whole = port == "*" && host.texts("domains").contains(&name);
    if !port.is_empty() && !is_whole {
        let what = format!("has the port of `{domain}`; authgate ignores ports");
        host.finding_at("domains", &what, ADVICE);
    }
    Some(name)
}

fn read_route<'a>(filter: &Filter<'_>, route: &Message<'a>, at: usize, outer: Setting<'a>) -> Route<'a> {
    let findings = route.file().findings;
    let setting = setting(route, filter.name, outer);
    let mark = findings.mark();
    let matched = match route.node_of("match") {
        Some(node) => route_match::read(&Message::new(route.file(), node, route.path("match"))),
        None => Matched::any(),
    };
    for cluster in clusters(route).iter().filter(|cluster| has_setting(cluster, filter.name)) {
        cluster.finding_at(
            "typed_per_filter_config",
            "differs by cluster, which has no equivalent here",
            ADVICE,
        );
    }
    let name = route.filled("name").map_or_else(|| format!("route-{at}"), str::to_owned);
    Route { name, matched, lost: findings.since(mark), setting, at: route.at() }
}

/// True if a route, or an object around or below it, has settings of its own for the filter.
fn has_setting(of: &Message<'_>, name: &str) -> bool {
    of.map("typed_per_filter_config").iter().any(|(filter, _)| *filter == name)
}

fn clusters<'a>(route: &Message<'a>) -> Vec<Message<'a>> {
    let weighted = route.message("route").and_then(|action| action.message("weighted_clusters"));
    weighted.map(|weighted| weighted.messages("clusters")).unwrap_or_default()
}

fn is_special_route(route: &Message<'_>, name: &str) -> bool {
    has_setting(route, name) || clusters(route).iter().any(|cluster| has_setting(cluster, name))
}

/// True if any part of a route table has settings of its own for the filter.
pub fn is_special(routes: &Routes<'_>, name: &str) -> bool {
    let table = Message::peek(&routes.file, routes.node, "");
    has_setting(&table, name)
        || table.messages("virtual_hosts").iter().any(|host| {
            let routes = host.messages("routes");
            has_setting(host, name) || routes.iter().any(|route| is_special_route(route, name))
        })
}

/// The settings of a route, or those of the object that contains it.
fn setting<'a>(of: &Message<'a>, name: &str, outer: Setting<'a>) -> Setting<'a> {
    let found = of.map("typed_per_filter_config").into_iter().find(|(filter, _)| *filter == name);
    let Some((_, config)) = found else { return outer };
    if !config.filled("@type").is_some_and(|kind| kind.ends_with("config.route.v3.FilterConfig")) {
        return Setting::Given(config.node());
    }
    if config.is_true("disabled") {
        return Setting::Disabled;
    }
    match config.node_of("config") {
        Some(node) => Setting::Given(node),
        // Neither disabled nor configured: converters do not know such settings, so these become a finding.
        None => Setting::Given(config.node()),
    }
}
