//! `{PLAIN}`: the password itself.

use subtle::ConstantTimeEq as _;

use super::HashError;

/// Holds the SHA-256 of the password: comparing digests tells nothing of its length, and a memory dump shows less.
pub(super) struct Hash {
    digest: [u8; 32],
}

impl Hash {
    /// Reads what follows `{PLAIN}`.
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
