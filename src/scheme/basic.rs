//! The Basic scheme, RFC 7617: user name and password.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac_sha256::Hash;
use subtle::{Choice, ConditionallySelectable as _};

use super::by_digest::ByDigest;
use super::{Guess, Proof, Scheme, Setback, Surroundings};
use crate::challenge::{Challenge, Realm};
use crate::claims::Claims;
use crate::denial::Reason;
use crate::memory::Slot;
use crate::memory::nonces::Nonces;
use crate::password::{HashScheme, MAX_PASSWORD_LEN, PasswordHash};
use crate::place::Place;
use crate::principal::Principal;
use crate::source::Source;

/// One user.
pub struct User {
    /// What the password has to be.
    pub hash: PasswordHash,
    /// What the user may do.
    pub scopes: Vec<String>,
    /// What else is known of the user.
    pub claims: Claims,
}

/// The users of one protection space.
pub struct Basic {
    places: [Place; 1],
    /// By the digests of their names.
    users: ByDigest<User>,
    /// Whose hash is computed for users who do not exist, so that the time taken does not tell: those whose hash is of the
    /// commonest kind and cost, by their places in `users`. Which of them, the name decides.
    dummies: Vec<u64>,
    has_slow_hashes: bool,
}

impl Basic {
    /// A scheme with these users.
    pub fn new(users: HashMap<String, User>) -> Self {
        let has_slow_hashes = users.values().any(|user| user.hash.is_slow());
        let kind = commonest(&users);
        let users = ByDigest::new(users.into_iter().map(|(name, user)| (Hash::hash(name.as_bytes()), user)));
        let of_kind = |user: &User| Some(kind_of(user)) == kind;
        let dummies = (0..).zip(users.values()).filter(|(_, user)| of_kind(user)).map(|(at, _)| at).collect();
        Basic { places: [Place::authorization("Basic")], users, dummies, has_slow_hashes }
    }

    /// Whose hash is computed for somebody of this name, and whether it is their own.
    fn hashed_for(&self, name: &str) -> Option<(&User, Choice)> {
        let found = self.users.find(name.as_bytes())?;
        let dummy = self.dummies.get(found.lot.checked_rem(self.dummies.len())?)?;
        let at = u64::conditional_select(dummy, &found.nearest, found.is_it);
        Some((self.users.get(at)?, found.is_it))
    }
}

/// The commonest kind and cost of hashes.
fn commonest(users: &HashMap<String, User>) -> Option<(HashScheme, u64)> {
    let mut kinds: HashMap<_, (usize, &String)> = HashMap::new();
    for (name, user) in users {
        let (count, first) = kinds.entry(kind_of(user)).or_insert((0, name));
        *count += 1;
        // Of two that are as common, the same one whatever the map's order.
        *first = name.min(first);
    }
    let commonest = kinds.into_iter().max_by_key(|(_, (count, name))| (*count, std::cmp::Reverse(*name)));
    commonest.map(|(kind, _)| kind)
}

fn kind_of(user: &User) -> (HashScheme, u64) {
    (user.hash.scheme(), user.hash.cost())
}

impl Scheme for Basic {
    fn places(&self) -> &[Place] {
        &self.places
    }

    fn challenges(&self, realm: &Realm, _: Surroundings<'_>, _: &mut Nonces) -> Vec<Challenge> {
        vec![Challenge::new("Basic", realm).with("charset", "UTF-8")]
    }

    fn authenticate(
        &self,
        credential: &[u8],
        _: Slot,
        _: Surroundings<'_>,
        _: &mut Source,
    ) -> Result<Proof, Setback> {
        let decoded = STANDARD.decode(credential).map_err(|_| Reason::MalformedCredentials)?;
        let (name, password) = user_pass(&decoded).ok_or(Reason::MalformedCredentials)?;
        let (user, is_known) = self.hashed_for(name).ok_or(Reason::InvalidCredentials)?;
        // A hash that could not be computed says nothing of the password.
        let holds = user.hash.verify(password.as_bytes()).map_err(|_| Reason::Unavailable)?;
        if !bool::from(is_known & Choice::from(u8::from(holds))) {
            return Err(Reason::InvalidCredentials.into());
        }
        let principal = Principal {
            subject: name.to_owned(),
            issuer: None,
            scopes: user.scopes.clone(),
            claims: user.claims.clone(),
        };
        Ok(Proof { principal, valid_until: None })
    }

    fn guess<'c>(&self, credential: &'c [u8]) -> Guess<'c> {
        // What cannot be read is refused as such, and says of nobody that the password was wrong.
        let decoded = STANDARD.decode(credential).unwrap_or_default();
        let name = user_pass(&decoded).map(|(name, _)| name.as_bytes().to_vec());
        name.map_or(Guess::Nothing, |name| Guess::PasswordOf(Cow::Owned(name)))
    }

    fn takes_slow_hash(&self, credential: &[u8]) -> bool {
        let decoded = STANDARD.decode(credential).unwrap_or_default();
        let Some((name, password)) = user_pass(&decoded) else { return false };
        // A longer one is wrong without being hashed.
        password.len() <= MAX_PASSWORD_LEN
            && self.hashed_for(name).is_some_and(|(user, _)| user.hash.is_slow())
    }

    fn failures_are_slow(&self) -> bool {
        self.has_slow_hashes
    }
}

/// Takes `user-id ":" password` (RFC 7617 §2) apart; the first colon splits.
fn user_pass(decoded: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(decoded).ok()?;
    let (name, password) = text.split_once(':')?;
    let well_formed = !name.is_empty() && !name.chars().any(char::is_control) && !password.contains('\0');
    well_formed.then_some((name, password))
}
