//! What is remembered of credentials: bounded in entries, octets and time.
//!
//! A credential is never kept. Its place is a 128-bit digest under a random key (SipHash-2-4), of the credential and of
//! the authenticator that judged it, and of how often the keys that this one fetches have changed. What else the outcome
//! depends on (users, rules of validity) belongs to the policy, and a new policy starts with an empty memory.

pub mod nonces;
pub mod replays;
mod source_id;
pub mod throttle;
mod two_generation;
pub mod work_budget;

use std::cell::RefCell;
use std::hash::Hasher;
use std::net::IpAddr;
use std::rc::Rc;

use siphasher::sip128::{Hasher128, SipHasher24};
use smallvec::SmallVec;

use crate::principal::{AuthenticatorId, Principal};
use crate::timestamp::NumericDate;
use nonces::Nonces;
use replays::{JtiUse, ReplayCache};
pub use source_id::SourceId;
use throttle::{Throttle, ThrottleLimits};
pub use two_generation::{Entry, TwoGenerationCache};
use work_budget::WorkBudget;

/// The most sources that are kept of each credential. The one that has not presented it for longest is replaced.
const MAX_SOURCES: usize = 4;

/// How often an entry's source is asked for where nothing else needs it, in seconds.
const SOURCE_INTERVAL: f64 = 1.0;

/// Bounds of a [`CredentialCache`].
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
    /// What part of the time signatures may take that are verified in software, above 0; 1: all of it.
    pub slow_signature_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_entries: 4096,
            max_bytes: 16 << 20,
            ttl: 300.0,
            throttle: None,
            slow_hash_share: 0.2,
            slow_signature_share: 0.2,
        }
    }
}

/// A key for the digests of one memory, drawn at random.
pub type CacheSecret = [u8; 16];

/// Where a credential's outcome is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey(u128);

/// Credentials that held, and expensive ones that did not.
pub struct CredentialCache {
    key: CacheSecret,
    limits: Limits,
    held: TwoGenerationCache<CachedCredential>,
    /// Apart, so that a flood of wrong passwords takes no place from right ones.
    failed: TwoGenerationCache<()>,
    nonces: Nonces,
    replays: ReplayCache,
    throttle: Option<Throttle>,
    slow_hashes: WorkBudget,
    /// Charged while the rest of the memory is read.
    slow_signatures: RefCell<WorkBudget>,
    lookups: Lookups,
}

/// A credential that held.
#[derive(Clone)]
struct CachedCredential {
    principal: Rc<Principal>,
    /// When the credential itself ends.
    valid_until: Option<NumericDate>,
    /// Who presented it, the latest last. Empty for tokens, which cannot be guessed.
    sources: SmallVec<[SourceId; MAX_SOURCES]>,
    /// When its source was last asked for.
    source_seen: NumericDate,
}

impl CachedCredential {
    fn add_source(&mut self, source: SourceId, now: NumericDate) {
        self.source_seen = now;
        if self.sources.last() == Some(&source) {
            return;
        }
        self.sources.retain(|known| *known != source);
        if self.sources.len() == MAX_SOURCES {
            self.sources.remove(0);
        }
        self.sources.push(source);
    }
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

impl CredentialCache {
    /// An empty memory.
    pub fn new(key: CacheSecret, limits: Limits) -> Self {
        CredentialCache::with(key, limits, Nonces::new(&key))
    }

    /// For a host that has no randomness: without a key that nobody can guess nothing is remembered.
    pub fn without_key(limits: Limits) -> Self {
        CredentialCache::with(
            CacheSecret::default(),
            Limits { max_entries: 0, ..limits },
            Nonces::without_key(),
        )
    }

    fn with(key: CacheSecret, limits: Limits, nonces: Nonces) -> Self {
        // A wrong password costs the same hash each time it is tried again; a quarter of the room is enough for those.
        let failed = TwoGenerationCache::new(limits.max_entries / 4, limits.max_bytes / 4);
        let held = TwoGenerationCache::new(limits.max_entries, limits.max_bytes);
        let throttle = limits.throttle.map(|limits| Throttle::new(key, limits));
        let slow_hashes = WorkBudget::new(limits.slow_hash_share);
        let slow_signatures = RefCell::new(WorkBudget::new(limits.slow_signature_share));
        CredentialCache {
            key,
            limits,
            held,
            failed,
            nonces,
            replays: ReplayCache::default(),
            throttle,
            slow_hashes,
            slow_signatures,
            lookups: Lookups::default(),
        }
    }

    /// The slot of a credential that was presented to an authenticator. `generation` says how often what the
    /// authenticator judges by has changed.
    pub fn cache_key(&self, authenticator: AuthenticatorId, generation: u64, credential: &[u8]) -> CacheKey {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_usize(authenticator.index());
        hasher.write_u64(generation);
        hasher.write(credential);
        CacheKey(hasher.finish128().as_u128())
    }

    /// The identifier of a client's address.
    pub fn source_id(&self, address: Option<IpAddr>) -> SourceId {
        SourceId::of(&self.key, address)
    }

    /// Who was shown to be behind a credential that nobody can guess.
    pub fn held(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<Rc<Principal>> {
        let held = self.held.find(cache_key, now).map(|verified| verified.principal);
        self.lookups.hits += u64::from(held.is_some());
        held
    }

    /// Whether it is time to ask for the source of a credential that is remembered in this slot.
    pub fn wants_source(&self, cache_key: CacheKey, now: NumericDate) -> bool {
        self.held
            .peek(cache_key, now)
            .is_some_and(|verified| now.seconds_since(verified.source_seen).abs() >= SOURCE_INTERVAL)
    }

    /// Who was shown to be behind a secret that could be guessed. Its time begins anew, and its source is kept where it is
    /// known. For a source that is refused the secret is remembered only if the source presented it before; for any other
    /// that is refused nothing changes.
    pub fn recall(
        &mut self,
        cache_key: CacheKey,
        now: NumericDate,
        source: Option<SourceId>,
        is_refused: bool,
    ) -> Option<Rc<Principal>> {
        let is_known =
            |verified: &CachedCredential| source.is_some_and(|source| verified.sources.contains(&source));
        let verified = self.held.peek(cache_key, now).filter(|verified| !is_refused || is_known(verified))?;
        let until = self.until(now, verified.valid_until);
        let entry = self.held.find_mut(cache_key, now)?;
        entry.until = until;
        if let Some(source) = source {
            entry.value.add_source(source, now);
        }
        self.lookups.hits += 1;
        Some(Rc::clone(&entry.value.principal))
    }

    /// Whether a credential was found wrong a short time ago.
    pub fn failed(&mut self, cache_key: CacheKey, now: NumericDate) -> bool {
        let failed = self.failed.find(cache_key, now).is_some();
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
    pub fn replays(&self) -> &ReplayCache {
        &self.replays
    }

    /// Notes the use of a proof of possession.
    pub fn note_jti(&mut self, proof: JtiUse) {
        self.replays.note(proof);
    }

    /// Who fails too often, where that is counted.
    pub fn throttle(&mut self) -> Option<&mut Throttle> {
        self.throttle.as_mut()
    }

    /// The time that is left for slow hashes.
    pub fn slow_hashes(&mut self) -> &mut WorkBudget {
        &mut self.slow_hashes
    }

    /// The time that is left for signatures that are verified in software.
    pub fn slow_signatures(&self) -> &RefCell<WorkBudget> {
        &self.slow_signatures
    }

    /// Remembers a credential that held, until `valid_until` at the longest; for a secret that could be guessed, with the
    /// source that presented it.
    pub fn remember_held(
        &mut self,
        cache_key: CacheKey,
        principal: &Rc<Principal>,
        now: NumericDate,
        valid_until: Option<NumericDate>,
        source: Option<SourceId>,
    ) {
        let until = self.until(now, valid_until);
        let bytes = principal.size().saturating_add(size_of::<CachedCredential>());
        let sources = source.into_iter().collect();
        let value =
            CachedCredential { principal: Rc::clone(principal), valid_until, sources, source_seen: now };
        self.held.insert(cache_key, Entry { value, since: now, until, bytes });
    }

    /// Remembers a credential that is expensive to check and was wrong.
    pub fn remember_failed(&mut self, cache_key: CacheKey, now: NumericDate) {
        let until = self.until(now, None);
        self.failed.insert(cache_key, Entry { value: (), since: now, until, bytes: 0 });
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
mod tests;
