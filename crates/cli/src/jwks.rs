//! `authgate jwks`

use std::collections::HashSet;
use std::path::PathBuf;

use authgate::jose::jwk::{Algorithm, MAX_KEYS, VerifyingKey};
use serde_json::{Value, json};

use super::key_file::{self, KeyFile, PublicKey};
use super::token::algorithm;
use super::{CommandOutput, Failure, report};

/// Create a JWK Set from keys and certificates, with their public parts only.
///
/// Reads PEM (public and private keys, X.509 certificates, several in one file), DER, JWKs and JWK Sets. Each key gets
/// `kid`, `alg` and `use`; its thumbprint is printed to standard error. Only the key of a certificate is used: neither
/// its signature nor its validity is checked. Exit code 1: some keys cannot be used, and are left out.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files with keys; `-`, or no file, is standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The `kid`, if there is only one key. Default: the `kid` of the JWK, or the thumbprint (RFC 7638).
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// The algorithm. Default: the `alg` of the JWK, or the algorithm of the curve, or RS256.
    #[arg(long, value_name = "NAME", value_parser = algorithm)]
    alg: Option<Algorithm>,
}

/// Runs `authgate jwks`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let mut all = KeyFile::default();
    let stdin = [PathBuf::from("-")];
    let files = if arguments.files.is_empty() { stdin.as_slice() } else { arguments.files.as_slice() };
    for path in files.iter().map(PathBuf::as_path) {
        let KeyFile { keys, skipped, faults } = key_file::read(path)?;
        all.keys.extend(keys);
        all.skipped.extend(skipped);
        all.faults.extend(faults);
    }
    if arguments.kid.is_some() && all.keys.len() > 1 {
        return Err(format!("--kid requires exactly one key, found {}", all.keys.len()));
    }
    let mut set = Set::default();
    for key in all.keys {
        match jwk(key, arguments) {
            Ok((jwk, origin)) => set.add(jwk, origin),
            Err(fault) => all.faults.push(fault),
        }
    }
    if set.keys.is_empty() {
        let reasons = all.faults.iter().chain(&all.skipped).cloned().collect::<Vec<_>>();
        return Err(format!("no usable keys\n{}", reasons.join("\n")));
    }
    if set.keys.len() > MAX_KEYS {
        return Err(format!("expected at most {MAX_KEYS} keys, found {}", set.keys.len()));
    }
    let notes = set.notes.iter().chain(&all.skipped).chain(&all.faults);
    let notes: String = notes.map(|note| format!("authgate: {note}\n")).collect();
    let text = report::pretty(&json!({"keys": set.keys}));
    Ok(CommandOutput { text, notes, is_success: all.faults.is_empty() })
}

/// Returns the JWK of a key, and a line that describes it.
fn jwk(key: PublicKey, arguments: &Arguments) -> Result<(Value, String), String> {
    let PublicKey { origin, is_private, mut members, thumbprint } = key;
    if let Some(algorithm) = arguments.alg {
        members.insert("alg".to_owned(), algorithm.name().into());
    }
    match (&arguments.kid, members.get("kid")) {
        (Some(kid), _) => drop(members.insert("kid".to_owned(), kid.as_str().into())),
        (None, None) => drop(members.insert("kid".to_owned(), thumbprint.as_str().into())),
        (None, Some(_)) => {}
    }
    members.insert("use".to_owned(), "sig".into());
    let mut jwk = Value::Object(members);
    let verifying = VerifyingKey::from_jwk(&jwk).map_err(|error| format!("{origin}: {error}"))?;
    // The first algorithm of the key. For an RSA key, which has six, this is RS256.
    let algorithm = verifying.algorithms().iter().next().map(Algorithm::name).unwrap_or_default();
    if let Some(members) = jwk.as_object_mut() {
        members.insert("alg".to_owned(), algorithm.into());
    }
    let private = if is_private { "; its private part is left out" } else { "" };
    Ok((jwk, format!("{origin}: {algorithm}, thumbprint {thumbprint}{private}")))
}

/// The JWK Set under construction.
#[derive(Default)]
struct Set {
    keys: Vec<Value>,
    kids: HashSet<String>,
    notes: Vec<String>,
}

impl Set {
    fn add(&mut self, jwk: Value, note: String) {
        if self.keys.contains(&jwk) {
            self.notes.push(format!("{note}; already in the set"));
            return;
        }
        let kid = jwk.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let other = format!("{note}; another key has the same `kid` {kid:?}, so both are tried for a token");
        self.notes.push(if self.kids.insert(kid) { note } else { other });
        self.keys.push(jwk);
    }
}
