//! The Basic scheme, RFC 7617: user name and password.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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
    users: HashMap<String, User>,
    /// Whose hash is computed for a user who does not exist, so that the time taken does not tell.
    dummy: Option<String>,
    has_slow_hashes: bool,
}

impl Basic {
    /// A scheme with these users.
    pub fn new(users: HashMap<String, User>) -> Self {
        let dummy = commonest(&users);
        let has_slow_hashes = users.values().any(|user| user.hash.is_slow());
        Basic { places: [Place::authorization("Basic")], users, dummy, has_slow_hashes }
    }

    /// Whose hash is computed for somebody of this name.
    fn hashed_for(&self, name: &str) -> Option<&User> {
        self.users.get(name).or_else(|| self.dummy.as_ref().and_then(|name| self.users.get(name)))
    }
}

/// One of the users whose hash is of the commonest kind and cost.
fn commonest(users: &HashMap<String, User>) -> Option<String> {
    let mut kinds: HashMap<(HashScheme, u64), (usize, &String)> = HashMap::new();
    for (name, user) in users {
        let (count, representative) =
            kinds.entry((user.hash.scheme(), user.hash.cost())).or_insert((0, name));
        *count += 1;
        // The same one whatever the map's order.
        *representative = name.min(representative);
    }
    kinds
        .into_values()
        .max_by_key(|(count, name)| (*count, std::cmp::Reverse(*name)))
        .map(|(_, name)| name.clone())
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
        let known = self.users.get(name);
        let holds = match self.hashed_for(name) {
            // A hash that could not be computed says nothing of the password.
            Some(user) => user.hash.verify(password.as_bytes()).map_err(|_| Reason::Unavailable)?,
            None => false,
        };
        match known {
            Some(user) if holds => {
                let principal = Principal {
                    subject: name.to_owned(),
                    issuer: None,
                    scopes: user.scopes.clone(),
                    claims: user.claims.clone(),
                };
                Ok(Proof { principal, valid_until: None })
            }
            _ => Err(Reason::InvalidCredentials.into()),
        }
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
        password.len() <= MAX_PASSWORD_LEN && self.hashed_for(name).is_some_and(|user| user.hash.is_slow())
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
