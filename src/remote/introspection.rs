//! Tokens that only their issuer can read (RFC 7662), as a state machine: tokens, answers and the time come in, effects
//! go out.
//!
//! A token is asked for once at a time, however many requests bring it. What came of it is kept for those who waited,
//! and refusals for a while longer. Of a token nothing is kept but its slot.

mod answer;
mod client;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::rc::Rc;

use crate::cache::{CacheKey, Entry, TwoGenerationCache};
use crate::http::cidr::source_network;
use crate::jose::claims::{ClaimSelector, Claims};
use crate::jose::jwt::{ClaimRules, TokenError};
use crate::principal::Principal;
use crate::remote::callout::{self, CallId, Callout, CalloutError, Effect, FetchId, Severity};
use crate::remote::jwks::Address;
use crate::timestamp::NumericDate;

pub use answer::{AnswerError, IntrospectionResponse, MAX_ANSWER_BYTES};
pub use client::Client;

/// How many refused tokens are remembered.
pub const MAX_REFUSED: usize = 4096;

/// How many tokens that held before are remembered as such, and for how long, in seconds.
const MAX_PROVEN: usize = 8192;
const PROVEN_FOR: f64 = 3600.0;

/// One part in so many of `max_concurrent` is for tokens that held before. Of those that did not, one source may have one
/// part in so many, and so many at the least.
const RESERVED: usize = 4;
const OF_ONE_SOURCE: usize = 2;
const LEAST_OF_ONE_SOURCE: usize = 4;

/// For how long whoever has waited finds what came of it, in seconds, even where nothing is to be remembered. All of
/// them are decided right after the answer, or with the next tick.
const FRESH: f64 = 0.5;

/// The least time between two reports of one kind, in seconds.
const BETWEEN_REPORTS: f64 = 10.0;

/// How long behind its time a call counts as lost, in seconds: the host always answers, but nothing rests on it.
const LOST_AFTER: f64 = 5.0;

/// Whom to ask, and what its answers must say. It holds a secret, so it has no `Debug`. All times are in seconds.
pub struct Plan {
    /// Where it is.
    pub address: Address,
    /// Through what it is asked.
    pub cluster: String,
    /// Who asks.
    pub client: Client,
    /// For how long each answer is waited for.
    pub timeout: f64,
    /// How many tokens are asked for at a time.
    pub max_concurrent: usize,
    /// For how long an answer counts that a token holds, if it does not expire before.
    pub cache_ttl: f64,
    /// For how long an answer counts that a token does not hold.
    pub negative_ttl: f64,
    /// Whose tokens are taken, compared exactly. None: whatever the endpoint knows.
    pub issuers: Option<Vec<String>>,
    /// What claims must say.
    pub rules: ClaimRules,
    /// Where scopes stand.
    pub scope_claims: Vec<ClaimSelector>,
}

impl Plan {
    /// Whether tokens of this issuer are taken.
    pub fn accepts_issuer(&self, issuer: Option<&str>) -> bool {
        let Some(issuers) = &self.issuers else { return true };
        issuer.is_some_and(|issuer| issuers.iter().any(|known| known == issuer))
    }

    /// Who the caller is, by an answer that says that the token is good.
    fn judge(&self, claims: Claims, now: NumericDate) -> Result<Principal, TokenError> {
        let issuer = match claims.find("iss") {
            None => None,
            Some(issuer) => Some(issuer.as_str().ok_or(TokenError::WrongIssuer)?.to_owned()),
        };
        if !self.accepts_issuer(issuer.as_deref()) {
            return Err(TokenError::WrongIssuer);
        }
        let subject = self.rules.check(&claims, now)?.to_owned();
        let scopes = claims.scopes(&self.scope_claims).map_err(|_| TokenError::TooManyScopes)?;
        Ok(Principal { subject, issuer, scopes, claims })
    }
}

/// What one endpoint has said of tokens, as one worker knows it.
pub struct Introspector {
    plan: Rc<Plan>,
    asked: Vec<Asked>,
    fresh: Vec<(CacheKey, NumericDate, Outcome)>,
    refused: TwoGenerationCache<TokenError>,
    /// Tokens that held when they were last asked for.
    proven: TwoGenerationCache<()>,
    calls: u64,
    /// When a failure was last reported.
    failed: Option<NumericDate>,
    /// Whether a failure was reported and its end was not.
    failing: bool,
    /// When it was last reported that no more can be asked for.
    full: Option<NumericDate>,
    effects: Vec<Effect>,
}

/// A call that has not been answered yet.
struct Asked {
    cache_key: CacheKey,
    call: CallId,
    since: NumericDate,
    origin: Origin,
}

/// The client that a token was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Any: the token held before.
    Proven,
    /// One in this network, if that is known.
    Network(Option<IpAddr>),
}

/// What is known of a token.
#[derive(Clone)]
pub enum Outcome {
    /// It holds until then, and this is the caller.
    Holds(Rc<Principal>, NumericDate),
    /// It does not.
    Refused(TokenError),
    /// The endpoint did not say.
    Unknown,
    /// It is asked for.
    Pending(FetchId),
}

impl Introspector {
    /// Nothing asked yet.
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

    /// What is known of a token. If nothing is, it is asked for, as far as the bounds on calls allow. `peer` gives the
    /// address that the token comes from.
    pub fn look_up(
        &mut self,
        cache_key: CacheKey,
        token: &[u8],
        peer: impl FnOnce() -> Option<IpAddr>,
        now: NumericDate,
    ) -> Outcome {
        // A clock that was set back makes nothing fresh for longer.
        let is_fresh = |until: NumericDate| now < until && until.seconds_since(now) <= FRESH;
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
                let text = "`max_concurrent` is reached, or the part of it for tokens that never held, or for those of one \
                            source; further tokens that are not known yet get 503";
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

    /// Whether one more token can be asked for: one that held before, or one from this source. Anybody can make up tokens,
    /// so those that did not hold before leave a part of the calls to those that did, and to other sources.
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
            timeout_ms: (timeout * 1000.0) as u32, // saturates
            max_body: MAX_ANSWER_BYTES,
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: NumericDate) {
        let longest = self.plan.timeout + LOST_AFTER;
        while let Some(lost) = self.asked.iter().find(|asked| now.seconds_since(asked.since) > longest) {
            self.answered(lost.call, Err(CalloutError::NoAnswer), now);
        }
        self.fresh.retain(|(_, until, _)| now < *until);
    }

    /// A call was answered, or could not be.
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
        // Most refusals are remembered longer than that anyway, and there may be many.
        if !matches!(outcome, Outcome::Refused(_)) || self.plan.negative_ttl < FRESH {
            self.fresh.push((asked.cache_key, now.plus(FRESH), outcome));
        }
        self.effects.push(Effect::Settled(asked.fetch_id()));
    }

    fn take(&mut self, cache_key: CacheKey, response: IntrospectionResponse, now: NumericDate) -> Outcome {
        if std::mem::take(&mut self.failing) {
            self.effects
                .push(Effect::Report(Severity::Info, "introspection: the endpoint answers again".to_owned()));
        }
        let judged = match response {
            IntrospectionResponse::Active(claims) => self.plan.judge(claims, now),
            IntrospectionResponse::Inactive => Err(TokenError::Inactive),
        };
        match judged {
            Ok(principal) => {
                let until = now.plus(self.plan.cache_ttl);
                // Whoever asked after `exp` would hear that the token is not good any more, so skew is no matter here.
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
                "introspection through cluster \"{}\": {why}; tokens that are not known yet get 503",
                self.plan.cluster
            );
            self.effects.push(Effect::Report(Severity::Error, text));
        }
    }

    /// What the events so far lead to, since it was last asked for.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

impl Asked {
    fn fetch_id(&self) -> FetchId {
        FetchId(self.call.0)
    }
}

/// Whether what was last reported then may be reported again.
fn is_due(last: Option<NumericDate>, now: NumericDate) -> bool {
    last.is_none_or(|last| !(0.0..BETWEEN_REPORTS).contains(&now.seconds_since(last)))
}
