//! Client addresses as keyed digests, so that no address is stored.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::{CacheKey, CacheSecret};
use crate::http::cidr::source_network;

/// Identifier of a client's address: an IPv6 address counts by its /64, an IPv4-mapped one as the IPv4 address. All
/// unknown addresses share one identifier.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SourceId(pub(super) CacheKey);

impl SourceId {
    /// Returns the identifier of this address under `key`.
    pub fn of(key: &CacheSecret, address: Option<IpAddr>) -> SourceId {
        let mut hasher = SipHasher24::new_with_key(key);
        // Separates these digests from those of other stores.
        hasher.write(b"source");
        write(&mut hasher, address);
        SourceId(CacheKey(hasher.finish128().as_u128()))
    }
}

/// Adds an address to a digest.
pub(super) fn write(hasher: &mut SipHasher24, address: Option<IpAddr>) {
    match address.map(source_network) {
        None => hasher.write(&[0]),
        Some(IpAddr::V4(network)) => {
            hasher.write(&[4]);
            hasher.write(&network.octets());
        }
        Some(IpAddr::V6(network)) => {
            hasher.write(&[6]);
            hasher.write(&network.octets());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_canonical_and_counts_by_its_64() {
        let id = |address: &str| SourceId::of(&[7; 16], address.parse().ok());
        let check = |a: &str, b: &str, expected: bool| assert_eq!(id(a) == id(b), expected, "{a} and {b}");
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("2001:db8::1", "2001:db8::ffff", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("unknown", "", true);
        check("unknown", "0.0.0.0", false);
        assert!(id("192.0.2.1") != SourceId::of(&[8; 16], "192.0.2.1".parse().ok()));
    }
}
