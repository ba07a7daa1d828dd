//! Blocks of IP addresses ([RFC 4632 §3.1](https://www.rfc-editor.org/rfc/rfc4632#section-3.1),
//! [RFC 4291 §2.3](https://www.rfc-editor.org/rfc/rfc4291#section-2.3)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses, such as `10.0.0.0/8`, or a single address.
///
/// An IPv4-mapped IPv6 address ([RFC 4291 §2.5.5.2](https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2)) counts as
/// the IPv4 address in it, both in blocks and for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cidr {
    /// Network and mask of an IPv4 block.
    V4(u32, u32),
    /// Network and mask of an IPv6 block.
    V6(u128, u128),
}

/// Reason why a text is not a [`Cidr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Neither an address, nor an address, `/` and a number.
    #[error("expected an address or a block, as in `192.0.2.7`, `10.0.0.0/8` or `2001:db8::/32`")]
    Syntax,
    /// The prefix is longer than the address.
    #[error("expected a prefix of at most 32 bits for IPv4 and 128 for IPv6")]
    PrefixLength,
    /// The address has bits beyond the prefix, so the intended block is unclear.
    #[error("expected zeros after the prefix, as in `10.0.0.0/8` for `10.1.2.3/8`")]
    HostBits,
}

/// Network of a client, all addresses of which count as one source: an IPv4 address, or an IPv6 /64, the smallest block
/// that a customer receives ([RFC 6177](https://www.rfc-editor.org/rfc/rfc6177)). An IPv4-mapped address counts as the
/// IPv4 address.
pub fn source_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

impl Cidr {
    /// Parses a block, or an address as a block of one.
    ///
    /// # Errors
    /// Fails if the text is neither, if the prefix is too long, or if the address has bits beyond the prefix.
    pub fn parse(text: &str) -> Result<Cidr, CidrError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix_length(prefix)?)),
            None => (text, None),
        };
        match address.parse().map_err(|_| CidrError::Syntax)? {
            IpAddr::V4(address) => Cidr::v4(address, prefix.unwrap_or(32)),
            IpAddr::V6(address) => {
                let prefix = prefix.unwrap_or(128);
                match (address.to_ipv4_mapped(), prefix.checked_sub(96)) {
                    (Some(mapped), Some(prefix)) => Cidr::v4(mapped, prefix),
                    _ => Cidr::v6(address, prefix),
                }
            }
        }
    }

    /// True if the block contains `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (*self, address.to_canonical()) {
            (Cidr::V4(network, mask), IpAddr::V4(address)) => u32::from(address) & mask == network,
            (Cidr::V6(network, mask), IpAddr::V6(address)) => u128::from(address) & mask == network,
            _ => false,
        }
    }

    /// True if the block contains every address of `other`.
    pub fn subsumes(&self, other: &Cidr) -> bool {
        match (*self, *other) {
            (Cidr::V4(_, mask), Cidr::V4(_, longer)) => mask & longer == mask && self.contains(other.first()),
            (Cidr::V6(_, mask), Cidr::V6(_, longer)) => mask & longer == mask && self.contains(other.first()),
            _ => false,
        }
    }

    /// First address of the block.
    pub fn first(&self) -> IpAddr {
        match *self {
            Cidr::V4(network, _) => IpAddr::V4(network.into()),
            Cidr::V6(network, _) => IpAddr::V6(network.into()),
        }
    }

    fn v4(address: Ipv4Addr, prefix: u32) -> Result<Cidr, CidrError> {
        let host_bits = 32u32.checked_sub(prefix).ok_or(CidrError::PrefixLength)?;
        let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
        let network = u32::from(address);
        if network & mask == network { Ok(Cidr::V4(network, mask)) } else { Err(CidrError::HostBits) }
    }

    fn v6(address: Ipv6Addr, prefix: u32) -> Result<Cidr, CidrError> {
        let host_bits = 128u32.checked_sub(prefix).ok_or(CidrError::PrefixLength)?;
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        let network = u128::from(address);
        if network & mask == network { Ok(Cidr::V6(network, mask)) } else { Err(CidrError::HostBits) }
    }
}

/// Parses digits without a sign or leading zeros.
fn prefix_length(text: &str) -> Result<u32, CidrError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !is_number || text.is_empty() {
        return Err(CidrError::Syntax);
    }
    text.parse().map_err(|_| CidrError::PrefixLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(block: &str, inside: &[&str], outside: &[&str]) {
        let cidr = Cidr::parse(block).unwrap_or_else(|error| panic!("{block}: {error}"));
        for (address, expected) in inside.iter().map(|a| (a, true)).chain(outside.iter().map(|a| (a, false)))
        {
            assert_eq!(cidr.contains(address.parse().unwrap()), expected, "{block}, {address}");
        }
    }

    #[test]
    fn blocks_hold_addresses() {
        check(
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
            &["11.0.0.0", "9.255.255.255", "::a00:1"],
        );
        check("192.0.2.7", &["192.0.2.7"], &["192.0.2.6"]);
        check("192.0.2.8/31", &["192.0.2.8", "192.0.2.9"], &["192.0.2.10"]);
        check("0.0.0.0/0", &["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], &["::1"]);
        check("2001:db8::/32", &["2001:db8::1", "2001:db8:ffff::"], &["2001:db9::"]);
        check("::1", &["::1"], &["::2", "0.0.0.1"]);
        check("::/0", &["::1", "ffff::"], &["1.2.3.4", "::ffff:1.2.3.4"]);
        check("::ffff:10.0.0.0/104", &["10.0.0.1", "::ffff:10.0.0.1"], &["11.0.0.1"]);
        check("::ffff:0:0/96", &["10.0.0.1"], &["::1"]);
    }

    #[test]
    fn a_block_covers_what_lies_in_it() {
        let subsumes =
            |block: &str, other: &str| Cidr::parse(block).unwrap().subsumes(&Cidr::parse(other).unwrap());
        // Some pairs have the same first address and differ only in the prefix.
        for (wide, narrow) in [
            ("10.0.0.0/8", "10.0.0.0/9"),
            ("10.0.0.0/8", "10.1.0.0/16"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8::/33"),
            ("2001:db8::/32", "2001:db8:1::/48"),
            ("::/0", "::1"),
            ("2001:db8::/64", "2001:db8::"),
        ] {
            assert!(subsumes(wide, narrow), "{wide} covers {narrow}");
            assert!(!subsumes(narrow, wide), "{narrow} covers {wide}");
            assert!(subsumes(wide, wide) && subsumes(narrow, narrow));
        }
        for (one, other) in
            [("10.0.0.0/8", "11.0.0.0/8"), ("2001:db8::/32", "2001:db9::/32"), ("::/0", "0.0.0.0/0")]
        {
            assert!(!subsumes(one, other) && !subsumes(other, one), "{one}, {other}");
        }
    }

    #[test]
    fn bad_blocks_say_why() {
        use CidrError::*;
        let table = [
            ("", Syntax),
            ("10.0.0.0/", Syntax),
            ("10.0.0.0/+8", Syntax),
            ("10.0.0.0/08", Syntax),
            ("10.0.0/8", Syntax),
            ("10.0.0.0/8/8", Syntax),
            ("[::1]", Syntax),
            ("a/8", Syntax),
            ("10.0.0.0/-1", Syntax),
            (" 10.0.0.0/8", Syntax),
            ("10.0.0.0/255.0.0.0", Syntax),
            ("010.0.0.0/8", Syntax),
            ("10.0.0.0/33", PrefixLength),
            ("::/129", PrefixLength),
            ("10.0.0.0/99999999999", PrefixLength),
            ("10.0.0.1/8", HostBits),
            ("2001:db8::1/32", HostBits),
            ("0.0.0.1/0", HostBits),
            ("::ffff:10.0.0.1/104", HostBits),
        ];
        for (text, expected) in table {
            assert_eq!(Cidr::parse(text), Err(expected), "{text}");
        }
    }
}
