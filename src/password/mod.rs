//! Stored password hashes: the kinds that an htpasswd file may contain. Uses no other module of this crate.
//!
//! Hashes are parsed and fully validated when the configuration is loaded; verification then has no further errors but
//! a lack of memory. Parsing is strict: text that the tool of its kind never prints (a character outside the alphabet,
//! stray bits at the end of a base64 part, a different length of the digest) is rejected.
//!
//! Each kind has bounds, because a client can trigger the work of a hash, in worker time and in memory:
//!
//! | kind | prefix | bounds |
//! | --- | --- | --- |
//! | bcrypt | `$2a$` `$2b$` `$2y$` | cost 4 to 12 |
//! | SHA-256-crypt, SHA-512-crypt | `$5$` `$6$` | 1,000 to 656,000 rounds, 5,000 by default; a password of at most 511 bytes, 128 at 656,000 rounds |
//! | Argon2 | `$argon2id$` `$argon2i$` `$argon2d$` | 64 MiB; memory × passes at most 256 MiB; a digest of 16, 32 or 64 bytes |
//! | scrypt | `$scrypt$` | 64 MiB; memory × `p` at most 128 MiB; `r` × `p` at most 8,192; a digest of 32 bytes |
//! | yescrypt | `$y$` | 64 MiB; parameters as crypt(3) makes them (`j`, N, r) |
//! | MD5-crypt of Apache | `$apr1$` | weak |
//! | SHA-1, with or without salt | `{SSHA}` `{SHA}` | weak; a salt of at most 64 bytes |
//! | plain text | `{PLAIN}` | weak; only if allowed |
//!
//! bcrypt uses only the first 72 bytes of a password. Apache and PHP verify passwords this way, and so does this
//! module.

mod apr1;
mod argon2;
mod bcrypt;
mod encoding;
mod error;
mod htpasswd;
mod memory;
mod plain;
mod scrypt;
mod sha1;
mod sha_crypt;
pub mod user_file;
mod yescrypt;

use std::fmt;

pub use error::{HashError, HashPart};
pub use htpasswd::{HtpasswdEntry, HtpasswdError, HtpasswdErrorKind, parse_htpasswd};

/// Maximum length of a password in bytes. A longer password is wrong, and is not hashed.
pub const MAX_PASSWORD_LEN: usize = 1024;

/// Handling of `{PLAIN}` entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// `{PLAIN}` entries are errors.
    Refuse,
    /// `{PLAIN}` entries are parsed like other kinds.
    Allow,
}

/// Kinds of password hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashScheme {
    /// bcrypt: `$2a$`, `$2b$` and `$2y$`, three names of one algorithm.
    Bcrypt,
    /// The variant of MD5-crypt of Apache: `$apr1$`.
    Apr1,
    /// SHA-1 without salt: `{SHA}`.
    Sha1,
    /// SHA-1 with salt: `{SSHA}`.
    SaltedSha1,
    /// SHA-256-crypt: `$5$`.
    Sha256Crypt,
    /// SHA-512-crypt: `$6$`.
    Sha512Crypt,
    /// Argon2id ([RFC 9106](https://www.rfc-editor.org/rfc/rfc9106)): `$argon2id$`.
    Argon2id,
    /// Argon2i ([RFC 9106](https://www.rfc-editor.org/rfc/rfc9106)): `$argon2i$`.
    Argon2i,
    /// Argon2d ([RFC 9106](https://www.rfc-editor.org/rfc/rfc9106)): `$argon2d$`.
    Argon2d,
    /// scrypt ([RFC 7914](https://www.rfc-editor.org/rfc/rfc7914)) in the PHC string format: `$scrypt$`.
    Scrypt,
    /// yescrypt: `$y$`.
    Yescrypt,
    /// Plain text: `{PLAIN}`.
    Plain,
}

/// A stored password hash.
pub struct PasswordHash(Kind);

enum Kind {
    Bcrypt(bcrypt::Hash),
    Apr1(apr1::Hash),
    Sha1(sha1::Hash),
    ShaCrypt(sha_crypt::Hash),
    Argon2(argon2::Hash),
    Scrypt(scrypt::Hash),
    Yescrypt(yescrypt::Hash),
    Plain(plain::Hash),
}

/// Error for a hash that needs more memory than is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

impl PasswordHash {
    /// Parses a hash: the text after `user:` in an htpasswd line.
    ///
    /// # Errors
    /// Fails if the text is not a hash of a supported kind, or exceeds the bounds in the module page.
    pub fn parse(text: &str, plaintext: Plaintext) -> Result<PasswordHash, HashError> {
        if let Some(password) = text.strip_prefix("{PLAIN}") {
            return match plaintext {
                Plaintext::Refuse => Err(HashError::PlaintextRefused),
                Plaintext::Allow => plain::Hash::parse(password).map(Kind::Plain).map(PasswordHash),
            };
        }
        if text.is_empty() {
            return Err(HashError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(HashError::ForeignCharacter);
        }
        if let Some(rest) = text.strip_prefix("{SHA}") {
            return sha1::Hash::parse(rest).map(Kind::Sha1).map(PasswordHash);
        }
        if let Some(rest) = text.strip_prefix("{SSHA}") {
            return sha1::Hash::parse_salted(rest).map(Kind::Sha1).map(PasswordHash);
        }
        let Some((id, rest)) = text.strip_prefix('$').and_then(|text| text.split_once('$')) else {
            return Err(HashError::without_id(text));
        };
        let kind = match id {
            "2a" | "2b" | "2y" => bcrypt::Hash::parse(rest).map(Kind::Bcrypt),
            "apr1" => apr1::Hash::parse(rest).map(Kind::Apr1),
            "5" => sha_crypt::Hash::parse(HashScheme::Sha256Crypt, rest).map(Kind::ShaCrypt),
            "6" => sha_crypt::Hash::parse(HashScheme::Sha512Crypt, rest).map(Kind::ShaCrypt),
            "argon2id" => argon2::Hash::parse(HashScheme::Argon2id, rest).map(Kind::Argon2),
            "argon2i" => argon2::Hash::parse(HashScheme::Argon2i, rest).map(Kind::Argon2),
            "argon2d" => argon2::Hash::parse(HashScheme::Argon2d, rest).map(Kind::Argon2),
            "scrypt" => scrypt::Hash::parse(rest).map(Kind::Scrypt),
            "y" => yescrypt::Hash::parse(rest).map(Kind::Yescrypt),
            "1" => Err(HashError::Md5Crypt),
            "2" | "2x" => Err(HashError::OldBcrypt),
            "" => Err(HashError::DoubledDollar),
            _ => Err(HashError::UnknownKind),
        };
        kind.map(PasswordHash)
    }

    /// True if `password` is the right password. Digests are compared in constant time.
    ///
    /// A password longer than [`MAX_PASSWORD_LEN`] (for SHA-crypt, than its bounds) is wrong and is not hashed. So is a
    /// password with a NUL: crypt(3) kinds end a password at a NUL, and for bcrypt `a` and `a NUL a` are the same.
    ///
    /// # Errors
    /// Fails if there is not enough memory for the hash. The result then says nothing about the password.
    pub fn verify(&self, password: &[u8]) -> Result<bool, OutOfMemory> {
        if password.len() > MAX_PASSWORD_LEN || password.contains(&0) {
            return Ok(false);
        }
        match &self.0 {
            Kind::Bcrypt(hash) => Ok(hash.verify(password)),
            Kind::Apr1(hash) => Ok(hash.verify(password)),
            Kind::Sha1(hash) => Ok(hash.verify(password)),
            Kind::ShaCrypt(hash) => Ok(hash.verify(password)),
            Kind::Argon2(hash) => hash.verify(password),
            Kind::Scrypt(hash) => hash.verify(password),
            Kind::Yescrypt(hash) => hash.verify(password),
            Kind::Plain(hash) => Ok(hash.verify(password)),
        }
    }

    /// The kind of hash.
    pub fn scheme(&self) -> HashScheme {
        match &self.0 {
            Kind::Bcrypt(_) => HashScheme::Bcrypt,
            Kind::Apr1(_) => HashScheme::Apr1,
            Kind::Sha1(hash) => hash.scheme(),
            Kind::ShaCrypt(hash) => hash.scheme(),
            Kind::Argon2(hash) => hash.scheme(),
            Kind::Scrypt(_) => HashScheme::Scrypt,
            Kind::Yescrypt(_) => HashScheme::Yescrypt,
            Kind::Plain(_) => HashScheme::Plain,
        }
    }

    /// Work of one verification, comparable between hashes of one scheme: the cost of bcrypt (an exponent of 2),
    /// the rounds of SHA-crypt, KiB filled by Argon2, blocks of 128 bytes filled by scrypt and yescrypt. 1 if the work
    /// is fixed.
    pub fn cost(&self) -> u64 {
        match &self.0 {
            Kind::Bcrypt(hash) => hash.cost(),
            Kind::ShaCrypt(hash) => hash.cost(),
            Kind::Argon2(hash) => hash.cost(),
            Kind::Scrypt(hash) => hash.cost(),
            Kind::Yescrypt(hash) => hash.cost(),
            Kind::Apr1(_) | Kind::Sha1(_) | Kind::Plain(_) => 1,
        }
    }

    /// True if an attacker who obtains the hash soon has the password, which deserves a warning.
    pub fn is_weak(&self) -> bool {
        matches!(self.0, Kind::Apr1(_) | Kind::Sha1(_) | Kind::Plain(_))
    }

    /// True if verification takes so long that it is rationed and its result cached: for kinds that are slow by design,
    /// and for `$apr1$`, each of whose thousand rounds hashes a guess of up to a thousand bytes. The other kinds hash a
    /// guess once, which costs no more than reading it.
    pub fn is_slow(&self) -> bool {
        !matches!(self.0, Kind::Sha1(_) | Kind::Plain(_))
    }
}

impl fmt::Debug for PasswordHash {
    /// Shows only the kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PasswordHash").field(&self.scheme()).finish_non_exhaustive()
    }
}

impl fmt::Display for HashScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HashScheme::Bcrypt => "bcrypt",
            HashScheme::Apr1 => "$apr1$",
            HashScheme::Sha1 => "{SHA}",
            HashScheme::SaltedSha1 => "{SSHA}",
            HashScheme::Sha256Crypt => "$5$",
            HashScheme::Sha512Crypt => "$6$",
            HashScheme::Argon2id => "argon2id",
            HashScheme::Argon2i => "argon2i",
            HashScheme::Argon2d => "argon2d",
            HashScheme::Scrypt => "scrypt",
            HashScheme::Yescrypt => "yescrypt",
            HashScheme::Plain => "{PLAIN}",
        })
    }
}

#[cfg(test)]
pub(crate) use memory::without_memory;
