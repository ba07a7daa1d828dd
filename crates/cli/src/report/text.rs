//! Diagnostics in the form of a compiler: message, position, and the line with carets under the position.

use std::ops::Range;

use unicode_width::UnicodeWidthStr as _;

use super::{Checked, Diagnostic, Severity, message};
use crate::color;
use crate::redaction;

pub fn render(files: &[Checked]) -> String {
    let mut text = String::new();
    for file in files {
        for found in &file.diagnostics {
            text.push_str(&one(file, found));
            text.push('\n');
        }
    }
    text.push_str(&summary(files));
    text
}

fn one(file: &Checked, found: &Diagnostic) -> String {
    let start = found.span.start.min(file.text.len());
    let before = file.text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = file.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
    let line_end = line_start + line.len();
    let hidden: Vec<_> = match &file.hidden {
        Some(hidden) => hidden
            .iter()
            .filter(|span| span.start < line_end && span.end > line_start)
            .map(|span| span.start.saturating_sub(line_start)..span.end.min(line_end) - line_start)
            .collect(),
        None => redaction::hidden_of_unreadable(line).into_iter().collect(),
    };
    let (shown, place) = redaction::shown_line(&line.replace('\t', " "), &hidden);
    let marked = place(start - line_start)..place(found.span.end.clamp(start, line_end) - line_start);
    let (shown, marked) = cut(&shown, marked);
    let indent = shown.get(..marked.start).unwrap_or_default().width();
    let carets = shown.get(marked).unwrap_or_default().width().max(1);

    let mark = match found.severity {
        Severity::Error => |text: &str| color::red(text),
        Severity::Warning => |text: &str| color::yellow(text),
    };
    let (number, column) = file.position(start);
    let number = number.to_string();
    let margin = " ".repeat(number.len());
    let bar = color::blue("|");
    let head = mark(&format!("{}[{}]", found.severity.as_str(), found.code));
    let title = color::bold(&format!(": {}", message(found)));
    let carets = mark(&"^".repeat(carets));
    format!(
        "{head}{title}\n{margin}{} {}:{number}:{column}\n{margin} {bar}\n{} {bar} {shown}\n{margin} {bar} {}{carets}\n",
        color::blue("-->"),
        file.name,
        color::blue(&number),
        " ".repeat(indent),
    )
}

/// The columns of a line that are shown, and those of them before the position.
const WIDTH: usize = 120;
const BEFORE: usize = 60;

/// Cuts a long line to the part around the position.
fn cut(line: &str, marked: Range<usize>) -> (String, Range<usize>) {
    if line.width() <= WIDTH {
        return (line.to_owned(), marked);
    }
    let boundary =
        |at: usize| (0..=at.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let from = boundary(marked.start.saturating_sub(BEFORE));
    let to = boundary(from + WIDTH);
    let (head, tail) = (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
    let shown = format!("{head}{}{tail}", line.get(from..to).unwrap_or_default());
    let moved = |at: usize| at.clamp(from, to) - from + head.len();
    let marked = moved(marked.start)..moved(marked.end);
    (shown, marked)
}

fn summary(files: &[Checked]) -> String {
    let count = |severity| files.iter().map(|file| file.count(severity)).sum::<usize>();
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let parts = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| plural(count, what)).collect();
    let found = if parts.is_empty() { "no problems found".to_owned() } else { parts.join(", ") };
    format!("{}: {found}\n", plural(files.len(), "file"))
}
