//! Colours for terminals. The text always has them; `main` removes them where the output is not a terminal.

use anstyle::{AnsiColor, Effects, Style};

pub fn red(text: &str) -> String {
    paint(AnsiColor::Red.on_default().bold(), text)
}

pub fn yellow(text: &str) -> String {
    paint(AnsiColor::Yellow.on_default().bold(), text)
}

pub fn green(text: &str) -> String {
    paint(AnsiColor::Green.on_default().bold(), text)
}

pub fn blue(text: &str) -> String {
    paint(AnsiColor::Blue.on_default().bold(), text)
}

pub fn bold(text: &str) -> String {
    paint(Style::new().effects(Effects::BOLD), text)
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Escapes control characters in untrusted text, for a terminal.
pub fn printable(text: &str) -> String {
    let escape = |letter: char| -> String {
        if letter.is_control() { letter.escape_default().collect() } else { letter.to_string() }
    };
    text.chars().map(escape).collect()
}
