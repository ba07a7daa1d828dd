//! What is remembered of credentials: bounded in entries, octets and time.
//!
//! A credential is never kept. Its place is a 128-bit digest under a random key (SipHash-2-4), of the credential and of
//! the authenticator that judged it, and of how often the keys that this one fetches have changed. What else the outcome
//! depends on (users, rules of validity) belongs to the policy, and a new policy starts with an empty memory.

mod generations;
pub mod nonces;
pub mod replays;
pub mod slow_hashes;
pub mod throttle;

use std::hash::Hasher;
use std::rc::Rc;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::numeric_date::NumericDate;
use crate::principal::Principal;
pub use generations::{Entry, Generations};
use nonces::Nonces;
use replays::{ProofUse, Replays};
use slow_hashes::SlowHashes;
use throttle::{Throttle, ThrottleLimits};

/// Bounds of a [`Memory`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The most entries; 0 remembers nothing.
    pub max_entries: usize,
    /// The most octets that all entries take, by estimate.
    pub max_bytes: usize,
    /// For how long an entry counts, in seconds.
    pub ttl: f64,
    /// What blocks whoever guesses; `None`: nothing does.
    pub throttle: Option<ThrottleLimits>,
    /// What part of the time slow hashes may take, above 0; 1: all of it.
    pub slow_hash_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_entries: 4096, max_bytes: 16 << 20, ttl: 300.0, throttle: None, slow_hash_share: 0.2 }
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
    replays: Replays,
    throttle: Option<Throttle>,
    slow_hashes: SlowHashes,
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
        let throttle = limits.throttle.map(|limits| Throttle::new(key, limits));
        let slow_hashes = SlowHashes::new(limits.slow_hash_share);
        Memory {
            key,
            limits,
            held,
            failed,
            nonces,
            replays: Replays::default(),
            throttle,
            slow_hashes,
            lookups: Lookups::default(),
        }
    }

    /// The slot of a credential that was presented to an authenticator. `generation` says how often what the
    /// authenticator judges by has changed.
    pub fn slot(&self, authenticator: usize, generation: u64, credential: &[u8]) -> Slot {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_usize(authenticator);
        hasher.write_u64(generation);
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

    /// Which proofs of possession were seen.
    pub fn replays(&self) -> &Replays {
        &self.replays
    }

    /// Notes the use of a proof of possession.
    pub fn note_proof(&mut self, proof: ProofUse) {
        self.replays.note(proof);
    }

    /// Who fails too often, where that is counted.
    pub fn throttle(&mut self) -> Option<&mut Throttle> {
        self.throttle.as_mut()
    }

    /// What time is left for slow hashes.
    pub fn slow_hashes(&mut self) -> &mut SlowHashes {
        &mut self.slow_hashes
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
        let octets = principal.size();
        self.held.insert(slot, Entry { value: Rc::clone(principal), since: now, until, octets });
    }

    /// Remembers a credential that is expensive to check and was wrong.
    pub fn remember_failed(&mut self, slot: Slot, now: NumericDate) {
        let until = self.until(now, None);
        self.failed.insert(slot, Entry { value: (), since: now, until, octets: 0 });
    }

    /// Forgets all credentials, and gives back what they took. What must not be used twice stays known.
    pub fn forget_credentials(&mut self) {
        self.held.clear();
        self.failed.clear();
    }

    fn until(&self, now: NumericDate, valid_until: Option<NumericDate>) -> NumericDate {
        let until = now.plus(self.limits.ttl);
        valid_until.filter(|valid| *valid < until).unwrap_or(until)
    }
}

/// The later of two dates, where there are two.
fn later(a: Option<NumericDate>, b: Option<NumericDate>) -> Option<NumericDate> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a < b { b } else { a }),
        (a, b) => a.or(b),
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
        Memory::new([7; 16], Limits { max_entries, max_bytes, ttl: 100.0, ..Limits::default() })
    }

    fn remember(memory: &mut Memory, name: &str, now: f64, valid_until: Option<f64>) {
        let slot = memory.slot(0, 0, name.as_bytes());
        memory.remember_held(slot, &principal(name), at(now), valid_until.map(at));
    }

    fn recall(memory: &mut Memory, name: &str, now: f64) -> Option<String> {
        let slot = memory.slot(0, 0, name.as_bytes());
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

    /// An entry that has moved to the old generation counts no longer than any other.
    #[test]
    fn what_is_old_is_forgotten_in_time_too() {
        let mut memory = memory(8, 1 << 20);
        let in_old = |memory: &mut Memory, name: &str| {
            remember(memory, name, 1000.0, Some(1010.0));
            for n in 0..4 {
                remember(memory, &n.to_string(), 1000.0, None);
            }
        };
        in_old(&mut memory, "a");
        assert_eq!(recall(&mut memory, "a", 1010.0), None);
        in_old(&mut memory, "b");
        assert_eq!(recall(&mut memory, "b", 1009.75).as_deref(), Some("b"));
        let mut store = Generations::new(8, 1 << 20);
        let slot = |n: u128| Slot(n);
        for n in 0..5 {
            store.insert(slot(n), Entry { value: n, since: at(1000.0), until: at(1010.0), octets: 0 });
        }
        assert_eq!(store.take(slot(0), at(1010.0)), None);
        assert_eq!(store.take(slot(1), at(1009.75)), Some(1));
        assert_eq!(store.take(slot(4), at(1010.0)), None);
    }

    /// A clock that is set back must not make a password or a token count for longer than its time.
    #[test]
    fn nothing_counts_before_it_was_remembered() {
        for others in [0, 4] {
            let mut memory = memory(8, 1 << 20);
            remember(&mut memory, "a", 5000.0, None);
            let slot = memory.slot(0, 0, b"bad");
            memory.remember_failed(slot, at(5000.0));
            for n in 0..others {
                remember(&mut memory, &n.to_string(), 5000.0, None);
            }
            assert_eq!(recall(&mut memory, "a", 4999.75), None);
            assert!(!memory.failed(slot, at(4999.75)));
        }
    }

    /// Anybody can compute digests under a key that is all zeros.
    #[test]
    fn without_randomness_nothing_is_remembered() {
        let mut memory = Memory::without_key(Limits::default());
        remember(&mut memory, "a", 1000.0, None);
        assert_eq!(recall(&mut memory, "a", 1000.0), None);
        let slot = memory.slot(0, 0, b"bad");
        memory.remember_failed(slot, at(1000.0));
        assert!(!memory.failed(slot, at(1000.0)));
        assert!(memory.nonces().key().is_none());
    }

    #[test]
    fn an_outcome_belongs_to_its_authenticator_and_key() {
        let memory_a = memory(8, 1 << 20);
        let memory_b = Memory::new([8; 16], Limits::default());
        let slot = memory_a.slot(0, 0, b"token");
        assert!(slot == memory_a.slot(0, 0, b"token"));
        assert!(slot != memory_a.slot(1, 0, b"token"));
        assert!(slot != memory_a.slot(0, 1, b"token"));
        assert!(slot != memory_a.slot(0, 0, b"tokem"));
        assert!(slot != memory_b.slot(0, 0, b"token"));
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
        assert!(memory.held.count() <= 100);
        assert_eq!(recall(&mut memory, "0", 1001.0), None);
        assert!(recall(&mut memory, "9999", 1001.0).is_some());
    }

    #[test]
    fn octets_are_bounded() {
        let mut memory = memory(1_000_000, 100_000);
        for n in 0..1_000 {
            remember(&mut memory, &format!("{n}{}", "x".repeat(1000)), 1000.0, None);
        }
        let kept = memory.held.count();
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
            let slot = memory.slot(0, 0, format!("bad{n}").as_bytes());
            memory.remember_failed(slot, at(1000.0));
            assert!(n > 0 || memory.failed(slot, at(1000.0)));
        }
        assert!(recall(&mut memory, "good", 1000.0).is_some());
        let slot = memory.slot(0, 0, b"good");
        assert!(!memory.failed(slot, at(1000.0)));
    }

    #[test]
    fn credentials_are_forgotten_and_what_must_not_be_used_twice_is_not() {
        let mut memory = memory(10, 1 << 20);
        remember(&mut memory, "good", 1000.0, None);
        let bad = memory.slot(0, 0, b"bad");
        memory.remember_failed(bad, at(1000.0));
        assert!(memory.nonces().take(7, at(1000.0), 1));
        memory.forget_credentials();
        assert_eq!(recall(&mut memory, "good", 1000.0), None);
        assert!(!memory.failed(bad, at(1000.0)));
        assert!(!memory.nonces().take(7, at(1000.0), 1));
        remember(&mut memory, "good", 1000.0, None);
        assert!(recall(&mut memory, "good", 1000.0).is_some());
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
