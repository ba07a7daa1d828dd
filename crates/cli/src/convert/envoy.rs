//! Filters of Envoy at any position in a file: alone, in a listener, in an EnvoyFilter or an EnvoyPatchPolicy.

mod api_key_auth;
mod basic_auth;
mod jwt_authn;
mod path;
mod rbac;
mod route_match;
mod routes;

use std::cell::RefCell;

use self::routes::{Draft, Filter, Routes, Rules};
use super::finding::Findings;
use super::message::{File, Message};
use super::output::{Output, Part};
use crate::document::{Kind, Node};

/// Position of a filter in a chain, with the settings that affect it.
pub struct Place<'a> {
    /// The name of the filter.
    name: &'a str,
    /// True if the filter is inactive unless a route enables it.
    is_disabled: bool,
    /// True if its connection manager strips the port and a trailing dot from `:authority`.
    has_plain_host: bool,
    /// The routes of its connection manager, if known.
    routes: Option<Routes<'a>>,
    /// Reasons why the effective settings of the filter are not known, such as missing routes.
    unknown: Vec<String>,
}

impl<'a> Place<'a> {
    /// Writes the rules of a filter, separately for each route if routes have settings for it.
    fn write(
        &self,
        output: &mut Output,
        filter: &Filter<'_>,
        convert: &mut dyn FnMut(&mut Output, Message<'a>) -> Rules,
    ) {
        match self.routes.as_ref().filter(|_| self.is_special()) {
            Some(routes) => routes::write(output, filter, routes, convert),
            None => filter.own.iter().for_each(|draft| draft.clone().write(output)),
        }
        self.close(output);
    }

    /// The rules of a filter of this name in the same chain, separately for each route if routes have settings for it,
    /// and the reasons to deny everything, if any.
    fn collect(
        &self,
        output: &mut Output,
        filter: &Filter<'_>,
        convert: &mut dyn FnMut(&mut Output, Message<'a>) -> Rules,
    ) -> (Vec<Draft>, Vec<String>) {
        match self.routes.as_ref().filter(|routes| routes::is_special(routes, filter.name)) {
            Some(routes) => routes::collect(output, filter, routes, convert),
            None => (filter.own.to_vec(), Vec::new()),
        }
    }

    /// True if routes have settings for the filter.
    fn is_special(&self) -> bool {
        self.routes.as_ref().is_some_and(|routes| routes::is_special(routes, self.name))
    }

    /// Denies everything if the effective settings of the filter are not known.
    fn close(&self, output: &mut Output) {
        if !self.unknown.is_empty() {
            output.deny_all(&self.unknown);
        }
    }
}

/// Kinds of filters that authenticate or authorize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FilterKind {
    JwtAuthn,
    BasicAuth,
    ApiKeyAuth,
    Rbac,
    /// A filter that has no converter.
    Other,
    /// A filter that runs a program, which may do anything.
    Program,
}

/// The kind of filter that a type URL names.
fn kind(url: &str) -> Option<FilterKind> {
    let name = url.rsplit('/').next().unwrap_or(url);
    let is = |end: &str| name.ends_with(end);
    Some(match () {
        () if is(".jwt_authn.v3.JwtAuthentication") || is(".jwt_authn.v2alpha.JwtAuthentication") => {
            FilterKind::JwtAuthn
        }
        () if is(".basic_auth.v3.BasicAuth") => FilterKind::BasicAuth,
        () if is(".api_key_auth.v3.ApiKeyAuth") => FilterKind::ApiKeyAuth,
        () if is(".http.rbac.v3.RBAC") || is(".http.rbac.v2.RBAC") => FilterKind::Rbac,
        () if is(".network.rbac.v3.RBAC") => FilterKind::Other,
        () if OTHERS.iter().any(|other| is(other)) => FilterKind::Other,
        () if PROGRAMS.iter().any(|program| is(program)) => FilterKind::Program,
        () => return None,
    })
}

const OTHERS: &[&str] = &[
    ".ExtAuthz",
    ".ExtAuthorization",
    ".OAuth2",
    ".CsrfPolicy",
    ".ClientSSLAuth",
    "istio.envoy.config.filter.http.authn.v2alpha1.FilterConfig",
    "cilium.L7Policy",
];

/// The kind of a filter in a chain whose type has no entry in [`kind`]. A filter that is not part of Envoy may do
/// anything, and one with `auth` in its name probably authenticates or authorizes.
fn unknown_kind(url: &str) -> Option<FilterKind> {
    let name = url.rsplit('/').next().unwrap_or(url);
    // `gcp_authn` adds tokens for the upstream; it does not check requests.
    let is_harmless = name.is_empty() || name.contains(".gcp_authn.") || name.ends_with(".Composite");
    let is_auth = name.to_ascii_lowercase().contains("auth") && !is_harmless;
    let is_foreign = !name.starts_with("envoy.") && !is_harmless;
    match (is_auth, is_foreign) {
        (true, _) => Some(FilterKind::Other),
        (_, true) => Some(FilterKind::Program),
        _ => None,
    }
}

const PROGRAMS: &[&str] = &[
    ".http.wasm.v3.Wasm",
    ".http.lua.v3.Lua",
    ".ExternalProcessor",
    ".DynamicModuleFilter",
    ".http.golang.v3alpha.Config",
];

/// Settings of routes for filters that authenticate or authorize.
const PER_ROUTE: &[&str] = &[
    ".jwt_authn.v3.PerRouteConfig",
    ".basic_auth.v3.BasicAuthPerRoute",
    ".api_key_auth.v3.ApiKeyAuthPerRoute",
    ".rbac.v3.RBACPerRoute",
];

/// Names of filters that are recognized by name if they have no `typed_config`.
const NAMES: &[&str] = &["jwt_authn", "basic_auth", "api_key_auth", "rbac", "ext_authz", "oauth2"];

/// Search through all documents, and its results.
struct Walk<'a> {
    findings: &'a Findings,
    outputs: Vec<Output>,
    /// Notes for the heads of all outputs.
    notes: Vec<String>,
    /// All route tables.
    tables: Vec<(File<'a>, &'a Node)>,
    /// Route tables that a chain uses, and the names of its filters.
    used: RefCell<Vec<(*const Node, Vec<&'a str>)>>,
}

/// Converts all filters in these documents. The returned texts are notes for the head of every output.
pub fn convert<'a>(documents: &[(File<'a>, &'a Node)]) -> (Vec<Output>, Vec<String>) {
    let Some((File { findings, .. }, _)) = documents.first() else { return (Vec::new(), Vec::new()) };
    let mut walk = Walk {
        findings,
        outputs: Vec::new(),
        notes: Vec::new(),
        tables: Vec::new(),
        used: RefCell::new(Vec::new()),
    };
    for (file, node) in documents {
        walk.find_tables(file, node);
    }
    for (file, node) in documents {
        walk.search(file, node, &[]);
    }
    for (file, node) in documents {
        walk.unplaced(file, node, None);
    }
    (walk.outputs, walk.notes)
}

fn children(node: &Node) -> impl Iterator<Item = &Node> {
    node.members().iter().map(|member| &member.value).chain(node.elements())
}

/// True if a node is a `RouteConfiguration`.
fn is_table(node: &Node) -> bool {
    node.get("virtual_hosts").or_else(|| node.get("virtualHosts")).is_some()
}

impl<'a> Walk<'a> {
    fn find_tables(&mut self, file: &File<'a>, node: &'a Node) {
        if is_table(node) {
            self.tables.push((file.clone(), node));
        }
        for child in children(node) {
            self.find_tables(file, child);
        }
    }

    /// Finds connection managers, and filters outside of connection managers. `lost` has the conditions of the objects
    /// that contain `node`.
    fn search(&mut self, file: &File<'a>, node: &'a Node, lost: &[String]) {
        let message = Message::peek(file, node, "");
        if matches!(node.kind, Kind::Map(_)) && message.has("http_filters") {
            self.chain(file, &message, lost);
            for member in node
                .members()
                .iter()
                .filter(|member| !matches!(member.name.as_str(), "http_filters" | "httpFilters"))
            {
                self.search(file, &member.value, lost);
            }
            return;
        }
        let mut lost = lost.to_vec();
        let url = message.filled("@type").unwrap_or_default();
        if url.ends_with(".ExtensionWithMatcher")
            || url.ends_with(".ExtensionWithMatcherPerRoute")
            || url.contains(".composite.")
        {
            lost.push(
                "the filter runs for some requests only, by a matcher that has no equivalent here".to_owned(),
            );
        }
        if node.get("operation").and_then(Node::text) == Some("MERGE") && message.has("value") {
            lost.push("the patch changes a part of a filter that is not in this file".to_owned());
        }
        if (message.has("typed_config") || is_filter(url)) && self.filter(file, node, None, None, &lost) {
            return;
        }
        for child in children(node) {
            self.search(file, child, &lost);
        }
    }

    /// Converts the filters of a connection manager.
    fn chain(&mut self, file: &File<'a>, manager: &Message<'a>, lost: &[String]) {
        let filters: Vec<&'a Node> = match manager.node_of("http_filters") {
            Some(node) if matches!(node.kind, Kind::List(_)) => node.elements().iter().collect(),
            Some(node) => vec![node],
            None => Vec::new(),
        };
        let partners = self.partners(manager, &filters);
        for (at, node) in filters.iter().enumerate() {
            let partner = match partners {
                Some((_, second)) if at == second => continue,
                Some((first, second)) if at == first => filters.get(second).copied(),
                _ => None,
            };
            if !self.filter(file, node, Some(manager), partner, lost) {
                self.search(file, node, lost);
            }
        }
    }

    /// Name and configuration of a filter that is converted together with another.
    fn partner(
        &self,
        file: &File<'a>,
        node: &'a Node,
        routes: Option<&Routes<'a>>,
    ) -> Option<(&'a str, Message<'a>)> {
        let filter = Message::peek(file, node, "");
        let name = filter.filled("name").unwrap_or_default();
        if let Some(routes) = routes {
            self.used.borrow_mut().push((std::ptr::from_ref(routes.node), vec![name]));
        }
        let (_, config) = unwrapped(file, filter.node_of("typed_config")?);
        Some((name, Message::new(file, config, "rbac")))
    }

    /// Indices of a `jwt_authn` and of an `rbac` after it that has conditions on the verified claims. The two become
    /// one configuration.
    fn partners(&self, manager: &Message<'a>, filters: &[&'a Node]) -> Option<(usize, usize)> {
        let file = manager.file();
        let has_kind = |node: &Node, wanted: FilterKind| {
            let filter = Message::peek(file, node, "");
            let is_plain = !filter.is_true("disabled");
            let config = filter.node_of("typed_config").filter(|_| is_plain);
            config.is_some_and(|config| kind(unwrapped(file, config).0) == Some(wanted))
        };
        let first = filters.iter().position(|node| has_kind(node, FilterKind::JwtAuthn))?;
        let table = self.table_of(manager);
        let is_second = |node: &Node| {
            let of_routes = || table.as_ref().is_some_and(|(_, table)| rbac::reads_tokens(table));
            has_kind(node, FilterKind::Rbac) && (rbac::reads_tokens(node) || of_routes())
        };
        let second = first + 1 + filters.iter().skip(first + 1).position(|node| is_second(node))?;
        let is_known =
            self.table_of(manager).is_some() || !(manager.has("rds") || manager.has("scoped_routes"));
        is_known.then_some((first, second))
    }

    /// The routes of a connection manager, if they are in the input.
    fn table_of(&self, manager: &Message<'a>) -> Option<(File<'a>, &'a Node)> {
        if let Some(node) = manager.node_of("route_config") {
            return Some((manager.file().clone(), node));
        }
        let rds = manager.node_of("rds")?;
        let wanted = rds.get("route_config_name").or_else(|| rds.get("routeConfigName"))?.text();
        self.tables.iter().find(|(_, node)| node.get("name").and_then(Node::text) == wanted).cloned()
    }

    /// Converts a filter. Returns true if `node` is a filter that authenticates or authorizes.
    fn filter(
        &mut self,
        file: &File<'a>,
        node: &'a Node,
        manager: Option<&Message<'a>>,
        partner: Option<&'a Node>,
        lost: &[String],
    ) -> bool {
        let filter = Message::peek(file, node, "");
        let name = filter.filled("name").unwrap_or_default();
        let config = if filter.has("typed_config") { filter.node_of("typed_config") } else { Some(node) };
        let Some(config) = config else { return false };
        let (url, config) = unwrapped(file, config);
        let Some(kind) = kind(url).or_else(|| manager.and_then(|_| unknown_kind(url))) else {
            return self.untyped(&filter, name, manager);
        };
        let mut unknown = Vec::new();
        for reason in lost {
            filter.finding(reason, "Write its rules by hand.");
            unknown.push(reason.clone());
        }
        let routes = manager.and_then(|manager| self.routes_of(manager, name, kind, &mut unknown));
        let strips = |name: &str| manager.is_some_and(|manager| manager.is_true(name));
        let has_plain_host = strips("strip_any_host_port") && strips("strip_trailing_host_dot");
        let place = Place { name, is_disabled: filter.is_true("disabled"), has_plain_host, routes, unknown };
        let short = url.rsplit(['/', '.']).next().unwrap_or(url);
        if !matches!(kind, FilterKind::Other | FilterKind::Program) {
            let message = Message::new(file, config, "");
            let partner = partner.and_then(|node| self.partner(file, node, place.routes.as_ref()));
            let mut output = match kind {
                FilterKind::JwtAuthn => jwt_authn::convert(&message, &place, partner.as_ref()),
                FilterKind::BasicAuth => basic_auth::convert(&message, &place),
                FilterKind::ApiKeyAuth => api_key_auth::convert(&message, &place),
                _ => rbac::convert(&message, &place),
            };
            // Unread members of the filter itself may affect every request.
            let mark = self.findings.mark();
            drop(message);
            drop(partner);
            let unread = self.findings.since(mark);
            if !unread.is_empty() {
                output.deny_all(&unread);
            }
            self.outputs.push(output);
            return true;
        }
        match kind {
            FilterKind::Other => self.refuse(&filter, &format!("the filter `{short}`")),
            _ => {
                let at = filter.at();
                let note = format!(
                    "`{short}` ({}:{}) may decide about access too, and was not converted",
                    at.file, at.line
                );
                self.notes.push(note);
            }
        }
        true
    }

    /// Recognizes a filter by its name if its configuration is not in the file.
    fn untyped(&mut self, filter: &Message<'a>, name: &str, manager: Option<&Message<'a>>) -> bool {
        let short = name.split('/').next().and_then(|name| name.rsplit('.').next());
        let is_auth = short.is_some_and(|short| NAMES.contains(&short));
        let is_filter = manager.is_some() || filter.has("config") || filter.has("config_discovery");
        if !is_auth || !is_filter {
            return false;
        }
        self.refuse(filter, &format!("the filter `{name}`, whose `typed_config` is not in this file,"));
        true
    }

    /// Adds an output that denies every request, for a filter that is not converted.
    fn refuse(&mut self, filter: &Message<'a>, what: &str) {
        let what = format!("{what} has no equivalent here");
        let advice = "Keep it before or behind authgate, or write rules that do the same.";
        self.findings.add(&filter.at(), what.clone(), advice);
        let mut output = Output::from(filter.at());
        let mut rule = Part::from("not-converted", filter.at());
        rule.close(&[what]);
        output.rules.push(rule);
        self.outputs.push(output);
    }

    /// The routes of a connection manager. If they are not in the input, the settings of the filter are not fully
    /// known.
    fn routes_of(
        &self,
        manager: &Message<'a>,
        name: &'a str,
        kind: FilterKind,
        unknown: &mut Vec<String>,
    ) -> Option<Routes<'a>> {
        if !matches!(
            kind,
            FilterKind::JwtAuthn | FilterKind::BasicAuth | FilterKind::ApiKeyAuth | FilterKind::Rbac
        ) {
            return None;
        }
        let ignores_port = manager.is_true("strip_any_host_port");
        let ignores_dot = manager.is_true("strip_trailing_host_dot");
        let table = self.table_of(manager);
        if let (None, Some(rds)) = (&table, manager.message("rds")) {
            let wanted = rds.filled("route_config_name").unwrap_or_default();
            let what = format!(
                "`rds`: the routes `{wanted}`, which may change what filters do, are not in the input"
            );
            self.findings.add(&rds.at(), what.clone(), "Add the file with these routes to the input.");
            unknown.push(what);
        }
        if manager.has("scoped_routes") {
            let what = "`scoped_routes` selects routes in a way that has no equivalent here";
            self.findings.add(&manager.at(), what, "Write the rules of these routes by hand.");
            unknown.push(what.to_owned());
        }
        let (file, node) = table?;
        self.used.borrow_mut().push((std::ptr::from_ref(node), vec![name]));
        Some(Routes { file, node, ignores_port, ignores_dot })
    }

    /// Reports settings of routes that no converted filter has read.
    fn unplaced(&mut self, file: &File<'a>, node: &'a Node, table: Option<&'a Node>) {
        let table = if is_table(node) { Some(node) } else { table };
        let message = Message::peek(file, node, "");
        for (name, config) in message.map("typed_per_filter_config") {
            let inner = config.node_of("config").unwrap_or(config.node());
            let url = inner.get("@type").and_then(Node::text).unwrap_or_default();
            let is_used = table.is_some_and(|table| {
                let used = self.used.borrow();
                used.iter().any(|(known, names)| std::ptr::eq(*known, table) && names.contains(&name))
            });
            if !is_used && PER_ROUTE.iter().any(|kind| url.ends_with(kind)) {
                let what = format!("settings of a route for `{name}`, which is not in the input");
                self.findings.add(&config.at(), what.clone(), "Add the file with this filter to the input.");
                if self.outputs.is_empty() {
                    self.outputs.push(Output::from(config.at()));
                }
                for output in &mut self.outputs {
                    output.deny_all(std::slice::from_ref(&what));
                }
            }
        }
        for child in children(node) {
            self.unplaced(file, child, table);
        }
    }
}

fn is_filter(url: &str) -> bool {
    kind(url).is_some()
}

/// Type and value of an `Any`, including one inside a `TypedStruct`.
fn unwrapped<'a>(file: &File<'a>, node: &'a Node) -> (&'a str, &'a Node) {
    let any = Message::peek(file, node, "");
    let url = any.filled("@type").unwrap_or_default();
    if url.ends_with(".TypedStruct")
        && let (Some(inner), Some(value)) = (any.filled("type_url"), any.node_of("value"))
    {
        return (inner, value);
    }
    (url, node)
}
