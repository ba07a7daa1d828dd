//! `rules` of an AuthorizationPolicy → clauses.

use authgate::http::cidr::Cidr;

use crate::convert::access::{Clause, Condition, Effect, Identity, Text};
use crate::convert::message::Message;
use crate::convert::space::{self, Atom, Constraint, Region, Shape};
use crate::convert::{self, claim};

/// Indices of the dimensions in a [`Region`].
const PATH: usize = 0;
const HOST: usize = 1;
const SOURCE: usize = 2;
const METHOD: usize = 3;
/// The peer of the connection, which is not a dimension of a [`Region`].
const PEER: usize = 4;

/// Finding about a rule that has conditions on both addresses.
pub const BOTH_ADDRESSES: &str = "`ipBlocks` or `source.ip` together with `remoteIpBlocks` or `remote.ip`: rules \
                                  match only the client's address";
pub const BOTH_ADVICE: &str = "Keep the condition on the peer in an AuthorizationPolicy.";

/// A clause, and the addresses that it has conditions on.
#[derive(Clone)]
pub struct Rule {
    pub clause: Clause,
    /// True if it has a condition on the peer of the connection.
    pub sees_peer: bool,
    /// True if it has a condition on the client's address from a trusted header or the PROXY protocol.
    pub sees_client: bool,
}

/// Part of a rule: conditions that must all be met.
#[derive(Clone, Default)]
struct Conditions {
    region: Region,
    /// Conditions on the peer of the connection; those on the client are in `region`.
    peer: Constraint,
    who: Vec<Condition>,
    /// True if no request can meet the conditions.
    is_impossible: bool,
    lost: Vec<String>,
}

/// Reads a rule: any of `from`, any of `to` and all of `when`.
pub fn clauses(rule: Message<'_>, name: &str, effect: Effect) -> Vec<Rule> {
    let findings = rule.file().findings;
    let at = rule.at();
    let mark = findings.mark();
    let mut when = Conditions::default();
    for condition in rule.messages("when") {
        when.read("when", condition, read_condition);
    }
    let members = |list: &str, member: &'static str, read: fn(&mut Conditions, &Message<'_>)| {
        let mut all = Vec::new();
        for element in rule.messages(list) {
            let mut conditions = Conditions::default();
            match element.message(member) {
                Some(inner) if !inner.names().is_empty() => conditions.read(member, inner, read),
                _ => {
                    let what = format!("has an empty `{member}`");
                    element.finding(&what, "Istio refuses it: say what it matches.");
                    conditions.lost.push(what);
                }
            }
            all.push(conditions);
        }
        if all.is_empty() { vec![Conditions::default()] } else { all }
    };
    let from = members("from", "source", read_source);
    let to = members("to", "operation", read_operation);
    drop(rule);
    // Conditions of the rule itself are lost in all its clauses.
    let inner: Vec<&String> =
        from.iter().chain(&to).chain([&when]).flat_map(|conditions| &conditions.lost).collect();
    let own: Vec<String> = findings.since(mark).into_iter().filter(|lost| !inner.contains(&lost)).collect();
    let mut rules = Vec::new();
    for source in &from {
        for operation in &to {
            let mut all = when.clone();
            all.add(source);
            all.add(operation);
            all.lost.extend(own.iter().cloned());
            // An impossible rule matches nothing, unless some of its conditions are unknown.
            if all.is_impossible && (all.lost.is_empty() || effect == Effect::Allow) {
                continue;
            }
            let Conditions { region, peer, who, mut lost, .. } = all;
            let mut region = if all.is_impossible { Region::default() } else { region };
            let is_free = |constraint: &Constraint| *constraint == Constraint::default();
            let sees_peer = !is_free(&peer);
            let sees_client = region.get(SOURCE).is_some_and(|client| !is_free(client));
            if let (true, Some(client)) = (sees_peer, region.get_mut(SOURCE)) {
                // Rules match one address: a condition on the peer becomes one on the client, unless the rule has both.
                let is_both = sees_client;
                *client = if is_both { Constraint::default() } else { peer };
                if is_both {
                    findings.add(&at, BOTH_ADDRESSES, BOTH_ADVICE);
                    lost.push(BOTH_ADDRESSES.to_owned());
                }
            }
            let clause = Clause { name: name.to_owned(), at: at.clone(), effect, region, who, lost };
            rules.push(Rule { clause, sees_peer, sees_client });
        }
    }
    rules
}

impl Conditions {
    /// Reads a message; its findings are added to the lost conditions.
    fn read(&mut self, _what: &str, message: Message<'_>, read: fn(&mut Conditions, &Message<'_>)) {
        let findings = message.file().findings;
        let mark = findings.mark();
        read(self, &message);
        drop(message);
        self.lost.extend(findings.since(mark));
    }

    fn add(&mut self, other: &Conditions) {
        for (dimension, constraint) in other.region.iter().enumerate() {
            self.narrow(dimension, constraint.any.clone());
            self.exclude(dimension, constraint.none.clone());
        }
        self.narrow(PEER, other.peer.any.clone());
        self.exclude(PEER, other.peer.none.clone());
        self.who.extend(other.who.iter().cloned());
        self.lost.extend(other.lost.iter().cloned());
        self.is_impossible |= other.is_impossible;
    }

    fn constraint(&mut self, dimension: usize) -> Option<&mut Constraint> {
        if dimension == PEER { Some(&mut self.peer) } else { self.region.get_mut(dimension) }
    }

    /// Requires one of these atoms, unless there are none.
    fn narrow(&mut self, dimension: usize, atoms: Vec<Atom>) {
        if atoms.is_empty() {
            return;
        }
        let Some(constraint) = self.constraint(dimension) else { return };
        if constraint.any.is_empty() {
            constraint.any = atoms;
            return;
        }
        // Only addresses can have several conditions, and two blocks are nested or disjoint.
        let mut shared = Vec::new();
        for a in &constraint.any {
            for b in &atoms {
                if a == b || is_within(a, b) {
                    shared.push(a.clone());
                } else if is_within(b, a) {
                    shared.push(b.clone());
                }
            }
        }
        shared.dedup();
        constraint.any = shared;
        if constraint.any.is_empty() {
            self.is_impossible = true;
        }
    }

    fn exclude(&mut self, dimension: usize, atoms: Vec<Atom>) {
        if let Some(constraint) = self.constraint(dimension) {
            constraint.none.extend(atoms);
        }
    }

    /// Reads a list that must match and one that must not. `read` returns no atom for values that match everything.
    fn lists(
        &mut self,
        message: &Message<'_>,
        dimension: usize,
        (positive, negative): (&str, &str),
        read: &dyn Fn(&Message<'_>, &str, &str) -> Parsed,
    ) {
        let mut any = Vec::new();
        let mut is_any = false;
        for text in message.texts(positive) {
            match read(message, positive, text) {
                Parsed::Atom(atom) => any.push(atom),
                Parsed::Everything => is_any = true,
                Parsed::Lost => {}
            }
        }
        if !is_any {
            self.narrow(dimension, any);
        }
        let mut none = Vec::new();
        for text in message.texts(negative) {
            match read(message, negative, text) {
                Parsed::Atom(atom) => none.push(atom),
                Parsed::Everything => self.is_impossible = true,
                Parsed::Lost => {}
            }
        }
        self.exclude(dimension, none);
    }

    fn addresses(&mut self, message: &Message<'_>, whose: usize, names: (&str, &str)) {
        self.lists(message, whose, names, &|message, list, text| match space::source(text) {
            Some(atom) => Parsed::Atom(atom),
            None => {
                message.finding_at(
                    list,
                    &format!("has {text:?}, which is not an address or a block"),
                    "Correct it.",
                );
                Parsed::Lost
            }
        });
    }

    fn principals(&mut self, message: &Message<'_>, names: (&str, &str)) {
        for (name, negated) in [(names.0, false), (names.1, true)] {
            let any: Vec<Identity> = message.texts(name).into_iter().map(Identity::parse).collect();
            if !any.is_empty() {
                self.who.push(Condition::Identity { any, negated });
            }
        }
    }

    fn claim(&mut self, message: &Message<'_>, claim: &str) {
        for (name, negated) in [("values", false), ("notValues", true)] {
            let any: Vec<Text> = message.texts(name).into_iter().map(Text::wildcard).collect();
            if any.is_empty() {
                continue;
            }
            if any.contains(&Text::Any) && !matches!(claim, "sub" | "iss") {
                let what = format!(
                    "matches any text in the claim `{claim}`, which rules cannot distinguish from other values"
                );
                let advice = "If the claim is always a text, write `{present: true}` for it by hand.";
                message.finding_at(name, &what, advice);
            }
            self.who.push(Condition::Claim { claim: claim.to_owned(), any, negated });
        }
    }
}

enum Parsed {
    Atom(Atom),
    Everything,
    Lost,
}

/// True if an address block is part of another.
fn is_within(inner: &Atom, outer: &Atom) -> bool {
    match (inner, outer) {
        (Atom::Source(inner), Atom::Source(outer)) => match (Cidr::parse(inner), Cidr::parse(outer)) {
            (Ok(inner), Ok(outer)) => outer.subsumes(&inner),
            _ => false,
        },
        _ => false,
    }
}

fn read_source(conditions: &mut Conditions, source: &Message<'_>) {
    conditions.addresses(source, PEER, ("ipBlocks", "notIpBlocks"));
    conditions.addresses(source, SOURCE, ("remoteIpBlocks", "notRemoteIpBlocks"));
    conditions.principals(source, ("requestPrincipals", "notRequestPrincipals"));
    for name in [
        "principals",
        "notPrincipals",
        "namespaces",
        "notNamespaces",
        "serviceAccounts",
        "notServiceAccounts",
        "trustDomains",
        "notTrustDomains",
    ] {
        if source.has(name) {
            source.finding_at(
                name,
                "is a condition on the identity of a workload (mTLS), which has no equivalent",
                "Keep this condition in an AuthorizationPolicy of its own.",
            );
        }
    }
}

fn read_operation(conditions: &mut Conditions, operation: &Message<'_>) {
    conditions.lists(operation, PATH, ("paths", "notPaths"), &|message, list, text| match path(text) {
        Ok(parsed) => parsed,
        Err(what) => {
            message.finding_at(list, &format!("has {text:?}: {what}"), "Correct it: Istio refuses it too.");
            Parsed::Lost
        }
    });
    let hosts: Vec<String> = ["hosts", "notHosts"]
        .iter()
        .flat_map(|list| operation.texts(list))
        .map(str::to_ascii_lowercase)
        .collect();
    conditions.lists(operation, HOST, ("hosts", "notHosts"), &|message, list, text| {
        if text == "*" {
            return Parsed::Everything;
        }
        // Rules ignore the port, so a host with a port needs an entry without a port as well.
        let text = text.to_ascii_lowercase();
        let name =
            text.rsplit_once(':').map(|(name, _)| name).filter(|name| hosts.iter().any(|host| host == name));
        match space::host(name.unwrap_or(&text)) {
            Some(atom) => Parsed::Atom(atom),
            None => {
                let what = format!(
                    "has {text:?}: only a name and `*.name` have an equivalent, and ports are ignored"
                );
                message.finding_at(list, &what, "List the hosts by name.");
                Parsed::Lost
            }
        }
    });
    conditions.lists(operation, METHOD, ("methods", "notMethods"), &|message, list, text| {
        let is_method = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~!#$%&'^`|+".contains(&byte));
        if text == "*" {
            Parsed::Everything
        } else if is_method && !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            Parsed::Atom(Atom::Method(text.to_owned()))
        } else {
            let what = format!("has {text:?}, which is not a method in upper case");
            message.finding_at(list, &what, "List the methods by name.");
            Parsed::Lost
        }
    });
    for name in ["ports", "notPorts"] {
        if operation.has(name) {
            let advice = "Apply the configuration to that port alone, or keep the condition in an \
                          AuthorizationPolicy.";
            operation.finding_at(
                name,
                "is a condition on the port of the workload, which has no equivalent",
                advice,
            );
        }
    }
}

/// Parses `/exact`, `/prefix*`, `*suffix`, or a template with `{*}` and `{**}`.
fn path(text: &str) -> Result<Parsed, &'static str> {
    if text.contains("{*}") || text.contains("{**}") {
        return template(text).map(|shape| Parsed::Atom(Atom::Path(shape)));
    }
    let shape = match Text::wildcard(text) {
        Text::Any | Text::Present | Text::Boolean(_) => return Ok(Parsed::Everything),
        Text::Exact(path) if path.starts_with('/') => Shape::Exact(path),
        Text::Exact(_) => return Err("a path starts with `/`"),
        Text::Prefix(prefix) => Shape::prefix(&prefix),
        Text::Suffix(suffix) => Shape::suffix(&suffix),
    };
    Ok(Parsed::Atom(Atom::Path(shape)))
}

fn template(text: &str) -> Result<Shape, &'static str> {
    let outside = text.replace("{**}", "").replace("{*}", "");
    if outside.contains(['*', '{', '}']) {
        return Err("a template has no other `*`, `{` and `}`");
    }
    let Some(rest) = text.strip_prefix('/') else { return Err("a template starts with `/`") };
    let mut segments: Vec<Option<String>> = Vec::new();
    let mut given = rest.split('/');
    while let Some(segment) = given.next() {
        match segment {
            "{*}" => segments.push(None),
            "{**}" => {
                let after: Vec<&str> = given.collect();
                if after.iter().any(|segment| segment.contains('{')) {
                    return Err("`{**}` is the last operator of a template");
                }
                return Ok(with_rest(segments, &after));
            }
            literal if literal.contains('{') => return Err("an operator of a template is a whole segment"),
            literal => segments.push(Some(literal.to_owned())),
        }
    }
    Ok(Shape::Template { segments, rest: false })
}

/// Template with `{**}` between the segments `segments` and `after`.
fn with_rest(segments: Vec<Option<String>>, after: &[&str]) -> Shape {
    let literals: Vec<&str> = segments.iter().map_while(Option::as_deref).collect();
    let lead: String = literals.iter().map(|literal| format!("/{literal}")).collect::<String>() + "/";
    match (literals.len() == segments.len(), after) {
        (true, []) => Shape::prefix(&lead),
        (false, []) => Shape::Template { segments, rest: true },
        _ => {
            let escaped =
                |segment: &Option<String>| segment.as_deref().map_or("[^/]+".to_owned(), regex_lite::escape);
            let before: String = segments.iter().map(|segment| format!("/{}", escaped(segment))).collect();
            let after: String =
                after.iter().map(|segment| format!("/{}", regex_lite::escape(segment))).collect();
            Shape::Regex { pattern: format!("{before}/.*{after}"), lead }
        }
    }
}

fn read_condition(conditions: &mut Conditions, when: &Message<'_>) {
    let key = when.filled("key").unwrap_or_default();
    if when.texts("values").is_empty() && when.texts("notValues").is_empty() {
        when.finding("has no `values` and no `notValues`", "Istio refuses it: say what it matches.");
    }
    match key {
        "source.ip" => conditions.addresses(when, PEER, ("values", "notValues")),
        "remote.ip" => conditions.addresses(when, SOURCE, ("values", "notValues")),
        "request.auth.principal" => conditions.principals(when, ("values", "notValues")),
        "request.auth.audiences" => conditions.claim(when, "aud"),
        "request.auth.presenter" => conditions.claim(when, "azp"),
        key => match key.strip_prefix("request.auth.claims").and_then(selector) {
            Some(selector) => conditions.claim(when, &selector),
            None => {
                let what = format!("is a condition on `{key}`, which has no equivalent");
                when.finding_at("key", &what, "Keep this condition in an AuthorizationPolicy of its own.");
            }
        },
    }
}

/// Converts `[name]`, or `[name][below]…`, to the selector of a claim.
fn selector(brackets: &str) -> Option<String> {
    let inner = brackets.strip_prefix('[')?.strip_suffix(']')?;
    let names: Vec<&str> = inner.split("][").collect();
    // In a selector, a number would be an index into an array.
    let is_number = |name: &&str| name.bytes().all(|byte| byte.is_ascii_digit());
    if names.iter().any(|name| name.is_empty() || name.contains(['[', ']']))
        || names.iter().skip(1).any(is_number)
    {
        return None;
    }
    Some(convert::selector(&names))
}

/// Claims whose text is a list of words, in addition to those in `spaceDelimitedClaims`.
pub const SPACED: [&str; 2] = ["scope", "permission"];

/// True if a claim is a list of words: one of [`SPACED`] or of `more`.
pub fn is_spaced(name: &str, more: &[String]) -> bool {
    SPACED.contains(&name) || more.iter().any(|known| *known == claim(name) || known == name)
}
