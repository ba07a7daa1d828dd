//! Limits on guessing: a source with too many failures is blocked, and expensive checks use no more than their share of
//! the worker's time.

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::rc::Rc;

use crate::authn::{Context, Scheme, ThrottleSubject, Verified};
use crate::cache::throttle::{FailedGuess, ThrottleKey};
use crate::cache::{CacheKey, CredentialCache, SourceId};
use crate::http::request::Request;
use crate::jose::jwk::{Algorithm, VerifyingKey};
use crate::jose::jwt::SignatureVerifier;
use crate::principal::Principal;
use crate::response::Reason;

/// Limits for the credentials of one request.
pub struct Guard<'a, 'r> {
    request: &'a Request<'r>,
    context: Context<'a>,
    /// True in shadow mode, where nothing is denied.
    is_shadowed: bool,
    peer: OnceCell<Option<IpAddr>>,
}

/// Result of looking up a credential in the cache.
#[derive(Default)]
pub struct Recall {
    /// The cached principal, if this source may know about it.
    pub known: Option<Rc<Principal>>,
    /// The reason why the source may not try the credential, if that was checked.
    pub refused: Option<Reason>,
}

impl<'a, 'r> Guard<'a, 'r> {
    /// Creates the guard of a request.
    pub fn new(request: &'a Request<'r>, context: Context<'a>, is_shadowed: bool) -> Self {
        Guard { request, context, is_shadowed, peer: OnceCell::new() }
    }

    /// Looks up a credential in the cache.
    ///
    /// While a source is throttled, a cached secret is visible to it only if the source presented that secret before.
    /// For any other source a right guess is treated like a wrong one from here on. Otherwise a cache hit would confirm
    /// a right guess, and a throttled source could test guesses at full speed. For the same reason the throttle is
    /// checked before the cache, hit or miss.
    ///
    /// Asking the host for the source's address costs a call. While no source can be throttled, the address is asked
    /// for at most once a second for each entry. With `throttle` it is asked for each time, so that a source that is
    /// blocked later finds everything that it presented before. Without `throttle` only the time for slow hashes is
    /// limited, and a source that is not stored is treated like a new one.
    pub fn recall(
        &self,
        cache: &mut CredentialCache,
        scheme: &Scheme,
        cache_key: CacheKey,
        credential: &[u8],
    ) -> Recall {
        let now = self.context.now;
        match scheme {
            Scheme::OneTime(_) => return Recall::default(),
            Scheme::Token(_) => return Recall { known: cache.verified(cache_key, now), refused: None },
            Scheme::Secret(_) => {}
        }
        let is_counted = cache.throttle().is_some();
        let is_blocking = cache.throttle().is_some_and(|throttle| throttle.is_blocking(now));
        let is_scarce = scheme.failures_are_slow() && cache.slow_hashes().is_scarce(now);
        let refused = if is_blocking || is_scarce { self.vet(cache, scheme, credential).err() } else { None };
        let wants_source = is_counted || is_blocking || is_scarce || cache.wants_source(cache_key, now);
        let source = wants_source.then(|| self.source(cache));
        let known = cache.recall(cache_key, now, source, refused.is_some());
        if let (Some(_), Some(source), None) = (&known, source, refused)
            && scheme.failures_are_slow()
        {
            cache.slow_hashes().note_success(source, now);
        }
        Recall { known, refused }
    }

    /// Checks whether the source may try this credential now.
    ///
    /// # Errors
    /// Fails with [`Reason::Throttled`]. The result depends on the source and on the user that the credential names,
    /// not on whether the credential is right.
    pub fn vet(&self, cache: &mut CredentialCache, scheme: &Scheme, credential: &[u8]) -> Result<(), Reason> {
        let now = self.context.now;
        if let Some(throttle) = cache.throttle() {
            let blocked_for = self.with_throttle_key(scheme, credential, |key| {
                let blocked_for = throttle.blocked_for(key, now)?;
                // A pending request presents the same guess again. The guess has been counted and is decided once more.
                let guess = throttle.guess(key, credential);
                (!throttle.is_waiting(&guess, now)).then_some(blocked_for)
            });
            if let Some(retry_after) = blocked_for.flatten() {
                return Err(Reason::Throttled { retry_after });
            }
        }
        if scheme.needs_slow_hash(credential) && !cache.slow_hashes().is_unlimited() {
            let source = self.source(cache);
            let acquired = cache.slow_hashes().try_acquire(source, now);
            acquired.map_err(|retry_after| Reason::Throttled { retry_after })?;
        }
        Ok(())
    }

    /// Returns a wrong credential as a guess, to be counted when the request is decided. Returns `None` if nothing is
    /// counted for it.
    pub fn wrong_guess(
        &self,
        cache: &mut CredentialCache,
        scheme: &Scheme,
        credential: &[u8],
    ) -> Option<FailedGuess> {
        let throttle = cache.throttle()?;
        self.with_throttle_key(scheme, credential, |key| throttle.guess(key, credential))
    }

    /// Verifies a credential that [`Guard::vet`] admitted. If a slow hash is computed, charges its time to the source.
    ///
    /// # Errors
    /// Fails like `check`.
    pub fn ration(
        &self,
        cache: &mut CredentialCache,
        scheme: &Scheme,
        credential: &[u8],
        check: impl FnOnce() -> Result<Verified, Reason>,
    ) -> Result<Verified, Reason> {
        if !scheme.needs_slow_hash(credential) || cache.slow_hashes().is_unlimited() {
            return check();
        }
        let source = self.source(cache);
        let start = self.context.host.time();
        let proof = check();
        let duration = self.context.host.time().since(start);
        let (slow_hashes, now) = (cache.slow_hashes(), self.context.now);
        slow_hashes.charge(source, duration, now);
        match &proof {
            Ok(_) => slow_hashes.note_success(source, now),
            Err(Reason::InvalidCredentials) => slow_hashes.note_failure(source, now),
            Err(_) => {}
        }
        proof
    }

    /// Runs a check with a verifier that charges signatures verified in software to the source.
    ///
    /// # Errors
    /// Fails like `check`, or with [`Reason::Throttled`] if the source may not have a signature verified now.
    pub fn with_rationed_signatures<T, E: From<Reason>>(
        &self,
        cache: &CredentialCache,
        check: impl FnOnce(Context<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let rationed = RationedVerifier {
            guard: self,
            cache,
            inner: self.context.signatures,
            has_verified: Cell::new(false),
            refused: Cell::new(None),
        };
        let outcome = check(Context { signatures: &rationed, ..self.context });
        if let Some(retry_after) = rationed.refused.get() {
            // The signature was not verified, so it may be valid.
            return Err(Reason::Throttled { retry_after }.into());
        }
        if rationed.has_verified.get()
            && let Ok(mut budget) = cache.slow_signatures().try_borrow_mut()
        {
            let (source, now) = (self.source(cache), self.context.now);
            match &outcome {
                Ok(_) => budget.note_success(source, now),
                Err(_) => budget.note_failure(source, now),
            }
        }
        outcome
    }

    /// Returns the identifier of the client's address.
    pub fn source(&self, cache: &CredentialCache) -> SourceId {
        cache.source_id(self.peer())
    }

    fn peer(&self) -> Option<IpAddr> {
        *self.peer.get_or_init(|| self.request.peer.or_else(|| self.context.host.peer()))
    }

    fn with_throttle_key<T>(
        &self,
        scheme: &Scheme,
        credential: &[u8],
        run: impl FnOnce(ThrottleKey<'_>) -> T,
    ) -> Option<T> {
        let guess = scheme.throttle_subject(credential);
        let user = match &guess {
            ThrottleSubject::Nothing => return None,
            ThrottleSubject::Secret => &[],
            ThrottleSubject::PasswordOf(user) => user.as_ref(),
        };
        Some(run(ThrottleKey { source: self.peer(), user, is_shadowed: self.is_shadowed }))
    }
}

/// Signature verifier that verifies in software only within the source's budget.
struct RationedVerifier<'g, 'a, 'r> {
    guard: &'g Guard<'a, 'r>,
    cache: &'g CredentialCache,
    inner: &'a dyn SignatureVerifier,
    has_verified: Cell<bool>,
    /// The seconds after which the source may try again, if it was refused.
    refused: Cell<Option<u32>>,
}

impl SignatureVerifier for RationedVerifier<'_, '_, '_> {
    fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        let verify = || self.inner.verify(key, algorithm, input, signature);
        if !self.inner.is_expensive(algorithm) {
            return verify();
        }
        let Ok(mut budget) = self.cache.slow_signatures().try_borrow_mut() else { return false };
        if budget.is_unlimited() {
            return verify();
        }
        let (source, now) = (self.guard.source(self.cache), self.guard.context.now);
        if let Err(retry_after) = budget.try_acquire(source, now) {
            self.refused.set(Some(retry_after));
            return false;
        }
        let host = self.guard.context.host;
        let start = host.time();
        let is_right = verify();
        budget.charge(source, host.time().since(start), now);
        self.has_verified.set(true);
        is_right
    }

    fn is_native(&self, algorithm: Algorithm) -> bool {
        self.inner.is_native(algorithm)
    }
}
