//! What was found in files, as people and as programs read it.

mod sarif;
mod text;

use std::ops::Range;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::color::Color;

/// The two forms of output that most subcommands have.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What is written for whom.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, as a compiler does.
    Text,
    /// A list of objects.
    Json,
    /// Workflow commands, which GitHub shows beside the lines.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// How much something matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The filter refuses the configuration.
    Error,
    /// Legal, and unwise.
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One thing that was found.
pub struct Diagnostic {
    pub severity: Severity,
    /// What kind of thing, in few words that stay the same.
    pub code: &'static str,
    /// The place in the configuration; empty for all of it.
    pub path: String,
    pub message: String,
    /// The place in the file.
    pub span: Range<usize>,
}

/// A file that was looked at.
pub struct Checked {
    pub name: String,
    pub text: String,
    /// What of it is not shown; `None`: it could not be read, so nothing is known of it.
    pub hidden: Option<Vec<Range<usize>>>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// How many things of this severity were found.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Line and column, both from 1, the column in characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// All that was found.
pub fn render(files: &[Checked], format: Format, paint: Color) -> String {
    match format {
        Format::Text => text::render(files, paint),
        Format::Json => pretty(&Value::Array(each(files, object).collect())),
        Format::Github => each(files, workflow_command).collect(),
        Format::Sarif => pretty(&sarif::render(files)),
    }
}

/// JSON for people and programs.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn each<'a, T: 'a>(
    files: &'a [Checked],
    render: fn(&Checked, &Diagnostic) -> T,
) -> impl Iterator<Item = T> + 'a {
    files.iter().flat_map(move |file| file.diagnostics.iter().map(move |found| render(file, found)))
}

fn object(file: &Checked, found: &Diagnostic) -> Value {
    let ((line, column), (end_line, end_column)) =
        (file.position(found.span.start), file.position(found.span.end));
    json!({
        "file": file.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column,
        "severity": found.severity.as_str(), "code": found.code, "path": found.path, "message": found.message,
    })
}

/// `::error file=…,line=…::message`, with what would end a part of it escaped.
fn workflow_command(file: &Checked, found: &Diagnostic) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let ((line, column), (end_line, end_column)) =
        (file.position(found.span.start), file.position(found.span.end));
    format!(
        "::{} file={},line={line},col={column},endLine={end_line},endColumn={end_column},title={}::{}\n",
        found.severity.as_str(),
        property(&file.name),
        property(found.code),
        data(&message(found)),
    )
}

/// With its place in the configuration, as the filter logs it.
fn message(found: &Diagnostic) -> String {
    if found.path.is_empty() { found.message.clone() } else { format!("{}: {}", found.path, found.message) }
}
