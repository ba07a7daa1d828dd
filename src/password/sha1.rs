//! SHA-1 in the form of LDAP: `{SHA}` and the base64 of the digest, `{SSHA}` and the base64 of digest and salt.

use ::sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use super::encoding::padded64;
use super::{HashError, HashPart, HashScheme};

const DIGEST_LEN: usize = 20;
const MAX_SALT_LEN: usize = 64;

pub(super) struct Hash {
    digest: [u8; DIGEST_LEN],
    /// Salt; empty for `{SHA}`.
    salt: Vec<u8>,
}

impl Hash {
    /// Parses the text after `{SHA}`.
    pub(super) fn parse(text: &str) -> Result<Hash, HashError> {
        let digest = padded64(text).and_then(|bytes| bytes.try_into().ok());
        let digest = digest.ok_or(HashError::Malformed(HashScheme::Sha1, HashPart::Digest))?;
        Ok(Hash { digest, salt: Vec::new() })
    }

    /// Parses the text after `{SSHA}`.
    pub(super) fn parse_salted(text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(HashScheme::SaltedSha1, part);
        let bytes = padded64(text).ok_or(malformed(HashPart::Digest))?;
        let (digest, salt) = bytes.split_first_chunk::<DIGEST_LEN>().ok_or(malformed(HashPart::Digest))?;
        if !(1..=MAX_SALT_LEN).contains(&salt.len()) {
            return Err(malformed(HashPart::Salt));
        }
        Ok(Hash { digest: *digest, salt: salt.to_vec() })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let digest: [u8; DIGEST_LEN] =
            Sha1::new().chain_update(password).chain_update(&self.salt).finalize().into();
        digest.ct_eq(&self.digest).into()
    }

    pub(super) fn scheme(&self) -> HashScheme {
        if self.salt.is_empty() { HashScheme::Sha1 } else { HashScheme::SaltedSha1 }
    }
}
