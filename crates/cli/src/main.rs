//! The `authgate` tool. Each subcommand is a module that reads its arguments, asks the core, and says what it heard.

mod around;
mod check;
mod color;
mod convert;
mod decode;
mod diff;
mod discover;
mod document;
mod environment;
mod explain;
mod hash;
mod input;
mod jwks;
mod key;
mod key_file;
mod lint;
mod load;
mod place;
mod redaction;
mod report;
mod request;
mod schema;
mod shell;
mod sign;
mod test;
mod time;
mod token;
mod trace;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Checks, explains and tests configurations of authgate, and makes what they are made of.
///
/// Exit codes: 0 all is well; 1 something was found (a fault, a refused request, a failed test); 2 it could not be told.
#[derive(Parser)]
#[command(name = "authgate", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Arguments),
    Explain(explain::Arguments),
    Test(test::Arguments),
    Diff(diff::Arguments),
    Hash(hash::Arguments),
    Key(key::Arguments),
    Jwks(jwks::Arguments),
    Token(token::Arguments),
    Decode(decode::Arguments),
    Convert(convert::Arguments),
    Schema(schema::Arguments),
    Completions(shell::Completions),
    Man(shell::Man),
}

/// What a subcommand says when it could do what it was asked to.
struct Said {
    /// For standard output.
    text: String,
    /// For standard error.
    notes: String,
    /// Whether all is well.
    is_well: bool,
}

impl Said {
    fn well(text: String) -> Self {
        Said { text, notes: String::new(), is_well: true }
    }
}

/// Why it could not.
type Failure = String;

fn main() -> ExitCode {
    let said = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Hash(arguments) => hash::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Jwks(arguments) => jwks::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => shell::man(&arguments, Arguments::command()),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Schema(arguments) => Ok(schema::run(&arguments)),
    };
    match said {
        Ok(said) => {
            // Who reads no further wants no more.
            let _ = std::io::stderr().write_all(said.notes.as_bytes());
            let _ = std::io::stdout().write_all(said.text.as_bytes());
            if said.is_well { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "authgate: {failure}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_agree_with_each_other() {
        Arguments::command().debug_assert();
    }
}
