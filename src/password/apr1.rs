//! MD5-crypt of Apache: `SALT$`, then 22 characters of digest in the base64 of crypt(3).

use crypt3_rs::HashSetup;
use subtle::ConstantTimeEq as _;

use super::encoding::is_crypt64;
use super::{HashError, HashPart, HashScheme::Apr1};

const MAX_SALT_LEN: usize = 8;
const DIGEST_LEN: usize = 22;

pub(super) struct Hash {
    salt: String,
    /// Digest as written, which is the form that the crate returns.
    digest: [u8; DIGEST_LEN],
}

impl Hash {
    /// Parses the text after `$apr1$`.
    pub(super) fn parse(text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(Apr1, part);
        let (salt, digest) = text.split_once('$').ok_or(malformed(HashPart::Layout))?;
        if !(1..=MAX_SALT_LEN).contains(&salt.len()) || !is_crypt64(salt) {
            return Err(malformed(HashPart::Salt));
        }
        // 22 characters encode 132 bits, 4 more than the digest, so the last one is among the first four of the
        // alphabet.
        if !is_crypt64(digest) || !digest.ends_with(['.', '/', '0', '1']) {
            return Err(malformed(HashPart::Digest));
        }
        let digest = digest.as_bytes().try_into().map_err(|_| malformed(HashPart::Digest))?;
        Ok(Hash { salt: salt.to_owned(), digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let setup = HashSetup { salt: Some(&self.salt), rounds: None };
        // Deprecated to discourage new hashes, but the only way to compare in constant time.
        #[allow(deprecated)]
        let Ok(hash) = crypt3_rs::crypt::apr1::hash_with(setup, password) else { return false };
        hash.as_bytes().last_chunk::<DIGEST_LEN>().is_some_and(|digest| digest.ct_eq(&self.digest).into())
    }
}
