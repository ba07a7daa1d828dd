//! Signature algorithms ([RFC 7518 §3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1),
//! [RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1),
//! [RFC 8812 §3.2](https://www.rfc-editor.org/rfc/rfc8812#section-3.2)).

use std::fmt;

/// A JWS signature or MAC algorithm. There is no `none`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, and a salt of 32 bytes.
    PS256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, and a salt of 48 bytes.
    PS384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512, and a salt of 64 bytes.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// ECDSA on secp256k1 with SHA-256.
    ES256K,
    /// Ed25519. Ed448, which has the same registered name, is not supported.
    EdDSA,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Algorithm; 14] = [
        Algorithm::HS256,
        Algorithm::HS384,
        Algorithm::HS512,
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::ES256K,
        Algorithm::EdDSA,
    ];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::HS256 => "HS256",
            Algorithm::HS384 => "HS384",
            Algorithm::HS512 => "HS512",
            Algorithm::RS256 => "RS256",
            Algorithm::RS384 => "RS384",
            Algorithm::RS512 => "RS512",
            Algorithm::PS256 => "PS256",
            Algorithm::PS384 => "PS384",
            Algorithm::PS512 => "PS512",
            Algorithm::ES256 => "ES256",
            Algorithm::ES384 => "ES384",
            Algorithm::ES512 => "ES512",
            Algorithm::ES256K => "ES256K",
            Algorithm::EdDSA => "EdDSA",
        }
    }

    /// The algorithm with this registered name, which is compared exactly
    /// ([RFC 7515 §4.1.1](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.1)). `Ed25519`, the fully-specified name
    /// of [RFC 9864 §2.2](https://www.rfc-editor.org/rfc/rfc9864#section-2.2), is [`Algorithm::EdDSA`].
    pub fn from_name(name: &str) -> Option<Algorithm> {
        match name {
            "Ed25519" => Some(Algorithm::EdDSA),
            _ => Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name),
        }
    }

    /// True if the key is a shared secret, so that anyone who can verify can also sign.
    pub const fn is_symmetric(self) -> bool {
        Algorithms::SYMMETRIC.contains(self)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Algorithms(u16);

impl Algorithms {
    /// The empty set.
    pub const NONE: Algorithms = Algorithms(0);

    /// The set of all algorithms.
    pub const ALL: Algorithms = Algorithms((1 << Algorithm::ALL.len()) - 1);

    /// The algorithms whose verifiers can also sign.
    pub const SYMMETRIC: Algorithms = Algorithms::only(Algorithm::HS256)
        .or(Algorithms::only(Algorithm::HS384))
        .or(Algorithms::only(Algorithm::HS512));

    /// The algorithms whose verifiers cannot sign.
    pub const ASYMMETRIC: Algorithms = Algorithms::ALL.without(Algorithms::SYMMETRIC);

    /// The algorithms of RSA keys.
    pub const RSA: Algorithms = Algorithms::only(Algorithm::RS256)
        .or(Algorithms::only(Algorithm::RS384))
        .or(Algorithms::only(Algorithm::RS512))
        .or(Algorithms::RSA_PSS);

    /// The RSASSA-PSS algorithms.
    pub const RSA_PSS: Algorithms = Algorithms::only(Algorithm::PS256)
        .or(Algorithms::only(Algorithm::PS384))
        .or(Algorithms::only(Algorithm::PS512));

    /// The set of this algorithm alone.
    pub const fn only(algorithm: Algorithm) -> Algorithms {
        Algorithms(1 << algorithm as u16)
    }

    /// True if the set contains `algorithm`.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & Algorithms::only(algorithm).0 != 0
    }

    /// True if the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The algorithms that are in both sets.
    pub const fn and(self, other: Algorithms) -> Algorithms {
        Algorithms(self.0 & other.0)
    }

    /// The algorithms that are in either set.
    pub const fn or(self, other: Algorithms) -> Algorithms {
        Algorithms(self.0 | other.0)
    }

    /// The algorithms that are not in `other`.
    pub const fn without(self, other: Algorithms) -> Algorithms {
        Algorithms(self.0 & !other.0)
    }

    /// Iterates over the algorithms, in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Algorithms {
        algorithms.into_iter().map(Algorithms::only).fold(Algorithms::NONE, Algorithms::or)
    }
}

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_exactly() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDSA));
        for name in [
            "", "none", "None", "NONE", "nOnE", "hs256", "RS1", "RS256 ", " RS256", "rs256", "ES521",
            "Ed448", "EDDSA", "HS256\0", "RSA-OAEP", "A128GCM", "dir",
        ] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn sets() {
        for algorithm in Algorithm::ALL {
            let only = Algorithms::only(algorithm);
            assert_eq!(only.iter().collect::<Vec<_>>(), [algorithm]);
        }
        let all: Algorithms = Algorithm::ALL.into_iter().collect();
        assert_eq!(all.iter().count(), 14);
        assert_eq!(all, Algorithms::ALL);
        assert!(all.iter().all(|one| one.is_symmetric() != Algorithms::ASYMMETRIC.contains(one)));
        let pair: Algorithms = [Algorithm::EdDSA, Algorithm::HS256, Algorithm::HS256].into_iter().collect();
        assert_eq!(format!("{pair:?}"), "{HS256, EdDSA}");
        assert_eq!(pair.and(all), pair);
        assert!(pair.and(Algorithms::only(Algorithm::RS256)).is_empty());
        assert_eq!(all.without(Algorithms::RSA_PSS).iter().count(), 11);
        assert_eq!(format!("{:?}", Algorithms::RSA_PSS), "{PS256, PS384, PS512}");
    }
}
