//! A bounded cache that evicts entries that have not been used recently.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::CacheKey;
use crate::timestamp::NumericDate;

/// A cached value and its lifetime.
pub struct Entry<T> {
    /// The value.
    pub value: T,
    /// Creation time. The entry is invalid before it, so that a clock that is set back does not extend its lifetime.
    pub since: NumericDate,
    /// Expiry; the entry is invalid from then on.
    pub until: NumericDate,
    /// Bytes that the value uses, in addition to `OVERHEAD`.
    pub bytes: usize,
}

impl<T> Entry<T> {
    fn counts_at(&self, now: NumericDate) -> bool {
        self.since <= now && now < self.until
    }
}

/// A cache of two maps, a young and an old generation. When the young map is full it replaces the old one, whose
/// entries are evicted; an entry that is found in the old map moves to the young one. Entries in use therefore stay,
/// each operation costs the same, and no usage list is needed.
pub struct TwoGenerationCache<T> {
    young: HashMap<CacheKey, Entry<T>, BuildHasherDefault<SlotHasher>>,
    old: HashMap<CacheKey, Entry<T>, BuildHasherDefault<SlotHasher>>,
    young_bytes: usize,
    max_young_entries: usize,
    max_young_bytes: usize,
}

/// Bytes of an entry in addition to its value: key, times, pointers and spare capacity of the map.
pub const OVERHEAD: usize = 128;

impl<T> TwoGenerationCache<T> {
    /// Creates a cache with limits on entries and on their estimated bytes.
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        TwoGenerationCache {
            young: HashMap::default(),
            old: HashMap::default(),
            young_bytes: 0,
            // One entry needs no second generation.
            max_young_entries: if max_entries == 1 { 1 } else { max_entries / 2 },
            max_young_bytes: max_bytes / 2,
        }
    }

    /// Removes all entries and frees their memory.
    pub fn clear(&mut self) {
        self.young = HashMap::default();
        self.old = HashMap::default();
        self.young_bytes = 0;
    }

    /// Returns the value of a key and marks it as used.
    pub fn find(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<T>
    where
        T: Clone,
    {
        self.find_mut(cache_key, now).map(|entry| entry.value.clone())
    }

    /// Returns the entry of a key and marks it as used.
    pub fn find_mut(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<&mut Entry<T>> {
        if !self.young.contains_key(&cache_key) {
            let entry = self.old.remove(&cache_key).filter(|entry| entry.counts_at(now))?;
            self.insert(cache_key, entry);
        }
        self.young.get_mut(&cache_key).filter(|entry| entry.counts_at(now))
    }

    /// Returns the value of a key without marking it as used.
    pub fn peek(&self, cache_key: CacheKey, now: NumericDate) -> Option<&T> {
        let entry = self.young.get(&cache_key).or_else(|| self.old.get(&cache_key))?;
        (entry.counts_at(now)).then_some(&entry.value)
    }

    /// Removes and returns the value of a key.
    pub fn take(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<T> {
        let entry = self.remove_young(cache_key).or_else(|| self.old.remove(&cache_key))?;
        entry.counts_at(now).then_some(entry.value)
    }

    /// Inserts an entry, replacing that of the same key.
    pub fn insert(&mut self, cache_key: CacheKey, entry: Entry<T>) {
        let bytes = entry.bytes.saturating_add(OVERHEAD);
        if self.max_young_entries == 0 || bytes > self.max_young_bytes {
            return;
        }
        self.remove_young(cache_key);
        let is_full = self.young.len() >= self.max_young_entries;
        if is_full || self.young_bytes.saturating_add(bytes) > self.max_young_bytes {
            // With a single entry there is no room for an old one.
            self.old =
                if self.max_young_entries > 1 { std::mem::take(&mut self.young) } else { HashMap::default() };
            self.young.clear();
            self.young_bytes = 0;
        }
        // One that is still there would be found again once the new one is taken out.
        self.old.remove(&cache_key);
        self.young_bytes = self.young_bytes.saturating_add(bytes);
        self.young.insert(cache_key, entry);
    }

    fn remove_young(&mut self, cache_key: CacheKey) -> Option<Entry<T>> {
        let entry = self.young.remove(&cache_key)?;
        self.young_bytes = self.young_bytes.saturating_sub(entry.bytes.saturating_add(OVERHEAD));
        Some(entry)
    }

    /// Returns the number of entries, including expired ones.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Returns the estimated bytes of all entries.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let bytes = |map: &HashMap<CacheKey, Entry<T>, _>| {
            map.values().map(|entry| entry.bytes + OVERHEAD).sum::<usize>()
        };
        bytes(&self.young) + bytes(&self.old)
    }
}

/// Hasher for cache keys. A key is already a keyed digest, so its low half is uniformly distributed.
#[derive(Default)]
struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, cache_key: u128) {
        self.0 = cache_key as u64; // truncates by intent
    }
}
