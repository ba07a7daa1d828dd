//! Map from the SHA-256 of names or secrets to values. The time of a lookup does not reveal whether it found something.

use hmac_sha256::Hash;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _, ConstantTimeGreater as _};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Values sorted by digest. Each lookup takes the same steps and comparisons, successful or not. The time of a lookup
/// in a hash table would reveal the result.
pub struct CtDigestMap<T>(Vec<Entry<T>>);

struct Entry<T> {
    halves: [u128; 2],
    value: T,
}

/// Result of a lookup.
#[derive(Clone, Copy)]
pub struct Found {
    /// Position of the nearest value, for [`CtDigestMap::get`].
    pub nearest: u64,
    /// Set if the nearest value is the one that was searched. Code that depends on it must take the same time in both
    /// cases.
    pub is_it: Choice,
}

impl<T> CtDigestMap<T> {
    /// Creates a map of these values. Digests must be distinct.
    pub fn new(values: impl Iterator<Item = (Digest, T)>) -> Self {
        let mut entries: Vec<_> =
            values.map(|(digest, value)| Entry { halves: halves(&digest), value }).collect();
        entries.sort_by_key(|entry| entry.halves);
        CtDigestMap(entries)
    }

    /// Finds the value of a name or a secret. Returns `None` only if the map is empty.
    pub fn find(&self, secret: &[u8]) -> Option<Found> {
        let [first, second] = halves(&Hash::hash(secret));
        // Binary search for the last digest that is not greater, or the first of all, without branches that depend on
        // digests.
        let mut nearest = 0;
        let mut size = self.0.len();
        while size > 1 {
            let middle = nearest + (size / 2) as u64;
            let is_behind = self.at(middle)?.halves[0].ct_gt(&first);
            nearest.conditional_assign(&middle, !is_behind);
            size -= size / 2;
        }
        let entry = self.at(nearest)?;
        let is_it = entry.halves[0].ct_eq(&first) & entry.halves[1].ct_eq(&second);
        Some(Found { nearest, is_it })
    }

    /// Returns the value at this position in [`CtDigestMap::values`].
    pub fn get(&self, at: u64) -> Option<&T> {
        self.at(at).map(|entry| &entry.value)
    }

    fn at(&self, at: u64) -> Option<&Entry<T>> {
        usize::try_from(at).ok().and_then(|at| self.0.get(at))
    }

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Returns all values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|entry| &entry.value)
    }
}

fn halves(digest: &Digest) -> [u128; 2] {
    let half = |bytes: &[u8]| bytes.iter().fold(0, |half: u128, byte| half << 8 | u128::from(*byte));
    let (first, second) = digest.split_at(16);
    [half(first), half(second)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_own_digest_alone() {
        let names: Vec<String> = (0..100).map(|n| format!("name {n}")).collect();
        let all = CtDigestMap::new(names.iter().map(|name| (Hash::hash(name.as_bytes()), name.as_str())));
        for name in &names {
            let found = all.find(name.as_bytes()).unwrap();
            assert!(bool::from(found.is_it), "{name}");
            assert_eq!(all.get(found.nearest), Some(&name.as_str()));
        }
        for n in 0..1_000 {
            assert!(!bool::from(all.find(format!("nobody {n}").as_bytes()).unwrap().is_it), "{n}");
        }
        assert_eq!(all.values().count(), 100);
    }

    #[test]
    fn both_halves_of_a_digest_count() {
        let digest = Hash::hash(b"a");
        for (at, is_it) in
            [(None, true), (Some(0), false), (Some(15), false), (Some(16), false), (Some(31), false)]
        {
            let mut other = digest;
            at.into_iter().for_each(|at: usize| other[at] ^= 1);
            let found = CtDigestMap::new([(other, ())].into_iter()).find(b"a").unwrap();
            assert_eq!(bool::from(found.is_it), is_it, "{at:?}");
        }
    }

    #[test]
    fn nothing_is_found_where_there_is_nothing() {
        assert!(CtDigestMap::<()>::new([].into_iter()).find(b"a").is_none());
    }
}
