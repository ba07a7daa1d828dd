//! `authgate token`

use std::path::PathBuf;

use authgate::jose::jwk::Algorithm;
use authgate::json;
use authgate::timestamp::NumericDate;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::sign::SigningKey;
use super::{CommandOutput, Failure, input, request};

/// Create a JWT for tests, from a private key in PEM or a private JWK.
///
/// The token is for tests only: a real issuer does not keep its key in a file beside a tool.
#[derive(clap::Args)]
pub struct Arguments {
    /// The private key: PEM or JWK; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    key: PathBuf,
    /// The algorithm. Default: the algorithm of the key.
    #[arg(long, value_name = "NAME", value_parser = algorithm)]
    alg: Option<Algorithm>,
    /// The `kid` of the key. Default: the `kid` of the JWK.
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// The type, for example `at+jwt`.
    #[arg(long, value_name = "TYPE")]
    typ: Option<String>,
    /// The issuer.
    #[arg(long, value_name = "ISSUER")]
    iss: Option<String>,
    /// The subject.
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<String>,
    /// An audience. May be given several times.
    #[arg(long, value_name = "AUDIENCE")]
    aud: Vec<String>,
    /// The scopes, separated by spaces.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// A claim: a name and a JSON value or a string. May be given several times, and overrides the other options.
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, Value)>,
    /// The lifetime in seconds; 0: no `exp` claim.
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    lifetime: u32,
    /// The time of issue: RFC 3339, or seconds since 1970. Default: now.
    #[arg(long, value_name = "TIME", value_parser = request::time)]
    at: Option<NumericDate>,
}

/// Parses the name of an algorithm in an argument.
///
/// # Errors
/// If no algorithm has this name.
pub fn algorithm(name: &str) -> Result<Algorithm, String> {
    let names = || Algorithm::ALL.iter().map(|known| known.name()).collect::<Vec<_>>().join(", ");
    Algorithm::from_name(name).ok_or_else(|| format!("expected one of {}", names()))
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), json::parse(value.as_bytes()).unwrap_or_else(|_| value.into())))
}

/// Runs `authgate token`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let text = input::read(&arguments.key)?;
    let of_file = |why: String| format!("{}: {why}", input::name(&arguments.key));
    let jwk = if text.trim_start().starts_with('{') {
        json::parse(text.trim().as_bytes()).map_err(|error| of_file(error.to_string()))?
    } else {
        Value::Null
    };
    let key = if jwk.is_null() { SigningKey::from_pem(&text) } else { SigningKey::from_jwk(&jwk) };
    let key = key.map_err(of_file)?;
    let member = |name: &str| jwk.get(name).and_then(Value::as_str);
    let own = member("alg").and_then(Algorithm::from_name).unwrap_or_else(|| key.default_algorithm());
    let algorithm = arguments.alg.unwrap_or(own);

    let mut header = Map::new();
    header.insert("alg".to_owned(), json!(algorithm.name()));
    let kid = arguments.kid.as_deref().or(member("kid"));
    for (name, value) in [("kid", kid), ("typ", arguments.typ.as_deref())] {
        header.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    let input = format!("{}.{}", encode(&Value::Object(header)), encode(&Value::Object(claims(arguments))));
    let signature = key.sign(algorithm, input.as_bytes())?;
    let note = "authgate: this token is for tests; a real issuer does not keep its key in a file\n";
    Ok(CommandOutput {
        text: format!("{input}.{}\n", URL_SAFE_NO_PAD.encode(signature)),
        notes: note.to_owned(),
        is_success: true,
    })
}

fn claims(arguments: &Arguments) -> Map<String, Value> {
    let mut claims = Map::new();
    let texts = [("iss", &arguments.iss), ("sub", &arguments.sub), ("scope", &arguments.scope)];
    for (name, value) in texts {
        claims.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    match arguments.aud.as_slice() {
        [] => {}
        [only] => drop(claims.insert("aud".to_owned(), json!(only))),
        several => drop(claims.insert("aud".to_owned(), json!(several))),
    }
    let issued = arguments.at.unwrap_or_else(request::now).seconds().floor() as i64;
    claims.insert("iat".to_owned(), json!(issued));
    if arguments.lifetime > 0 {
        claims.insert("exp".to_owned(), json!(issued + i64::from(arguments.lifetime)));
    }
    claims.extend(arguments.claim.iter().cloned());
    claims
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
