//! SHA-crypt: `rounds=N$` (5,000 by default), `SALT$`, then the digest in the base64 of crypt(3).

use ::sha_crypt::{Params, PasswordVerifier as _, ShaCrypt};

use super::encoding::{crypt64, decimal, fields, is_crypt64};
use super::{HashError, HashPart, HashScheme};

/// Accepted rounds. The maximum is the default of passlib, and so of Ansible.
const ROUNDS: std::ops::RangeInclusive<u32> = 1_000..=656_000;
const MAX_SALT_LEN: usize = 16;
/// Maximum length of a password in bytes, as in crypt(3).
const MAX_PASSWORD_LEN: usize = 511;
/// Maximum rounds × bytes of the password. Each round hashes the password once or twice, so a client that sends a long
/// one could make the check ten times as slow.
const MAX_WORK: u64 = 84_000_000;

pub(super) struct Hash {
    scheme: HashScheme,
    rounds: u32,
    /// The whole hash. The crate reorders the bytes of the digest only when it parses the hash itself.
    text: String,
}

impl Hash {
    /// Parses the text after `$5$` or `$6$`.
    pub(super) fn parse(scheme: HashScheme, text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(scheme, part);
        let (id, digest_len) = if scheme == HashScheme::Sha256Crypt { ("5", 32) } else { ("6", 64) };
        let (rounds, rest) = match text.strip_prefix("rounds=") {
            None => (Params::RECOMMENDED_ROUNDS, text),
            Some(text) => {
                let (rounds, rest) = text.split_once('$').ok_or(malformed(HashPart::Layout))?;
                (decimal(rounds).ok_or(malformed(HashPart::Parameters))?, rest)
            }
        };
        let [salt, digest] = fields(rest).ok_or(malformed(HashPart::Layout))?;
        if !(1..=MAX_SALT_LEN).contains(&salt.len()) || !is_crypt64(salt) {
            return Err(malformed(HashPart::Salt));
        }
        if crypt64(digest).is_none_or(|bytes| bytes.len() != digest_len) {
            return Err(malformed(HashPart::Digest));
        }
        if rounds < *ROUNDS.start() {
            return Err(HashError::TooCheap(scheme));
        }
        if rounds > *ROUNDS.end() {
            return Err(HashError::TooSlow(scheme));
        }
        Ok(Hash { scheme, rounds, text: format!("${id}${text}") })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let len = u64::try_from(password.len()).unwrap_or(u64::MAX);
        password.len() <= MAX_PASSWORD_LEN
            && self.cost().saturating_mul(len) <= MAX_WORK
            && ShaCrypt::default().verify_password(password, self.text.as_str()).is_ok()
    }

    pub(super) fn scheme(&self) -> HashScheme {
        self.scheme
    }

    pub(super) fn cost(&self) -> u64 {
        u64::from(self.rounds)
    }
}
