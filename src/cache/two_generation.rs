//! A bounded store that forgets what has not been used for longest.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::CacheKey;
use crate::timestamp::NumericDate;

/// What is remembered, and for how long.
pub struct Entry<T> {
    /// What it is.
    pub value: T,
    /// When it was made. It does not count before either: a clock that was set back makes nothing count for longer.
    pub since: NumericDate,
    /// From then on it does not count.
    pub until: NumericDate,
    /// The memory it takes, beside `OVERHEAD`.
    pub bytes: usize,
}

impl<T> Entry<T> {
    fn counts_at(&self, now: NumericDate) -> bool {
        self.since <= now && now < self.until
    }
}

/// Two maps: one that is filled, and the one that was filled before. When the first is full it takes the place of the
/// second, whose entries are forgotten; what is found in the second moves to the first. So what is in use stays, each
/// step costs the same, and no list of uses is kept.
pub struct TwoGenerationCache<T> {
    young: HashMap<CacheKey, Entry<T>, BuildHasherDefault<SlotHasher>>,
    old: HashMap<CacheKey, Entry<T>, BuildHasherDefault<SlotHasher>>,
    young_octets: usize,
    max_young_entries: usize,
    max_young_octets: usize,
}

/// Beside an entry's own octets: slot, time, pointers and the map's spare room.
pub const OVERHEAD: usize = 128;

impl<T> TwoGenerationCache<T> {
    /// With bounds on entries and on the octets that they take, by estimate.
    pub fn new(max_entries: usize, max_octets: usize) -> Self {
        TwoGenerationCache {
            young: HashMap::default(),
            old: HashMap::default(),
            young_octets: 0,
            // One entry needs no second generation.
            max_young_entries: if max_entries == 1 { 1 } else { max_entries / 2 },
            max_young_octets: max_octets / 2,
        }
    }

    /// Forgets everything, and gives the room back.
    pub fn clear(&mut self) {
        self.young = HashMap::default();
        self.old = HashMap::default();
        self.young_octets = 0;
    }

    /// What is remembered in a slot.
    pub fn find(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<T>
    where
        T: Clone,
    {
        self.find_mut(cache_key, now).map(|entry| entry.value.clone())
    }

    /// The entry of a slot, which counts as used.
    pub fn find_mut(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<&mut Entry<T>> {
        if !self.young.contains_key(&cache_key) {
            let entry = self.old.remove(&cache_key).filter(|entry| entry.counts_at(now))?;
            self.insert(cache_key, entry);
        }
        self.young.get_mut(&cache_key).filter(|entry| entry.counts_at(now))
    }

    /// What is remembered in a slot. Looking does not count as use.
    pub fn peek(&self, cache_key: CacheKey, now: NumericDate) -> Option<&T> {
        let entry = self.young.get(&cache_key).or_else(|| self.old.get(&cache_key))?;
        (entry.counts_at(now)).then_some(&entry.value)
    }

    /// What is remembered in a slot, which is then empty.
    pub fn take(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<T> {
        let entry = self.remove_young(cache_key).or_else(|| self.old.remove(&cache_key))?;
        entry.counts_at(now).then_some(entry.value)
    }

    /// Remembers something in a slot, in place of what was there.
    pub fn insert(&mut self, cache_key: CacheKey, entry: Entry<T>) {
        let bytes = entry.bytes.saturating_add(OVERHEAD);
        if self.max_young_entries == 0 || bytes > self.max_young_octets {
            return;
        }
        self.remove_young(cache_key);
        let is_full = self.young.len() >= self.max_young_entries;
        if is_full || self.young_octets.saturating_add(bytes) > self.max_young_octets {
            // With a single entry there is no room for an old one.
            self.old =
                if self.max_young_entries > 1 { std::mem::take(&mut self.young) } else { HashMap::default() };
            self.young.clear();
            self.young_octets = 0;
        }
        self.young_octets = self.young_octets.saturating_add(bytes);
        self.young.insert(cache_key, entry);
    }

    fn remove_young(&mut self, cache_key: CacheKey) -> Option<Entry<T>> {
        let entry = self.young.remove(&cache_key)?;
        self.young_octets = self.young_octets.saturating_sub(entry.bytes.saturating_add(OVERHEAD));
        Some(entry)
    }

    /// How many entries there are, those that do not count any more among them.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// What they take, by estimate.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let bytes = |map: &HashMap<CacheKey, Entry<T>, _>| {
            map.values().map(|entry| entry.bytes + OVERHEAD).sum::<usize>()
        };
        bytes(&self.young) + bytes(&self.old)
    }
}

/// A slot is a keyed digest already: its low half spreads as well as any hash of it.
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
