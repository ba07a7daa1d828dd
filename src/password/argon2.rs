//! Argon2 ([RFC 9106](https://www.rfc-editor.org/rfc/rfc9106)) in the PHC string format:
//! `v=19$m=KIB,t=PASSES,p=LANES$SALT$DIGEST`.

use ::argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq as _;

use super::encoding::{fields, parameters, phc64};
use super::{HashError, HashPart, HashScheme, OutOfMemory};

const MAX_MEMORY_KIB: u32 = 64 * 1024;
/// Maximum memory filled over all passes, in KiB. The default of PHP (64 MiB, 4 passes) is exactly at this limit.
const MAX_FILLED_KIB: u64 = 256 * 1024;
const SALT_LENS: std::ops::RangeInclusive<usize> = 8..=64;
/// Accepted lengths of the digest, in bytes. More lengths would make a truncated digest harder to detect.
const DIGEST_LENS: [usize; 3] = [16, 32, 64];

pub(super) struct Hash {
    scheme: HashScheme,
    argon2: Argon2<'static>,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Hash {
    /// Parses the text after `$argon2id$`, `$argon2i$` or `$argon2d$`.
    pub(super) fn parse(scheme: HashScheme, text: &str) -> Result<Hash, HashError> {
        let malformed = |part| HashError::Malformed(scheme, part);
        let (version, rest) = match text.strip_prefix("v=") {
            // Version 0x10 is written without `v=`.
            None => ("16", text),
            Some(text) => text.split_once('$').ok_or(malformed(HashPart::Layout))?,
        };
        let version = match version {
            "16" => Version::V0x10,
            "19" => Version::V0x13,
            _ => return Err(malformed(HashPart::Parameters)),
        };
        let [settings, salt, digest] = fields(rest).ok_or(malformed(HashPart::Layout))?;
        let [memory, passes, lanes] =
            parameters(settings, ["m", "t", "p"]).ok_or(malformed(HashPart::Parameters))?;
        let salt = phc64(salt).filter(|salt| SALT_LENS.contains(&salt.len()));
        let salt = salt.ok_or(malformed(HashPart::Salt))?;
        let digest = phc64(digest).filter(|digest| DIGEST_LENS.contains(&digest.len()));
        let digest = digest.ok_or(malformed(HashPart::Digest))?;
        if memory > MAX_MEMORY_KIB {
            return Err(HashError::TooLarge(scheme));
        }
        if u64::from(memory).saturating_mul(u64::from(passes)) > MAX_FILLED_KIB {
            return Err(HashError::TooSlow(scheme));
        }
        let params = Params::new(memory, passes, lanes, Some(digest.len()))
            .map_err(|_| malformed(HashPart::Parameters))?;
        let algorithm = match scheme {
            HashScheme::Argon2d => Algorithm::Argon2d,
            HashScheme::Argon2i => Algorithm::Argon2i,
            _ => Algorithm::Argon2id,
        };
        Ok(Hash { scheme, argon2: Argon2::new(algorithm, version, params), salt, digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, OutOfMemory> {
        let mut digest = vec![0; self.digest.len()];
        // Parameters were checked when the hash was parsed, so only memory can be missing.
        let hashed = self.argon2.hash_password_into(password, &self.salt, &mut digest);
        hashed.map_err(|_| OutOfMemory)?;
        Ok(digest.ct_eq(&self.digest).into())
    }

    pub(super) fn scheme(&self) -> HashScheme {
        self.scheme
    }

    pub(super) fn cost(&self) -> u64 {
        let params = self.argon2.params();
        u64::from(params.m_cost()).saturating_mul(u64::from(params.t_cost()))
    }
}
