//! What keeps guessing in bounds: who failed too often is not listened to, and slow hashes take no more than their share
//! of the time. What is remembered to have held passes both.

use crate::denial::Reason;
use crate::memory::Memory;
use crate::memory::throttle::Claimant;
use crate::request::Request;
use crate::scheme::{Guess, Proof, Scheme, Setback, Surroundings};

/// A request as far as this is concerned.
#[derive(Clone, Copy)]
pub struct Guard<'a, 'r> {
    /// The request.
    pub request: &'a Request<'r>,
    /// What may be asked.
    pub surroundings: Surroundings<'a>,
    /// Whether nothing is refused whatever comes of it.
    pub is_shadowed: bool,
}

impl Guard<'_, '_> {
    /// Whether whoever presents this credential may try it now.
    pub fn vet(self, memory: &mut Memory, scheme: &dyn Scheme, credential: &[u8]) -> Result<(), Reason> {
        let Some(throttle) = memory.throttle() else { return Ok(()) };
        let blocked_for = self.with_claimant(scheme, credential, |claimant| {
            throttle.blocked_for(claimant, self.surroundings.now)
        });
        match blocked_for.flatten() {
            Some(retry_after) => Err(Reason::Throttled { retry_after }),
            None => Ok(()),
        }
    }

    /// Counts a request that is refused because this credential is wrong.
    pub fn count_failure(self, memory: &mut Memory, scheme: &dyn Scheme, credential: &[u8]) {
        let Some(throttle) = memory.throttle() else { return };
        self.with_claimant(scheme, credential, |claimant| throttle.failed(claimant, self.surroundings.now));
    }

    /// Checks a credential, if that takes no slow hash or there is time for one.
    pub fn ration(
        self,
        memory: &mut Memory,
        scheme: &dyn Scheme,
        credential: &[u8],
        check: impl FnOnce() -> Result<Proof, Setback>,
    ) -> Result<Proof, Setback> {
        if !scheme.takes_slow_hash(credential) {
            return check();
        }
        let slow_hashes = memory.slow_hashes();
        slow_hashes.ask(self.surroundings.now).map_err(|retry_after| Reason::Throttled { retry_after })?;
        let start = self.surroundings.on_demand.time();
        let proof = check();
        slow_hashes.spend(self.surroundings.on_demand.time().seconds_since(start));
        proof
    }

    fn with_claimant<T>(
        self,
        scheme: &dyn Scheme,
        credential: &[u8],
        run: impl FnOnce(Claimant<'_>) -> T,
    ) -> Option<T> {
        let guess = scheme.guess(credential);
        let user = match &guess {
            Guess::Nothing => return None,
            Guess::Secret => &[],
            Guess::PasswordOf(user) => user.as_ref(),
        };
        let source = self.request.peer.or_else(|| self.surroundings.on_demand.peer());
        Some(run(Claimant { source, user, is_shadowed: self.is_shadowed }))
    }
}
