//! What is remembered of credentials: bounded in entries, octets and time.
//!
//! A credential is never kept. Its place is a 128-bit digest under a random key (SipHash-2-4), of the credential and of
//! the authenticator that judged it. What else the outcome depends on (keys, users, rules of validity) belongs to the
//! policy, and a new policy starts with an empty memory.

pub mod nonces;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::numeric_date::NumericDate;
use crate::principal::Principal;
use nonces::Nonces;

/// Bounds of a [`Memory`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The most entries; 0 remembers nothing.
    pub max_entries: usize,
    /// The most octets that all entries take, by estimate.
    pub max_bytes: usize,
    /// For how long an entry counts, in seconds.
    pub ttl: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_entries: 4096, max_bytes: 16 << 20, ttl: 300.0 }
    }
}

/// A key for the digests of one memory, drawn at random.
pub type MemoryKey = [u8; 16];

/// Where a credential's outcome is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(u128);

/// Credentials that held, and expensive ones that did not.
pub struct Memory {
    key: MemoryKey,
    limits: Limits,
    held: Generations<Rc<Principal>>,
    /// Apart, so that a flood of wrong passwords takes no place from right ones.
    failed: Generations<()>,
    nonces: Nonces,
    lookups: Lookups,
}

/// How often credentials were remembered, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lookups {
    /// They were, as good ones.
    pub hits: u64,
    /// They were, as wrong ones.
    pub wrong_hits: u64,
    /// They were not, and had to be checked.
    pub misses: u64,
}

impl Memory {
    /// An empty memory.
    pub fn new(key: MemoryKey, limits: Limits) -> Self {
        Memory::with(key, limits, Nonces::new(&key))
    }

    /// For a host that has no randomness: without a key that nobody can guess nothing is remembered.
    pub fn without_key(limits: Limits) -> Self {
        Memory::with(MemoryKey::default(), Limits { max_entries: 0, ..limits }, Nonces::without_key())
    }

    fn with(key: MemoryKey, limits: Limits, nonces: Nonces) -> Self {
        // A wrong password costs the same hash each time it is tried again; a quarter of the room is enough for those.
        let failed = Generations::new(limits.max_entries / 4, limits.max_bytes / 4);
        let held = Generations::new(limits.max_entries, limits.max_bytes);
        Memory { key, limits, held, failed, nonces, lookups: Lookups::default() }
    }

    /// The slot of a credential that was presented to an authenticator.
    pub fn slot(&self, authenticator: usize, credential: &[u8]) -> Slot {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_usize(authenticator);
        hasher.write(credential);
        Slot(hasher.finish128().as_u128())
    }

    /// Who was shown to be behind a credential.
    pub fn held(&mut self, slot: Slot, now: NumericDate) -> Option<Rc<Principal>> {
        let held = self.held.find(slot, now);
        self.lookups.hits += u64::from(held.is_some());
        held
    }

    /// Whether a credential was found wrong a short time ago.
    pub fn failed(&mut self, slot: Slot, now: NumericDate) -> bool {
        let failed = self.failed.find(slot, now).is_some();
        self.lookups.wrong_hits += u64::from(failed);
        failed
    }

    /// Notes that a credential which could have been remembered has to be checked. Not finding one says less: it may be
    /// another authenticator's.
    pub fn note_miss(&mut self) {
        self.lookups.misses += 1;
    }

    /// How often credentials were remembered.
    pub fn lookups(&self) -> Lookups {
        self.lookups
    }

    /// What is known of nonces.
    pub fn nonces(&mut self) -> &mut Nonces {
        &mut self.nonces
    }

    /// Remembers a credential that held, until `valid_until` at the longest.
    pub fn remember_held(
        &mut self,
        slot: Slot,
        principal: &Rc<Principal>,
        now: NumericDate,
        valid_until: Option<NumericDate>,
    ) {
        let until = self.until(now, valid_until);
        self.held.insert(slot, Entry { value: Rc::clone(principal), until, octets: principal.size() });
    }

    /// Remembers a credential that is expensive to check and was wrong.
    pub fn remember_failed(&mut self, slot: Slot, now: NumericDate) {
        let until = self.until(now, None);
        self.failed.insert(slot, Entry { value: (), until, octets: 0 });
    }

    fn until(&self, now: NumericDate, valid_until: Option<NumericDate>) -> NumericDate {
        let until = now.plus(self.limits.ttl);
        valid_until.filter(|valid| *valid < until).unwrap_or(until)
    }
}

#[derive(Clone)]
struct Entry<T> {
    value: T,
    /// From then on it does not count.
    until: NumericDate,
    octets: usize,
}

/// Two maps: one that is filled, and the one that was filled before. When the first is full it takes the place of the
/// second, whose entries are forgotten; what is found in the second moves to the first. So what is in use stays, each
/// step costs the same, and no list of uses is kept.
struct Generations<T> {
    young: HashMap<Slot, Entry<T>, BuildHasherDefault<SlotHasher>>,
    old: HashMap<Slot, Entry<T>, BuildHasherDefault<SlotHasher>>,
    young_octets: usize,
    max_young_entries: usize,
    max_young_octets: usize,
}

/// Beside an entry's own octets: slot, time, pointers and the map's spare room.
const OVERHEAD: usize = 128;

impl<T: Clone> Generations<T> {
    fn new(max_entries: usize, max_octets: usize) -> Self {
        Generations {
            young: HashMap::default(),
            old: HashMap::default(),
            young_octets: 0,
            // One entry needs no second generation.
            max_young_entries: if max_entries == 1 { 1 } else { max_entries / 2 },
            max_young_octets: max_octets / 2,
        }
    }

    fn find(&mut self, slot: Slot, now: NumericDate) -> Option<T> {
        if let Some(entry) = self.young.get(&slot) {
            return (now < entry.until).then(|| entry.value.clone());
        }
        let entry = self.old.remove(&slot).filter(|entry| now < entry.until)?;
        let value = entry.value.clone();
        self.insert(slot, entry);
        Some(value)
    }

    fn insert(&mut self, slot: Slot, entry: Entry<T>) {
        let octets = entry.octets.saturating_add(OVERHEAD);
        if self.max_young_entries == 0 || octets > self.max_young_octets {
            return;
        }
        if let Some(replaced) = self.young.remove(&slot) {
            self.young_octets = self.young_octets.saturating_sub(replaced.octets + OVERHEAD);
        }
        let is_full = self.young.len() >= self.max_young_entries;
        if is_full || self.young_octets.saturating_add(octets) > self.max_young_octets {
            // With a single entry there is no room for an old one.
            self.old =
                if self.max_young_entries > 1 { std::mem::take(&mut self.young) } else { HashMap::default() };
            self.young.clear();
            self.young_octets = 0;
        }
        self.young_octets = self.young_octets.saturating_add(octets);
        self.young.insert(slot, entry);
    }
}

/// A slot is a keyed digest already: its low half spreads as well as any hash of it.
#[derive(Default)]
struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u128(&mut self, slot: u128) {
        self.0 = slot as u64; // truncates by intent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Claims;

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(seconds).unwrap()
    }

    fn principal(subject: &str) -> Rc<Principal> {
        Rc::new(Principal {
            subject: subject.to_owned(),
            issuer: None,
            scopes: Vec::new(),
            claims: Claims::default(),
        })
    }

    fn memory(max_entries: usize, max_bytes: usize) -> Memory {
        Memory::new([7; 16], Limits { max_entries, max_bytes, ttl: 100.0 })
    }

    fn remember(memory: &mut Memory, name: &str, now: f64, valid_until: Option<f64>) {
        let slot = memory.slot(0, name.as_bytes());
        memory.remember_held(slot, &principal(name), at(now), valid_until.map(at));
    }

    fn recall(memory: &mut Memory, name: &str, now: f64) -> Option<String> {
        let slot = memory.slot(0, name.as_bytes());
        memory.held(slot, at(now)).map(|principal| principal.subject.clone())
    }

    #[test]
    fn nothing_counts_longer_than_its_time() {
        let mut memory = memory(8, 1 << 20);
        remember(&mut memory, "ttl", 1000.0, None);
        remember(&mut memory, "short", 1000.0, Some(1010.5));
        remember(&mut memory, "long", 1000.0, Some(5000.0));
        for (name, last) in [("ttl", 1100.0), ("short", 1010.5), ("long", 1100.0)] {
            assert_eq!(recall(&mut memory, name, last - 0.25).as_deref(), Some(name));
            assert_eq!(recall(&mut memory, name, last), None, "{name}");
        }
    }

    #[test]
    fn an_outcome_belongs_to_its_authenticator_and_key() {
        let memory_a = memory(8, 1 << 20);
        let memory_b = Memory::new([8; 16], Limits::default());
        let slot = memory_a.slot(0, b"token");
        assert!(slot == memory_a.slot(0, b"token"));
        assert!(slot != memory_a.slot(1, b"token"));
        assert!(slot != memory_a.slot(0, b"tokem"));
        assert!(slot != memory_b.slot(0, b"token"));
    }

    #[test]
    fn entries_are_bounded_and_what_is_in_use_stays() {
        let mut memory = memory(100, 1 << 20);
        remember(&mut memory, "used", 1000.0, None);
        for n in 0..10_000 {
            remember(&mut memory, &n.to_string(), 1000.0, None);
            if n % 10 == 0 {
                assert!(recall(&mut memory, "used", 1001.0).is_some(), "after {n}");
            }
        }
        assert!(memory.held.young.len() + memory.held.old.len() <= 100);
        assert_eq!(recall(&mut memory, "0", 1001.0), None);
        assert!(recall(&mut memory, "9999", 1001.0).is_some());
    }

    #[test]
    fn octets_are_bounded() {
        let mut memory = memory(1_000_000, 100_000);
        for n in 0..1_000 {
            remember(&mut memory, &format!("{n}{}", "x".repeat(1000)), 1000.0, None);
        }
        let kept = memory.held.young.len() + memory.held.old.len();
        assert!((10..100).contains(&kept), "{kept}");
        let huge = "x".repeat(200_000);
        remember(&mut memory, &huge, 1000.0, None);
        assert_eq!(recall(&mut memory, &huge, 1000.0), None);
    }

    #[test]
    fn failures_take_no_place_from_successes() {
        let mut memory = memory(10, 1 << 20);
        remember(&mut memory, "good", 1000.0, None);
        for n in 0..1_000 {
            let slot = memory.slot(0, format!("bad{n}").as_bytes());
            memory.remember_failed(slot, at(1000.0));
            assert!(n > 0 || memory.failed(slot, at(1000.0)));
        }
        assert!(recall(&mut memory, "good", 1000.0).is_some());
        let slot = memory.slot(0, b"good");
        assert!(!memory.failed(slot, at(1000.0)));
    }

    #[test]
    fn no_room_remembers_nothing() {
        for (entries, octets) in [(0, 1 << 20), (10, 0), (10, 100)] {
            let mut memory = memory(entries, octets);
            remember(&mut memory, "a", 1000.0, None);
            assert_eq!(recall(&mut memory, "a", 1000.0), None, "{entries} {octets}");
        }
        let mut memory = memory(1, 1 << 20);
        remember(&mut memory, "a", 1000.0, None);
        remember(&mut memory, "b", 1000.0, None);
        assert_eq!(recall(&mut memory, "a", 1000.0), None);
        assert!(recall(&mut memory, "b", 1000.0).is_some());
    }
}
