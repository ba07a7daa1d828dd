//! `authgate check`

use std::path::PathBuf;

use authgate::config::{self, ConfigError, ConfigErrorKind};
use authgate::config::{Warning, WarningKind};
use authgate::policy;

use super::discover::{self, Found};
use super::environment::Environment;
use super::report::{self, Checked, Diagnostic, Format, Severity};
use super::{CommandOutput, Failure, around, document, input, lint, place, redaction};

/// Find problems in configurations before Envoy does.
///
/// A file contains a configuration in JSON or YAML, alone or inside an Envoy configuration, a WasmPlugin, a
/// TrafficExtension, an EnvoyExtensionPolicy or an EnvoyFilter. A file may contain several configurations.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files to check; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Treat warnings as errors.
    #[arg(long)]
    strict: bool,
    /// A file with NAME=value lines: the environment of the VM. May be given several times.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// The output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

/// Runs `authgate check`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let environment = Environment::read(&arguments.env_file)?;
    let mut files = Vec::with_capacity(arguments.files.len());
    for path in &arguments.files {
        files.push(check(&input::name(path), input::read(path)?, &environment));
    }
    if arguments.strict {
        for found in files.iter_mut().flat_map(|file| &mut file.diagnostics) {
            found.severity = Severity::Error;
        }
    }
    let is_success = files.iter().all(|file| file.count(Severity::Error) == 0);
    let text = report::render(&files, arguments.output);
    Ok(CommandOutput { text, notes: String::new(), is_success })
}

/// Checks the text of one file.
pub fn check(name: &str, text: String, environment: &Environment) -> Checked {
    let mut checked =
        Checked { name: name.to_owned(), text, hidden: Some(Vec::new()), diagnostics: Vec::new() };
    let whole = |code, span, message: &str| Diagnostic {
        severity: Severity::Error,
        code,
        path: String::new(),
        message: message.to_owned(),
        span,
    };
    match discover::configurations(name, &checked.text) {
        Err(unreadable) => {
            checked.hidden = None;
            checked.diagnostics.push(whole("syntax", unreadable.at, &unreadable.what));
        }
        Ok(found) if found.is_empty() => {
            let message = "no authgate configuration found in this file; expected one by itself (with `rules`), or \
                           inside an Envoy configuration, a WasmPlugin, a TrafficExtension, an EnvoyExtensionPolicy or \
                           an EnvoyFilter";
            checked.hidden = None;
            checked.diagnostics.push(whole("no-configuration", 0..0, message));
        }
        Ok(all) => {
            let documents = document::parse(&checked.text).unwrap_or_default();
            let known = documents.iter().find_map(around::clusters);
            checked.diagnostics.extend(documents.iter().flat_map(around::lints));
            checked.diagnostics.extend(around::shared_vms(&documents));
            for found in all {
                if let Some(known) = &known {
                    checked.diagnostics.extend(around::unknown_clusters(&found.node, known));
                }
                checked.diagnostics.extend(examine(&checked.text, &found, environment));
                checked.hidden.get_or_insert_default().extend(redaction::hidden(&checked.text, &found.node));
            }
        }
    }
    checked.diagnostics.sort_by_key(|found| found.span.start);
    checked
}

/// Returns all diagnostics of one configuration.
fn examine(text: &str, found: &Found, environment: &Environment) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for member in found.node.repeated() {
        diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code: "duplicate-member",
            path: String::new(),
            message: "an object with a duplicate member name".to_owned(),
            span: member.at.clone(),
        });
    }
    for member in found.node.boolean_names(text) {
        diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            code: "boolean-name",
            path: String::new(),
            message: format!("Kubernetes reads this name as `{}`; write it in quotes", member.name),
            span: member.at.clone(),
        });
    }
    let error = |error: &ConfigError| Diagnostic {
        severity: Severity::Error,
        code: code(&error.kind),
        path: error.path.clone(),
        message: error.kind.to_string(),
        span: place::of_error(text, &found.node, &error.path, &error.kind),
    };
    let warning = |code, path: &str, message: String| Diagnostic {
        severity: Severity::Warning,
        code,
        path: path.to_owned(),
        message,
        span: place::of_value(text, &found.node, path),
    };
    let is_passed = |name: &str| found.environment.as_ref().is_none_or(|passed| passed.contains(name));
    for (path, name) in Environment::default().missing(&found.value).places {
        if is_name(&name) && !is_passed(&name) {
            diagnostics.push(Diagnostic {
                severity: Severity::Error,
                code: "environment",
                message: format!(
                    "the plugin does not pass the environment variable {name} to the module, which refuses the \
                     configuration; name it in `host_env_keys` or `key_values` (Envoy), `vmConfig.env` (Istio) or \
                     `env.hostKeys` (Envoy Gateway)"
                ),
                span: place::of_value(text, &found.node, &path),
                path,
            });
        }
    }
    let missing = environment.missing(&found.value);
    for (path, name) in missing.places.iter().filter(|(_, name)| is_passed(name)) {
        let message = format!(
            "the environment variable {name} is not set here, so its value was not checked; `--env-file FILE` sets it"
        );
        // An invalid name is an error of the filter, with a better message.
        if is_name(name) {
            diagnostics.push(warning("environment", path, message));
        }
    }
    let config = match config::from_value(found.value.clone()) {
        Ok(config) => config,
        Err(errors) => {
            diagnostics.extend(errors.iter().map(error));
            return diagnostics;
        }
    };
    let variables = |name: &str| environment.find(name).or_else(|| missing.placeholder(name));
    match policy::build(&config, &variables) {
        Ok(built) => {
            diagnostics.extend(built.warnings.iter().map(|found| {
                let text = found.to_string();
                let message = text.strip_prefix(&format!("{}: ", found.path)).unwrap_or(&text);
                warning(warning_code(found), &found.path, message.to_owned())
            }));
            let lints = lint::lints(&found.value, &config, &built.policy, &|name| environment.find(name));
            diagnostics.extend(lints.into_iter().map(|lint| warning(lint.code, &lint.path, lint.message)));
        }
        Err(errors) => diagnostics.extend(errors.iter().map(error)),
    }
    diagnostics
}

/// True if the text can be the name of an environment variable.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn code(kind: &ConfigErrorKind) -> &'static str {
    match kind {
        ConfigErrorKind::Empty | ConfigErrorKind::NeitherJsonNorStruct | ConfigErrorKind::Json(_) => "syntax",
        ConfigErrorKind::UnknownField { .. } => "unknown-field",
        ConfigErrorKind::MissingField(_) => "missing-field",
        ConfigErrorKind::ExactlyOne(_) => "exactly-one",
        ConfigErrorKind::WrongType { .. } => "wrong-type",
        ConfigErrorKind::Expected(_) | ConfigErrorKind::Invalid(_) => "invalid",
        ConfigErrorKind::UnknownName { .. } => "unknown-name",
        ConfigErrorKind::DuplicateName(_) => "duplicate-name",
        ConfigErrorKind::NoEnvironmentVariable(_) => "environment",
    }
}

fn warning_code(warning: &Warning) -> &'static str {
    match warning.kind {
        WarningKind::WeakHashes(_) => "weak-hash",
        WarningKind::IgnoredKey(_) => "ignored-key",
        WarningKind::Md5Digests(_) | WarningKind::UnreachableDigests(_) => "md5-digest",
        WarningKind::NoProofs => "no-proofs",
        WarningKind::NotEnforced { .. } => "shadow",
        WarningKind::MixedHashes(_) => "mixed-hashes",
        WarningKind::Unthrottled(_) => "no-throttle",
    }
}
