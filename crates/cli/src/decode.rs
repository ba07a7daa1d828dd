//! `authgate decode`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use authgate::jose::jwk::{Algorithms, KeySet, KeySetOrigin};
use authgate::jose::jwt::{JwsError, Jwt, SoftwareVerifier};
use authgate::json;
use authgate::timestamp::NumericDate;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::color;
use super::report::TextOrJson as Format;
use super::{CommandOutput, Failure, input, key_file, report, request, time};

/// Show the header and the claims of a JWT.
///
/// Without keys nothing is verified: anyone can create such a token. With keys the signature is verified, but not the
/// claims; for those, use `authgate explain` with a configuration.
#[derive(clap::Args)]
pub struct Arguments {
    /// The token; `-`, or no token, is standard input.
    #[arg(default_value = "-", hide_default_value = true)]
    token: String,
    /// The keys that verify the signature: a JWK Set, a JWK, or keys and certificates in PEM or DER.
    #[arg(short, long, visible_alias = "jwks", value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The reference time for relative times: RFC 3339, or seconds since 1970. Default: now.
    #[arg(long, value_name = "TIME", value_parser = request::time)]
    at: Option<NumericDate>,
    /// The output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

/// Runs `authgate decode`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let text = match arguments.token.as_str() {
        "-" => input::read(Path::new("-"))?,
        token => token.to_owned(),
    };
    let token = text.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    let jwt = Jwt::parse(token.as_bytes()).map_err(|error| format!("not a JWT: {error}"))?;
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header = header.and_then(|bytes| json::parse(&bytes).ok()).unwrap_or_default();
    let verified = match &arguments.keys {
        Some(path) => Some(jwt.jws().verify(&keys(path)?, Some(Algorithms::ALL), &SoftwareVerifier)),
        None => None,
    };
    let text = match arguments.output {
        Format::Json => report::pretty(&json!({
            "verified": verified.is_some_and(|verified| verified.is_ok()),
            "signature": signature_status(verified),
            "header": header,
            "claims": jwt.claims().members(),
        })),
        Format::Text => {
            let now = arguments.at.unwrap_or_else(request::now).seconds();
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = write(&mut text, &header, jwt.claims().members(), verified, now);
            text
        }
    };
    Ok(CommandOutput { text, notes: String::new(), is_success: !matches!(verified, Some(Err(_))) })
}

/// The keys in a file.
fn keys(path: &Path) -> Result<KeySet, Failure> {
    let set = key_file::key_set(path)?;
    let set = KeySet::from_jwks(&set, KeySetOrigin::Inline);
    Ok(set.map_err(|error| format!("{}: {error}", input::name(path)))?.0)
}

/// The result of the signature check.
fn signature_status(verified: Option<Result<(), JwsError>>) -> &'static str {
    match verified {
        None => "not verified",
        Some(Ok(())) => "verified",
        Some(Err(JwsError::BadSignature)) => "invalid",
        Some(Err(JwsError::UnknownKey)) => "invalid: no key has the `kid` of the token",
        Some(Err(JwsError::AlgorithmNotAllowed)) => "invalid: no key supports the `alg` of the token",
        Some(Err(JwsError::UnsupportedCritical)) => {
            "invalid: the header has an unsupported critical extension"
        }
    }
}

fn write(
    text: &mut String,
    header: &Value,
    claims: &Map<String, Value>,
    verified: Option<Result<(), JwsError>>,
    now: f64,
) -> std::fmt::Result {
    match verified {
        None => {
            let warning =
                "NOT VERIFIED: anyone can create such a token. Pass --keys to verify its signature.";
            writeln!(text, "{}", color::red(warning))?;
        }
        Some(Ok(())) => {
            writeln!(text, "{}", color::green("The signature is verified; the claims are not checked."))?
        }
        Some(Err(_)) => {
            let why = signature_status(verified);
            let warning = format!("THE SIGNATURE IS {}. Do not trust the content below.", why.to_uppercase());
            writeln!(text, "{}", color::red(&warning))?;
        }
    }
    writeln!(text, "\n{}", color::bold("Header"))?;
    for (name, value) in header.as_object().into_iter().flatten() {
        writeln!(text, "  {name}: {value}")?;
    }
    writeln!(text, "\n{}", color::bold("Claims"))?;
    for (name, value) in claims {
        let is_time = matches!(name.as_str(), "exp" | "nbf" | "iat" | "auth_time" | "updated_at");
        match value.as_f64().filter(|_| is_time) {
            Some(at) => {
                let (date, distance) = (time::rfc3339(at), time::distance(now, at));
                writeln!(text, "  {name}: {date} ({distance})")?;
            }
            None => writeln!(text, "  {name}: {value}")?,
        }
    }
    Ok(())
}
