//! `authgate key`

use authgate::http::codec::to_hex;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::report::TextOrJson as Format;
use super::{CommandOutput, Failure, input, report};

/// Generate a random API key and its entry for the configuration.
///
/// The key is shown only once; the entry contains only its SHA-256.
#[derive(clap::Args)]
pub struct Arguments {
    /// The identifier of the owner of the key.
    id: String,
    /// A scope of the key. May be given several times.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// A prefix of the key, so that secret scanners can find leaked keys.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// The output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

/// Runs `authgate key`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if !arguments.prefix.chars().all(is_plain) {
        return Err("expected a prefix of letters, digits, `-`, `_` and `.`".to_owned());
    }
    let random: [u8; 32] = input::random()?;
    let key = format!("{}{}", arguments.prefix, URL_SAFE_NO_PAD.encode(random));
    let digest = to_hex(&hmac_sha256::Hash::hash(key.as_bytes()));
    let mut entry = json!({"id": arguments.id, "sha256": digest});
    if let (false, Some(members)) = (arguments.scope.is_empty(), entry.as_object_mut()) {
        members.insert("scopes".to_owned(), json!(arguments.scope));
    }
    Ok(CommandOutput::success(match arguments.output {
        Format::Json => report::pretty(&json!({"key": key, "entry": entry})),
        // JSON is valid YAML, and its strings are always quoted.
        Format::Text => format!(
            "# The key, for its holder. It is not shown again.\n{key}\n\n# Its entry in `keys` of an `api_key` \
             authenticator.\n- {entry}\n"
        ),
    }))
}
