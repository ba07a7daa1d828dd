//! The contract that each scheme fulfils: where it looks for credentials, how it challenges, how it checks them.
//!
//! A new scheme is a file beside `basic.rs` and a line in [`policy`](crate::policy) that builds it.

pub mod api_key;
pub mod basic;
pub mod bearer;
pub mod digest;
pub mod digest_map;
pub mod introspection;
pub mod same_origin;
pub mod sender_constraint;

use std::borrow::Cow;
use std::net::IpAddr;

use crate::cache::CacheKey;
use crate::cache::nonces::Nonces;
use crate::cache::replays::{JtiUse, ReplayCache};
use crate::http::challenge::{Challenge, Realm};
use crate::http::location::CredentialLocation;
use crate::http::request::Request;
use crate::jose::jwt::SignatureVerifier;
use crate::principal::Principal;
use crate::remote::callout::FetchId;
use crate::remote::state::RemoteState;
use crate::response::Reason;
use crate::timestamp::NumericDate;
use sender_constraint::CertificateDigest;

/// What a check may use beside the request. The core has no clock and no host of its own.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time.
    pub now: NumericDate,
    /// Who does the arithmetic of signatures.
    pub signatures: &'a dyn SignatureVerifier,
    /// What is asked for only where it is needed.
    pub host: &'a dyn HostInfo,
    /// Whether the request can wait for what is on its way. One that cannot is decided by what is there.
    pub may_wait: bool,
}

/// What costs a call to the host, and few requests need.
pub trait HostInfo {
    /// The time at this moment. It measures how long something took; what holds when is for [`Context::now`].
    fn time(&self) -> NumericDate;

    /// The address that the proxy settled on as the client's, where it is known.
    fn peer(&self) -> Option<IpAddr>;

    /// The certificate that the client has shown on this connection, as the proxy says.
    fn certificate(&self) -> Option<CertificateDigest>;
}

/// Where there is no host: nothing takes any time, and neither address nor certificate is known.
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

/// What whoever presents a wrong credential may have been guessing.
#[derive(Debug, PartialEq, Eq)]
pub enum ThrottleSubject<'c> {
    /// Nothing: what can be presented at all cannot be guessed, as with a signature. It is not throttled.
    Nothing,
    /// A secret that says itself whose it is.
    Secret,
    /// The password of somebody.
    PasswordOf(Cow<'c, [u8]>),
}

/// Whose a credential is, where several authenticators read one place. The larger ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchRank {
    /// Somebody else's, as far as can be seen without checking it.
    Foreign,
    /// It does not say whose it is.
    Unreadable,
    /// Ours, unless somebody else knows it.
    Unclaimed,
    /// Made by one of ours, for somebody else.
    Issuer,
    /// Ours.
    Own,
}

/// A credential where it was found.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// Its octets; for `Authorization` what follows the auth-scheme.
    pub credential: &'a [u8],
    /// Where it stood.
    pub location: &'a CredentialLocation,
}

/// What a credential that holds shows.
pub struct Verified {
    /// Who the caller is.
    pub principal: Principal,
    /// From when on the credential does not hold any more.
    pub valid_until: Option<NumericDate>,
}

/// Why a credential does not hold, or not yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AuthError {
    /// It does not.
    Refused(Reason),
    /// What decides it is on its way.
    Pending {
        /// What is awaited, of the scheme's own source.
        fetch_id: FetchId,
        /// For how long a request may wait for it, in seconds.
        max_wait: f64,
        /// The reason for a refusal where the request cannot wait.
        otherwise: Reason,
    },
}

impl From<Reason> for AuthError {
    fn from(reason: Reason) -> Self {
        AuthError::Refused(reason)
    }
}

/// A way to prove who one is.
pub trait Scheme {
    /// Where it looks for credentials.
    fn locations(&self) -> &[CredentialLocation];

    /// Where proofs stand that belong to its credentials; taken out with them.
    fn proof_locations(&self) -> &[CredentialLocation] {
        &[]
    }

    /// What it asks for: one challenge, or several to choose from, the strongest first. Never none.
    fn challenges(&self, realm: &Realm, context: Context<'_>, nonces: &mut Nonces) -> Vec<Challenge>;

    /// Whether its challenges explain errors and scopes as RFC 6750 says.
    fn is_bearer(&self) -> bool {
        false
    }

    /// Whether an unverified credential is meant for this authenticator rather than for another.
    fn match_rank(&self, _credential: &[u8]) -> MatchRank {
        MatchRank::Own
    }

    /// Whether it takes what nobody else knows, so that what has held in one rule may be another's in the next.
    fn accepts_unclaimed(&self) -> bool {
        false
    }

    /// What the request around a credential must show each time, whether the credential is remembered or not.
    fn admit(&self, _presented: Presented<'_>, _request: &Request<'_>) -> Result<(), Reason> {
        Ok(())
    }

    /// What it has to learn from elsewhere, with nothing learnt yet.
    fn source(&self) -> RemoteState {
        RemoteState::Nothing
    }

    /// Who the caller is, or why the credential does not hold. The answer depends on nothing but the credential, the
    /// time, what the scheme was made of and what its `source` has learnt, so that it can be remembered until that
    /// changes. A scheme has this or [`one_time`].
    ///
    /// [`one_time`]: Scheme::one_time
    fn authenticate(
        &self,
        _credential: &[u8],
        _slot: CacheKey,
        _surroundings: Context<'_>,
        _source: &mut RemoteState,
    ) -> Result<Verified, AuthError> {
        Err(Reason::Unavailable.into())
    }

    /// Whether the request shows that a credential that holds is used by whom it was issued to: `principal`. Asked each
    /// time, whether the credential is remembered or not. Gives the use of a proof that counts once, for
    /// [`CredentialCache::note_jti`](crate::cache::CredentialCache::note_jti).
    fn prove_possession(
        &self,
        _principal: &Principal,
        _presented: Presented<'_>,
        _request: &Request<'_>,
        _surroundings: Context<'_>,
        _replays: &ReplayCache,
    ) -> Result<Option<JtiUse>, Reason> {
        Ok(None)
    }

    /// The check of a scheme whose credentials are made for one request each, so that none is remembered.
    fn one_time(&self) -> Option<&dyn OneTime> {
        None
    }

    /// What an unverified credential may be a guess at, and so whose failures count together.
    fn throttle_subject<'c>(&self, _credential: &'c [u8]) -> ThrottleSubject<'c> {
        ThrottleSubject::Nothing
    }

    /// Whether its credentials are secrets that somebody chose or was given, and that the configuration knows: they could be
    /// guessed, and they hold as long as the configuration does or until they end by themselves.
    fn has_fixed_secrets(&self) -> bool {
        false
    }

    /// Whether checking this credential takes a hash whose time is rationed.
    fn needs_slow_hash(&self, _credential: &[u8]) -> bool {
        false
    }

    /// Until when those whose credentials the configuration holds can use them, where they cannot for ever.
    fn expiries(&self) -> Vec<(&str, NumericDate)> {
        Vec::new()
    }

    /// Whether finding a credential wrong costs so much that it is remembered.
    fn failures_are_slow(&self) -> bool {
        false
    }
}

/// The check of credentials that are made for one request each.
pub trait OneTime {
    /// Who the caller is, or why the credential does not hold for this request. One that held has been used.
    fn authenticate(
        &self,
        credential: &[u8],
        request: &Request<'_>,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Result<Principal, Reason>;
}

/// A scheme with what the configuration says of every authenticator.
pub struct Authenticator {
    /// Its name in the configuration.
    pub name: String,
    /// The protection space that its challenges name.
    pub realm: Realm,
    /// Whether credentials that held go on to the upstream.
    pub forward_credentials: bool,
    /// How it checks.
    pub scheme: Box<dyn Scheme>,
}
