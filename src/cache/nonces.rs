//! Nonces of challenges, and the uses of each that have been seen.
//!
//! A nonce is not stored when it is issued, since anybody can request a challenge, but at its first use with valid
//! credentials. The store is bounded. Evicted nonces count as used, so that no use is accepted twice.

use std::collections::HashMap;

use hmac_sha256::HMAC;
use siphasher::sip::SipHasher24;

use super::{CacheSecret, later};
use crate::timestamp::NumericDate;

/// Maximum number of nonces in each of two generations; both together use about 1 MiB.
const MAX_NONCES: usize = 4096;

/// Number of nonce counts, up to the latest, that are still accepted, since requests overtake each other.
const WINDOW: u32 = u128::BITS;

/// A random key for nonces.
pub type NonceKey = [u8; 32];

/// The store of nonces.
pub struct Nonces {
    key: Option<NonceKey>,
    salts: SipHasher24,
    serial: u64,
    young: Generation,
    old: Generation,
    /// Issue time of the newest evicted nonce.
    forgotten: Option<NumericDate>,
}

#[derive(Default)]
struct Generation {
    uses: HashMap<u128, Uses>,
    /// Issue time of the newest nonce of the generation.
    latest: Option<NumericDate>,
}

impl Nonces {
    /// Creates an empty store; `key` is random.
    pub fn new(key: &CacheSecret) -> Self {
        let salts = HMAC::mac(b"salts", key).first_chunk().copied().unwrap_or_default();
        Nonces::with(Some(HMAC::mac(b"nonces", key)), SipHasher24::new_with_key(&salts))
    }

    /// Creates a store for a host without randomness.
    pub fn without_key() -> Self {
        Nonces::with(None, SipHasher24::new())
    }

    fn with(key: Option<NonceKey>, salts: SipHasher24) -> Self {
        let (young, old) = (Generation::default(), Generation::default());
        Nonces { key, salts, serial: 0, young, old, forgotten: None }
    }

    /// Returns the secret key that authenticates nonces of this worker; `None` without randomness.
    pub fn key(&self) -> Option<&NonceKey> {
        self.key.as_ref()
    }

    /// Returns a value that differs at each call, and between workers.
    pub fn salt(&mut self) -> [u8; 8] {
        self.serial = self.serial.wrapping_add(1);
        self.salts.hash(&self.serial.to_be_bytes()).to_be_bytes()
    }

    /// Stores the use with number `count`, from 1, of a nonce that this worker issued. Returns false if that use was
    /// seen before, or may have been.
    pub fn take(&mut self, nonce: u128, issued: NumericDate, count: u32) -> bool {
        if let Some(uses) = self.young.uses.get_mut(&nonce) {
            return uses.take(count);
        }
        let mut uses = match self.old.uses.remove(&nonce) {
            Some(uses) => uses,
            None if self.forgotten.is_some_and(|until| issued <= until) => return false,
            None => Uses::default(),
        };
        let is_first = uses.take(count);
        if self.young.uses.len() >= MAX_NONCES {
            let forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.forgotten = later(self.forgotten, forgotten.latest);
        }
        self.young.latest = later(self.young.latest, Some(issued));
        self.young.uses.insert(nonce, uses);
        is_first
    }
}

/// The uses of one nonce that were seen.
#[derive(Default)]
struct Uses {
    latest: u32,
    /// Bit n is the use with number `latest` - n.
    seen: u128,
}

impl Uses {
    fn take(&mut self, count: u32) -> bool {
        if count > self.latest {
            self.seen = self.seen.checked_shl(count - self.latest).unwrap_or(0) | 1;
            self.latest = count;
            return true;
        }
        let before = self.latest - count;
        let bit = 1_u128.checked_shl(before).unwrap_or(0);
        let is_first = count > 0 && before < WINDOW && self.seen & bit == 0;
        self.seen |= bit;
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(seconds).unwrap()
    }

    #[test]
    fn each_use_counts_once() {
        let mut nonces = Nonces::new(&[7; 16]);
        let mut check = |nonce: u128, count: u32, expected: bool| {
            assert_eq!(nonces.take(nonce, at(100.0), count), expected, "{nonce} {count}");
        };
        check(1, 0, false);
        check(1, 1, true);
        check(1, 1, false);
        check(2, 1, true);
        // Requests may overtake each other.
        check(1, 5, true);
        check(1, 3, true);
        check(1, 3, false);
        check(1, 5, false);
        check(1, 2, true);
        check(1, 4, true);
        check(1, 1, false);
        // Up to a limit.
        check(1, 132, true);
        check(1, 5, false);
        check(1, 6, true);
        check(1, 6, false);
        check(1, 133, true);
        check(1, 6, false);
        check(1, 7, true);
        check(1, 1000, true);
        check(1, 133, false);
        check(1, 999, true);
        check(1, u32::MAX, true);
        check(1, u32::MAX, false);
        check(1, 0, false);
        check(2, 2, true);
    }

    /// Exactly the 128 uses up to the latest are tracked, and a step of 128 or more clears them all.
    #[test]
    fn the_window_of_uses_is_exact() {
        let check = |steps: &[(u32, bool)]| {
            let mut uses = Uses::default();
            for (at, (count, expected)) in steps.iter().enumerate() {
                assert_eq!(uses.take(*count), *expected, "{steps:?}[{at}]");
            }
        };
        check(&[(200, true), (73, true), (73, false), (72, false), (1, false)]);
        check(&[(1, true), (2, true), (130, true), (129, true), (3, true), (2, false)]);
        check(&[(1, true), (129, true), (128, true), (1, false), (2, true)]);
        check(&[(1, true), (2, true), (258, true), (257, true), (256, true)]);
        // Uses that are too old do not change the window.
        check(&[(300, true), (171, false), (172, false), (299, true), (44, false), (300, false)]);
        check(&[(u32::MAX, true), (u32::MAX - 127, true), (u32::MAX - 128, false), (0, false)]);
    }

    /// The bound is the newest evicted nonce, in any order of first uses, and never decreases.
    #[test]
    fn nonces_that_are_used_out_of_order_are_forgotten_by_the_latest() {
        let mut nonces = Nonces::new(&[7; 16]);
        let max = MAX_NONCES as u32;
        let latest = f64::from(2 * max);
        let use_each = |nonces: &mut Nonces, generation: u32, issued: &dyn Fn(u32) -> f64| {
            for n in 0..max {
                assert!(nonces.take((generation * max + n).into(), at(issued(n)), 1), "{generation} {n}");
            }
        };
        use_each(&mut nonces, 0, &|n| latest - f64::from(n));
        use_each(&mut nonces, 1, &|_| 1.0);
        for generation in 2..4 {
            use_each(&mut nonces, generation, &|_| latest + 1.0);
            // Never used, and issued no later than some evicted nonces.
            assert!(!nonces.take(u128::MAX, at(latest), 1), "{generation}");
        }
    }

    #[test]
    fn what_is_forgotten_is_used_up() {
        let mut nonces = Nonces::new(&[7; 16]);
        let mut taken = Vec::new();
        for n in 0..20_000_u32 {
            let (nonce, issued) = (u128::from(n), at(f64::from(n)));
            assert!(nonces.take(nonce, issued, 1), "{n}");
            taken.push((nonce, issued));
            assert!(nonces.young.uses.len() + nonces.old.uses.len() <= 2 * MAX_NONCES);
        }
        for (nonce, issued) in &taken {
            assert!(!nonces.take(*nonce, *issued, 1), "{nonce} again");
        }
        // Never used, but as old as some evicted nonces.
        assert!(!nonces.take(u128::MAX, at(3.0), 1));
        assert!(nonces.take(u128::MAX - 1, at(20_000.0), 1));
        let (last, issued) = taken[19_999];
        assert!(nonces.take(last, issued, 2), "what is remembered can be used on");
    }

    #[test]
    fn a_nonce_in_use_stays() {
        let mut nonces = Nonces::new(&[7; 16]);
        for n in 1..20_000_u32 {
            assert!(nonces.take(0, at(0.0), n), "{n}");
            assert!(nonces.take(u128::from(n), at(f64::from(n)), 1), "{n}");
        }
    }

    #[test]
    fn salts_differ() {
        let (mut one, mut other) = (Nonces::new(&[7; 16]), Nonces::new(&[8; 16]));
        let salts: Vec<_> = (0..100).flat_map(|_| [one.salt(), other.salt()]).collect();
        assert!(salts.iter().enumerate().all(|(at, salt)| !salts[..at].contains(salt)));
        assert!(one.key() != other.key());
    }
}
