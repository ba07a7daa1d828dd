//! `Permission` and `Principal` → cases: a request meets a condition if it meets any of its cases.

use std::cell::RefCell;

use super::super::super::access::{Condition, Text};
use super::super::super::message::Message;
use super::super::super::space::{self, Atom, Constraint, Overlap, Region, Shape, subsumes};
use super::super::path::Path;
use super::super::route_match::{self, Methods};
use super::{ADVICE, header};

/// Indices of the dimensions in a [`Region`].
const PATH: usize = 0;
const HOST: usize = 1;
const SOURCE: usize = 2;
const METHOD: usize = 3;

/// The namespace of the metadata that `jwt_authn` writes.
const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

/// Claims that a `jwt_authn` before the filter writes into metadata.
#[derive(Default)]
pub struct Tokens {
    /// The metadata names below which providers write claims, each with the authenticator.
    pub payloads: Vec<(String, String)>,
    /// The names of all authenticators.
    pub names: Vec<String>,
    /// Claims whose words are written into metadata as a list.
    pub spaced: Vec<String>,
    /// The claim of `spaced` that conditions match, as scopes.
    pub scope_claim: RefCell<Option<String>>,
}

/// Conditions that must all be met.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Case {
    pub region: Region,
    pub who: Vec<Condition>,
    /// Conditions that have no equivalent and are missing in `region` and `who`.
    pub lost: Vec<String>,
}

/// Reader of conditions.
pub struct Reader<'t> {
    /// True if Envoy strips the port and a trailing dot from `:authority`.
    pub has_plain_host: bool,
    pub tokens: &'t Tokens,
}

/// True if an `RBAC` has a condition on claims that `jwt_authn` verified.
pub fn reads_tokens(node: &crate::document::Node) -> bool {
    node.get("filter").and_then(crate::document::Node::text) == Some(JWT_AUTHN)
        || super::super::children(node).any(reads_tokens)
}

impl Case {
    fn any_of(dimension: usize, atoms: Vec<Atom>) -> Case {
        let mut case = Case::default();
        if let Some(constraint) = case.region.get_mut(dimension) {
            *constraint = Constraint { any: atoms, none: Vec::new() };
        }
        case
    }

    fn none_of(dimension: usize, atoms: Vec<Atom>) -> Case {
        let mut case = Case::default();
        if let Some(constraint) = case.region.get_mut(dimension) {
            *constraint = Constraint { any: Vec::new(), none: atoms };
        }
        case
    }

    fn who(who: Vec<Condition>) -> Vec<Case> {
        vec![Case { who, ..Case::default() }]
    }

    /// The conditions of both cases; `None` if no request meets both. If a combination cannot be expressed, the
    /// condition of `self` remains, and the other is lost.
    pub fn and(&self, other: &Case, of: &Message<'_>) -> Option<Case> {
        let mut case = self.clone();
        for (mine, theirs) in case.region.iter_mut().zip(&other.region) {
            mine.none.extend(
                theirs.none.iter().filter(|atom| !self_has(&mine.none, atom)).cloned().collect::<Vec<_>>(),
            );
            if theirs.any.is_empty() {
                continue;
            }
            if mine.any.is_empty() {
                mine.any.clone_from(&theirs.any);
                continue;
            }
            match shared(&mine.any, &theirs.any) {
                Some(shared) if shared.is_empty() => return None,
                Some(shared) => mine.any = shared,
                None => {
                    let what = "combines conditions in a way that has no equivalent here";
                    of.finding(what, ADVICE);
                    case.lost.push(format!("`{}` {what}", of.path("")));
                }
            }
        }
        case.who.extend(other.who.iter().filter(|known| !self.who.contains(known)).cloned());
        case.lost.extend(other.lost.iter().cloned());
        Some(case)
    }

    /// Cases of which a request meets one exactly if it does not meet this case.
    fn negated(&self, given: &Message<'_>) -> Vec<Case> {
        if !self.lost.is_empty() {
            return vec![Case { lost: self.lost.clone(), ..Case::default() }];
        }
        let mut cases = Vec::new();
        for (dimension, constraint) in self.region.iter().enumerate() {
            if !constraint.any.is_empty() {
                cases.push(Case::none_of(dimension, constraint.any.clone()));
            }
            if !constraint.none.is_empty() {
                cases.push(Case::any_of(dimension, constraint.none.clone()));
            }
        }
        for condition in &self.who {
            match condition {
                Condition::Claim { claim, any, negated } => {
                    let (claim, any, negated) = (claim.clone(), any.clone(), !*negated);
                    cases.extend(Case::who(vec![Condition::Claim { claim, any, negated }]));
                }
                _ => cases.extend(unknown(given, "", "excludes tokens in a way that has no equivalent here")),
            }
        }
        cases
    }
}

fn self_has(atoms: &[Atom], atom: &Atom) -> bool {
    atoms.contains(atom)
}

/// The overlap of two sets of atoms of one dimension; `None` if it cannot be determined.
fn shared(first: &[Atom], second: &[Atom]) -> Option<Vec<Atom>> {
    let mut shared: Vec<Atom> = Vec::new();
    for a in first {
        for b in second {
            let both = match (a, b) {
                (Atom::Path(x), Atom::Path(y)) => match x.overlap(y) {
                    Overlap::Disjoint => None,
                    Overlap::Inside => Some(a.clone()),
                    Overlap::Around => Some(b.clone()),
                    Overlap::Shared(shape) => Some(Atom::Path(shape)),
                    Overlap::Unknown => return None,
                },
                (a, b) if subsumes(b, a) => Some(a.clone()),
                (a, b) if subsumes(a, b) => Some(b.clone()),
                _ => None,
            };
            shared.extend(both.filter(|atom| !self_has(&shared, atom)));
        }
    }
    Some(shared)
}

/// All combinations of one case of `first` and one of `second`.
pub fn both(first: &[Case], second: &[Case], of: &Message<'_>) -> Vec<Case> {
    const MOST: usize = 200;
    let mut combined: Vec<Case> = Vec::new();
    for (a, b) in first.iter().flat_map(|a| second.iter().map(move |b| (a, b))) {
        if let Some(case) = a.and(b, of).filter(|case| !combined.contains(case)) {
            combined.push(case);
        }
    }
    if combined.len() > MOST {
        return unknown(of, "", "has too many combinations of conditions");
    }
    combined
}

/// Cases of which a request meets one exactly if it meets none of `cases`.
pub fn excluding(cases: &[Case], of: &Message<'_>) -> Vec<Case> {
    cases.iter().fold(vec![Case::default()], |found, case| both(&found, &case.negated(of), of))
}

/// The case of a request from one of these address blocks.
pub fn of_sources(blocks: Vec<Atom>) -> Vec<Case> {
    vec![Case::any_of(SOURCE, blocks)]
}

/// The case of a request with this method.
pub fn of_method(method: &str) -> Vec<Case> {
    vec![Case::any_of(METHOD, vec![Atom::Method(method.to_owned())])]
}

/// Adds a finding about a condition without an equivalent, and returns a case that every request meets, marked as lost.
pub fn unknown(given: &Message<'_>, name: &str, what: &str) -> Vec<Case> {
    given.skip(&[name]);
    let findings = given.file().findings;
    let mark = findings.mark();
    if name.is_empty() {
        given.finding(what, ADVICE);
    } else {
        given.finding_at(name, what, ADVICE);
    }
    vec![Case { lost: findings.since(mark), ..Case::default() }]
}

pub const NOT_HERE: &str = "has no equivalent here";

impl Reader<'_> {
    /// The cases of a `Permission` or `Principal`. If `may_grow` is true, cases that match more requests than the
    /// original are the stricter ones; if false, those that match fewer are.
    pub fn cases(&self, given: &Message<'_>, depth: usize, may_grow: bool) -> Vec<Case> {
        const DEEPEST: usize = 20;
        let names = given.names();
        let [name] = names.as_slice() else {
            return unknown(given, "", "does not have exactly one condition");
        };
        if depth > DEEPEST {
            return unknown(given, "", "is nested too deeply");
        }
        let every = vec![Case::default()];
        match *name {
            "any" if given.is_true("any") => every,
            "and_rules" | "andRules" | "and_ids" | "andIds" => {
                let list = members(given);
                list.iter()
                    .fold(every, |found, inner| both(&found, &self.cases(inner, depth + 1, may_grow), given))
            }
            "or_rules" | "orRules" | "or_ids" | "orIds" => match members(given) {
                list if list.is_empty() => {
                    vec![Case { lost: vec!["an empty list".to_owned()], ..Case::default() }]
                }
                list => list.iter().flat_map(|inner| self.cases(inner, depth + 1, may_grow)).collect(),
            },
            "not_rule" | "notRule" | "not_id" | "notId" => {
                let inner = given
                    .message(name)
                    .map(|inner| self.cases(&inner, depth + 1, !may_grow))
                    .unwrap_or_default();
                excluding(&inner, given)
            }
            "url_path" | "urlPath" => {
                let path = given
                    .message(name)
                    .and_then(|path| path.message("path").and_then(|path| url_path(&path)));
                match path {
                    Some(shape) => vec![Case::any_of(PATH, vec![Atom::Path(shape)])],
                    None => unknown(given, name, NOT_HERE),
                }
            }
            "header" => match given.message(name) {
                Some(header) => self.header(&header, may_grow),
                None => unknown(given, name, NOT_HERE),
            },
            "remote_ip" | "remoteIp" => match given.message(name).as_ref().and_then(block) {
                Some(source) => vec![Case::any_of(SOURCE, vec![source])],
                None => unknown(given, name, NOT_HERE),
            },
            "metadata" => self.metadata(given, name),
            "sourced_metadata" | "sourcedMetadata" => match given.message(name) {
                Some(sourced) if matches!(sourced.filled("metadata_source"), None | Some("DYNAMIC")) => {
                    self.metadata(&sourced, "metadata_matcher")
                }
                _ => unknown(given, name, NOT_HERE),
            },
            // This includes addresses of the connection, which authgate does not compare: `source_ip`,
            // `direct_remote_ip`.
            name => unknown(given, name, NOT_HERE),
        }
    }

    fn header(&self, header: &Message<'_>, may_grow: bool) -> Vec<Case> {
        let name = header.text("name").unwrap_or_default();
        let is_inverted = header.is_true("invert_match");
        let atoms = match name {
            ":path" => header::path(header, may_grow != is_inverted).map(|path| (PATH, path)),
            ":authority" | "host" if self.has_plain_host => {
                header::host(header).map(|host| (HOST, vec![host]))
            }
            _ => {
                let findings = header.file().findings;
                let mark = findings.mark();
                let atoms = |names: Vec<String>| names.into_iter().map(Atom::Method).collect();
                return vec![match route_match::method(header) {
                    Some(Methods::Only(names)) => Case::any_of(METHOD, atoms(names)),
                    Some(Methods::Except(names)) => Case::none_of(METHOD, atoms(names)),
                    Some(Methods::All) => Case::default(),
                    None => Case { lost: findings.since(mark), ..Case::default() },
                }];
            }
        };
        match (atoms, is_inverted) {
            (Some((dimension, atoms)), false) => vec![Case::any_of(dimension, atoms)],
            (Some((dimension, atoms)), true) => vec![Case::none_of(dimension, atoms)],
            (None, _) => {
                header.skip(&[
                    "string_match",
                    "exact_match",
                    "present_match",
                    "safe_regex_match",
                    "prefix_match",
                ]);
                header.skip(&[
                    "suffix_match",
                    "contains_match",
                    "range_match",
                    "treat_missing_header_as_empty",
                ]);
                unknown(
                    header,
                    "",
                    &format!("is a condition on the header `{name}` that has no equivalent here"),
                )
            }
        }
    }

    /// Reads a `MetadataMatcher` for metadata that `jwt_authn` writes.
    fn metadata(&self, given: &Message<'_>, name: &str) -> Vec<Case> {
        let Some(matcher) = given.message(name) else { return unknown(given, name, NOT_HERE) };
        let (value, inverted) = (matcher.message("value"), matcher.is_true("invert"));
        self.claim(&matcher, value, inverted)
    }

    /// Reads a condition on a claim: `input` names the filter and the path in its metadata, `value` is the matcher.
    pub fn claim(&self, input: &Message<'_>, value: Option<Message<'_>>, negated: bool) -> Vec<Case> {
        let name = "";
        let values = value.as_ref().and_then(|value| value_of(value, 0));
        let keys = input.messages("path");
        let keys: Vec<&str> = keys.iter().filter_map(|segment| segment.filled("key")).collect();
        if input.filled("filter") != Some(JWT_AUTHN) || self.tokens.names.is_empty() {
            let what = "has no equivalent here: no filter before it in the input writes this";
            return unknown(input, name, what);
        }
        let (Some((payload, claim)), Some((any, is_list))) = (keys.split_first(), values) else {
            return unknown(input, name, "is a condition on a claim that has no equivalent here");
        };
        let writers = self.tokens.payloads.iter().filter(|(known, _)| known == payload);
        let writers: Vec<&String> = writers.map(|(_, name)| name).collect();
        let mut who = match writers.as_slice() {
            writers if self.tokens.names.iter().all(|name| writers.contains(&name)) => Vec::new(),
            [only] if !negated => vec![Condition::Authenticator((*only).clone())],
            [] => return unknown(input, name, "names metadata to which no provider writes claims"),
            _ => return unknown(input, name, "is a condition on claims that only some providers write"),
        };
        let claim = match claim {
            [] => return unknown(input, name, "does not name a claim"),
            [one] if !one.starts_with('/') => (*one).to_owned(),
            several => {
                let escaped = several.iter().map(|name| name.replace('~', "~0").replace('/', "~1"));
                escaped.map(|name| format!("/{name}")).collect()
            }
        };
        if self.tokens.spaced.contains(&claim) {
            let words: Option<Vec<String>> = any.iter().map(word).collect();
            let is_free = self.tokens.scope_claim.borrow().as_ref().is_none_or(|known| *known == claim);
            match words.filter(|_| !negated && is_list && is_free) {
                Some(words) => {
                    self.tokens.scope_claim.replace(Some(claim));
                    who.push(Condition::Scope(words));
                }
                None => {
                    return unknown(
                        input,
                        name,
                        "is a condition on a list of words that has no equivalent here",
                    );
                }
            }
        } else {
            who.push(Condition::Claim { claim, any, negated });
        }
        Case::who(who)
    }
}

fn word(text: &Text) -> Option<String> {
    match text {
        Text::Exact(word) if !word.is_empty() && !word.contains(' ') => Some(word.clone()),
        _ => None,
    }
}

/// Reads a `ValueMatcher`: the values of the claim, and true if they are values of an element of a list.
fn value_of(given: &Message<'_>, depth: usize) -> Option<(Vec<Text>, bool)> {
    if depth > 5 {
        return None;
    }
    let names = given.names();
    let [name] = names.as_slice() else { return None };
    match *name {
        "string_match" | "stringMatch" => {
            let matcher = given.message(name)?;
            if matcher.is_true("ignore_case") {
                return None;
            }
            let exact = matcher.text("exact").map(|text| Text::Exact(text.to_owned()));
            let prefix = || matcher.filled("prefix").map(|text| Text::Prefix(text.to_owned()));
            let suffix = || matcher.filled("suffix").map(|text| Text::Suffix(text.to_owned()));
            Some((vec![exact.or_else(prefix).or_else(suffix)?], false))
        }
        "bool_match" | "boolMatch" => Some((vec![Text::Boolean(given.bool(name)?)], false)),
        "present_match" | "presentMatch" if given.is_true(name) => Some((vec![Text::Present], false)),
        "list_match" | "listMatch" => {
            let (values, is_list) = value_of(&given.message(name)?.message("one_of")?, depth + 1)?;
            (!is_list).then_some((values, true))
        }
        "or_match" | "orMatch" => {
            let list = given.message(name)?.messages("value_matchers");
            let values: Option<Vec<(Vec<Text>, bool)>> =
                list.iter().map(|inner| value_of(inner, depth + 1)).collect();
            let (values, lists): (Vec<Vec<Text>>, Vec<bool>) = values?.into_iter().unzip();
            let is_list = !lists.is_empty() && lists.iter().all(|is_list| *is_list);
            Some((values.concat(), is_list)).filter(|(values, _)| !values.is_empty())
        }
        _ => None,
    }
}

/// The members of a set of conditions.
fn members<'a>(given: &Message<'a>) -> Vec<Message<'a>> {
    let set = ["and_rules", "or_rules", "and_ids", "or_ids"].iter().find_map(|name| given.message(name));
    let Some(set) = set else { return Vec::new() };
    let mut list = set.messages("rules");
    list.extend(set.messages("ids"));
    if list.is_empty() {
        set.finding("is empty", "Correct the input: Envoy would refuse it.");
    }
    list
}

/// Reads a `StringMatcher` for the path without its query.
fn url_path(matcher: &Message<'_>) -> Option<Shape> {
    let ignores_case = matcher.is_true("ignore_case");
    let of_text = |kind: &str, name: &str| Path::of_text(kind, matcher.filled(name)?, ignores_case);
    let plain = |name: &str| matcher.filled(name).filter(|text| !text.contains('%') && text.is_ascii());
    let found = of_text("path", "exact").or_else(|| of_text("prefix", "prefix")).or_else(|| {
        let regex = matcher.message("safe_regex")?;
        regex.skip(&["google_re2"]);
        Path::of_regex(regex.text("regex")?)
    });
    match found {
        Some(Path::Any) => Some(Shape::prefix("/")),
        Some(Path::Exact(path)) => Some(Shape::Exact(path)),
        Some(Path::Prefix(prefix)) => Some(Shape::prefix(&prefix)),
        Some(Path::Regex(pattern)) => Some(Shape::regex(&pattern)),
        Some(Path::Segments(_)) => None,
        None if ignores_case => None,
        None => plain("suffix").map(Shape::suffix).or_else(|| {
            let part = regex_lite::escape(plain("contains")?);
            Some(Shape::regex(&format!(".*{part}.*")))
        }),
    }
}

/// Reads a `CidrRange`.
pub fn block(range: &Message<'_>) -> Option<Atom> {
    let address = range.filled("address_prefix")?;
    let bits = range.number("prefix_len").unwrap_or(0);
    space::source(&format!("{address}/{bits}"))
}
