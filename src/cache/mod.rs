//! Bounded stores: cached credentials, nonces, seen proofs, throttling and work budgets.
//!
//! Credentials themselves are never stored. A cache key is a 128-bit digest under a random key (SipHash-2-4) of the
//! credential, its authenticator, and the generation of the keys that the authenticator fetches. Everything else that
//! the result depends on (users, validation rules) belongs to the policy, and a new policy starts with an empty cache.

mod limits;
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
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher24};
use smallvec::SmallVec;

use crate::principal::{AuthenticatorId, Principal};
use crate::timestamp::NumericDate;
pub use limits::Limits;
use nonces::Nonces;
use replays::{JtiUse, ReplayCache};
pub use source_id::SourceId;
use throttle::Throttle;
pub use two_generation::{Entry, TwoGenerationCache};
use work_budget::WorkBudget;

/// Maximum number of sources that are stored for each credential. The least recently used one is replaced.
const MAX_SOURCES: usize = 4;

/// Seconds after which the source of a cached credential is asked for again, if nothing else needs it.
const SOURCE_INTERVAL: Duration = Duration::from_secs(1);

/// A random key for the digests of one cache.
pub type CacheSecret = [u8; 16];

/// Identifies a cached credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey(u128);

/// Cache of verified credentials, and of invalid ones that are expensive to check.
pub struct CredentialCache {
    key: CacheSecret,
    limits: Limits,
    verified: TwoGenerationCache<CachedCredential>,
    /// Stored separately, so that a flood of wrong passwords does not evict valid ones.
    failed: TwoGenerationCache<()>,
    nonces: Nonces,
    replays: ReplayCache,
    throttle: Option<Throttle>,
    slow_hashes: WorkBudget,
    /// In a `RefCell`, since it is charged while the cache is borrowed immutably.
    slow_signatures: RefCell<WorkBudget>,
    lookups: Lookups,
}

/// A verified credential.
#[derive(Clone)]
struct CachedCredential {
    principal: Rc<Principal>,
    /// Expiry of the credential itself.
    valid_until: Option<NumericDate>,
    /// Sources that presented the credential, the latest last. Empty for tokens, which cannot be guessed.
    sources: SmallVec<[SourceId; MAX_SOURCES]>,
    /// Time at which the source was last asked for.
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

/// Numbers of cache lookups since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Lookups that found a verified credential.
    pub hits: u64,
    /// Lookups that found an invalid credential.
    pub wrong_hits: u64,
    /// Lookups that found nothing, so that the credential had to be checked.
    pub misses: u64,
}

impl CredentialCache {
    /// Creates an empty cache.
    pub fn new(key: CacheSecret, limits: Limits) -> Self {
        CredentialCache::with(key, limits, Nonces::new(&key))
    }

    /// Creates a cache for a host without randomness. It stores nothing, since its digests could be computed by
    /// anybody.
    pub fn without_key(limits: Limits) -> Self {
        CredentialCache::with(
            CacheSecret::default(),
            Limits { max_entries: 0, ..limits },
            Nonces::without_key(),
        )
    }

    fn with(key: CacheSecret, limits: Limits, nonces: Nonces) -> Self {
        // A wrong password costs the same hash at each attempt; a quarter of the capacity is enough for those.
        let failed = TwoGenerationCache::new(limits.max_entries / 4, limits.max_bytes / 4);
        let verified = TwoGenerationCache::new(limits.max_entries, limits.max_bytes);
        let throttle = limits.throttle.map(|limits| Throttle::new(key, limits));
        let slow_hashes = WorkBudget::new(limits.slow_hash_share);
        let slow_signatures = RefCell::new(WorkBudget::new(limits.slow_signature_share));
        CredentialCache {
            key,
            limits,
            verified,
            failed,
            nonces,
            replays: ReplayCache::default(),
            throttle,
            slow_hashes,
            slow_signatures,
            lookups: Lookups::default(),
        }
    }

    /// Returns the key of a credential that was presented to an authenticator. `generation` counts the changes of the
    /// keys that the authenticator uses.
    pub fn cache_key(&self, authenticator: AuthenticatorId, generation: u64, credential: &[u8]) -> CacheKey {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_usize(authenticator.index());
        hasher.write_u64(generation);
        hasher.write(credential);
        CacheKey(hasher.finish128().as_u128())
    }

    /// Returns the identifier of a client's address.
    pub fn source_id(&self, address: Option<IpAddr>) -> SourceId {
        SourceId::of(&self.key, address)
    }

    /// Returns the principal of a cached credential that cannot be guessed.
    pub fn verified(&mut self, cache_key: CacheKey, now: NumericDate) -> Option<Rc<Principal>> {
        let verified = self.verified.find(cache_key, now).map(|verified| verified.principal);
        self.lookups.hits += u64::from(verified.is_some());
        verified
    }

    /// True if the source of this cached credential should be asked for again.
    pub fn wants_source(&self, cache_key: CacheKey, now: NumericDate) -> bool {
        self.verified
            .peek(cache_key, now)
            .is_some_and(|verified| now.abs_diff(verified.source_seen) >= SOURCE_INTERVAL)
    }

    /// Returns the principal of a cached secret that could be guessed. Renews the lifetime of the entry, and stores the
    /// source if it is known. A throttled source finds the entry only if it presented the secret before; otherwise
    /// nothing changes.
    pub fn recall(
        &mut self,
        cache_key: CacheKey,
        now: NumericDate,
        source: Option<SourceId>,
        is_refused: bool,
    ) -> Option<Rc<Principal>> {
        let is_known =
            |verified: &CachedCredential| source.is_some_and(|source| verified.sources.contains(&source));
        let verified =
            self.verified.peek(cache_key, now).filter(|verified| !is_refused || is_known(verified))?;
        let until = self.until(now, verified.valid_until);
        let entry = self.verified.find_mut(cache_key, now)?;
        entry.until = until;
        if let Some(source) = source {
            entry.value.add_source(source, now);
        }
        self.lookups.hits += 1;
        Some(Rc::clone(&entry.value.principal))
    }

    /// True if the credential is cached as invalid.
    pub fn failed(&mut self, cache_key: CacheKey, now: NumericDate) -> bool {
        let failed = self.failed.find(cache_key, now).is_some();
        self.lookups.wrong_hits += u64::from(failed);
        failed
    }

    /// Counts a cacheable credential that has to be checked. A failed lookup alone does not count, since the credential
    /// may belong to another authenticator.
    pub fn note_miss(&mut self) {
        self.lookups.misses += 1;
    }

    /// Returns the numbers of cache lookups.
    pub fn lookups(&self) -> Lookups {
        self.lookups
    }

    /// Returns the store of nonces.
    pub fn nonces(&mut self) -> &mut Nonces {
        &mut self.nonces
    }

    /// Returns the store of seen proofs of possession.
    pub fn replays(&self) -> &ReplayCache {
        &self.replays
    }

    /// Stores the use of a proof of possession.
    pub fn note_jti(&mut self, proof: JtiUse) {
        self.replays.note(proof);
    }

    /// Returns the throttle, if throttling is enabled.
    pub fn throttle(&mut self) -> Option<&mut Throttle> {
        self.throttle.as_mut()
    }

    /// Returns the time budget for slow hashes.
    pub fn slow_hashes(&mut self) -> &mut WorkBudget {
        &mut self.slow_hashes
    }

    /// Returns the time budget for signatures that are verified in software.
    pub fn slow_signatures(&self) -> &RefCell<WorkBudget> {
        &self.slow_signatures
    }

    /// Caches a verified credential until `valid_until` at the latest. `source` is the source that presented it, for
    /// secrets that could be guessed.
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
        self.verified.insert(cache_key, Entry { value, since: now, until, bytes });
    }

    /// Caches an invalid credential that is expensive to check.
    pub fn remember_failed(&mut self, cache_key: CacheKey, now: NumericDate) {
        let until = self.until(now, None);
        self.failed.insert(cache_key, Entry { value: (), since: now, until, bytes: 0 });
    }

    /// Removes all cached credentials and frees their memory. Nonces and proofs that must not be reused are kept.
    pub fn forget_credentials(&mut self) {
        self.verified.clear();
        self.failed.clear();
    }

    fn until(&self, now: NumericDate, valid_until: Option<NumericDate>) -> NumericDate {
        let until = now.plus(self.limits.ttl);
        valid_until.filter(|valid| *valid < until).unwrap_or(until)
    }
}

/// Returns the later of two optional dates.
fn later(a: Option<NumericDate>, b: Option<NumericDate>) -> Option<NumericDate> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a < b { b } else { a }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
