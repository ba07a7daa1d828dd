//! Colours, where somebody sees them.

use std::io::IsTerminal as _;

/// Paints, or does not.
#[derive(Clone, Copy)]
pub struct Color {
    is_on: bool,
}

impl Color {
    /// For standard output: if it is a terminal, and nobody said no (<https://no-color.org>).
    pub fn for_output() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Color { is_on: std::io::stdout().is_terminal() && !refused }
    }

    /// None, wherever it is read.
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

/// Text of others as a terminal can show it: control characters are escaped.
pub fn printable(text: &str) -> String {
    let escape = |letter: char| -> String {
        if letter.is_control() { letter.escape_default().collect() } else { letter.to_string() }
    };
    text.chars().map(escape).collect()
}
