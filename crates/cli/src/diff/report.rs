//! The differences between two policies, as text and JSON.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::json;

use crate::color::{self, printable};
use crate::report::pretty;

/// The kinds of difference, the most dangerous first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Allowed,
    Denied,
    Identified,
    Answered,
    Shadowed,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Allowed, Kind::Denied, Kind::Identified, Kind::Answered, Kind::Shadowed];

    fn text(self) -> &'static str {
        match self {
            Kind::Allowed => "becomes allowed",
            Kind::Denied => "becomes denied",
            Kind::Identified => "identified differently",
            Kind::Answered => "answered differently",
            Kind::Shadowed => "differs in shadow mode",
        }
    }

    fn paint(self) -> String {
        match self {
            Kind::Allowed => color::red(self.text()),
            Kind::Denied => color::yellow(self.text()),
            Kind::Identified | Kind::Answered | Kind::Shadowed => color::blue(self.text()),
        }
    }
}

/// A request that was tried.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    pub method: String,
    /// The host; `None` for a host that no rule names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub path: String,
    /// The client address; `None` for an address that no rule names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preflight_for: Option<String>,
    /// The headers that make the difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

/// A request that the two policies decide differently.
#[derive(Serialize)]
pub struct Difference {
    pub kind: Kind,
    pub request: Request,
    /// The old and the new deciding rule.
    pub rules: [Option<String>; 2],
    /// The credentials with this change.
    pub credentials: Vec<String>,
    /// The old and the new decision.
    pub change: [String; 2],
}

/// All differences.
pub struct Report {
    pub differences: Vec<Difference>,
    /// The number of requests tried.
    pub requests: usize,
    /// The number of decisions compared.
    pub decisions: usize,
    /// Settings that differ and may change decisions, but could not be compared.
    pub undecided: Vec<String>,
    /// Sections that differ and do not affect access.
    pub not_compared: Vec<&'static str>,
}

impl Report {
    /// The report as readable text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut shown: Vec<&Request> = Vec::new();
        for difference in &self.differences {
            let request = &difference.request;
            if shown.contains(&request) {
                continue;
            }
            shown.push(request);
            text.push_str(&format!("{}\n", color::bold(&title(request))));
            text.push_str(&format!("  {}\n", rules(&difference.rules)));
            for same in self.differences.iter().filter(|other| other.request == *request) {
                let [old, new] = &same.change;
                let credentials = printable(&same.credentials.join("; "));
                let (old, new) = (printable(old), printable(new));
                text.push_str(&format!("  {}: {credentials} ({old} → {new})\n", same.kind.paint()));
            }
            text.push('\n');
        }
        let counts = Kind::ALL.iter().filter_map(|kind| {
            let count = self.differences.iter().filter(|difference| difference.kind == *kind).count();
            (count > 0).then(|| format!("{}: {count}", kind.text()))
        });
        let counts: Vec<String> = counts.collect();
        let counts =
            if counts.is_empty() { "all decisions are the same".to_owned() } else { counts.join(", ") };
        let (requests, decisions) = (self.requests, self.decisions);
        text.push_str(&format!("{counts} ({requests} requests tried, {decisions} decisions compared)\n"));
        for path in &self.undecided {
            text.push_str(&format!(
                "{} could not be compared: {}\n",
                color::yellow("note:"),
                printable(path)
            ));
        }
        if !self.not_compared.is_empty() {
            let sections = self.not_compared.join(", ");
            text.push_str(&format!("{} different, but not compared: {sections}\n", color::yellow("note:")));
        }
        text
    }

    /// The report as JSON.
    pub fn json(&self) -> String {
        pretty(&json!({
            "differences": self.differences, "requests": self.requests, "decisions": self.decisions,
            "undecided": self.undecided, "not_compared": self.not_compared,
        }))
    }
}

/// A request in one line.
pub fn title(request: &Request) -> String {
    let host = request.host.as_deref().unwrap_or_default();
    let peer = request.peer.map(|peer| format!(" from {peer}")).unwrap_or_default();
    let asked = request.preflight_for.as_deref().map(|method| format!(", a preflight for {method}"));
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let headers = if headers.is_empty() { String::new() } else { format!(" with {}", headers.join(", ")) };
    let asked = asked.unwrap_or_default();
    printable(&format!("{} {host}{}{peer}{asked}{headers}", request.method, request.path))
}

fn rules([old, new]: &[Option<String>; 2]) -> String {
    let name = |rule: &Option<String>| match rule {
        Some(name) => format!("rule {name:?}"),
        None => "no rule".to_owned(),
    };
    if old == new { name(old) } else { format!("{} → {}", name(old), name(new)) }
}
