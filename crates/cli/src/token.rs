//! `authgate token`

use std::path::PathBuf;

use authgate::jose::jwk::Algorithm;
use authgate::json;
use authgate::timestamp::NumericDate;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::sign::SigningKey;
use super::{Failure, Said, input, request};

/// Mint a JWT for tests, from a private key in PEM or a private JWK.
///
/// It is for tests: a key that lies in a file beside a tool is no key of a real issuer.
#[derive(clap::Args)]
pub struct Arguments {
    /// The private key: PEM or JWK; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    key: PathBuf,
    /// The algorithm; default: the key's own.
    #[arg(long, value_name = "NAME", value_parser = algorithm)]
    alg: Option<Algorithm>,
    /// The name of the key; default: the JWK's own.
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// The type, as in `at+jwt`.
    #[arg(long, value_name = "TYPE")]
    typ: Option<String>,
    /// The issuer.
    #[arg(long, value_name = "ISSUER")]
    iss: Option<String>,
    /// The subject.
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<String>,
    /// An audience; may be given several times.
    #[arg(long, value_name = "AUDIENCE")]
    aud: Vec<String>,
    /// The scopes, with spaces between them.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// A claim: its name and a JSON value, or a text. May be given several times, and replaces the others.
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, Value)>,
    /// For how many seconds it is valid; 0: it says nothing of that.
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    lifetime: u32,
    /// When it is issued: a time by RFC 3339, or seconds since 1970. Default: now.
    #[arg(long, value_name = "TIME", value_parser = request::time)]
    at: Option<NumericDate>,
}

/// The algorithm of this name, for an argument.
///
/// # Errors
/// If there is none.
pub fn algorithm(name: &str) -> Result<Algorithm, String> {
    let names = || Algorithm::ALL.iter().map(|known| known.name()).collect::<Vec<_>>().join(", ");
    Algorithm::from_name(name).ok_or_else(|| format!("expected one of {}", names()))
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), json::parse(value.as_bytes()).unwrap_or_else(|_| value.into())))
}

/// Mints a token.
pub fn run(arguments: &Arguments) -> Result<Said, Failure> {
    let text = input::read(&arguments.key)?;
    let said = |why: String| format!("{}: {why}", input::name(&arguments.key));
    let jwk = if text.trim_start().starts_with('{') {
        json::parse(text.trim().as_bytes()).map_err(|error| said(error.to_string()))?
    } else {
        Value::Null
    };
    let key = if jwk.is_null() { SigningKey::from_pem(&text) } else { SigningKey::from_jwk(&jwk) };
    let key = key.map_err(said)?;
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
    let note = "authgate: a token for tests; no real issuer keeps its key in a file beside this tool\n";
    Ok(Said {
        text: format!("{input}.{}\n", URL_SAFE_NO_PAD.encode(signature)),
        notes: note.to_owned(),
        is_well: true,
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
