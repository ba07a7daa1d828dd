//! The Digest scheme ([RFC 7616](https://www.rfc-editor.org/rfc/rfc7616)): a challenge with a nonce, and a response
//! that proves knowledge of the password without sending it.
//!
//! Supported are the algorithms `SHA-256` and `MD5`, and `qop=auth`. Responses with a `-sess` algorithm, `auth-int`,
//! `userhash` or `username*` are rejected. Nonces are stateless; the responses that were seen for a nonce are stored.

pub mod htdigest;
mod nonce;
mod response;

use std::collections::HashMap;
use std::time::Duration;

use hmac_sha256::Hash;
use md5::{Digest as _, Md5};
use subtle::{Choice, ConstantTimeEq as _};

use super::digest_map::CtDigestMap;
use super::{Context, MatchRank, ThrottleSubject};
use crate::cache::nonces::Nonces;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, WarningKind};
use crate::http::authorization::auth_params;
use crate::http::challenge::{Challenge, Realm};
use crate::http::codec::to_hex;
use crate::http::location::CredentialLocation;
use crate::http::request::Request;
use crate::jose::claims::Claims;
use crate::principal::Principal;
use crate::response::Reason;
use htdigest::parse_htdigest;
use nonce::Nonce;
use response::DigestResponse;

/// Maximum length of a response, in bytes. A response contains the target of the request.
const MAX_RESPONSE_BYTES: usize = 16_384;

/// Minimum length of a nonce key, in bytes. A shorter key could be found by brute force from one nonce.
const MIN_NONCE_KEY_BYTES: usize = 16;

/// Hash algorithm of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256.
    Sha256,
    /// MD5, for clients that support no other algorithm.
    Md5,
}

impl DigestAlgorithm {
    /// All algorithms, the strongest first.
    pub const ALL: [DigestAlgorithm; 2] = [DigestAlgorithm::Sha256, DigestAlgorithm::Md5];

    /// Returns the name of the algorithm in challenges.
    pub fn name(self) -> &'static str {
        match self {
            DigestAlgorithm::Sha256 => "SHA-256",
            DigestAlgorithm::Md5 => "MD5",
        }
    }

    /// Returns the number of hexadecimal digits of a digest.
    pub fn digits(self) -> usize {
        match self {
            DigestAlgorithm::Sha256 => 64,
            DigestAlgorithm::Md5 => 32,
        }
    }

    /// Returns the digest of `parts`, joined by colons, in lower-case hexadecimal digits.
    fn digest(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            DigestAlgorithm::Sha256 => to_hex(&Hash::hash(&text)),
            DigestAlgorithm::Md5 => to_hex(&Md5::digest(&text)),
        }
    }
}

/// Secrets of a user: for each algorithm `HA1`, the digest of user, realm and password in hexadecimal digits. `HA1`
/// alone suffices to log in.
#[derive(Default)]
pub struct User {
    /// `HA1` with SHA-256.
    pub sha256: Option<String>,
    /// `HA1` with MD5.
    pub md5: Option<String>,
}

/// Secrets of a user with placeholders for missing ones, so that the time does not reveal which exist.
struct Secrets {
    sha256: Secret,
    md5: Secret,
}

struct Secret {
    ha1: String,
    exists: Choice,
}

impl Secrets {
    fn of(user: User) -> Self {
        let secret = |ha1: Option<String>, algorithm: DigestAlgorithm| Secret {
            exists: Choice::from(u8::from(ha1.is_some())),
            ha1: ha1.unwrap_or_else(|| "0".repeat(algorithm.digits())),
        };
        Secrets {
            sha256: secret(user.sha256, DigestAlgorithm::Sha256),
            md5: secret(user.md5, DigestAlgorithm::Md5),
        }
    }

    fn by(&self, algorithm: DigestAlgorithm) -> &Secret {
        match algorithm {
            DigestAlgorithm::Sha256 => &self.sha256,
            DigestAlgorithm::Md5 => &self.md5,
        }
    }
}

/// The users of one protection space.
pub struct Digest {
    locations: [CredentialLocation; 1],
    realm: Realm,
    /// Users by the digests of their names.
    users: CtDigestMap<Secrets>,
    offered: Vec<DigestAlgorithm>,
    /// Key that authenticates nonces. Without one each worker uses a random key of its own.
    nonce_key: Option<Vec<u8>>,
    /// Lifetime of a nonce.
    nonce_lifetime: Duration,
}

impl Digest {
    /// Creates a scheme with these users, whose secrets are for `realm`. A nonce is valid for `nonce_lifetime`, in
    /// all workers that have the same `nonce_key`.
    pub fn new(
        realm: Realm,
        users: HashMap<String, User>,
        nonce_key: Option<Vec<u8>>,
        nonce_lifetime: Duration,
    ) -> Self {
        let users = users.into_iter().map(|(name, user)| (Hash::hash(name.as_bytes()), Secrets::of(user)));
        let users = CtDigestMap::new(users);
        let has = |algorithm| users.values().any(|user| user.by(algorithm).exists.into());
        let offered = DigestAlgorithm::ALL.into_iter().filter(|algorithm| has(*algorithm)).collect();
        Digest {
            locations: [CredentialLocation::authorization("Digest")],
            realm,
            users,
            offered,
            nonce_key,
            nonce_lifetime,
        }
    }

    /// Returns the realm of the users' secrets.
    pub(super) fn realm(&self) -> &Realm {
        &self.realm
    }

    fn nonce_key<'a>(&'a self, nonces: &'a Nonces) -> Option<&'a [u8]> {
        self.nonce_key.as_deref().or_else(|| nonces.key().map(|key| key.as_slice()))
    }

    /// True if the user exists and the response is made with the user's password. Takes the same time for an unknown
    /// user.
    fn verify(&self, response: &DigestResponse<'_>, method: &[u8]) -> bool {
        let Some(found) = self.users.find(&response.username) else { return false };
        let Some(user) = self.users.get(found.nearest) else { return false };
        let secret = user.by(response.algorithm);
        let expected = response.expected(&secret.ha1, method);
        (expected.as_bytes().ct_eq(&response.response) & found.is_it & secret.exists).into()
    }
}

impl Digest {
    pub(super) fn locations(&self) -> &[CredentialLocation] {
        &self.locations
    }

    pub(super) fn challenges(
        &self,
        realm: &Realm,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Vec<Challenge> {
        let salt = nonces.salt();
        // Without a key, the host has no randomness. A challenge is still made, but no response to it is accepted.
        let key = self.nonce_key(nonces).unwrap_or_default();
        let nonce = nonce::issue(key, &self.realm, context.now, salt);
        let challenge = |algorithm: &DigestAlgorithm| {
            Challenge::new("Digest", realm)
                .with("qop", "auth")
                .with_token("algorithm", algorithm.name())
                .with("nonce", nonce.clone())
                .with_token("charset", "UTF-8")
        };
        self.offered.iter().map(challenge).collect()
    }

    /// Returns the rank of a response. The realm decides; if several authenticators have one realm, the user name does.
    pub(super) fn match_rank(&self, credential: &[u8]) -> MatchRank {
        let params = if credential.len() > MAX_RESPONSE_BYTES { None } else { auth_params(credential) };
        let params = params.unwrap_or_default();
        let find =
            |wanted: &[u8]| params.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_ref());
        let Some(realm) = find(b"realm") else { return MatchRank::Unreadable };
        let is_known = |name| self.users.find(name).is_some_and(|found| found.is_it.into());
        match find(b"username") {
            _ if *realm != *self.realm.as_str().as_bytes() => MatchRank::Foreign,
            Some(name) if is_known(name) => MatchRank::Own,
            _ => MatchRank::Issuer,
        }
    }

    pub(super) fn throttle_subject<'c>(credential: &'c [u8]) -> ThrottleSubject<'c> {
        let params = if credential.len() > MAX_RESPONSE_BYTES { None } else { auth_params(credential) };
        let name = params.into_iter().flatten().find(|(name, _)| name == b"username");
        name.map_or(ThrottleSubject::Nothing, |(_, name)| ThrottleSubject::PasswordOf(name))
    }

    pub(super) fn authenticate(
        &self,
        credential: &[u8],
        request: &Request<'_>,
        context: Context<'_>,
        nonces: &mut Nonces,
    ) -> Result<Principal, Reason> {
        if credential.len() > MAX_RESPONSE_BYTES {
            return Err(Reason::MalformedCredentials);
        }
        let response = DigestResponse::parse(credential).ok_or(Reason::MalformedCredentials)?;
        let is_for_us = *response.realm == *self.realm.as_str().as_bytes();
        let is_for_this = request.path.is_some_and(|target| *response.uri == *target);
        if !(self.verify(&response, request.method) && is_for_us && is_for_this) {
            return Err(Reason::InvalidCredentials);
        }
        // The state of a nonce is revealed only to clients that know the password.
        let key = self.nonce_key(nonces).ok_or(Reason::Unavailable)?;
        let nonce = Nonce::open(&response.nonce, key, &self.realm).ok_or(Reason::StaleNonce)?;
        if !nonce.counts_at(context.now, self.nonce_lifetime)
            || !nonces.take(nonce.id, nonce.issued, response.count)
        {
            return Err(Reason::StaleNonce);
        }
        // Names of users are UTF-8, so that of a known user is too.
        let subject = String::from_utf8(response.username.into_owned());
        let subject = subject.map_err(|_| Reason::InvalidCredentials)?;
        Ok(Principal { subject, issuer: None, scopes: Vec::new(), claims: Claims::default() })
    }
}

impl Digest {
    /// Builds the scheme from its configuration.
    pub(super) fn build(
        cx: &mut BuildContext<'_>,
        at: &ConfigPath<'_>,
        digest: &config::Digest,
    ) -> Option<Self> {
        if digest.nonce_lifetime.0.is_zero() {
            cx.expected(&at.member("nonce_lifetime"), "more than 0s");
        }
        let nonce_key = digest.nonce_key.as_ref().map(|key| {
            let at = &at.member("nonce_key");
            let key = cx.secret(at, key)?;
            if key.len() < MIN_NONCE_KEY_BYTES {
                cx.expected(at, "a random key of at least 16 bytes");
                return None;
            }
            Some(key.into_owned().into_bytes())
        });
        let users = users(cx, &at.member("htdigest"), digest);
        let (realm, users) = users?;
        let realm = cx.checked(at, Realm::new(&realm))?;
        let nonce_key = match nonce_key {
            Some(key) => Some(key?),
            None => None,
        };
        Some(Digest::new(realm, users, nonce_key, digest.nonce_lifetime.0))
    }
}

/// Returns the users, and the realm of their secrets.
fn users(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    digest: &config::Digest,
) -> Option<(String, HashMap<String, User>)> {
    let text = cx.secret(at, &digest.htdigest)?;
    let entries = match parse_htdigest(&text, digest.realm.as_deref()) {
        Ok(entries) => entries,
        Err(faults) => {
            faults.iter().for_each(|fault| cx.invalid(at, fault));
            return None;
        }
    };
    let Some(realm) = entries.first().map(|entry| entry.realm.to_owned()) else {
        cx.expected(at, "at least one user");
        return None;
    };
    let mut users: HashMap<String, User> = HashMap::new();
    for entry in entries {
        let user = users.entry(entry.user.to_owned()).or_default();
        match entry.algorithm {
            DigestAlgorithm::Sha256 => user.sha256 = Some(entry.ha1),
            DigestAlgorithm::Md5 => user.md5 = Some(entry.ha1),
        }
    }
    let offers_sha256 = users.values().any(|user| user.sha256.is_some());
    let without_sha256 = users.values().filter(|user| user.sha256.is_none()).count();
    if without_sha256 > 0 {
        cx.warn(
            at,
            if offers_sha256 {
                WarningKind::UnreachableDigests(without_sha256)
            } else {
                WarningKind::Md5Digests(without_sha256)
            },
        );
    }
    Some((realm, users))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::NullHost;
    use crate::cache::{CredentialCache, Limits};
    use crate::jose::jwt::SoftwareVerifier;
    use crate::timestamp::NumericDate;

    const FRANK: &str = "f47c6a190e780edf104c4c86bd4637c25306b419838bba91193ad5f5fc3f6497";

    /// A scheme with two users: frank has a SHA-256 hash only, dave an MD5 hash only.
    struct Check {
        scheme: Digest,
        cache: CredentialCache,
        count: u32,
    }

    impl Check {
        fn new() -> Self {
            let user = |sha256: Option<&str>, md5: Option<&str>| User {
                sha256: sha256.map(str::to_owned),
                md5: md5.map(str::to_owned),
            };
            let users = HashMap::from([
                ("frank".to_owned(), user(Some(FRANK), None)),
                ("dave".to_owned(), user(None, Some(&"ab".repeat(16)))),
            ]);
            let realm = Realm::new("r").unwrap();
            let scheme =
                Digest::new(realm, users, Some(b"nonce-key-of-all".to_vec()), Duration::from_secs(300));
            Check { scheme, cache: CredentialCache::new([7; 16], Limits::default()), count: 0 }
        }

        /// Authenticates a user with the next response for this HA1, padded to `length` bytes unless that is 0.
        fn answer(
            &mut self,
            user: &str,
            algorithm: DigestAlgorithm,
            ha1: &str,
            length: usize,
        ) -> Result<String, Reason> {
            self.count += 1;
            let now = NumericDate::from_seconds(1e9).unwrap();
            let nonce = nonce::issue(b"nonce-key-of-all", &self.scheme.realm, now, [1; 8]);
            let write = |response: &str| {
                let text = format!(
                    r#"username="{user}", realm="r", nonce="{nonce}", uri="/", algorithm={}, qop=auth, nc={:08x}, cnonce="c", response="{response}""#,
                    algorithm.name(),
                    self.count
                );
                let pad = length.saturating_sub(text.len() + r#", x="""#.len());
                if pad == 0 { text } else { format!(r#"{text}, x="{}""#, "x".repeat(pad)) }
            };
            let unsigned = write(&"0".repeat(algorithm.digits()));
            let response = DigestResponse::parse(unsigned.as_bytes()).unwrap().expected(ha1, b"GET");
            let credential = write(&response);
            assert!(length == 0 || credential.len() == length);
            let pairs = [(":method", "GET"), (":path", "/")];
            let pairs = pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            let request = Request::new(pairs.into_iter(), None);
            let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
            let nonces = self.cache.nonces();
            let found = self.scheme.authenticate(credential.as_bytes(), &request, context, nonces);
            found.map(|principal| principal.subject)
        }
    }

    /// A user without a hash is compared with a placeholder, for constant time. A response that is made with the
    /// placeholder must not be accepted.
    #[test]
    fn placeholders_are_nobodys_secret() {
        use DigestAlgorithm::{Md5, Sha256};
        let mut check = Check::new();
        assert_eq!(check.answer("frank", Sha256, FRANK, 0), Ok("frank".to_owned()));
        assert_eq!(check.answer("dave", Md5, &"ab".repeat(16), 0), Ok("dave".to_owned()));
        for user in ["frank", "dave", "mallory", "x", "frank2"] {
            let has =
                |algorithm| (user, algorithm) == ("frank", Sha256) || (user, algorithm) == ("dave", Md5);
            for algorithm in DigestAlgorithm::ALL {
                let digits = algorithm.digits();
                let tries =
                    ["0".repeat(digits), String::new(), "00".to_owned(), FRANK.to_owned(), "ab".repeat(16)];
                for ha1 in tries {
                    let is_right =
                        has(algorithm) && [FRANK, &"ab".repeat(16)][usize::from(user == "dave")] == ha1;
                    let found = check.answer(user, algorithm, &ha1, 0);
                    assert_eq!(found.is_ok(), is_right, "{user} {algorithm:?} {ha1}");
                }
            }
        }
    }

    #[test]
    fn answers_are_bounded_in_length() {
        let mut check = Check::new();
        let mut answer = |length| check.answer("frank", DigestAlgorithm::Sha256, FRANK, length);
        assert_eq!(answer(16_384), Ok("frank".to_owned()));
        assert_eq!(answer(16_385), Err(Reason::MalformedCredentials));
        assert_eq!(answer(65_536), Err(Reason::MalformedCredentials));
        // A longer response is not searched for its realm or user either.
        let with = |length: usize| {
            let start = r#"username="frank", realm="r", x=""#;
            format!("{start}{}\"", "x".repeat(length - start.len() - 1))
        };
        let (fits, long) = (with(16_384), with(16_385));
        assert_eq!(check.scheme.match_rank(fits.as_bytes()), MatchRank::Own);
        assert_eq!(check.scheme.match_rank(long.as_bytes()), MatchRank::Unreadable);
        assert_eq!(
            Digest::throttle_subject(fits.as_bytes()),
            ThrottleSubject::PasswordOf(b"frank".as_slice().into())
        );
        assert_eq!(Digest::throttle_subject(long.as_bytes()), ThrottleSubject::Nothing);
    }
}
