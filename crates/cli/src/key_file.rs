//! Files with keys (PEM, X.509 certificates, JWKs and JWK Sets) → public keys. No private part leaves this module.

mod der;

use std::path::Path;

use authgate::jose::jwk::{KeyError, MAX_KEYS, VerifyingKey, thumbprint};
use authgate::json;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Failure, input};
use der::Members;

/// A public key from a file.
pub struct PublicKey {
    /// The position of the key, such as `keys.pem, block 2 (CERTIFICATE)`.
    pub origin: String,
    /// Set if the file also has the private part.
    pub is_private: bool,
    /// The public members of the key, with `kid` and `alg` if the file has them.
    pub members: Members,
    /// The SHA-256 thumbprint ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)), in base64url.
    pub thumbprint: String,
}

/// The keys of a file.
#[derive(Default)]
pub struct KeyFile {
    pub keys: Vec<PublicKey>,
    /// Keys with a use other than signatures.
    pub skipped: Vec<String>,
    /// Keys that cannot be used, with reasons.
    pub faults: Vec<String>,
}

/// The public members of a JWK, by `kty` ([RFC 7518 §6](https://www.rfc-editor.org/rfc/rfc7518#section-6),
/// [RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2)).
fn public_members(kty: &str) -> Option<&'static [&'static str]> {
    match kty {
        "RSA" => Some(&["kty", "n", "e"]),
        "EC" => Some(&["kty", "crv", "x", "y"]),
        "OKP" => Some(&["kty", "crv", "x"]),
        _ => None,
    }
}

const PEM_START: &str = "-----BEGIN ";

/// Reads all keys of a file. `-` is standard input.
///
/// # Errors
/// If the file cannot be read, or has an unsupported format.
pub fn read(path: &Path) -> Result<KeyFile, Failure> {
    let name = input::name(path);
    let bytes = input::read_bytes(path)?;
    let mut file = KeyFile::default();
    match std::str::from_utf8(&bytes).map(|text| text.trim_start_matches('\u{feff}').trim()) {
        Ok("") => return Err(format!("{name}: the file is empty; {EXPECTED}")),
        Ok(text) if text.starts_with('{') => file.read_json(&name, text)?,
        Ok(text) if text.contains(PEM_START) => file.read_pem(&name, text)?,
        Ok(_) => return Err(format!("{name}: {EXPECTED}")),
        Err(_) => file.read_der(&name, &bytes)?,
    }
    Ok(file)
}

const EXPECTED: &str = "expected keys or certificates in PEM or DER, a JWK or a JWK Set";

/// Reads keys that verify tokens: a JWK Set or a JWK unchanged, or the public keys of a PEM or DER file. The latter
/// have no `kid`, so that they are tried for every token.
///
/// # Errors
/// If the file cannot be read, or a key in it cannot be used.
pub fn key_set(path: &Path) -> Result<Value, Failure> {
    let name = input::name(path);
    let bytes = input::read_bytes(path)?;
    let text = std::str::from_utf8(&bytes).map(|text| text.trim_start_matches('\u{feff}').trim());
    if let Ok(text) = text
        && !text.contains(PEM_START)
    {
        let value = json::parse(text.as_bytes()).map_err(|error| format!("{name}: {error}; {EXPECTED}"))?;
        return Ok(if value.get("kty").is_some() { json!({"keys": [value]}) } else { value });
    }
    let mut file = KeyFile::default();
    match text {
        Ok(text) => file.read_pem(&name, text)?,
        Err(_) => file.read_der(&name, &bytes)?,
    }
    if !file.faults.is_empty() {
        return Err(file.faults.join("\n"));
    }
    let keys: Vec<Value> = file.keys.into_iter().map(|key| Value::Object(key.members)).collect();
    Ok(json!({"keys": keys}))
}

impl KeyFile {
    fn read_json(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        let value = json::parse(text.as_bytes()).map_err(|error| format!("{name}: {error}"))?;
        match value.get("keys") {
            None if value.get("kty").is_some() => self.add_jwk(name.to_owned(), &value),
            Some(Value::Array(keys)) if keys.len() > MAX_KEYS => {
                return Err(format!("{name}: expected at most {MAX_KEYS} keys, found {}", keys.len()));
            }
            Some(Value::Array(keys)) => {
                for (at, key) in keys.iter().enumerate() {
                    self.add_jwk(format!("{name}, keys[{at}]"), key);
                }
            }
            _ => {
                return Err(format!(
                    "{name}: expected a JWK (an object with `kty`) or a JWK Set (an object with an array `keys`)"
                ));
            }
        }
        Ok(())
    }

    fn add_jwk(&mut self, origin: String, jwk: &Value) {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("kty") == Some("oct") {
            self.faults.push(format!("{origin}: a shared secret (`oct`) has no public part"));
            return;
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        let signs =
            |operations: &Vec<Value>| operations.iter().any(|name| name == "sign" || name == "verify");
        if text("use").is_some_and(|purpose| purpose != "sig") || operations.is_some_and(|all| !signs(all)) {
            self.skipped.push(format!("{origin}: left out, because it is not for signatures"));
            return;
        }
        let Some(names) = text("kty").and_then(public_members) else {
            let error = if text("kty").is_some() { KeyError::UnsupportedType } else { KeyError::NotAKey };
            self.faults.push(format!("{origin}: {error}"));
            return;
        };
        let member = |name: &&str| Some(((*name).to_owned(), jwk.get(*name)?.clone()));
        let members: Members = names.iter().chain(&["kid", "alg"]).filter_map(member).collect();
        let is_private = jwk.get("d").is_some() || jwk.get("priv").is_some();
        self.add(origin, is_private, members);
    }

    fn read_pem(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        let mut rest = text;
        let mut number = 0;
        while let Some((_, after)) = rest.split_once(PEM_START) {
            number += 1;
            if number > MAX_KEYS {
                return Err(format!("{name}: expected at most {MAX_KEYS} blocks"));
            }
            let broken = |why: &str| format!("{name}, block {number}: {why}");
            let (label, body) =
                after.split_once("-----").ok_or_else(|| broken("its first line is incomplete"))?;
            let Some(kind) = Kind::of(label) else {
                self.faults.push(broken("its kind is not supported; expected a key or a certificate"));
                rest = body;
                continue;
            };
            let end = format!("-----END {label}-----");
            let (body, after) = body.split_once(&end).ok_or_else(|| broken("it has no END line"))?;
            rest = after;
            if kind == Kind::Parameters {
                continue;
            }
            let origin = format!("{name}, block {number} ({label})");
            let base64: String = body.split_ascii_whitespace().collect();
            let read = match STANDARD.decode(&base64) {
                _ if kind == Kind::Encrypted || body.contains("ENCRYPTED") => Err(ENCRYPTED),
                Ok(der) => kind.read(&der),
                Err(_) => Err("not valid base64"),
            };
            match read {
                Ok(members) => self.add(origin, kind.is_private(), members),
                Err(fault) => self.faults.push(format!("{origin}: {fault}")),
            }
        }
        Ok(())
    }

    /// Reads the key or certificate of a DER file.
    fn read_der(&mut self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let kinds = [Kind::Certificate, Kind::Public, Kind::Pkcs8];
        let found = kinds.iter().find_map(|kind| Some((*kind, kind.read(bytes).ok()?)));
        let (kind, members) = found.ok_or_else(|| format!("{name}: {EXPECTED}"))?;
        self.add(name.to_owned(), kind.is_private(), members);
        Ok(())
    }

    /// Adds a key, if the filter can use it.
    fn add(&mut self, origin: String, is_private: bool, members: Members) {
        let jwk = Value::Object(members);
        let checked = VerifyingKey::from_jwk(&jwk).and_then(|_| thumbprint(&jwk).ok_or(KeyError::Malformed));
        match (checked, jwk) {
            (Ok(digest), Value::Object(members)) => {
                let thumbprint = URL_SAFE_NO_PAD.encode(digest);
                self.keys.push(PublicKey { origin, is_private, members, thumbprint });
            }
            (Err(error), _) => self.faults.push(format!("{origin}: {error}")),
            (Ok(_), _) => {}
        }
    }
}

const ENCRYPTED: &str =
    "it is encrypted; `openssl pkey -pubout` asks for the password and writes the public key";

/// The kinds of PEM block ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Certificate,
    Public,
    RsaPublic,
    Pkcs8,
    RsaPrivate,
    EcPrivate,
    Encrypted,
    /// `EC PARAMETERS`, before an `EC PRIVATE KEY` that repeats them.
    Parameters,
}

impl Kind {
    fn of(label: &str) -> Option<Kind> {
        Some(match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Kind::Certificate,
            "PUBLIC KEY" => Kind::Public,
            "RSA PUBLIC KEY" => Kind::RsaPublic,
            "PRIVATE KEY" => Kind::Pkcs8,
            "RSA PRIVATE KEY" => Kind::RsaPrivate,
            "EC PRIVATE KEY" => Kind::EcPrivate,
            "ENCRYPTED PRIVATE KEY" => Kind::Encrypted,
            "EC PARAMETERS" => Kind::Parameters,
            _ => return None,
        })
    }

    fn is_private(self) -> bool {
        matches!(self, Kind::Pkcs8 | Kind::RsaPrivate | Kind::EcPrivate)
    }

    fn read(self, der: &[u8]) -> Result<Members, der::Fault> {
        match self {
            Kind::Certificate => der::certificate(der),
            Kind::Public => der::public_key(der),
            Kind::RsaPublic => der::rsa_public(der),
            Kind::Pkcs8 => der::private_key(der),
            Kind::RsaPrivate => der::rsa_private(der),
            Kind::EcPrivate => der::ec_private(der),
            Kind::Encrypted | Kind::Parameters => Err(ENCRYPTED),
        }
    }
}
