//! `authgate hash`

use std::io::{BufRead as _, IsTerminal as _};

use authgate::password::{PasswordHash, Plaintext};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use clap::ValueEnum;
use sha_crypt::PasswordHasher as _;

use super::{CommandOutput, Failure, input};

/// Hash a password for an htpasswd file.
///
/// Prompts for the password without echo, or reads the first line of standard input. Without a user only the hash is
/// printed, for `users`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The name of the user.
    user: Option<String>,
    /// The kind of hash.
    #[arg(short, long, value_enum, default_value = "bcrypt", value_name = "KIND")]
    kind: Kind,
    /// The cost: the exponent of bcrypt (default 10), the passes of argon2 (2) or the rounds of SHA-crypt (100000).
    #[arg(long, value_name = "N")]
    cost: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// `$2b$`, for passwords of at most 72 bytes.
    Bcrypt,
    /// `$argon2id$`, with 19 MiB.
    Argon2id,
    /// `$6$`
    #[value(name = "sha512-crypt")]
    Sha512Crypt,
}

/// The longest password that the filter accepts, in bytes.
const MAX_PASSWORD: usize = 1024;

/// The longest password that bcrypt uses completely, in bytes.
const MAX_BCRYPT_PASSWORD: usize = 72;

/// Runs `authgate hash`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    if let Some(user) = &arguments.user
        && (user.is_empty() || user.contains(':') || user.chars().any(char::is_control))
    {
        return Err("expected a non-empty user name without colons and control characters".to_owned());
    }
    let password = password()?;
    if password.is_empty() || password.len() > MAX_PASSWORD || password.contains('\0') {
        return Err(format!("expected a password of 1 to {MAX_PASSWORD} bytes, without NUL"));
    }
    let hash = hash(arguments.kind, arguments.cost, &password)?;
    Ok(CommandOutput::success(match &arguments.user {
        Some(user) => format!("{user}:{hash}\n"),
        None => format!("{hash}\n"),
    }))
}

fn password() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).map_err(|error| error.to_string());
        let password = ask("Password: ")?;
        return if ask("Again: ")? == password {
            Ok(password)
        } else {
            Err("the passwords differ".to_owned())
        };
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| format!("<stdin>: {error}"))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}

fn hash(kind: Kind, cost: Option<u32>, password: &str) -> Result<String, Failure> {
    let hash = match kind {
        Kind::Bcrypt => {
            if password.len() > MAX_BCRYPT_PASSWORD {
                return Err(format!(
                    "bcrypt uses at most {MAX_BCRYPT_PASSWORD} bytes of a password; use --kind argon2id for longer ones"
                ));
            }
            let hash = bcrypt::hash_with_salt(password, cost.unwrap_or(10), input::random()?);
            let hash = hash.map_err(|error| error.to_string());
            hash?.format_for_version(bcrypt::Version::TwoB)
        }
        Kind::Argon2id => argon2id(cost.unwrap_or(2), password)?,
        Kind::Sha512Crypt => {
            let salt: [u8; 12] = input::random()?;
            let params =
                sha_crypt::Params::new(cost.unwrap_or(100_000)).map_err(|error| error.to_string())?;
            let hasher = sha_crypt::ShaCrypt::from(params);
            let hash = hasher.hash_password_with_salt(password.as_bytes(), &salt);
            hash.map_err(|error| error.to_string())?.to_string()
        }
    };
    // The filter rejects hashes that are too expensive.
    let stored = PasswordHash::parse(&hash, Plaintext::Refuse).map_err(|error| error.to_string())?;
    match stored.verify(password.as_bytes()) {
        Ok(true) => Ok(hash),
        _ => Err("the hash does not verify the password; no hash was created".to_owned()),
    }
}

/// Hashes a password with the parameters that OWASP recommends, in the PHC string format.
fn argon2id(passes: u32, password: &str) -> Result<String, Failure> {
    const MEMORY_KIB: u32 = 19_456;
    const LANES: u32 = 1;
    let salt: [u8; 16] = input::random()?;
    let mut digest = [0; 32];
    let params = argon2::Params::new(MEMORY_KIB, passes, LANES, Some(digest.len()));
    let params = params.map_err(|error| error.to_string())?;
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &salt, &mut digest)
        .map_err(|error| error.to_string())?;
    let (salt, digest) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={passes},p={LANES}${salt}${digest}"))
}
