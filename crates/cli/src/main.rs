//! The `authgate` tool. Each subcommand is a module that reads its arguments, calls the core and prints the result.

mod around;
mod authorization;
mod carrier;
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
mod matrix;
mod place;
mod redaction;
mod report;
mod request;
mod schema;
mod shell;
mod sign;
mod test;
mod test_identity;
mod time;
mod token;
mod trace;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Checks, explains and tests authgate configurations, and creates hashes, keys and tokens for them.
///
/// Exit codes: 0: success; 1: a problem was found (an invalid configuration, a denied request, a failed test); 2: the
/// tool could not run.
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
    Matrix(matrix::Arguments),
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

/// CommandOutput of a subcommand that could run.
struct CommandOutput {
    /// Text for standard output.
    text: String,
    /// Text for standard error.
    notes: String,
    /// True if no problem was found; the exit code is then 0.
    is_success: bool,
}

impl CommandOutput {
    fn success(text: String) -> Self {
        CommandOutput { text, notes: String::new(), is_success: true }
    }
}

/// Message of a subcommand that could not run.
type Failure = String;

fn main() -> ExitCode {
    let output = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments),
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
    match output {
        Ok(output) => {
            // A write fails if the reader closed the pipe, which is not an error.
            let _ = anstream::stderr().write_all(output.notes.as_bytes());
            let _ = anstream::stdout().write_all(output.text.as_bytes());
            if output.is_success { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(failure) => {
            let _ = writeln!(anstream::stderr(), "authgate: {failure}");
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
