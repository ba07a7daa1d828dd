//! Colours for terminals.

use std::io::IsTerminal as _;

/// Colours text, if enabled.
#[derive(Clone, Copy)]
pub struct Color {
    is_on: bool,
}

impl Color {
    /// Colours for standard output: enabled if it is a terminal and `NO_COLOR` is not set (<https://no-color.org>).
    pub fn for_output() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Color { is_on: std::io::stdout().is_terminal() && !refused }
    }

    /// No colours.
    pub fn none() -> Self {
        Color { is_on: false }
    }

    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    pub fn green(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    pub fn blue(self, text: &str) -> String {
        self.paint("1;34", text)
    }

    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Escapes control characters in untrusted text, for a terminal.
pub fn printable(text: &str) -> String {
    let escape = |letter: char| -> String {
        if letter.is_control() { letter.escape_default().collect() } else { letter.to_string() }
    };
    text.chars().map(escape).collect()
}
