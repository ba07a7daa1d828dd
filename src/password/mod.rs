//! Stored password hashes: the kinds that an htpasswd file may hold, read once and checked in full, then verified.
//!
//! Reading is strict. A text that the tool of its kind would never print (another alphabet, stray bits at the end of
//! a base64 part, another length of digest) is refused with the configuration, so that verifying has nothing left to
//! find wrong. These are the kinds and the bounds that one hash must keep, since every bound is worker time or memory
//! that a client can ask for:
//!
//! | kind | written | bounds |
//! | --- | --- | --- |
//! | bcrypt | `$2a$` `$2b$` `$2y$` | cost 4 to 12 |
//! | SHA-256-crypt, SHA-512-crypt | `$5$` `$6$` | 1,000 to 656,000 rounds, 5,000 where none are given; a password of at most 511 octets, 128 at 656,000 rounds |
//! | Argon2 | `$argon2id$` `$argon2i$` `$argon2d$` | 64 MiB; memory × passes at most 256 MiB; a digest of 16, 32 or 64 octets |
//! | scrypt | `$scrypt$` | 64 MiB; memory × `p` at most 128 MiB; `r` × `p` at most 8,192; a digest of 32 octets |
//! | yescrypt | `$y$` | 64 MiB; parameters as crypt(3) makes them (`j`, N, r) |
//! | MD5-crypt as Apache has it | `$apr1$` | weak |
//! | SHA-1, salted or not | `{SSHA}` `{SHA}` | weak; a salt of at most 64 octets |
//! | plain text | `{PLAIN}` | weak; only where it is allowed |
//!
//! bcrypt knows a password by its first 72 octets only. Apache and PHP verify it so, and so do we.

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
mod yescrypt;

use std::fmt;

pub use error::{HashError, HashPart};
pub use htpasswd::{HtpasswdEntry, HtpasswdError, HtpasswdErrorKind, parse_htpasswd};

/// The longest password that is hashed, in octets. A longer one is wrong.
pub const MAX_PASSWORD_LEN: usize = 1024;

/// Whether `{PLAIN}` entries are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// They are an error.
    Refuse,
    /// They are read like any other kind.
    Allow,
}

/// The kinds of hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashScheme {
    /// `$2a$`, `$2b$`, `$2y$`: one algorithm under three names.
    Bcrypt,
    /// `$apr1$`: Apache's variant of MD5-crypt.
    Apr1,
    /// `{SHA}`: SHA-1 without salt.
    Sha1,
    /// `{SSHA}`: SHA-1 with salt.
    SaltedSha1,
    /// `$5$`.
    Sha256Crypt,
    /// `$6$`.
    Sha512Crypt,
    /// `$argon2id$` (RFC 9106).
    Argon2id,
    /// `$argon2i$` (RFC 9106).
    Argon2i,
    /// `$argon2d$` (RFC 9106).
    Argon2d,
    /// `$scrypt$` (RFC 7914) in the PHC string format.
    Scrypt,
    /// `$y$`.
    Yescrypt,
    /// `{PLAIN}`.
    Plain,
}

/// One stored password hash.
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

/// A hash whose memory could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

impl PasswordHash {
    /// Reads `text`, which is what follows `user:` in an htpasswd line.
    ///
    /// # Errors
    /// Says why it is not a hash that we take; see the bounds above.
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

    /// Whether `password` is the one. The digests are compared in constant time.
    ///
    /// A password longer than [`MAX_PASSWORD_LEN`] (for SHA-crypt, than its bounds above) is wrong without being hashed,
    /// and so is one that holds a NUL: to the crypt(3) kinds a NUL is the end, and bcrypt takes `a` and `a NUL a` for the
    /// same.
    ///
    /// # Errors
    /// There is not enough memory for the hash, so nothing is known of the password.
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

    /// How much work one verification is, to compare hashes of one scheme: bcrypt's cost (a power of two), rounds of
    /// SHA-crypt, KiB filled by Argon2, blocks of 128 octets filled by scrypt and yescrypt. 1 where it is fixed.
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

    /// Whether whoever gets hold of the hash soon has the password: worth a warning.
    pub fn is_weak(&self) -> bool {
        matches!(self.0, Kind::Apr1(_) | Kind::Sha1(_) | Kind::Plain(_))
    }

    /// Whether verifying takes so long that it is worth rationing and its outcome worth remembering: the kinds that are made
    /// to be slow, and `$apr1$`, whose thousand rounds each hash a guess that may have a thousand octets. The others hash
    /// a guess once, which costs no more than reading it.
    pub fn is_slow(&self) -> bool {
        !matches!(self.0, Kind::Sha1(_) | Kind::Plain(_))
    }
}

impl fmt::Debug for PasswordHash {
    /// Shows the kind alone.
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
