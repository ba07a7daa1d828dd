//! The Digest scheme, RFC 7616: a challenge with a nonce, and an answer that shows the password without sending it.
//!
//! Of what the RFC leaves open: `SHA-256` and `MD5`, and of `qop` `auth` alone. `-sess`, `auth-int`, `userhash` and
//! `username*` are not offered, and refused. The nonce is stateless; which answers to it were seen is not.

pub mod htdigest;
mod nonce;
mod response;

use std::collections::HashMap;

use hmac_sha256::Hash;
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;

use super::{Affinity, Guess, OneTime, Scheme, Surroundings};
use crate::challenge::{Challenge, Realm};
use crate::claims::Claims;
use crate::credentials::auth_params;
use crate::denial::Reason;
use crate::memory::nonces::Nonces;
use crate::place::Place;
use crate::principal::Principal;
use crate::request::Request;
use nonce::Nonce;
use response::DigestResponse;

/// The longest answer, in octets; the request's target is part of it.
const MAX_RESPONSE_BYTES: usize = 16_384;

/// A hash function that answers are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256.
    Sha256,
    /// MD5, for clients that know no other.
    Md5,
}

impl DigestAlgorithm {
    /// All of them, the strongest first.
    pub const ALL: [DigestAlgorithm; 2] = [DigestAlgorithm::Sha256, DigestAlgorithm::Md5];

    /// As in challenges.
    pub fn name(self) -> &'static str {
        match self {
            DigestAlgorithm::Sha256 => "SHA-256",
            DigestAlgorithm::Md5 => "MD5",
        }
    }

    /// How many hexadecimal digits a digest has.
    pub fn digits(self) -> usize {
        match self {
            DigestAlgorithm::Sha256 => 64,
            DigestAlgorithm::Md5 => 32,
        }
    }

    /// The digest of `parts`, joined by colons, in hexadecimal digits in lower case.
    fn digest(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            DigestAlgorithm::Sha256 => hex(&Hash::hash(&text)),
            DigestAlgorithm::Md5 => hex(&Md5::digest(&text)),
        }
    }
}

fn hex(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// What is kept of a user's password: `HA1`, the digest of user, realm and password in hexadecimal digits. Whoever has
/// it can log in.
#[derive(Default)]
pub struct User {
    /// By SHA-256.
    pub sha256: Option<String>,
    /// By MD5.
    pub md5: Option<String>,
}

impl User {
    fn secret(&self, algorithm: DigestAlgorithm) -> Option<&String> {
        match algorithm {
            DigestAlgorithm::Sha256 => self.sha256.as_ref(),
            DigestAlgorithm::Md5 => self.md5.as_ref(),
        }
    }
}

/// The users of one protection space.
pub struct Digest {
    places: [Place; 1],
    realm: Realm,
    users: HashMap<String, User>,
    offered: Vec<DigestAlgorithm>,
    /// What nonces are authenticated with; without one, something that no other worker knows.
    nonce_key: Option<Vec<u8>>,
    /// In seconds.
    nonce_lifetime: f64,
}

impl Digest {
    /// A scheme with these users, whose secrets are for `realm`. A nonce counts for `nonce_lifetime` seconds, and all who
    /// have the `nonce_key` know it.
    pub fn new(
        realm: Realm,
        users: HashMap<String, User>,
        nonce_key: Option<Vec<u8>>,
        nonce_lifetime: f64,
    ) -> Self {
        let is_offered =
            |algorithm: &DigestAlgorithm| users.values().any(|user| user.secret(*algorithm).is_some());
        let offered = DigestAlgorithm::ALL.into_iter().filter(is_offered).collect();
        Digest { places: [Place::authorization("Digest")], realm, users, offered, nonce_key, nonce_lifetime }
    }

    fn nonce_key<'a>(&'a self, nonces: &'a Nonces) -> Option<&'a [u8]> {
        self.nonce_key.as_deref().or_else(|| nonces.key().map(|key| key.as_slice()))
    }

    /// The user's name, if the password is right.
    fn verify(&self, response: &DigestResponse<'_>, method: &[u8]) -> Option<&str> {
        let name = std::str::from_utf8(&response.username).ok()?;
        let known = self.users.get_key_value(name);
        let secret = known.and_then(|(_, user)| user.secret(response.algorithm));
        // For somebody unknown the same work is done.
        let nobody = "0".repeat(response.algorithm.digits());
        let expected = response.expected(secret.unwrap_or(&nobody), method);
        let is_right = bool::from(expected.as_bytes().ct_eq(&response.response));
        known.filter(|_| secret.is_some() && is_right).map(|(name, _)| name.as_str())
    }
}

impl Scheme for Digest {
    fn places(&self) -> &[Place] {
        &self.places
    }

    fn challenges(
        &self,
        realm: &Realm,
        surroundings: Surroundings<'_>,
        nonces: &mut Nonces,
    ) -> Vec<Challenge> {
        let salt = nonces.salt();
        // Without any key there is nonetheless a challenge to be made; no answer to it will be taken.
        let key = self.nonce_key(nonces).unwrap_or_default();
        let nonce = nonce::issue(key, &self.realm, surroundings.now, salt);
        let challenge = |algorithm: &DigestAlgorithm| {
            Challenge::new("Digest", realm)
                .with("qop", "auth")
                .with_token("algorithm", algorithm.name())
                .with("nonce", nonce.clone())
                .with_token("charset", "UTF-8")
        };
        self.offered.iter().map(challenge).collect()
    }

    /// The realm says whose an answer is; where several have one realm, the user's name does.
    fn affinity(&self, credential: &[u8]) -> Affinity {
        let params = if credential.len() > MAX_RESPONSE_BYTES { None } else { auth_params(credential) };
        let params = params.unwrap_or_default();
        let find =
            |wanted: &[u8]| params.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_ref());
        let Some(realm) = find(b"realm") else { return Affinity::Unreadable };
        let user = find(b"username").and_then(|name| std::str::from_utf8(name).ok());
        match user {
            _ if *realm != *self.realm.as_str().as_bytes() => Affinity::Foreign,
            Some(user) if self.users.contains_key(user) => Affinity::Own,
            _ => Affinity::Issuer,
        }
    }

    fn guess<'c>(&self, credential: &'c [u8]) -> Guess<'c> {
        let params = if credential.len() > MAX_RESPONSE_BYTES { None } else { auth_params(credential) };
        let name = params.into_iter().flatten().find(|(name, _)| name == b"username");
        name.map_or(Guess::Nothing, |(_, name)| Guess::PasswordOf(name))
    }

    fn one_time(&self) -> Option<&dyn OneTime> {
        Some(self)
    }
}

impl OneTime for Digest {
    fn authenticate(
        &self,
        credential: &[u8],
        request: &Request<'_>,
        surroundings: Surroundings<'_>,
        nonces: &mut Nonces,
    ) -> Result<Principal, Reason> {
        if credential.len() > MAX_RESPONSE_BYTES {
            return Err(Reason::MalformedCredentials);
        }
        let response = DigestResponse::parse(credential).ok_or(Reason::MalformedCredentials)?;
        let is_for_us = *response.realm == *self.realm.as_str().as_bytes();
        let is_for_this = request.path.is_some_and(|target| *response.uri == *target);
        let subject = self.verify(&response, request.method).filter(|_| is_for_us && is_for_this);
        let subject = subject.ok_or(Reason::InvalidCredentials)?;

        // Only who knows the password is told anything of the nonce.
        let key = self.nonce_key(nonces).ok_or(Reason::Unavailable)?;
        let nonce = Nonce::open(&response.nonce, key, &self.realm).ok_or(Reason::StaleNonce)?;
        if !nonce.counts_at(surroundings.now, self.nonce_lifetime)
            || !nonces.take(nonce.id, nonce.issued, response.count)
        {
            return Err(Reason::StaleNonce);
        }
        let subject = subject.to_owned();
        Ok(Principal { subject, issuer: None, scopes: Vec::new(), claims: Claims::default() })
    }
}
