//! Authentication: a file for each scheme, and the contract that all schemes share.
//!
//! The contract covers credential locations, challenges, and the checks of a credential and of the request around it.
//! [`Scheme`] groups the schemes by how their credentials behave: whether they can be guessed, cached, or bound to
//! their holder. Schemes share [`digest_map`] for lookups in constant time, [`same_origin`] for credentials in cookies,
//! and [`sender_constraint`] for tokens that are bound to a key or certificate.
//!
//! This room may use all others except [`policy`](crate::policy) and [`decision`](crate::decision). A new scheme is a
//! file beside `basic.rs` and a variant of [`SecretScheme`], [`TokenScheme`] or [`OneTimeScheme`]; the compiler reports
//! everything else that has to change.

pub mod api_key;
pub mod basic;
pub mod bearer;
pub mod digest;
pub mod digest_map;
pub mod introspection;
pub mod key_provider;
mod locations;
pub mod same_origin;
pub mod sender_constraint;
pub mod token;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::cache::CacheKey;
use crate::cache::nonces::Nonces;
use crate::cache::replays::{JtiUse, ReplayCache};
use crate::config;
use crate::config::context::{BuildContext, is_label};
use crate::config::path::ConfigPath;
use crate::http::challenge::{Challenge, Realm};
use crate::http::location::CredentialLocation;
use crate::http::request::Request;
use crate::jose::jwt::SignatureVerifier;
use crate::principal::Principal;
use crate::remote::callout::FetchId;
use crate::remote::state::RemoteState;
use crate::response::Reason;
use crate::timestamp::NumericDate;
use api_key::ApiKeys;
use basic::Basic;
use bearer::Bearer;
use digest::Digest;
use introspection::Introspection;
use sender_constraint::CertificateDigest;
use token::TokenSettings;

/// Environment of a check. The core itself has no clock and no host.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The current time.
    pub now: NumericDate,
    /// Verifier of signatures.
    pub signatures: &'a dyn SignatureVerifier,
    /// Data of the host, queried only if needed.
    pub host: &'a dyn HostInfo,
    /// True if the request can wait for a fetch. If not, it is decided with the data that was already fetched.
    pub may_wait: bool,
}

/// Data of the host that costs a call, and that few requests need.
pub trait HostInfo {
    /// Returns the time at the moment of the call, to measure durations. Validity depends on [`Context::now`].
    fn time(&self) -> NumericDate;

    /// Returns the client's address as the proxy determined it, if known.
    fn peer(&self) -> Option<IpAddr>;

    /// Returns the digest of the client's certificate, if the proxy reports one for this connection.
    fn certificate(&self) -> Option<CertificateDigest>;
}

/// A host without data: the time never changes, and address and certificate are unknown.
pub struct NullHost;

impl HostInfo for NullHost {
    fn time(&self) -> NumericDate {
        NumericDate::EPOCH
    }

    fn peer(&self) -> Option<IpAddr> {
        None
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        None
    }
}

/// The secret that a wrong credential may be a guess at.
#[derive(Debug, PartialEq, Eq)]
pub enum ThrottleSubject<'c> {
    /// Nothing: the credential cannot be a guess, as with a signed token. It is not throttled.
    Nothing,
    /// A secret that identifies its holder.
    Secret,
    /// The password of this user.
    PasswordOf(Cow<'c, [u8]>),
}

/// Rank of an unverified credential that several authenticators read in one location. The authenticators with the
/// highest rank try it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchRank {
    /// The credential is from another issuer, or for another realm.
    Foreign,
    /// The credential does not say which authenticator it is for.
    Unreadable,
    /// The credential may be for this authenticator, unless another one claims it.
    Unclaimed,
    /// The credential is from an issuer or for a realm of this authenticator, but its audience or user is unknown.
    Issuer,
    /// The credential is for this authenticator.
    Own,
}

/// A credential and its location.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The credential in bytes, without the auth-scheme.
    pub credential: &'a [u8],
    /// The location of the credential.
    pub location: &'a CredentialLocation,
}

/// Result of a verified credential.
pub struct Verified {
    /// The caller.
    pub principal: Principal,
    /// Time from which the credential is no longer valid.
    pub valid_until: Option<NumericDate>,
}

/// Reason why a credential is not accepted, at least not yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AuthError {
    /// The credential is rejected.
    Refused(Reason),
    /// The result depends on a fetch.
    Pending {
        /// The fetch, by the scheme's own state.
        fetch_id: FetchId,
        /// The longest time that a request may wait.
        max_wait: Duration,
        /// The reason for rejecting a request that cannot wait.
        otherwise: Reason,
    },
}

impl AuthError {
    /// Returns the reason for rejecting a request that cannot wait.
    pub fn reason(self) -> Reason {
        match self {
            AuthError::Refused(reason) | AuthError::Pending { otherwise: reason, .. } => reason,
        }
    }
}

impl From<Reason> for AuthError {
    fn from(reason: Reason) -> Self {
        AuthError::Refused(reason)
    }
}

/// A scheme with its users, keys or issuers. The variants differ in how credentials behave.
pub enum Scheme {
    /// Credentials are secrets that the configuration contains in hashed form. They can be guessed, so failures are
    /// throttled.
    Secret(SecretScheme),
    /// Credentials are tokens from an issuer. They cannot be guessed, but may be bound to their holder.
    Token(TokenScheme),
    /// Credentials are made for one request each, so they are never cached.
    OneTime(OneTimeScheme),
}

/// Schemes whose credentials are secrets that the configuration contains in hashed form.
pub enum SecretScheme {
    /// Basic, with user names and passwords.
    Basic(Basic),
    /// API keys.
    ApiKey(ApiKeys),
}

/// Schemes whose credentials are tokens from an issuer.
pub enum TokenScheme {
    /// Bearer, with JSON Web Tokens.
    Jwt(Box<Bearer>),
    /// Bearer, with tokens that only the issuer can read.
    Introspection(Introspection),
}

/// Schemes whose credentials are made for one request each.
pub enum OneTimeScheme {
    /// Digest.
    Digest(Digest),
}

impl Scheme {
    /// Returns the name of the scheme in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Scheme::Secret(SecretScheme::Basic(_)) => "basic",
            Scheme::Secret(SecretScheme::ApiKey(_)) => "api_key",
            Scheme::Token(TokenScheme::Jwt(_)) => "jwt",
            Scheme::Token(TokenScheme::Introspection(_)) => "introspection",
            Scheme::OneTime(OneTimeScheme::Digest(_)) => "digest",
        }
    }

    /// Returns the locations where the scheme looks for credentials.
    pub fn locations(&self) -> &[CredentialLocation] {
        match self {
            Scheme::Secret(SecretScheme::Basic(basic)) => basic.locations(),
            Scheme::Secret(SecretScheme::ApiKey(keys)) => keys.locations(),
            Scheme::Token(token) => &token.settings().locations,
            Scheme::OneTime(OneTimeScheme::Digest(digest)) => digest.locations(),
        }
    }

    /// Returns the locations of proofs of possession, which are removed together with the credentials.
    pub fn proof_locations(&self) -> &[CredentialLocation] {
        match self {
            Scheme::Token(token) => token.settings().sender_constraint.proof_locations(),
            Scheme::Secret(_) | Scheme::OneTime(_) => &[],
        }
    }

    /// Returns the challenges of the scheme: one, or several to choose from, the strongest first.
    pub fn challenges(&self, realm: &Realm, context: Context<'_>, nonces: &mut Nonces) -> Vec<Challenge> {
        match self {
            Scheme::Secret(SecretScheme::Basic(_)) => vec![Basic::challenge(realm)],
            Scheme::Secret(SecretScheme::ApiKey(keys)) => vec![keys.challenge(realm)],
            Scheme::Token(token) => {
                let settings = token.settings();
                settings.sender_constraint.challenges(&settings.challenge_scheme, realm)
            }
            Scheme::OneTime(OneTimeScheme::Digest(digest)) => digest.challenges(realm, context, nonces),
        }
    }

    /// True if challenges explain errors and scopes as in
    /// [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    pub fn is_bearer(&self) -> bool {
        matches!(self, Scheme::Token(_))
    }

    /// Returns the rank of an unverified credential: higher if it is more likely meant for this authenticator than for
    /// another.
    pub fn match_rank(&self, credential: &[u8]) -> MatchRank {
        match self {
            Scheme::Secret(SecretScheme::Basic(_)) => MatchRank::Own,
            Scheme::Secret(SecretScheme::ApiKey(keys)) => keys.match_rank(credential),
            Scheme::Token(TokenScheme::Jwt(bearer)) => bearer.match_rank(credential),
            Scheme::Token(TokenScheme::Introspection(introspection)) => introspection.match_rank(credential),
            Scheme::OneTime(OneTimeScheme::Digest(digest)) => digest.match_rank(credential),
        }
    }

    /// Returns a sentence for operators with the issuer of an unverified token and the configured ones, if they differ.
    pub fn issuer_mismatch(&self, credential: &[u8]) -> Option<String> {
        match self {
            Scheme::Token(TokenScheme::Jwt(bearer)) => bearer.issuer_mismatch(credential),
            Scheme::Token(TokenScheme::Introspection(_)) | Scheme::Secret(_) | Scheme::OneTime(_) => None,
        }
    }

    /// True if the scheme accepts tokens that no other scheme claims. A cache hit then does not establish ownership: in
    /// another rule the token may belong to another authenticator.
    pub fn accepts_unclaimed(&self) -> bool {
        matches!(self, Scheme::Token(TokenScheme::Introspection(_)))
    }

    /// Checks the request around a credential, each time, cached or not.
    ///
    /// # Errors
    /// Fails with [`Reason::CrossOrigin`] if the credential is in a cookie and the request may come from another site.
    pub fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        let csrf_disabled = match self {
            // These schemes read no cookies.
            Scheme::Secret(SecretScheme::Basic(_)) | Scheme::OneTime(OneTimeScheme::Digest(_)) => true,
            Scheme::Secret(SecretScheme::ApiKey(keys)) => keys.csrf_disabled(),
            Scheme::Token(token) => token.settings().csrf_disabled,
        };
        if csrf_disabled { Ok(()) } else { same_origin::prove(presented, request) }
    }

    /// Returns the state for the scheme's fetches, with nothing fetched yet.
    pub fn remote_state(&self) -> RemoteState {
        match self {
            Scheme::Token(TokenScheme::Jwt(bearer)) => bearer.remote_state(),
            Scheme::Token(TokenScheme::Introspection(introspection)) => introspection.remote_state(),
            Scheme::Secret(_) | Scheme::OneTime(_) => RemoteState::Nothing,
        }
    }

    /// Returns the secret that an unverified credential may be a guess at. Failures for one subject count together.
    pub fn throttle_subject<'c>(&self, credential: &'c [u8]) -> ThrottleSubject<'c> {
        match self {
            Scheme::Secret(SecretScheme::Basic(_)) => Basic::throttle_subject(credential),
            Scheme::Secret(SecretScheme::ApiKey(_)) => ThrottleSubject::Secret,
            Scheme::Token(_) => ThrottleSubject::Nothing,
            Scheme::OneTime(OneTimeScheme::Digest(_)) => Digest::throttle_subject(credential),
        }
    }

    /// True if checking this credential computes a hash whose time is rationed.
    pub fn needs_slow_hash(&self, credential: &[u8]) -> bool {
        match self {
            Scheme::Secret(SecretScheme::Basic(basic)) => basic.needs_slow_hash(credential),
            Scheme::Secret(SecretScheme::ApiKey(_)) | Scheme::Token(_) | Scheme::OneTime(_) => false,
        }
    }

    /// Returns the number of users whose hashes are slow.
    pub fn slow_hashes(&self) -> usize {
        match self {
            Scheme::Secret(SecretScheme::Basic(basic)) => basic.slow_hashes(),
            Scheme::Secret(SecretScheme::ApiKey(_)) | Scheme::Token(_) | Scheme::OneTime(_) => 0,
        }
    }

    /// True if rejecting a credential is so expensive that rejections are cached.
    pub fn failures_are_slow(&self) -> bool {
        self.slow_hashes() > 0
    }

    /// Returns the last expiry of each holder of configured credentials, for holders whose credentials all expire.
    pub fn expiries(&self) -> Vec<(&str, NumericDate)> {
        match self {
            Scheme::Secret(SecretScheme::ApiKey(keys)) => keys.expiries(),
            Scheme::Secret(SecretScheme::Basic(_)) | Scheme::Token(_) | Scheme::OneTime(_) => Vec::new(),
        }
    }
}

impl SecretScheme {
    /// Verifies a credential. The result depends on the credential, the configuration and the time alone, so it can be
    /// cached.
    ///
    /// # Errors
    /// Returns the reason why the credential is rejected.
    pub fn authenticate(&self, credential: &[u8], now: NumericDate) -> Result<Verified, Reason> {
        match self {
            SecretScheme::Basic(basic) => basic.authenticate(credential),
            SecretScheme::ApiKey(keys) => keys.authenticate(credential, now),
        }
    }
}

impl TokenScheme {
    /// Verifies a token. The result depends on the token, the configuration, the time and the data in `remote`, so it
    /// can be cached until that data changes.
    ///
    /// # Errors
    /// Returns the reason why the token is rejected, or the fetch that the result depends on.
    pub fn authenticate(
        &self,
        credential: &[u8],
        cache_key: CacheKey,
        context: Context<'_>,
        remote: &mut RemoteState,
    ) -> Result<Verified, AuthError> {
        match (self, remote) {
            (TokenScheme::Jwt(bearer), RemoteState::Keys(fetcher)) => {
                bearer.authenticate(credential, context, Some(fetcher))
            }
            (TokenScheme::Jwt(bearer), _) => bearer.authenticate(credential, context, None),
            (TokenScheme::Introspection(introspection), RemoteState::Tokens(introspector)) => {
                introspection.authenticate(credential, cache_key, context, introspector)
            }
            (TokenScheme::Introspection(_), _) => Err(Reason::Unavailable.into()),
        }
    }

    /// Checks that the request proves possession of a verified token, each time, cached or not. Returns the use of the
    /// proof, if there is one, for [`CredentialCache::note_jti`](crate::cache::CredentialCache::note_jti).
    ///
    /// # Errors
    /// Returns the reason why the proof is missing or rejected.
    pub fn prove_possession(
        &self,
        principal: &Principal,
        presented: Presented<'_>,
        request: &Request<'_>,
        context: Context<'_>,
        replays: &ReplayCache,
    ) -> Result<Option<JtiUse>, Reason> {
        self.settings().sender_constraint.prove(&principal.claims, presented, request, context, replays)
    }

    fn settings(&self) -> &TokenSettings {
        match self {
            TokenScheme::Jwt(bearer) => &bearer.settings,
            TokenScheme::Introspection(introspection) => &introspection.settings,
        }
    }
}

impl OneTimeScheme {
    /// Verifies a credential that is made for this request alone, and marks it as used.
    ///
    /// # Errors
    /// Returns the reason why the credential is rejected.
    pub fn authenticate(
        &self,
        credential: &[u8],
        request: &Request<'_>,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Result<Principal, Reason> {
        match self {
            OneTimeScheme::Digest(digest) => digest.authenticate(credential, request, context, nonces),
        }
    }
}

/// A scheme with the settings that all authenticators have.
pub struct Authenticator {
    /// Name of the authenticator in the configuration.
    pub name: String,
    /// Protection space of its challenges.
    pub realm: Realm,
    /// True if verified credentials are forwarded upstream.
    pub forward_credentials: bool,
    /// The scheme.
    pub scheme: Scheme,
}

impl Authenticator {
    /// Builds an authenticator from its configuration.
    pub fn build(
        cx: &mut BuildContext<'_>,
        at: &ConfigPath<'_>,
        name: &str,
        config: &config::Authenticator,
        realm: &Realm,
    ) -> Option<Self> {
        // A dot separates a name from the attribute in templates, and `/` separates it from the subject in `subjects`.
        if !is_label(name) || name.contains('.') {
            cx.expected(at, "a name of letters, digits, `-` and `_`");
        }
        let (realm, forward_credentials, scheme) = match config {
            config::Authenticator::Basic(config) => {
                let at = &at.member("basic");
                let realm = cx.realm(at, config.realm.as_ref(), realm);
                let basic = Basic::build(cx, at, config);
                (realm, config.forward_credentials, Scheme::Secret(SecretScheme::Basic(basic)))
            }
            config::Authenticator::ApiKey(config) => {
                let at = &at.member("api_key");
                let realm = cx.realm(at, config.realm.as_ref(), realm);
                let keys = ApiKeys::build(cx, at, config);
                (realm, config.forward_credentials, Scheme::Secret(SecretScheme::ApiKey(keys)))
            }
            config::Authenticator::Jwt(config) => {
                let at = &at.member("jwt");
                let realm = cx.realm(at, config.realm.as_ref(), realm);
                let bearer = Box::new(Bearer::build(cx, at, config)?);
                (realm, config.forward_credentials, Scheme::Token(TokenScheme::Jwt(bearer)))
            }
            config::Authenticator::Introspection(config) => {
                let at = &at.member("introspection");
                let realm = cx.realm(at, config.realm.as_ref(), realm);
                let introspection = Introspection::build(cx, at, config)?;
                let scheme = Scheme::Token(TokenScheme::Introspection(introspection));
                (realm, config.forward_credentials, scheme)
            }
            config::Authenticator::Digest(config) => {
                let digest = Digest::build(cx, &at.member("digest"), config)?;
                let realm = digest.realm().clone();
                (realm, config.forward_credentials, Scheme::OneTime(OneTimeScheme::Digest(digest)))
            }
        };
        Some(Authenticator { name: name.to_owned(), realm, forward_credentials, scheme })
    }
}
