//! A model of the rules in `docs/configuration.md`, literal and without optimisation. It uses nothing from the crate
//! under test.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

/// The alternatives of each rule; `None` matches every request.
pub type Rules = Vec<Option<Vec<Match>>>;

/// One `match`, as in a configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_methods: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
}

/// The parts of a request that rules match.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: Option<String>,
    pub authority: Option<String>,
    pub peer: Option<IpAddr>,
}

impl Request {
    /// Parses `METHOD target [authority [peer]]`, where `-` means absent.
    pub fn parse(text: &str) -> Request {
        let mut words = text.split(' ').map(|word| (word != "-").then(|| word.to_owned()));
        let mut next = || words.next().flatten();
        Request {
            method: next().unwrap(),
            target: next(),
            authority: next(),
            peer: next().map(|peer| peer.parse().unwrap()),
        }
    }

    /// Returns the pseudo-headers.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let optional = [(":authority", &self.authority), (":path", &self.target)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        [(":method", self.method.as_str())].into_iter().chain(optional).collect()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer.map(|peer| peer.to_string());
        let words = [Some(&self.method), self.target.as_ref(), self.authority.as_ref(), peer.as_ref()];
        let words: Vec<&str> = words.into_iter().map(|word| word.map_or("-", String::as_str)).collect();
        f.write_str(&words.join(" "))
    }
}

/// Returns the name of the rule that every interpretation of the path selects first, or the reason for the denial.
pub fn selected(rules: &Rules, request: &Request) -> String {
    let found = selected_by_method(rules, request);
    let upper_case = Request { method: request.method.to_uppercase(), ..request.clone() };
    match selected_by_method(rules, &upper_case) {
        other if other == found || !(found == "no_rule" || found.starts_with("rule-")) => found,
        _ => code("ambiguous_method"),
    }
}

fn selected_by_method(rules: &Rules, request: &Request) -> String {
    let Ok(host) = host(request.authority.as_deref().unwrap_or_default()) else {
        return code("bad_authority");
    };
    let target = match request.target.as_deref() {
        None | Some("" | "*") => return code("no_rule"),
        Some(target) => target,
    };
    let Some(interpretations) = interpretations(target) else { return code("ambiguous_path") };
    let all = || rules.iter().flatten().flatten();
    if request.peer.is_none() && all().any(|matched| matched.sources.is_some()) {
        return code("unavailable");
    }
    // A regular expression over more than this could take long.
    if all().any(|matched| matched.regex.is_some())
        && interpretations.iter().map(String::len).sum::<usize>() > 8192
    {
        return code("ambiguous_path");
    }
    let first = |interpretation: &String| {
        rules.iter().position(|matches| {
            matches.as_ref().is_none_or(|matches| {
                matches.iter().any(|matched| is_match(matched, request, host.as_deref(), interpretation))
            })
        })
    };
    let selected: BTreeSet<Option<usize>> = interpretations.iter().map(first).collect();
    match selected.into_iter().collect::<Vec<_>>().as_slice() {
        [Some(rule)] => format!("rule-{rule}"),
        [None] => code("no_rule"),
        _ => code("ambiguous_path"),
    }
}

fn code(code: &str) -> String {
    code.to_owned()
}

/// True if all given conditions match.
fn is_match(matched: &Match, request: &Request, host: Option<&str>, interpretation: &str) -> bool {
    let contains = |list: &Option<Vec<String>>, test: &dyn Fn(&String) -> bool| match list {
        None => true,
        Some(list) => list.iter().any(test),
    };
    contains(&matched.methods, &|method| *method == request.method)
        && matched.except_methods.as_ref().is_none_or(|methods| !methods.contains(&request.method))
        && contains(&matched.hosts, &|pattern| host.is_some_and(|host| host_fits(pattern, host)))
        && contains(&matched.sources, &|block| request.peer.is_some_and(|peer| lies_in(peer, block)))
        && matched.path.as_ref().is_none_or(|path| normal(path) == interpretation)
        && matched.prefix.as_ref().is_none_or(|prefix| is_below(&normal(prefix), interpretation))
        && matched.template.as_ref().is_none_or(|template| fits_template(template, interpretation))
        && matched.regex.as_ref().is_none_or(|regex| whole(regex).is_match(interpretation))
}

fn whole(regex: &str) -> Regex {
    Regex::new(&format!(r"\A(?:{regex})\z")).unwrap()
}

/// True if a path is below a prefix, by whole segments; a trailing `/` of the prefix has no meaning.
fn is_below(prefix: &str, interpretation: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    interpretation.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// True if a path matches a template: `{name}` is one non-empty segment, and `{name=**}` at the end is the rest.
fn fits_template(template: &str, interpretation: &str) -> bool {
    let mut segments = interpretation.split('/');
    for part in template.split('/') {
        let Some(segment) = segments.next() else { return false };
        match part {
            _ if part.ends_with("=**}") => return true,
            _ if part.starts_with('{') && !segment.is_empty() => {}
            _ if !part.starts_with('{') && normal(part) == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Normalises a pattern: unreserved escapes are decoded, characters that are invalid in a path are escaped, and hex
/// digits are in upper case.
fn normal(pattern: &str) -> String {
    let escaped: String = pattern
        .bytes()
        .map(|byte| match char::from(byte) {
            '%' | '/' => char::from(byte).to_string(),
            plain if PCHAR.contains(plain) => plain.to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    decode(&upper(&escaped), UNRESERVED)
}

/// Normalises an authority: lower case, without port and one trailing dot.
///
/// # Errors
/// If the authority is not a host.
fn host(authority: &str) -> Result<Option<String>, ()> {
    if authority.is_empty() {
        return Ok(None);
    }
    let form = Regex::new(
        r"\A(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\.?)(?::([0-9]{1,5}))?\z",
    );
    let form = form.unwrap();
    let parts = form.captures(authority).ok_or(())?;
    if parts.get(3).is_some_and(|port| !(1..=65535).contains(&port.as_str().parse::<u32>().unwrap())) {
        return Err(());
    }
    match (parts.get(1), parts.get(2)) {
        (Some(address), _) => {
            address.as_str().parse().map(|address: Ipv6Addr| Some(format!("[{address}]"))).map_err(drop)
        }
        (_, Some(name)) if name.as_str().len() <= 253 => Ok(Some(name.as_str().to_lowercase())),
        _ => Err(()),
    }
}

/// True if a host matches a pattern; `*.x` requires one or more labels before `x`, and `{variable}.x` exactly one.
fn host_fits(pattern: &str, found: &str) -> bool {
    if let Some(name) = pattern.strip_prefix("{tenant}.") {
        let label = found.strip_suffix(&format!(".{}", host(name).unwrap().unwrap()));
        return found.parse::<IpAddr>().is_err() && label.is_some_and(|label| !label.contains('.'));
    }
    match pattern.strip_prefix("*.") {
        None => host(pattern).unwrap().as_deref() == Some(found),
        Some(name) => {
            let is_address = found.starts_with('[') || found.parse::<IpAddr>().is_ok();
            !is_address && found.ends_with(&format!(".{}", host(name).unwrap().unwrap()))
        }
    }
}

fn lies_in(peer: IpAddr, block: &str) -> bool {
    let (address, length) = match block.split_once('/') {
        Some((address, length)) => (address, length.parse().unwrap()),
        None => (block, usize::MAX),
    };
    let (network, peer) = (bits(address.parse().unwrap()), bits(peer));
    // An IPv4 network may match an IPv4-mapped IPv6 address, which has 96 bits before it.
    let mapped = if address.contains(':') && network.len() == 32 { 96 } else { 0 };
    let length = length.saturating_sub(mapped).min(network.len());
    network.len() == peer.len() && network.starts_with(peer.get(..length).unwrap())
}

fn bits(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("{:0128b}", u128::from(address)),
    }
}

const UNRESERVED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
const PCHAR: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@";

/// Returns every interpretation of a target's path: all results of the steps, in any order. `None` if the path is
/// malformed, has more than 128 interpretations, or has several that are longer than 16 KiB in total.
fn interpretations(target: &str) -> Option<BTreeSet<String>> {
    let path = target.split(['?', '#']).next().unwrap();
    let bad = Regex::new("%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$|00)").unwrap();
    let is_visible = path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if !path.starts_with('/') || !is_visible || bad.is_match(path) {
        return None;
    }
    let mut found = BTreeSet::from([upper(path)]);
    let mut fresh: Vec<String> = found.iter().cloned().collect();
    while let Some(path) = fresh.pop() {
        for interpretation in steps(&path) {
            if found.insert(interpretation.clone()) {
                fresh.push(interpretation);
            }
        }
        let bytes: usize = found.iter().map(String::len).sum();
        if found.len() > 128 || (found.len() > 1 && bytes > 16 * 1024) {
            return None;
        }
    }
    Some(found)
}

fn steps(path: &str) -> Vec<String> {
    let slashed = path.replace('\\', "/");
    let mut interpretations = vec![
        // Decode dots, unreserved characters, or all characters that are valid in a path, and escape invalid ones.
        decode(path, "."),
        decode(path, UNRESERVED),
        normal(&decode(path, PCHAR)),
        // Characters that may be decoded to a slash.
        path.replace("%2F", "/"),
        slashed.replace("%5C", "/"),
        slashed,
        // Path parameters.
        path.split('/').map(|segment| segment.split(';').next().unwrap()).collect::<Vec<_>>().join("/"),
        // Slashes.
        Regex::new("/+").unwrap().replace_all(path, "/").into_owned(),
    ];
    // Dot segments, according to RFC 3986 and as file systems resolve them.
    let mut kept = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    interpretations.push(format!("/{}", kept.join("/")));
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
        interpretations.push(format!("/{}", kept.join("/")));
    }
    // A host after two or more slashes.
    for slashes in ["//", "///"] {
        if path.starts_with(slashes) {
            let rest = if slashes == "//" { path.get(2..).unwrap() } else { path.trim_start_matches('/') };
            interpretations.push(format!("/{}", rest.split_once('/').unwrap_or_default().1));
        }
    }
    interpretations
}

/// Converts the hex digits of escapes to upper case.
fn upper(path: &str) -> String {
    let escape = Regex::new("%[0-9A-Fa-f]{2}").unwrap();
    escape.replace_all(path, |found: &regex_lite::Captures<'_>| found[0].to_uppercase()).into_owned()
}

/// Decodes the escapes of these characters. None of them is `%`, so nothing is decoded twice.
fn decode(path: &str, characters: &str) -> String {
    characters.chars().fold(path.to_owned(), |path, character| {
        path.replace(&format!("%{:02X}", u32::from(character)), &character.to_string())
    })
}
