//! Key sets that are fetched from an identity provider, as a state machine: events and the time come in, effects go out.
//!
//! A round asks for what is needed to have the keys: the set itself, or metadata first. It starts with the first tick,
//! when the keys are no longer fresh, some time after a round that failed, and when a token names a key that is not
//! there.

mod address;
mod discovery;
mod error;
mod schedule;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use hmac_sha256::Hash;

use crate::jose::jwk::{IgnoredKey, KeySet, KeySetOrigin};
use crate::json;
use crate::remote::callout::{CallId, Callout, CalloutError, Effect, FetchId, HttpResponse, Severity};
use crate::timestamp::NumericDate;

pub use address::{Address, AddressError};
pub use discovery::Discovery;
pub use error::FetchError;

/// The longest answer that is read, set or metadata, in octets. Providers publish some KiB.
pub const MAX_ANSWER: usize = 256 << 10;

/// The least time between two rounds for keys that tokens name and the set lacks, in seconds.
const BETWEEN_LOOKS: f64 = 10.0;

/// How long behind its time a call counts as lost, in seconds: the host always answers, but nothing rests on it.
const LOST_AFTER: f64 = 5.0;

/// What is fetched, and how. All times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where keys come from.
    pub origin: Origin,
    /// How often they are fetched.
    pub refresh: f64,
    /// For how long each answer is waited for.
    pub timeout: f64,
    /// For how long they count while they cannot be refreshed.
    pub max_stale: f64,
    /// For how long a request waits for them.
    pub max_wait: f64,
}

/// Where keys come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A set at a fixed place.
    Set {
        /// Its URL.
        address: Address,
        /// Through what it is asked for.
        cluster: String,
    },
    /// A set that the issuer's metadata name.
    Discovery(Discovery),
}

/// When an event happens, and a number from 0 up to 1 that nobody can foresee.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// The time.
    pub now: NumericDate,
    /// The number.
    pub jitter: f64,
}

/// The keys of one authenticator, as one worker knows them.
pub struct JwksFetcher {
    plan: Rc<Plan>,
    known: Known,
    /// How often the keys have changed.
    generation: u64,
    /// When the next round is to start.
    due: NumericDate,
    round: Option<Round>,
    rounds: u64,
    calls: u64,
    /// Rounds that failed since the last that did not.
    failures: u32,
    /// Rounds that failed since the start.
    all_failures: u64,
    /// When a round last brought keys; before that, the first tick.
    renewed: Option<NumericDate>,
    /// When keys were last looked for that tokens name and the set lacks.
    looked: Option<NumericDate>,
    effects: Vec<Effect>,
}

enum Known {
    /// Nothing yet.
    NotYet,
    /// These.
    Keys {
        set: Rc<KeySet>,
        /// Of the answer that they came in.
        digest: [u8; 32],
        /// From then on they do not count any more.
        stale_at: NumericDate,
    },
    /// What there was is too old.
    Stale,
}

/// What there is to verify signatures with.
pub enum Keys {
    /// These.
    Known(Rc<KeySet>),
    /// Nothing yet; this is awaited.
    Pending(FetchId),
    /// Nothing any more.
    Stale,
}

struct Round {
    fetch_id: FetchId,
    call: CallId,
    /// When the call was made.
    since: NumericDate,
    asked: Asked,
}

/// What a round has asked for last.
enum Asked {
    OpenIdConfiguration,
    OauthAuthorizationServer {
        /// Why the other metadata were no help.
        first: FetchError,
    },
    Set {
        cluster: String,
    },
}

/// What the first set is awaited under; rounds have the numbers from 1.
const FIRST_SET: FetchId = FetchId(0);

impl JwksFetcher {
    /// No keys yet; the first tick asks for them.
    pub fn new(plan: Rc<Plan>) -> Self {
        JwksFetcher {
            plan,
            known: Known::NotYet,
            generation: 0,
            due: NumericDate::EPOCH,
            round: None,
            rounds: 0,
            calls: 0,
            failures: 0,
            all_failures: 0,
            renewed: None,
            looked: None,
            effects: Vec::new(),
        }
    }

    /// What there is to verify signatures with.
    pub fn keys(&self) -> Keys {
        match &self.known {
            Known::Keys { set, .. } => Keys::Known(Rc::clone(set)),
            Known::NotYet => Keys::Pending(FIRST_SET),
            Known::Stale => Keys::Stale,
        }
    }

    /// How often the keys have changed: what was decided by other keys does not count any more.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many seconds ago keys were last brought, or, where none were yet, were first asked for.
    pub fn age(&self, now: NumericDate) -> Option<f64> {
        self.renewed.map(|renewed| now.seconds_since(renewed).max(0.0))
    }

    /// How often it was asked in vain since the start.
    pub fn failures(&self) -> u64 {
        self.all_failures
    }

    /// What the events so far lead to, since it was last asked for.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Time passes.
    pub fn tick(&mut self, tick: Tick) {
        self.renewed.get_or_insert(tick.now);
        let now = tick.now;
        if let Known::Keys { stale_at, .. } = &self.known
            && now >= *stale_at
        {
            self.known = Known::Stale;
            self.generation += 1;
            let text = "the keys could not be refreshed for longer than `max_stale`; there are none any more";
            self.effects.push(Effect::Report(Severity::Error, text.to_owned()));
        }
        match &self.round {
            Some(round) if now.seconds_since(round.since) > self.plan.timeout + LOST_AFTER => {
                let call = round.call;
                self.answered(call, Err(CalloutError::NoAnswer), tick);
            }
            Some(_) => {}
            // A clock that was set back does not stop it.
            None if now >= self.due || self.due.seconds_since(now) > self.plan.refresh => self.start(now),
            None => {}
        }
    }

    /// A token names a key that the set lacks: it may have been published since. What is awaited then, unless somebody
    /// has looked for one a short time ago.
    pub fn refresh_for_unknown_kid(&mut self, now: NumericDate) -> Option<FetchId> {
        if self.looked.is_some_and(|looked| (0.0..BETWEEN_LOOKS).contains(&now.seconds_since(looked))) {
            // Whoever comes while that round lasts can wait for it too.
            return self.round.as_ref().map(|round| round.fetch_id);
        }
        self.looked = Some(now);
        if self.round.is_none() {
            self.start(now);
        }
        self.round.as_ref().map(|round| round.fetch_id)
    }

    /// A call was answered, or could not be.
    pub fn answered(&mut self, call: CallId, outcome: Result<HttpResponse<'_>, CalloutError>, tick: Tick) {
        let Some(Round { fetch_id, asked, .. }) = self.round.take_if(|round| round.call == call) else {
            return;
        };
        let found = outcome.map_err(FetchError::NoAnswer).and_then(|answer| match answer.status {
            200 => Ok(answer),
            status => Err(FetchError::Status(status)),
        });
        match asked {
            Asked::Set { cluster } => match found.and_then(|answer| Ok((answer, read_set(answer.body)?))) {
                Ok((answer, (set, ignored))) => self.take(set, &ignored, answer, tick),
                Err(refusal) => self.fail(&format!("key set from cluster \"{cluster}\": {refusal}"), tick),
            },
            metadata => self.metadata(fetch_id, metadata, found, tick),
        }
        if self.round.is_none() {
            self.effects.push(Effect::Settled(fetch_id));
        }
    }

    /// Starts a round.
    fn start(&mut self, now: NumericDate) {
        self.rounds += 1;
        let (address, cluster, asked) = match &self.plan.origin {
            Origin::Set { address, cluster } => {
                (address.clone(), cluster.clone(), Asked::Set { cluster: cluster.clone() })
            }
            Origin::Discovery(discovery) => {
                (discovery.openid_configuration(), discovery.cluster.clone(), Asked::OpenIdConfiguration)
            }
        };
        self.ask(FetchId(self.rounds), address, cluster, asked, now);
    }

    fn ask(&mut self, fetch_id: FetchId, address: Address, cluster: String, asked: Asked, now: NumericDate) {
        self.calls += 1;
        let call = CallId(self.calls);
        self.round = Some(Round { fetch_id, call, since: now, asked });
        let callout = Callout {
            cluster,
            method: "GET",
            is_secure: address.is_secure,
            authority: address.authority,
            path: address.path,
            fields: vec![("accept", "application/jwk-set+json, application/json".to_owned())],
            body: Vec::new(),
            timeout_ms: (self.plan.timeout * 1000.0) as u32, // saturates
            max_body: MAX_ANSWER,
        };
        self.effects.push(Effect::Call(call, callout));
    }

    /// Metadata lead to the set; where these do not, others may.
    fn metadata(
        &mut self,
        fetch_id: FetchId,
        asked: Asked,
        found: Result<HttpResponse<'_>, FetchError>,
        tick: Tick,
    ) {
        let plan = Rc::clone(&self.plan);
        let Origin::Discovery(discovery) = &plan.origin else { return };
        let refusal = match found.and_then(|answer| discovery.read(answer.body)) {
            Ok((address, cluster)) => {
                let asked = Asked::Set { cluster: cluster.to_owned() };
                return self.ask(fetch_id, address, cluster.to_owned(), asked, tick.now);
            }
            Err(refusal) => refusal,
        };
        let cluster = &discovery.cluster;
        match asked {
            Asked::OauthAuthorizationServer { first } => self.fail(
                &format!(
                    "metadata from cluster \"{cluster}\": openid-configuration: {first}; oauth-authorization-server: \
                     {refusal}"
                ),
                tick,
            ),
            _ if refusal == FetchError::NoAnswer(CalloutError::UnknownCluster) => {
                self.fail(&format!("metadata from cluster \"{cluster}\": {refusal}"), tick);
            }
            _ => {
                let asked = Asked::OauthAuthorizationServer { first: refusal };
                let address = discovery.oauth_authorization_server();
                self.ask(fetch_id, address, cluster.clone(), asked, tick.now);
            }
        }
    }

    /// A round has brought a set.
    fn take(&mut self, set: KeySet, ignored: &[IgnoredKey], answer: HttpResponse<'_>, tick: Tick) {
        let digest = Hash::hash(answer.body);
        let freshness = schedule::freshness(self.plan.refresh, answer.cache_control);
        self.due = tick.now.plus(schedule::until_refresh(freshness, tick.jitter));
        self.failures = 0;
        self.renewed = Some(tick.now);
        let until = tick.now.plus(freshness + self.plan.max_stale);
        if let Known::Keys { digest: before, stale_at, .. } = &mut self.known
            && *before == digest
        {
            *stale_at = until;
            return;
        }
        let count = set.keys().len();
        let mut text = format!("{count} key(s) fetched");
        for key in ignored.iter().take(8) {
            text.push_str(&format!("; ignored: {key}"));
        }
        let severity = if ignored.is_empty() { Severity::Info } else { Severity::Warning };
        self.effects.push(Effect::Report(severity, text));
        if matches!(self.known, Known::NotYet) {
            self.effects.push(Effect::Settled(FIRST_SET));
        }
        self.known = Known::Keys { set: Rc::new(set), digest, stale_at: until };
        self.generation += 1;
    }

    /// A round has brought nothing.
    fn fail(&mut self, why: &str, tick: Tick) {
        self.failures = self.failures.saturating_add(1);
        self.all_failures += 1;
        let pause = schedule::after_failures(self.failures, self.plan.refresh, tick.jitter);
        self.due = tick.now.plus(pause);
        let (severity, and) = match &self.known {
            Known::Keys { .. } => (Severity::Warning, "the keys of before are kept"),
            Known::NotYet => (Severity::Error, "there are no keys yet"),
            Known::Stale => (Severity::Error, "there are no keys any more"),
        };
        self.effects.push(Effect::Report(severity, format!("{why}; {and}")));
    }
}

/// A set as it was fetched, and what of it is not used. A set with private keys is refused whole.
fn read_set(body: &[u8]) -> Result<(KeySet, Vec<IgnoredKey>), FetchError> {
    let value = json::parse(body).map_err(FetchError::Json)?;
    KeySet::from_jwks(&value, KeySetOrigin::Fetched).map_err(FetchError::Set)
}
