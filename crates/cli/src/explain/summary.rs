//! A summary of recorded requests, one line for each.

use serde::Serialize;

use super::Explanation;
use crate::color::{self, printable};

/// Recorded requests and the decision on each.
#[derive(Serialize)]
pub struct Summary {
    pub file: String,
    pub entries: Vec<Line>,
    pub notes: Vec<String>,
}

/// The line of one request.
#[derive(Serialize)]
pub struct Line {
    entry: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// The path without possible credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The status of the recorded response.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_status: Option<u16>,
    /// `allow`, `answer`, `deny`, `needs_credentials` or `unreadable`.
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The authenticators whose credentials the request needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authenticators: Vec<String>,
}

impl Line {
    /// The line of an entry that is not a request.
    pub fn unreadable(entry: usize, why: &str) -> Self {
        Line {
            entry,
            method: None,
            host: None,
            path: None,
            recorded_status: None,
            decision: "unreadable",
            rule: None,
            status: None,
            reason: Some(why.to_owned()),
            subject: None,
            authenticators: Vec::new(),
        }
    }

    /// The line of an explained request.
    pub fn of(
        entry: usize,
        recorded_status: Option<u16>,
        explanation: Explanation,
        has_credentials: bool,
    ) -> Self {
        let Explanation { request, outcome, authenticators, .. } = explanation;
        let reason = Some(outcome.coded()).filter(|reason| !reason.is_empty());
        let needs_credentials = !has_credentials && outcome.reason == Some("missing_credentials");
        let names = authenticators.into_iter().map(|tried| tried.name);
        Line {
            entry,
            method: Some(request.method),
            host: request.host,
            path: Some(request.path),
            recorded_status,
            decision: if needs_credentials { "needs_credentials" } else { outcome.decision },
            rule: outcome.rule,
            status: outcome.response.map(|response| response.status),
            reason,
            subject: outcome.subject,
            authenticators: if needs_credentials { names.collect() } else { Vec::new() },
        }
    }

    fn render(&self) -> String {
        let rule = self.rule.as_deref().map(|rule| format!(" by rule {rule:?}")).unwrap_or_default();
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let reason = self.reason.as_deref().unwrap_or_default();
        match self.decision {
            "unreadable" => color::yellow(reason),
            "allow" => {
                let who =
                    self.subject.as_deref().map(|subject| format!(" as {subject:?}")).unwrap_or_default();
                color::green(&format!("allowed{rule}{who}"))
            }
            "answer" => color::green(&format!("answered by the filter: {status}")),
            "needs_credentials" => {
                let rule = self.rule.as_deref().unwrap_or_default();
                let by = self.authenticators.join(", ");
                color::yellow(&format!("needs credentials by rule {rule:?}: {by}"))
            }
            _ => color::red(&format!("denied{rule}: {status} {reason}")),
        }
    }
}

impl Summary {
    /// Returns true if all requests can be read and are allowed.
    pub fn passes(&self) -> bool {
        self.entries.iter().all(|line| matches!(line.decision, "allow" | "answer"))
    }

    fn count(&self, decisions: &[&str]) -> usize {
        self.entries.iter().filter(|line| decisions.contains(&line.decision)).count()
    }

    /// The readable text.
    pub fn render(&self) -> String {
        let mut text = format!("{}\n", color::bold(&self.file));
        for line in &self.entries {
            let what = match (&line.method, &line.path) {
                (Some(method), Some(path)) => {
                    let host = line.host.as_deref().unwrap_or_default();
                    let recorded =
                        line.recorded_status.map(|status| format!(" ({status})")).unwrap_or_default();
                    format!("{} {host}{}{recorded}: ", printable(method), printable(path))
                }
                _ => String::new(),
            };
            text.push_str(&format!("  {} {what}{}\n", line.entry, line.render()));
        }
        let counts = [
            ("allowed", self.count(&["allow", "answer"])),
            ("needs credentials", self.count(&["needs_credentials"])),
            ("denied", self.count(&["deny", "await"])),
            ("unreadable", self.count(&["unreadable"])),
        ];
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts.map(|(what, count)| format!("{what}: {count}")).collect();
        text.push_str(&format!("{}; use --entry N for details\n", counts.join(", ")));
        for note in &self.notes {
            text.push_str(&format!("\n{} {note}\n", color::yellow("note:")));
        }
        text
    }
}
