//! The Basic scheme ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)): user names and passwords.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac_sha256::Hash;
use siphasher::sip::SipHasher24;
use subtle::{Choice, ConditionallySelectable as _};

use super::digest_map::CtDigestMap;
use super::{ThrottleSubject, Verified};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, WarningKind};
use crate::http::challenge::{Challenge, Realm};
use crate::http::location::CredentialLocation;
use crate::jose::claims::Claims;
use crate::password::{MAX_PASSWORD_LEN, PasswordHash, Plaintext, parse_htpasswd};
use crate::principal::Principal;
use crate::response::Reason;

/// A user.
pub struct User {
    /// Hash of the password.
    pub hash: PasswordHash,
    /// Scopes of the user.
    pub scopes: Vec<String>,
    /// Other attributes of the user.
    pub claims: Claims,
}

/// The users of one protection space.
pub struct Basic {
    locations: [CredentialLocation; 1],
    /// Users by the digests of their names.
    users: CtDigestMap<User>,
    /// Selects the hash that is computed for an unknown name.
    decoy_key: DecoyKey,
    slow_hashes: usize,
}

/// Key for selecting the hash that is computed for an unknown name. Clients do not know it, and all workers share it.
pub type DecoyKey = [u8; 16];

impl Basic {
    /// Creates a scheme with these users.
    ///
    /// For an unknown name the hash of some user is computed, so that the time does not reveal whether the name exists.
    /// It is always the same hash for the same name, so that repeated requests reveal nothing. All users are equally
    /// likely, so that each kind and cost of hash is as frequent among unknown names as among known ones. The choice
    /// can only be predicted with `decoy_key`.
    pub fn new(users: HashMap<String, User>, decoy_key: DecoyKey) -> Self {
        let slow_hashes = users.values().filter(|user| user.hash.is_slow()).count();
        let users =
            CtDigestMap::new(users.into_iter().map(|(name, user)| (Hash::hash(name.as_bytes()), user)));
        Basic { locations: [CredentialLocation::authorization("Basic")], users, decoy_key, slow_hashes }
    }

    /// Returns the user whose hash is computed for this name, and whether the name is that user's.
    fn hashed_for(&self, name: &str) -> Option<(&User, Choice)> {
        let found = self.users.find(name.as_bytes())?;
        let digest = SipHasher24::new_with_key(&self.decoy_key).hash(name.as_bytes());
        let decoy = digest.checked_rem(self.users.count())?;
        let at = u64::conditional_select(&decoy, &found.nearest, found.is_it);
        Some((self.users.get(at)?, found.is_it))
    }
}

impl Basic {
    pub(super) fn locations(&self) -> &[CredentialLocation] {
        &self.locations
    }

    pub(super) fn challenge(realm: &Realm) -> Challenge {
        Challenge::new("Basic", realm).with("charset", "UTF-8")
    }

    pub(super) fn authenticate(&self, credential: &[u8]) -> Result<Verified, Reason> {
        let decoded = STANDARD.decode(credential).map_err(|_| Reason::MalformedCredentials)?;
        let (name, password) = user_pass(&decoded).ok_or(Reason::MalformedCredentials)?;
        let (user, is_known) = self.hashed_for(name).ok_or(Reason::InvalidCredentials)?;
        // A hash that cannot be computed says nothing about the password.
        let matches = user.hash.verify(password.as_bytes()).map_err(|_| Reason::Unavailable)?;
        if !bool::from(is_known & Choice::from(u8::from(matches))) {
            return Err(Reason::InvalidCredentials);
        }
        let principal = Principal {
            subject: name.to_owned(),
            issuer: None,
            scopes: user.scopes.clone(),
            claims: user.claims.clone(),
        };
        Ok(Verified { principal, valid_until: None })
    }

    pub(super) fn throttle_subject<'c>(credential: &'c [u8]) -> ThrottleSubject<'c> {
        // Malformed credentials are rejected as such, so they are no guess at anyone's password.
        let decoded = STANDARD.decode(credential).unwrap_or_default();
        let name = user_pass(&decoded).map(|(name, _)| name.as_bytes().to_vec());
        name.map_or(ThrottleSubject::Nothing, |name| ThrottleSubject::PasswordOf(Cow::Owned(name)))
    }

    pub(super) fn needs_slow_hash(&self, credential: &[u8]) -> bool {
        let decoded = STANDARD.decode(credential).unwrap_or_default();
        let Some((name, password)) = user_pass(&decoded) else { return false };
        // A longer password is rejected without hashing.
        password.len() <= MAX_PASSWORD_LEN
            && self.hashed_for(name).is_some_and(|(user, _)| user.hash.is_slow())
    }

    pub(super) fn slow_hashes(&self) -> usize {
        self.slow_hashes
    }
}

/// Splits `user-id ":" password` (RFC 7617 §2) at the first colon.
fn user_pass(decoded: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(decoded).ok()?;
    let (name, password) = text.split_once(':')?;
    let well_formed = !name.is_empty() && !name.chars().any(char::is_control) && !password.contains('\0');
    well_formed.then_some((name, password))
}

impl Basic {
    /// Builds the scheme from its configuration.
    pub(super) fn build(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, basic: &config::Basic) -> Self {
        let plaintext = if basic.allow_plaintext { Plaintext::Allow } else { Plaintext::Refuse };
        let errors = cx.errors.len();
        let mut users = HashMap::new();
        // Hash of data that clients do not know, and that every worker with this configuration has.
        let mut secrets = Hash::new();
        if let Some(htpasswd) = &basic.htpasswd {
            let at = &at.member("htpasswd");
            let text = cx.secret(at, htpasswd).unwrap_or_default();
            secrets.update(text.as_bytes());
            match parse_htpasswd(&text, plaintext) {
                Ok(entries) => users.extend(entries.into_iter().map(|entry| {
                    (entry.user, User { hash: entry.hash, scopes: Vec::new(), claims: Claims::default() })
                })),
                Err(faults) => faults.iter().for_each(|fault| cx.invalid(at, fault)),
            }
        }
        for (name, user) in &basic.users.0 {
            let at = &at.member("users");
            let at = &at.member(name);
            if name.is_empty() || name.contains(':') || name.chars().any(char::is_control) {
                let expected = "a user name that is not empty, without colons and control characters (RFC 7617 section 2)";
                cx.expected(at, expected);
            }
            let scopes = if user.scopes.is_empty() { None } else { Some(user.scopes.as_slice()) };
            let scopes = cx.scopes(&at.member("scopes"), scopes);
            let Some(text) = cx.secret(at, &user.hash) else { continue };
            secrets.update(text.as_bytes());
            let Some(hash) = cx.checked(at, PasswordHash::parse(&text, plaintext)) else { continue };
            let user = User { hash, scopes, claims: Claims::from(user.claims.clone()) };
            if users.insert(name.clone(), user).is_some() {
                cx.expected(at, "a user who is not in `htpasswd` already");
            }
        }
        if users.is_empty() && cx.errors.len() == errors {
            cx.expected(at, "at least one user, in `htpasswd` or `users`");
        }
        let weak = users.values().filter(|user| user.hash.is_weak()).count();
        if weak > 0 {
            cx.warn(at, WarningKind::WeakHashes(weak));
        }
        let kinds: BTreeSet<_> = users.values().map(|user| (user.hash.scheme(), user.hash.cost())).collect();
        if kinds.len() > 1 {
            cx.warn(at, WarningKind::MixedHashes(kinds.into_iter().collect()));
        }
        let decoy_key = secrets.finalize().first_chunk().copied().unwrap_or_default();
        Basic::new(users, decoy_key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::password::{HashScheme, Plaintext, without_memory};

    /// Hashes of `correct horse battery staple` with bcrypt, cost 8, and with scrypt over 2 KiB.
    const BCRYPT: &str = "$2b$08$c6oMKiDJh66sXqq6gAmDoeRxMA2YM/TFCx4DQHJJWKlD3XL8zoooq";
    const SCRYPT: &str =
        "$scrypt$ln=4,r=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$/kc0QN42IXawCio+Hxfpul3BdmDPhEmzXxz1MALzxM8";
    const PASSWORD: &str = "correct horse battery staple";

    fn basic(users: &[(&str, &str)]) -> Basic {
        let user = |hash| User {
            hash: PasswordHash::parse(hash, Plaintext::Allow).unwrap(),
            scopes: Vec::new(),
            claims: Claims::default(),
        };
        Basic::new(users.iter().map(|(name, hash)| ((*name).to_owned(), user(hash))).collect(), [7; 16])
    }

    fn authenticate(basic: &Basic, name: &str, password: &str) -> Result<String, Reason> {
        let credential = STANDARD.encode(format!("{name}:{password}"));
        basic.authenticate(credential.as_bytes()).map(|verified| verified.principal.subject)
    }

    const WRONG: Result<String, Reason> = Err(Reason::InvalidCredentials);

    #[test]
    fn an_unknown_user_costs_a_hash() {
        let basic = basic(&[("alice", BCRYPT)]);
        let time = |name: &str| {
            let start = Instant::now();
            assert_eq!(authenticate(&basic, name, "wrong"), WRONG);
            start.elapsed()
        };
        let least = |name: &str| (0..5).map(|_| time(name)).min().unwrap_or(Duration::ZERO);
        let (known, unknown) = (least("alice"), least("nobody"));
        assert!(unknown * 10 > known, "{unknown:?} for nobody, {known:?} for alice");
    }

    #[test]
    fn a_hash_that_cannot_be_computed_says_nothing_of_the_password() {
        let basic = basic(&[("alice", SCRYPT)]);
        let unavailable = Err(Reason::Unavailable);
        for (name, password) in [("alice", PASSWORD), ("alice", "wrong"), ("nobody", PASSWORD)] {
            assert_eq!(without_memory(|| authenticate(&basic, name, password)), unavailable, "{name}");
        }
        assert_eq!(authenticate(&basic, "alice", PASSWORD), Ok("alice".to_owned()));
        assert_eq!(authenticate(&basic, "nobody", PASSWORD), WRONG);
    }

    #[test]
    fn failures_are_worth_remembering_where_a_hash_is_slow() {
        for (users, expected) in [
            (&[("a", "{PLAIN}one")][..], 0),
            (&[("a", BCRYPT)], 1),
            (&[("a", "{PLAIN}one"), ("b", BCRYPT)], 1),
        ] {
            assert_eq!(basic(users).slow_hashes(), expected, "{users:?}");
        }
    }

    #[test]
    fn the_password_of_whoever_stands_in_lets_nobody_in() {
        let basic = basic(&[("a", "{PLAIN}one"), ("b", "{PLAIN}two"), ("c", "{PLAIN}three")]);
        for n in 0..100 {
            for password in ["one", "two", "three", "", "{PLAIN}one"] {
                assert_eq!(authenticate(&basic, &format!("nobody-{n}"), password), WRONG, "{n}");
            }
        }
        assert_eq!(authenticate(&basic, "b", "two"), Ok("b".to_owned()));
        assert_eq!(authenticate(&basic, "b", "one"), WRONG);
    }

    #[test]
    fn unknown_users_have_hashes_in_the_proportions_of_the_table_and_each_the_same_one_always() {
        let names: Vec<String> = (0..40).map(|n| format!("user-{n}")).collect();
        let hash = |n: usize| if n < 30 { "{PLAIN}pw" } else { BCRYPT };
        let users: Vec<(&str, &str)> = names.iter().map(String::as_str).zip((0..40).map(hash)).collect();
        let (one, same) = (basic(&users), basic(&users));
        let kind = |basic: &Basic, n: usize| {
            basic.hashed_for(&format!("nobody-{n}")).map(|(user, _)| user.hash.scheme())
        };
        let slow = (0..4000).filter(|n| kind(&one, *n) == Some(HashScheme::Bcrypt)).count();
        assert!((900..1100).contains(&slow), "{slow} of 4000 where a quarter is slow");
        assert!((0..4000).all(|n| kind(&one, n) == kind(&same, n)));
        // The choice depends on the key.
        let other = Basic { decoy_key: [8; 16], ..basic(&users) };
        let alike = (0..4000).filter(|n| kind(&one, *n) == kind(&other, *n)).count();
        assert!((2300..2700).contains(&alike), "{alike} of 4000 are alike under another key");
        // The hash of a known user is the user's own.
        for (name, hash) in &users {
            let (user, is_known) = one.hashed_for(name).unwrap();
            assert!(
                bool::from(is_known)
                    && (user.hash.scheme() == HashScheme::Plain) == hash.starts_with("{PLAIN}")
            );
        }
    }
}
