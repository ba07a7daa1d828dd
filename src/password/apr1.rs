//! Apache's MD5-crypt: `SALT$`, then 22 characters of digest in crypt(3)'s base64.

use crypt3_rs::HashSetup;
use subtle::ConstantTimeEq as _;

use super::encoding::is_crypt64;
use super::{HashError, HashPart, HashScheme::Apr1};

const MAX_SALT_LEN: usize = 8;
const DIGEST_LEN: usize = 22;

pub(super) struct Hash {
    salt: String,
    /// As it is written, since that is what the crate hands out.
    digest: [u8; DIGEST_LEN],
}

impl Hash {
    /// Reads what follows `$apr1$`.
    pub(super) fn parse(text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(Apr1, part);
        let (salt, digest) = text.split_once('$').ok_or(malformed(HashPart::Layout))?;
        if !(1..=MAX_SALT_LEN).contains(&salt.len()) || !is_crypt64(salt) {
            return Err(malformed(HashPart::Salt));
        }
        // 22 characters hold 132 bits, 4 more than the digest: the last one is of the first four of the alphabet.
        if !is_crypt64(digest) || !digest.ends_with(['.', '/', '0', '1']) {
            return Err(malformed(HashPart::Digest));
        }
        let digest = digest.as_bytes().try_into().map_err(|_| malformed(HashPart::Digest))?;
        Ok(Hash { salt: salt.to_owned(), digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let setup = HashSetup { salt: Some(&self.salt), rounds: None };
        // Deprecated to warn off new hashes, yet the one way to compare in constant time.
        #[allow(deprecated)]
        let Ok(hash) = crypt3_rs::crypt::apr1::hash_with(setup, password) else { return false };
        hash.as_bytes().last_chunk::<DIGEST_LEN>().is_some_and(|digest| digest.ct_eq(&self.digest).into())
    }
}
