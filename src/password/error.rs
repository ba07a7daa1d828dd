//! Errors of password hashes.

use std::fmt;

use super::HashScheme;
use super::encoding::is_crypt64;

/// Reason why a hash is rejected. Contains no part of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashError {
    /// The hash is empty, or nothing follows `{PLAIN}`.
    Empty,
    /// The hash has a space, a control character or a character outside ASCII.
    ForeignCharacter,
    /// The hash starts with `$$`, the escaped form of `$` in some templates.
    DoubledDollar,
    /// `{PLAIN}` is not allowed.
    PlaintextRefused,
    /// 13 characters, like a hash of DES crypt.
    DesCrypt,
    /// MD5-crypt: `$1$`.
    Md5Crypt,
    /// `$2$` or `$2x$`, which are faulty implementations of bcrypt.
    OldBcrypt,
    /// The kind is unknown.
    UnknownKind,
    /// A part of the hash does not have the form of its kind.
    Malformed(HashScheme, HashPart),
    /// The hash takes less work than its kind requires.
    TooCheap(HashScheme),
    /// The hash takes more time than one password check may take.
    TooSlow(HashScheme),
    /// The hash takes more memory than one password check may take.
    TooLarge(HashScheme),
}

/// A part of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashPart {
    /// The parts as a whole: some are missing, or there are too many.
    Layout,
    /// Version, cost, rounds and similar parameters.
    Parameters,
    /// The salt.
    Salt,
    /// The digest, which the password is compared with.
    Digest,
}

impl HashError {
    /// The error for a text that names no kind.
    pub(super) fn without_id(text: &str) -> HashError {
        const DES_LEN: usize = 13;
        if text.len() == DES_LEN && is_crypt64(text) { HashError::DesCrypt } else { HashError::UnknownKind }
    }
}

const MAKE_A_NEW_ONE: &str = "make a new one with `authgate hash`";

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            HashError::Empty => write!(f, "the hash is empty; {MAKE_A_NEW_ONE}"),
            HashError::ForeignCharacter => {
                f.write_str("the hash contains a space or another invalid character; copy the hash alone")
            }
            HashError::DoubledDollar => {
                f.write_str("the hash starts with `$$`; write each `$` once, since it needs no escape here")
            }
            HashError::PlaintextRefused => write!(
                f,
                "a password in plain text (`{{PLAIN}}`) requires `allow_plaintext: true`; it is better to {MAKE_A_NEW_ONE}"
            ),
            HashError::DesCrypt => {
                write!(f, "DES crypt hashes and bare passwords are not supported; {MAKE_A_NEW_ONE}")
            }
            HashError::Md5Crypt => write!(f, "`$1$` (MD5-crypt) hashes are not supported; {MAKE_A_NEW_ONE}"),
            HashError::OldBcrypt => write!(
                f,
                "`$2$` and `$2x$` are faulty versions of bcrypt, and are not supported; {MAKE_A_NEW_ONE}"
            ),
            HashError::UnknownKind => write!(
                f,
                "unknown kind of hash; expected bcrypt, argon2, scrypt, yescrypt, `$5$`, `$6$`, `$apr1$`, `{{SHA}}` or \
                 `{{SSHA}}`; {MAKE_A_NEW_ONE}"
            ),
            HashError::Malformed(scheme, part) => write!(
                f,
                "{part} of the {scheme} hash is invalid; expected `{}`; the hash may be truncated: copy it again, or \
                 make a new one",
                layout(scheme)
            ),
            HashError::TooCheap(scheme) => {
                write!(f, "the cost of the {scheme} hash is too low to be safe; {}", bounds(scheme))
            }
            HashError::TooSlow(scheme) => {
                write!(f, "checking the {scheme} hash would take too long; {}", bounds(scheme))
            }
            HashError::TooLarge(scheme) => {
                write!(f, "checking the {scheme} hash would take too much memory; {}", bounds(scheme))
            }
        }
    }
}

impl std::error::Error for HashError {}

impl fmt::Display for HashPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HashPart::Layout => "the layout",
            HashPart::Parameters => "a parameter",
            HashPart::Salt => "the salt",
            HashPart::Digest => "the digest",
        })
    }
}

fn layout(scheme: HashScheme) -> &'static str {
    match scheme {
        HashScheme::Bcrypt => "$2y$COST$, then 53 characters",
        HashScheme::Apr1 => "$apr1$SALT$, then 22 characters",
        HashScheme::Sha1 => "{SHA}, then 28 characters of base64",
        HashScheme::SaltedSha1 => "{SSHA}, then the base64 of digest and salt",
        HashScheme::Sha256Crypt => "$5$SALT$ or $5$rounds=N$SALT$, then 43 characters",
        HashScheme::Sha512Crypt => "$6$SALT$ or $6$rounds=N$SALT$, then 86 characters",
        HashScheme::Argon2id => "$argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$DIGEST",
        HashScheme::Argon2i => "$argon2i$v=19$m=KIB,t=PASSES,p=LANES$SALT$DIGEST",
        HashScheme::Argon2d => "$argon2d$v=19$m=KIB,t=PASSES,p=LANES$SALT$DIGEST",
        HashScheme::Scrypt => "$scrypt$ln=LOG2_N,r=R,p=P$SALT$, then 43 characters",
        HashScheme::Yescrypt => "$y$ and three characters such as j9T, $SALT$, then 43 characters",
        HashScheme::Plain => "{PLAIN}PASSWORD",
    }
}

fn bounds(scheme: HashScheme) -> &'static str {
    match scheme {
        HashScheme::Bcrypt => "make a new one at a cost from 4 to 12; `authgate hash` uses 10",
        HashScheme::Sha256Crypt | HashScheme::Sha512Crypt => {
            "make a new one with 1000 to 656000 rounds; `authgate hash --kind sha512-crypt` uses 100000"
        }
        HashScheme::Argon2id | HashScheme::Argon2i | HashScheme::Argon2d => {
            "make a new one with at most 64 MiB, and at most 256 MiB counted over all passes; `authgate hash --kind argon2id` uses m=19456,t=2,p=1"
        }
        HashScheme::Scrypt => {
            "make a new one with at most 64 MiB (128 × N × r), at most 128 MiB times p, r × p at most 8192, such as ln=15,r=8,p=1, or another kind with `authgate hash`"
        }
        HashScheme::Yescrypt => {
            "make a new one with at most 64 MiB (128 × N × r), such as `mkpasswd -m yescrypt`, or another kind with `authgate hash`"
        }
        HashScheme::Apr1 | HashScheme::Sha1 | HashScheme::SaltedSha1 | HashScheme::Plain => MAKE_A_NEW_ONE,
    }
}
