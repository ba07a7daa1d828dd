//! Loads one configuration from a file and builds its policy.

use std::path::{Path, PathBuf};

use authgate::config::{self, Config};
use authgate::policy::{self, Policy};
use serde_json::{Value, json};

use super::check;
use super::environment::Environment;
use super::report::{self, Format, Severity};
use super::{Failure, discover, input, key_file};

/// Options for the file with a configuration and its additional input.
#[derive(clap::Args)]
pub struct Source {
    /// The file with the configuration, alone or inside an Envoy or Kubernetes configuration; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    #[command(flatten)]
    pub beside: Beside,
}

/// Options for the additional input of a configuration.
#[derive(clap::Args, Clone, Default)]
pub struct Beside {
    /// The number of the configuration, from 1, in a file with several.
    #[arg(long, value_name = "N")]
    nth: Option<usize>,
    /// A file with NAME=value lines: the environment of the VM. May be given several times.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// The keys that `remote` or `discovery` would fetch, for all authenticators or for one: a JWK Set, a JWK, or keys
    /// and certificates in PEM or DER.
    #[arg(long, value_name = "[NAME=]FILE")]
    jwks: Vec<String>,
}

/// A configuration and its policy.
pub struct Loaded {
    pub config: Config,
    pub policy: Policy,
    /// The configuration as written.
    pub value: Value,
    /// The variables that are not set and are replaced by placeholders.
    pub missing: Vec<String>,
}

impl Source {
    /// Reads the configuration.
    ///
    /// # Errors
    /// If the file cannot be read, or has no valid configuration; the message lists all errors.
    pub fn load(&self) -> Result<Loaded, Failure> {
        self.beside.load(&self.config)
    }
}

impl Beside {
    /// Reads the configuration in `path`.
    ///
    /// # Errors
    /// If the file cannot be read, or has no valid configuration; the message lists all errors.
    pub fn load(&self, path: &Path) -> Result<Loaded, Failure> {
        let environment = Environment::read(&self.env_file)?;
        let (name, text) = (input::name(path), input::read(path)?);
        let refused = |text: String| {
            let mut checked = check::check(&name, text, &environment);
            checked.diagnostics.retain(|found| found.severity == Severity::Error);
            let told = report::render(&[checked], Format::Text);
            format!("{name} contains no configuration that the filter accepts\n\n{told}")
        };
        let Ok(mut all) = discover::configurations(&name, &text) else { return Err(refused(text)) };
        let found = match (self.nth, all.len()) {
            (_, 0) => return Err(refused(text)),
            (None, 1) => all.remove(0),
            (None, count) => {
                return Err(format!("{name} contains {count} configurations; select one with --nth"));
            }
            (Some(nth), count) if nth == 0 || nth > count => {
                return Err(format!("{name} contains {count} configurations, not {nth}"));
            }
            (Some(nth), _) => all.remove(nth - 1),
        };
        if !found.node.repeated().is_empty() {
            return Err(refused(text));
        }
        let mut value = found.value;
        for given in &self.jwks {
            put_keys(&mut value, given)?;
        }
        let missing = environment.missing(&value);
        let variables = |name: &str| environment.find(name).or_else(|| missing.placeholder(name));
        let config = config::from_value(value.clone());
        match config.and_then(|config| Ok((policy::build(&config, &variables)?.policy, config))) {
            Ok((policy, config)) => {
                let mut missing: Vec<String> = missing.places.into_iter().map(|(_, name)| name).collect();
                missing.dedup();
                Ok(Loaded { config, policy, value, missing })
            }
            // With `--jwks`, an error may be in these keys, which have no position in the file.
            Err(errors) if !self.jwks.is_empty() => {
                let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Err(format!("{name} with the keys of --jwks:\n{}", told.join("\n")))
            }
            Err(_) => Err(refused(text)),
        }
    }
}

/// Replaces the keys that would be fetched by the keys of a file.
fn put_keys(configuration: &mut Value, given: &str) -> Result<(), Failure> {
    let (wanted, file) = match given.split_once('=') {
        Some((name, file)) => (Some(name), file),
        None => (None, given),
    };
    let path = Path::new(file);
    let set = key_file::key_set(path)?;
    let authenticators = configuration.get_mut("authenticators").and_then(Value::as_object_mut);
    let mut is_taken = false;
    for (name, authenticator) in authenticators.into_iter().flatten() {
        let Some(keys) = authenticator.pointer_mut("/jwt/keys") else { continue };
        let is_fetched = keys.get("remote").is_some() || keys.get("discovery").is_some();
        if is_fetched && wanted.is_none_or(|wanted| wanted == name) {
            *keys = json!({"jwks": set});
            is_taken = true;
        }
    }
    if is_taken { Ok(()) } else { Err(format!("--jwks {given}: no matching authenticator fetches its keys")) }
}
