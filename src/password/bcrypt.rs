//! bcrypt: `COST$`, 22 characters of salt and 31 of digest, in the base64 of bcrypt.

use base64::Engine as _;
use bcrypt::BASE_64;
use subtle::ConstantTimeEq as _;

use super::{HashError, HashPart, HashScheme::Bcrypt};

const COSTS: std::ops::RangeInclusive<u32> = 4..=12;
const SALT_LEN: usize = 22;
const DIGEST_LEN: usize = 31;

pub(super) struct Hash {
    cost: u32,
    salt: [u8; 16],
    /// Digest as written, which is the form that the crate returns.
    digest: [u8; DIGEST_LEN],
}

impl Hash {
    /// Parses the text after `$2y$`.
    pub(super) fn parse(text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(Bcrypt, part);
        let (cost, rest) = text.split_once('$').ok_or(malformed(HashPart::Layout))?;
        if cost.len() != 2 || !cost.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed(HashPart::Parameters));
        }
        let cost = cost.parse().map_err(|_| malformed(HashPart::Parameters))?;
        let (salt, digest) = rest.split_at_checked(SALT_LEN).ok_or(malformed(HashPart::Salt))?;
        let salt = decode(salt).ok_or(malformed(HashPart::Salt))?;
        decode::<23>(digest).ok_or(malformed(HashPart::Digest))?;
        let digest = digest.as_bytes().try_into().map_err(|_| malformed(HashPart::Digest))?;
        if cost < *COSTS.start() {
            return Err(HashError::TooCheap(Bcrypt));
        }
        if cost > *COSTS.end() {
            return Err(HashError::TooSlow(Bcrypt));
        }
        Ok(Hash { cost, salt, digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        // The crate truncates the password at 72 bytes.
        let Ok(hash) = bcrypt::hash_with_salt_bytes(password, self.cost, self.salt) else { return false };
        hash.last_chunk::<DIGEST_LEN>().is_some_and(|digest| digest.ct_eq(&self.digest).into())
    }

    pub(super) fn cost(&self) -> u64 {
        u64::from(self.cost)
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE_64.decode(text).ok()?.try_into().ok()
}
