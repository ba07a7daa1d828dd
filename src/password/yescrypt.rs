//! yescrypt: three characters of parameters, `$SALT$`, then 43 characters of digest, all in the base64 of crypt(3).
//!
//! The parameters are the flavor (`j`, the one that crypt(3) makes), log₂ N and r. The format allows others, such as
//! numbers of several characters, which no tool prints and which the crate does not parse safely. They are rejected.

use ::yescrypt::{Mode, Params};
use subtle::ConstantTimeEq as _;

use super::encoding::{crypt64, crypt64_value, fields};
use super::{HashError, HashPart, HashScheme::Yescrypt, OutOfMemory, memory};

/// Maximum memory in blocks of 128 bytes: N × r, which is 64 MiB. This also bounds the time.
const MAX_MEMORY: u64 = (64 << 20) / BLOCK_LEN;
const BLOCK_LEN: u64 = 128;
const SALT_LENS: std::ops::RangeInclusive<usize> = 1..=64;
const DIGEST_LEN: usize = 32;
/// The largest value of a single character. A larger value starts a number of several characters.
const MAX_SINGLE: u8 = 47;

pub(super) struct Hash {
    params: Params,
    salt: Vec<u8>,
    digest: [u8; DIGEST_LEN],
}

impl Hash {
    /// Parses the text after `$y$`.
    pub(super) fn parse(text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(Yescrypt, part);
        let [settings, salt, digest] = fields(text).ok_or(malformed(HashPart::Layout))?;
        let [b'j', log_n, r] = *settings.as_bytes() else { return Err(malformed(HashPart::Parameters)) };
        let log_n = from_one(log_n).ok_or(malformed(HashPart::Parameters))?;
        let r = from_one(r).ok_or(malformed(HashPart::Parameters))?;
        let salt = crypt64(salt).filter(|salt| SALT_LENS.contains(&salt.len()));
        let salt = salt.ok_or(malformed(HashPart::Salt))?;
        let digest = crypt64(digest).and_then(|digest| digest.try_into().ok());
        let digest = digest.ok_or(malformed(HashPart::Digest))?;
        let n = 1u64.checked_shl(log_n).ok_or(malformed(HashPart::Parameters))?;
        if n.saturating_mul(u64::from(r)) > MAX_MEMORY {
            return Err(HashError::TooLarge(Yescrypt));
        }
        let params = Params::new(Mode::Rw, n, r, 1).map_err(|_| malformed(HashPart::Parameters))?;
        Ok(Hash { params, salt, digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, OutOfMemory> {
        let bytes = usize::try_from(self.cost().saturating_mul(BLOCK_LEN)).unwrap_or(usize::MAX);
        if !memory::is_available(bytes) {
            return Err(OutOfMemory);
        }
        let mut digest = [0; DIGEST_LEN];
        let hashed = ::yescrypt::yescrypt(password, &self.salt, &self.params, &mut digest);
        hashed.map_err(|_| OutOfMemory)?;
        Ok(digest.ct_eq(&self.digest).into())
    }

    pub(super) fn cost(&self) -> u64 {
        self.params.n().saturating_mul(u64::from(self.params.r()))
    }
}

/// Parses a number of one character that counts from 1.
fn from_one(character: u8) -> Option<u32> {
    let value = crypt64_value(character).filter(|value| *value <= MAX_SINGLE)?;
    Some(u32::from(value) + 1)
}
