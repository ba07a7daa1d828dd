//! scrypt ([RFC 7914](https://www.rfc-editor.org/rfc/rfc7914)) in the PHC string format:
//! `ln=LOG2_N,r=R,p=P$SALT$DIGEST`.

use ::scrypt::Params;
use subtle::ConstantTimeEq as _;

use super::encoding::{fields, parameters, phc64};
use super::{HashError, HashPart, HashScheme::Scrypt, OutOfMemory, memory};

/// Maximum memory in blocks of 128 bytes: N × r, which is 64 MiB.
const MAX_MEMORY: u64 = (64 << 20) / BLOCK_LEN;
/// Maximum memory filled in blocks of 128 bytes: N × r × p, which is 128 MiB.
const MAX_FILLED: u64 = (128 << 20) / BLOCK_LEN;
/// Maximum memory for lanes in blocks of 128 bytes: r × p, which is 1 MiB in addition to the memory above.
const MAX_LANES: u64 = (1 << 20) / BLOCK_LEN;
const BLOCK_LEN: u64 = 128;
const SALT_LENS: std::ops::RangeInclusive<usize> = 1..=64;
/// Length of the digest in bytes. A digest of scrypt is a prefix of longer ones, so other lengths would accept a
/// truncated one.
const DIGEST_LEN: usize = 32;

pub(super) struct Hash {
    params: Params,
    salt: Vec<u8>,
    digest: [u8; DIGEST_LEN],
}

impl Hash {
    /// Parses the text after `$scrypt$`.
    pub(super) fn parse(text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(Scrypt, part);
        let [settings, salt, digest] = fields(text).ok_or(malformed(HashPart::Layout))?;
        let [log_n, r, p] = parameters(settings, ["ln", "r", "p"]).ok_or(malformed(HashPart::Parameters))?;
        let salt = phc64(salt).filter(|salt| SALT_LENS.contains(&salt.len()));
        let salt = salt.ok_or(malformed(HashPart::Salt))?;
        let digest = phc64(digest).and_then(|digest| digest.try_into().ok());
        let digest = digest.ok_or(malformed(HashPart::Digest))?;
        if log_n == 0 || r == 0 || p == 0 {
            return Err(malformed(HashPart::Parameters));
        }
        let n = 1u64.checked_shl(log_n).ok_or(malformed(HashPart::Parameters))?;
        let blocks = n.saturating_mul(u64::from(r));
        if blocks > MAX_MEMORY || u64::from(r).saturating_mul(u64::from(p)) > MAX_LANES {
            return Err(HashError::TooLarge(Scrypt));
        }
        if blocks.saturating_mul(u64::from(p)) > MAX_FILLED {
            return Err(HashError::TooSlow(Scrypt));
        }
        let log_n = u8::try_from(log_n).map_err(|_| malformed(HashPart::Parameters))?;
        // The bounds come first: the crate multiplies r and p without a check.
        let params = Params::new(log_n, r, p).map_err(|_| malformed(HashPart::Parameters))?;
        Ok(Hash { params, salt, digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, OutOfMemory> {
        let blocks = self.params.n().saturating_mul(u64::from(self.params.r()));
        let bytes = usize::try_from(blocks.saturating_mul(BLOCK_LEN)).unwrap_or(usize::MAX);
        if !memory::is_available(bytes) {
            return Err(OutOfMemory);
        }
        let mut digest = [0; DIGEST_LEN];
        let hashed = ::scrypt::scrypt(password, &self.salt, &self.params, &mut digest);
        hashed.map_err(|_| OutOfMemory)?;
        Ok(digest.ct_eq(&self.digest).into())
    }

    pub(super) fn cost(&self) -> u64 {
        let blocks = self.params.n().saturating_mul(u64::from(self.params.r()));
        blocks.saturating_mul(u64::from(self.params.p()))
    }
}
