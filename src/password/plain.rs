//! `{PLAIN}`: the password itself.

use subtle::ConstantTimeEq as _;

use super::HashError;

/// SHA-256 of the password. Comparing digests reveals nothing about its length, and a memory dump shows less.
pub(super) struct Hash {
    digest: [u8; 32],
}

impl Hash {
    /// Parses the text after `{PLAIN}`.
    pub(super) fn parse(password: &str) -> Result<Hash, HashError> {
        if password.is_empty() {
            return Err(HashError::Empty);
        }
        Ok(Hash { digest: hmac_sha256::Hash::hash(password.as_bytes()) })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        hmac_sha256::Hash::hash(password).ct_eq(&self.digest).into()
    }
}
