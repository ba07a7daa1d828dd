//! Diagnostics of files, in the output formats.

mod sarif;
mod text;

use std::ops::Range;

use clap::ValueEnum;
use serde_json::{Value, json};

/// The output formats of most subcommands.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// Readable text.
    Text,
    /// JSON for programs.
    Json,
}

/// The output formats of `check`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Readable text, in the form of a compiler.
    Text,
    /// JSON: a list of objects.
    Json,
    /// GitHub workflow commands, which GitHub shows beside the lines.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// The severity of a diagnostic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The filter rejects the configuration.
    Error,
    /// Valid but risky.
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

/// A problem in a file.
pub struct Diagnostic {
    pub severity: Severity,
    /// The stable code of the problem.
    pub code: &'static str,
    /// The path in the configuration; empty for the whole configuration.
    pub path: String,
    pub message: String,
    /// The position in the file, in bytes.
    pub span: Range<usize>,
}

/// A checked file.
pub struct Checked {
    pub name: String,
    pub text: String,
    /// The parts that are not shown, in bytes; `None` if the file could not be parsed, so secrets could be anywhere.
    pub hidden: Option<Vec<Range<usize>>>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// The number of diagnostics of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// The line and column, both from 1; the column is in characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// Renders the diagnostics of all files.
pub fn render(files: &[Checked], format: Format) -> String {
    match format {
        Format::Text => text::render(files),
        Format::Json => pretty(&Value::Array(each(files, object).collect())),
        Format::Github => each(files, workflow_command).collect(),
        Format::Sarif => pretty(&sarif::render(files)),
    }
}

/// Formats JSON with indentation.
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

/// `::error file=…,line=…::message`, with delimiters escaped.
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

/// The message with its path in the configuration, as the filter logs it.
fn message(found: &Diagnostic) -> String {
    if found.path.is_empty() { found.message.clone() } else { format!("{}: {}", found.path, found.message) }
}
