//! Authentication: the schemes, and the contract that they share: credential locations, challenges and checks.
//!
//! May use [`response`](crate::response) and the rooms below it. A new scheme is a file beside `basic.rs` and a variant of
//! [`SecretScheme`], [`TokenScheme`] or [`OneTimeScheme`]; the compiler names everything else that has to change.

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
use api_key::ApiKeys;
use basic::Basic;
use bearer::Bearer;
use digest::Digest;
use introspection::Introspection;
use sender_constraint::{CertificateDigest, SenderConstraint};

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

impl AuthError {
    /// The reason for a refusal where the request cannot wait.
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

/// A scheme with its users, keys or rules, by how its credentials behave.
pub enum Scheme {
    /// Its credentials are secrets that the configuration contains in hashed form: they can be guessed, so failures are
    /// throttled.
    Secret(SecretScheme),
    /// Its credentials are tokens from an issuer: they cannot be guessed, but may be bound to their holder.
    Token(TokenScheme),
    /// Its credentials are made for one request each, so none is cached.
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
    Jwt(Bearer),
    /// Bearer, with tokens that only the issuer can read.
    Introspection(Introspection),
}

/// Schemes whose credentials are made for one request each.
pub enum OneTimeScheme {
    /// Digest.
    Digest(Digest),
}

impl Scheme {
    /// The name of the scheme in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Scheme::Secret(SecretScheme::Basic(_)) => "basic",
            Scheme::Secret(SecretScheme::ApiKey(_)) => "api_key",
            Scheme::Token(TokenScheme::Jwt(_)) => "jwt",
            Scheme::Token(TokenScheme::Introspection(_)) => "introspection",
            Scheme::OneTime(OneTimeScheme::Digest(_)) => "digest",
        }
    }

    /// The locations where the scheme looks for credentials.
    pub fn locations(&self) -> &[CredentialLocation] {
        match self {
            Scheme::Secret(SecretScheme::Basic(basic)) => basic.locations(),
            Scheme::Secret(SecretScheme::ApiKey(keys)) => keys.locations(),
            Scheme::Token(TokenScheme::Jwt(bearer)) => &bearer.locations,
            Scheme::Token(TokenScheme::Introspection(introspection)) => &introspection.locations,
            Scheme::OneTime(OneTimeScheme::Digest(digest)) => digest.locations(),
        }
    }

    /// The locations of proofs of possession, which are removed together with the credentials.
    pub fn proof_locations(&self) -> &[CredentialLocation] {
        match self {
            Scheme::Token(token) => token.sender_constraint().proof_locations(),
            Scheme::Secret(_) | Scheme::OneTime(_) => &[],
        }
    }

    /// The challenges of the scheme: one, or several to choose from, the strongest first.
    pub fn challenges(&self, realm: &Realm, context: Context<'_>, nonces: &mut Nonces) -> Vec<Challenge> {
        match self {
            Scheme::Secret(SecretScheme::Basic(_)) => vec![Basic::challenge(realm)],
            Scheme::Secret(SecretScheme::ApiKey(keys)) => vec![keys.challenge(realm)],
            Scheme::Token(TokenScheme::Jwt(bearer)) => {
                bearer.bound.challenges(&bearer.challenge_scheme, realm)
            }
            Scheme::Token(TokenScheme::Introspection(introspection)) => {
                introspection.bound.challenges(&introspection.challenge_scheme, realm)
            }
            Scheme::OneTime(OneTimeScheme::Digest(digest)) => digest.challenges(realm, context, nonces),
        }
    }

    /// True if challenges explain errors and scopes as [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3) says.
    pub fn is_bearer(&self) -> bool {
        matches!(self, Scheme::Token(_))
    }

    /// The rank of an unverified credential: higher if it is more likely meant for this authenticator than for another.
    pub fn match_rank(&self, credential: &[u8]) -> MatchRank {
        match self {
            Scheme::Secret(SecretScheme::Basic(_)) => MatchRank::Own,
            Scheme::Secret(SecretScheme::ApiKey(keys)) => keys.match_rank(credential),
            Scheme::Token(TokenScheme::Jwt(bearer)) => bearer.match_rank(credential),
            Scheme::Token(TokenScheme::Introspection(introspection)) => introspection.match_rank(credential),
            Scheme::OneTime(OneTimeScheme::Digest(digest)) => digest.match_rank(credential),
        }
    }

    /// The issuer of an unverified token and the configured ones, as a sentence for operators, if they differ.
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
    /// [`Reason::CrossOrigin`] if the credential is in a cookie and the request may come from another site.
    pub fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        let csrf_disabled = match self {
            // Neither reads cookies.
            Scheme::Secret(SecretScheme::Basic(_)) | Scheme::OneTime(OneTimeScheme::Digest(_)) => true,
            Scheme::Secret(SecretScheme::ApiKey(keys)) => keys.csrf_disabled(),
            Scheme::Token(TokenScheme::Jwt(bearer)) => bearer.csrf_disabled,
            Scheme::Token(TokenScheme::Introspection(introspection)) => introspection.csrf_disabled,
        };
        if csrf_disabled { Ok(()) } else { same_origin::prove(presented, request) }
    }

    /// The state of what the scheme fetches, with nothing fetched yet.
    pub fn remote_state(&self) -> RemoteState {
        match self {
            Scheme::Token(TokenScheme::Jwt(bearer)) => bearer.remote_state(),
            Scheme::Token(TokenScheme::Introspection(introspection)) => introspection.remote_state(),
            Scheme::Secret(_) | Scheme::OneTime(_) => RemoteState::Nothing,
        }
    }

    /// The secret that an unverified credential may be a guess at. Failures for one subject count together.
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

    /// True if rejecting a credential is so expensive that rejections are cached.
    pub fn failures_are_slow(&self) -> bool {
        match self {
            Scheme::Secret(SecretScheme::Basic(basic)) => basic.has_slow_hashes(),
            Scheme::Secret(SecretScheme::ApiKey(_)) | Scheme::Token(_) | Scheme::OneTime(_) => false,
        }
    }

    /// The times after which the holders of configured credentials can no longer use them, for those that have one.
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
    /// The reason why the credential is rejected.
    pub fn authenticate(&self, credential: &[u8], now: NumericDate) -> Result<Verified, Reason> {
        match self {
            SecretScheme::Basic(basic) => basic.authenticate(credential),
            SecretScheme::ApiKey(keys) => keys.authenticate(credential, now),
        }
    }
}

impl TokenScheme {
    /// Verifies a token. The result depends on the token, the configuration, the time and what `remote` has fetched, so it
    /// can be cached until that changes.
    ///
    /// # Errors
    /// The reason why the token is rejected, or the fetch that decides it.
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

    /// Checks that the request proves possession of a verified token, each time, cached or not. Gives the use of a proof
    /// that counts once, for [`CredentialCache::note_jti`](crate::cache::CredentialCache::note_jti).
    ///
    /// # Errors
    /// The reason why the proof is rejected or missing.
    pub fn prove_possession(
        &self,
        principal: &Principal,
        presented: Presented<'_>,
        request: &Request<'_>,
        context: Context<'_>,
        replays: &ReplayCache,
    ) -> Result<Option<JtiUse>, Reason> {
        self.sender_constraint().prove(&principal.claims, presented, request, context, replays)
    }

    fn sender_constraint(&self) -> &SenderConstraint {
        match self {
            TokenScheme::Jwt(bearer) => &bearer.bound,
            TokenScheme::Introspection(introspection) => &introspection.bound,
        }
    }
}

impl OneTimeScheme {
    /// Verifies a credential that is made for this request alone, and marks it as used.
    ///
    /// # Errors
    /// The reason why the credential is rejected.
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

/// A scheme with what the configuration says of every authenticator.
pub struct Authenticator {
    /// Its name in the configuration.
    pub name: String,
    /// The protection space that its challenges name.
    pub realm: Realm,
    /// Whether credentials that held go on to the upstream.
    pub forward_credentials: bool,
    /// How it checks.
    pub scheme: Scheme,
}
