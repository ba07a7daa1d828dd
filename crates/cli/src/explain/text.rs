//! An explanation as readable text.

use std::fmt::Write as _;

use super::Explanation;
use super::credentials::Tried;
use super::outcome::Outcome;
use super::rules::{Considered, NO_CALL};
use crate::color::{self, printable};

pub fn render(explanation: &Explanation) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, explanation);
    text
}

fn write(text: &mut String, explanation: &Explanation) -> std::fmt::Result {
    let request = &explanation.request;
    writeln!(text, "{}", color::bold("Request"))?;
    writeln!(text, "  {} {}", printable(&request.method), printable(&request.path))?;
    writeln!(text, "  host {}", request.host.as_deref().unwrap_or("unknown"))?;
    if let Some(peer) = &request.peer {
        writeln!(text, "  from {peer}")?;
    }
    writeln!(text, "  at {}", request.time)?;
    if let Some(recorded) = &explanation.recorded {
        let status = recorded.status.map(|status| format!(", status {status}")).unwrap_or_default();
        writeln!(text, "  recorded in {}:{}{status}", recorded.file, recorded.entry)?;
    }
    match request.interpretations.as_slice() {
        [] => writeln!(text, "  the path has no valid interpretation")?,
        [_] => {}
        several => writeln!(text, "  interpretations of the path: {}", printable(&several.join(", ")))?,
    }
    if let Some(mcp) = &request.mcp {
        writeln!(text, "  MCP call: {}", printable(mcp))?;
    }
    writeln!(text, "\n{}", color::bold("Rules"))?;
    if explanation.rules.is_empty() {
        writeln!(text, "  none considered")?;
    }
    for rule in &explanation.rules {
        write_rule(text, rule)?;
    }
    if !explanation.authenticators.is_empty() {
        writeln!(text, "\n{}", color::bold("Authenticators"))?;
    }
    for tried in &explanation.authenticators {
        write_tried(text, tried)?;
    }
    write_authorization(text, explanation)?;
    write_outcome(text, &explanation.outcome)?;
    for note in &explanation.notes {
        writeln!(text, "\n{} {note}", color::yellow("note:"))?;
    }
    Ok(())
}

fn write_rule(text: &mut String, rule: &Considered) -> std::fmt::Result {
    if rule.matches {
        return writeln!(text, "  {} {}", color::green("✓"), rule.name);
    }
    let mut alternatives: Vec<String> =
        rule.mismatches.iter().map(|mismatches| difference(mismatches)).collect();
    alternatives.dedup();
    let why = match alternatives.as_slice() {
        [] => "matches, but was not selected".to_owned(),
        _ => alternatives.join("; "),
    };
    writeln!(text, "  {} {}: {why}", color::blue("·"), rule.name)
}

/// The parts of a match that a request does not have.
fn difference(misses: &[&str]) -> String {
    let parts: Vec<&str> = misses.iter().copied().filter(|part| *part != NO_CALL).collect();
    let different = (!parts.is_empty()).then(|| format!("different {}", parts.join(" and ")));
    let lacks = misses.contains(&NO_CALL).then(|| format!("no {NO_CALL}"));
    different.into_iter().chain(lacks).collect::<Vec<_>>().join(" and ")
}

fn write_authorization(text: &mut String, explanation: &Explanation) -> std::fmt::Result {
    let Explanation { authorization, ambiguous, .. } = explanation;
    if !authorization.is_empty() || !ambiguous.is_empty() {
        writeln!(text, "\n{}", color::bold("Authorization"))?;
    }
    let is_one = authorization.len() == 1;
    for (at, object) in authorization.iter().enumerate() {
        if !is_one {
            writeln!(text, "  authorize[{at}]")?;
        }
        let indent = if is_one { "  " } else { "    " };
        if !object.applies {
            writeln!(text, "{indent}{} for other authenticators", color::blue("·"))?;
            continue;
        }
        for condition in &object.conditions {
            let mark = if condition.holds { color::green("✓") } else { color::red("✗") };
            writeln!(text, "{indent}{mark} {}", printable(&condition.text))?;
        }
    }
    for variable in ambiguous {
        for line in variable.lines() {
            writeln!(text, "  {}", printable(&line).replace('✗', &color::red("✗")))?;
        }
    }
    Ok(())
}

fn write_tried(text: &mut String, tried: &Tried) -> std::fmt::Result {
    writeln!(text, "  {} ({})", color::bold(&tried.name), tried.scheme)?;
    for looked in &tried.places {
        writeln!(text, "    {} {}", looked.place, looked.found)?;
    }
    for step in &tried.steps {
        match &step.why {
            None => writeln!(text, "    {} {}", color::green("✓"), step.what)?,
            Some(why) => writeln!(text, "    {} {}: {why}", color::red("✗"), step.what)?,
        }
    }
    writeln!(text, "    → {}", tried.verdict)
}

fn write_outcome(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let rule = outcome.rule.as_deref().map(|rule| format!(" by rule {rule:?}")).unwrap_or_default();
    let who = match (&outcome.subject, &outcome.authenticator) {
        (Some(subject), Some(authenticator)) => format!(" as {subject:?} ({authenticator})"),
        (None, Some(authenticator)) => format!(" ({authenticator})"),
        _ => String::new(),
    };
    let verdict = match (outcome.decision, &outcome.response) {
        ("allow", _) => color::green(&format!("Allowed{rule}{who}")),
        ("answer", Some(response)) => color::green(&format!("Answered by the filter: {}", response.status)),
        (_, Some(response)) => {
            color::red(&format!("Denied{rule}{who}: {} {}", response.status, outcome.coded()))
        }
        _ => String::new(),
    };
    writeln!(text, "\n{verdict}")?;
    if let Some(shadowed) = &outcome.shadowed {
        writeln!(text, "  {} {shadowed}", color::yellow("without shadow mode:"))?;
    }
    if let Some(lacks) = &outcome.lacks {
        writeln!(text, "  {lacks}")?;
    }
    if let Some(response) = &outcome.response {
        for (name, value) in &response.headers {
            writeln!(text, "  {name}: {value}")?;
        }
        if !response.body.is_empty() {
            writeln!(text)?;
        }
        for line in response.body.lines() {
            writeln!(text, "{}", format!("  {line}").trim_end())?;
        }
    }
    if let Some(upstream) = &outcome.upstream {
        writeln!(text, "  {} {}", printable(&upstream.method), printable(&upstream.path))?;
        for (name, value) in &upstream.headers {
            writeln!(text, "  {}: {}", printable(name), printable(value))?;
        }
        for name in &upstream.removed {
            writeln!(text, "  {} {}", color::blue("removed:"), printable(name))?;
        }
    }
    Ok(())
}
