//! Key sets that are fetched from an identity provider, as a state machine: events and the time are inputs, effects are
//! outputs.
//!
//! A round fetches the key set, or first the metadata that name it. A round starts with the first tick, when the keys
//! are no longer fresh, some time after a failed round, and when a token names an unknown key.

mod address;
mod discovery;
mod error;
mod plan;
mod schedule;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use hmac_sha256::Hash;

use crate::jose::jwk::{IgnoredKey, KeySet, KeySetOrigin};
use crate::json;
use crate::remote::callout::{CallId, Callout, CalloutError, Effect, FetchId, HttpResponse, Severity};
use crate::timestamp::NumericDate;

pub use address::{Address, AddressError};
pub use discovery::Discovery;
pub use error::FetchError;
pub use plan::{Origin, Plan};

/// The longest response body that is accepted, in bytes. Providers publish some KiB.
pub const MAX_ANSWER: usize = 256 << 10;

/// The shortest time between two rounds for keys that tokens name and the set lacks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// Time after its timeout at which a call counts as lost. The host always answers, but nothing depends on it.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// The time of an event, and an unpredictable number from 0 up to 1.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// The current time.
    pub now: NumericDate,
    /// The random number, from 0 up to 1.
    pub jitter: f64,
}

/// Fetcher of the keys of one authenticator, in one worker.
pub struct JwksFetcher {
    plan: Rc<Plan>,
    known: Known,
    /// Number of changes of the keys.
    generation: u64,
    /// Start time of the next round.
    due: NumericDate,
    round: Option<Round>,
    rounds: u64,
    calls: u64,
    /// Failed rounds since the last success.
    failures: u32,
    /// Failed rounds since the start.
    all_failures: u64,
    /// Time of the last successful round; before that, of the first tick.
    renewed: Option<NumericDate>,
    /// Time of the last round for a key that a token named and the set lacked.
    looked: Option<NumericDate>,
    effects: Vec<Effect>,
}

enum Known {
    /// No keys have been fetched yet.
    NotYet,
    /// The current keys.
    Keys {
        set: Rc<KeySet>,
        /// Digest of the response with the keys.
        digest: [u8; 32],
        /// Time at which the keys are discarded.
        stale_at: NumericDate,
    },
    /// The keys are too old and were discarded.
    Stale,
}

/// Keys to verify signatures with.
pub enum Keys {
    /// The current keys.
    Known(Rc<KeySet>),
    /// No keys yet; the fetch is pending.
    Pending(FetchId),
    /// The keys are too old and were discarded.
    Stale,
}

struct Round {
    fetch_id: FetchId,
    call: CallId,
    /// Time at which the call was made.
    since: NumericDate,
    asked: Asked,
}

/// The pending call of a round.
enum Asked {
    OpenIdConfiguration,
    OauthAuthorizationServer {
        /// Error of the OpenID Connect metadata.
        first: FetchError,
    },
    Set {
        cluster: String,
    },
}

/// Identifies the first set; rounds are numbered from 1.
const FIRST_SET: FetchId = FetchId(0);

impl JwksFetcher {
    /// Creates a fetcher without keys; the first tick fetches them.
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

    /// Returns the keys to verify signatures with.
    pub fn keys(&self) -> Keys {
        match &self.known {
            Known::Keys { set, .. } => Keys::Known(Rc::clone(set)),
            Known::NotYet => Keys::Pending(FIRST_SET),
            Known::Stale => Keys::Stale,
        }
    }

    /// Returns the number of changes of the keys. Results that were cached with other keys are not valid any more.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the time since the last successful fetch or, before that, since the first tick.
    pub fn age(&self, now: NumericDate) -> Option<Duration> {
        self.renewed.map(|renewed| now.since(renewed))
    }

    /// Returns the number of failed rounds since the start.
    pub fn failures(&self) -> u64 {
        self.all_failures
    }

    /// Returns the effects of the events since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Advances the time.
    pub fn tick(&mut self, tick: Tick) {
        self.renewed.get_or_insert(tick.now);
        let now = tick.now;
        if let Known::Keys { stale_at, .. } = &self.known
            && now >= *stale_at
        {
            self.known = Known::Stale;
            self.generation += 1;
            let text = "the keys could not be refreshed within `max_stale` and have expired";
            self.effects.push(Effect::Report(Severity::Error, text.to_owned()));
        }
        match &self.round {
            Some(round) if now.since(round.since) > self.plan.timeout.saturating_add(LOST_AFTER) => {
                let call = round.call;
                self.answered(call, Err(CalloutError::NoAnswer), tick);
            }
            Some(_) => {}
            // A clock that is set back does not stop the refresh.
            None if now >= self.due || self.due.since(now) > self.plan.refresh => self.start(now),
            None => {}
        }
    }

    /// Fetches the keys for a token that names a key the set lacks, since that key may have been published recently.
    /// Returns the pending fetch. At most one such round starts within `BETWEEN_LOOKS`.
    pub fn refresh_for_unknown_kid(&mut self, now: NumericDate) -> Option<FetchId> {
        let passed = self.looked.and_then(|looked| now.checked_since(looked));
        if passed.is_some_and(|passed| passed < BETWEEN_LOOKS) {
            // Requests that arrive during that round can wait for it, too.
            return self.round.as_ref().map(|round| round.fetch_id);
        }
        self.looked = Some(now);
        if self.round.is_none() {
            self.start(now);
        }
        self.round.as_ref().map(|round| round.fetch_id)
    }

    /// Handles the outcome of a call.
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
                Err(error) => self.fail(&format!("key set from cluster \"{cluster}\": {error}"), tick),
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
            timeout: self.plan.timeout,
            max_body: MAX_ANSWER,
        };
        self.effects.push(Effect::Call(call, callout));
    }

    /// Handles the outcome of a metadata call: fetches the key set, or falls back to the other metadata.
    fn metadata(
        &mut self,
        fetch_id: FetchId,
        asked: Asked,
        found: Result<HttpResponse<'_>, FetchError>,
        tick: Tick,
    ) {
        let plan = Rc::clone(&self.plan);
        let Origin::Discovery(discovery) = &plan.origin else { return };
        let error = match found.and_then(|answer| discovery.read(answer.body)) {
            Ok((address, cluster)) => {
                let asked = Asked::Set { cluster: cluster.to_owned() };
                return self.ask(fetch_id, address, cluster.to_owned(), asked, tick.now);
            }
            Err(error) => error,
        };
        let cluster = &discovery.cluster;
        match asked {
            Asked::OauthAuthorizationServer { first } => self.fail(
                &format!(
                    "metadata from cluster \"{cluster}\": openid-configuration: {first}; oauth-authorization-server: \
                     {error}"
                ),
                tick,
            ),
            _ if error == FetchError::NoAnswer(CalloutError::UnknownCluster) => {
                self.fail(&format!("metadata from cluster \"{cluster}\": {error}"), tick);
            }
            _ => {
                let asked = Asked::OauthAuthorizationServer { first: error };
                let address = discovery.oauth_authorization_server();
                self.ask(fetch_id, address, cluster.clone(), asked, tick.now);
            }
        }
    }

    /// Handles a key set that was fetched.
    fn take(&mut self, set: KeySet, ignored: &[IgnoredKey], answer: HttpResponse<'_>, tick: Tick) {
        let digest = Hash::hash(answer.body);
        let freshness = schedule::freshness(self.plan.refresh, answer.cache_control);
        self.due = tick.now.plus(schedule::until_refresh(freshness, tick.jitter));
        self.failures = 0;
        self.renewed = Some(tick.now);
        let until = tick.now.plus(freshness).plus(self.plan.max_stale);
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

    /// Handles a failed round.
    fn fail(&mut self, why: &str, tick: Tick) {
        self.failures = self.failures.saturating_add(1);
        self.all_failures += 1;
        let pause = schedule::after_failures(self.failures, self.plan.refresh, tick.jitter);
        self.due = tick.now.plus(pause);
        let (severity, and) = match &self.known {
            Known::Keys { .. } => (Severity::Warning, "the previous keys stay in use"),
            Known::NotYet => (Severity::Error, "there are no keys yet"),
            Known::Stale => (Severity::Error, "the previous keys have expired"),
        };
        self.effects.push(Effect::Report(severity, format!("{why}; {and}")));
    }
}

/// Parses a fetched key set, and returns the keys that are ignored. A set with a private key is rejected as a whole.
fn read_set(body: &[u8]) -> Result<(KeySet, Vec<IgnoredKey>), FetchError> {
    let value = json::parse(body).map_err(FetchError::Json)?;
    KeySet::from_jwks(&value, KeySetOrigin::Fetched).map_err(FetchError::Set)
}
