//! Token introspection ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)) as a state machine: tokens, responses and
//! the time are inputs, effects are outputs.
//!
//! All requests with one token share one call. Its outcome is kept for the requests that wait, and rejections a while
//! longer. Tokens themselves are not stored, only their cache keys.

mod answer;
mod client;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::cache::{CacheKey, Entry, TwoGenerationCache};
use crate::http::cidr::source_network;
use crate::jose::claims::Claims;
use crate::jose::jwt::{ClaimRules, TokenError};
use crate::principal::Principal;
use crate::remote::callout::{self, CallId, Callout, CalloutError, Effect, FetchId, Severity};
use crate::remote::jwks::Address;
use crate::timestamp::NumericDate;

pub use answer::{AnswerError, IntrospectionResponse, MAX_ANSWER_BYTES};
pub use client::Client;

/// Maximum number of rejected tokens that are cached.
pub const MAX_REFUSED: usize = 4096;

/// Maximum number of tokens that are stored as proven (active at an earlier call), and their lifetime.
const MAX_PROVEN: usize = 8192;
const PROVEN_FOR: Duration = Duration::from_secs(3600);

/// One part in `RESERVED` of `max_concurrent` is reserved for proven tokens. One source may use one part in
/// `OF_ONE_SOURCE` for other tokens, or `LEAST_OF_ONE_SOURCE` calls if that is more.
const RESERVED: usize = 4;
const OF_ONE_SOURCE: usize = 2;
const LEAST_OF_ONE_SOURCE: usize = 4;

/// Time for which an outcome is kept for the requests that wait, even if it is not cached. All of them are decided
/// right after the response, or with the next tick.
const FRESH: Duration = Duration::from_millis(500);

/// The shortest time between two reports of one kind.
const BETWEEN_REPORTS: Duration = Duration::from_secs(10);

/// Time after its timeout at which a call counts as lost. The host always answers, but nothing depends on it.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// Configuration of the endpoint and validation of its responses. Contains a secret, so it has no `Debug`.
pub struct Plan {
    /// URL of the endpoint.
    pub address: Address,
    /// The cluster for the calls.
    pub cluster: String,
    /// Client authentication.
    pub client: Client,
    /// Timeout of each call.
    pub timeout: Duration,
    /// Maximum number of concurrent calls.
    pub max_concurrent: usize,
    /// Lifetime of the response for an active token, unless the token expires earlier.
    pub cache_ttl: Duration,
    /// Lifetime of the response for a rejected token.
    pub negative_ttl: Duration,
    /// Accepted issuers, compared exactly. `None` accepts any.
    pub issuers: Option<Vec<String>>,
    /// Rules for the claims.
    pub rules: ClaimRules,
}

impl Plan {
    /// True if tokens of this issuer are accepted.
    pub fn accepts_issuer(&self, issuer: Option<&str>) -> bool {
        let Some(issuers) = &self.issuers else { return true };
        issuer.is_some_and(|issuer| issuers.iter().any(|known| known == issuer))
    }

    /// Returns the principal for the claims of an active token.
    fn judge(&self, claims: Claims, now: NumericDate) -> Result<Principal, TokenError> {
        let issuer = match claims.find("iss") {
            None => None,
            Some(issuer) => Some(issuer.as_str().ok_or(TokenError::WrongIssuer)?.to_owned()),
        };
        if !self.accepts_issuer(issuer.as_deref()) {
            return Err(TokenError::WrongIssuer);
        }
        let subject = self.rules.check(&claims, now)?.to_owned();
        let scopes = claims.scopes(&self.rules.scopes).map_err(|_| TokenError::TooManyScopes)?;
        Ok(Principal { subject, issuer, scopes, claims })
    }
}

/// State of one endpoint, in one worker.
pub struct Introspector {
    plan: Rc<Plan>,
    asked: Vec<Asked>,
    fresh: Vec<(CacheKey, NumericDate, Outcome)>,
    refused: TwoGenerationCache<TokenError>,
    /// Proven tokens: active when they were last introspected.
    proven: TwoGenerationCache<()>,
    calls: u64,
    /// Time at which a failure was last reported.
    failed: Option<NumericDate>,
    /// True if a failure was reported, but not yet its end.
    failing: bool,
    /// Time at which the limit on calls was last reported.
    full: Option<NumericDate>,
    effects: Vec<Effect>,
}

/// A call without a response so far.
struct Asked {
    cache_key: CacheKey,
    call: CallId,
    since: NumericDate,
    origin: Origin,
}

/// Origin of a token, for the shares of `max_concurrent`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Any client; the token is proven.
    Proven,
    /// The client's network, if known.
    Network(Option<IpAddr>),
}

/// The known state of a token.
#[derive(Clone)]
pub enum Outcome {
    /// The token is active until then, and this is its principal.
    Holds(Rc<Principal>, NumericDate),
    /// The token is rejected.
    Refused(TokenError),
    /// The call failed.
    Unknown,
    /// The call is pending.
    Pending(FetchId),
}

impl Introspector {
    /// Creates an introspector without calls.
    pub fn new(plan: Rc<Plan>) -> Self {
        Introspector {
            plan,
            asked: Vec::new(),
            fresh: Vec::new(),
            refused: TwoGenerationCache::new(MAX_REFUSED, usize::MAX),
            proven: TwoGenerationCache::new(MAX_PROVEN, usize::MAX),
            calls: 0,
            failed: None,
            failing: false,
            full: None,
            effects: Vec::new(),
        }
    }

    /// Returns the state of a token. Calls the endpoint if the token is unknown and the limits allow it. `peer` returns
    /// the client's address.
    pub fn look_up(
        &mut self,
        cache_key: CacheKey,
        token: &[u8],
        peer: impl FnOnce() -> Option<IpAddr>,
        now: NumericDate,
    ) -> Outcome {
        // A clock that is set back does not extend the lifetime.
        let is_fresh = |until: NumericDate| now < until && until.since(now) <= FRESH;
        let fresh = self.fresh.iter().rev().find(|(known, until, _)| *known == cache_key && is_fresh(*until));
        if let Some((_, _, outcome)) = fresh {
            return outcome.clone();
        }
        if let Some(error) = self.refused.find(cache_key, now) {
            return Outcome::Refused(error);
        }
        if let Some(asked) = self.asked.iter().find(|asked| asked.cache_key == cache_key) {
            return Outcome::Pending(asked.fetch_id());
        }
        let origin = match self.proven.find(cache_key, now) {
            Some(_) => Origin::Proven,
            None => Origin::Network(peer().map(source_network)),
        };
        if !self.has_room_for(origin) {
            if is_due(self.full, now) {
                self.full = Some(now);
                let text = "`max_concurrent` is reached, or its share for unproven tokens or for one source; requests \
                            with other unknown tokens get 503";
                self.effects.push(Effect::Report(Severity::Warning, text.to_owned()));
            }
            return Outcome::Unknown;
        }
        self.calls += 1;
        let asked = Asked { cache_key, call: CallId(self.calls), since: now, origin };
        self.effects.push(Effect::Call(asked.call, self.callout(token)));
        let fetch_id = asked.fetch_id();
        self.asked.push(asked);
        Outcome::Pending(fetch_id)
    }

    /// True if one more call may be made for a token of this origin. Anybody can make up tokens, so unproven ones leave
    /// a part of the calls to proven ones, and to other sources.
    fn has_room_for(&self, origin: Origin) -> bool {
        let max = self.plan.max_concurrent;
        let unproven = self.asked.iter().filter(|asked| asked.origin != Origin::Proven);
        let of_source = || unproven.clone().filter(|asked| asked.origin == origin).count();
        let has_share = match origin {
            Origin::Proven => true,
            Origin::Network(source) => {
                unproven.clone().count() < max - max / RESERVED
                    && (source.is_none() || of_source() < (max / OF_ONE_SOURCE).max(LEAST_OF_ONE_SOURCE))
            }
        };
        self.asked.len() < max && has_share
    }

    fn callout(&self, token: &[u8]) -> Callout {
        let Plan { address, cluster, client, timeout, .. } = self.plan.as_ref();
        Callout {
            cluster: cluster.clone(),
            method: "POST",
            is_secure: address.is_secure,
            authority: address.authority.clone(),
            path: address.path.clone(),
            fields: client.fields(),
            body: client.form(token),
            timeout: *timeout,
            max_body: MAX_ANSWER_BYTES,
        }
    }

    /// Advances the time.
    pub fn tick(&mut self, now: NumericDate) {
        let longest = self.plan.timeout.saturating_add(LOST_AFTER);
        while let Some(lost) = self.asked.iter().find(|asked| now.since(asked.since) > longest) {
            self.answered(lost.call, Err(CalloutError::NoAnswer), now);
        }
        self.fresh.retain(|(_, until, _)| now < *until);
    }

    /// Handles the outcome of a call.
    pub fn answered(
        &mut self,
        call: CallId,
        answer: Result<callout::HttpResponse<'_>, CalloutError>,
        now: NumericDate,
    ) {
        let Some(at) = self.asked.iter().position(|asked| asked.call == call) else { return };
        let asked = self.asked.swap_remove(at);
        let read = match answer {
            Ok(answer) => {
                IntrospectionResponse::read(answer.status, answer.body).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let outcome = match read {
            Ok(answer) => self.take(asked.cache_key, answer, now),
            Err(why) => {
                self.report_failure(&why, now);
                Outcome::Unknown
            }
        };
        self.fresh.retain(|(cache_key, until, _)| now < *until && *cache_key != asked.cache_key);
        // Most rejections are cached longer than that anyway, and there may be many.
        if !matches!(outcome, Outcome::Refused(_)) || self.plan.negative_ttl < FRESH {
            self.fresh.push((asked.cache_key, now.plus(FRESH), outcome));
        }
        self.effects.push(Effect::Settled(asked.fetch_id()));
    }

    fn take(&mut self, cache_key: CacheKey, response: IntrospectionResponse, now: NumericDate) -> Outcome {
        if std::mem::take(&mut self.failing) {
            self.effects.push(Effect::Report(
                Severity::Info,
                "introspection: the endpoint responds again".to_owned(),
            ));
        }
        let judged = match response {
            IntrospectionResponse::Active(claims) => self.plan.judge(claims, now),
            IntrospectionResponse::Inactive => Err(TokenError::Inactive),
        };
        match judged {
            Ok(principal) => {
                let until = now.plus(self.plan.cache_ttl);
                // After `exp` the endpoint would report the token as inactive, so clock skew does not matter here.
                let exp = principal.claims.find("exp").and_then(NumericDate::from_json);
                let until = exp.filter(|exp| *exp < until).unwrap_or(until);
                self.proven.insert(
                    cache_key,
                    Entry { value: (), since: now, until: now.plus(PROVEN_FOR), bytes: 0 },
                );
                Outcome::Holds(Rc::new(principal), until)
            }
            Err(error) => {
                let until = now.plus(self.plan.negative_ttl);
                self.proven.take(cache_key, now);
                self.refused.insert(cache_key, Entry { value: error, since: now, until, bytes: 0 });
                Outcome::Refused(error)
            }
        }
    }

    fn report_failure(&mut self, why: &str, now: NumericDate) {
        if is_due(self.failed, now) {
            self.failed = Some(now);
            self.failing = true;
            let text = format!(
                "introspection through cluster \"{}\": {why}; requests with unknown tokens get 503",
                self.plan.cluster
            );
            self.effects.push(Effect::Report(Severity::Error, text));
        }
    }

    /// Returns the effects of the events since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

impl Asked {
    fn fetch_id(&self) -> FetchId {
        FetchId(self.call.0)
    }
}

/// True if an event that was reported at `last` may be reported again.
fn is_due(last: Option<NumericDate>, now: NumericDate) -> bool {
    let passed = last.and_then(|last| now.checked_since(last));
    passed.is_none_or(|passed| passed >= BETWEEN_REPORTS)
}
