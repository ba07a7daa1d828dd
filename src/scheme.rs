//! The contract that each scheme fulfils: where it looks for credentials, how it challenges, how it checks them.
//!
//! A new scheme is a file beside `basic.rs` and a line in [`policy`](crate::policy) that builds it.

pub mod api_key;
pub mod basic;
pub mod bearer;
pub mod same_origin;

use crate::challenge::{Challenge, Realm};
use crate::denial::Reason;
use crate::jwt::SignatureVerifier;
use crate::numeric_date::NumericDate;
use crate::place::Place;
use crate::principal::Principal;
use crate::request::Request;

/// What a check may use beside the request. The core has no clock and no host of its own.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The time.
    pub now: NumericDate,
    /// Who does the arithmetic of signatures.
    pub signatures: &'a dyn SignatureVerifier,
}

/// Whose a credential is, where several authenticators read one place. The larger ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affinity {
    /// Somebody else's, as far as can be seen without checking it.
    Foreign,
    /// It does not say whose it is.
    Unreadable,
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
    pub place: &'a Place,
}

/// What a credential that holds shows.
pub struct Proof {
    /// Who the caller is.
    pub principal: Principal,
    /// From when on the credential does not hold any more.
    pub valid_until: Option<NumericDate>,
}

/// A way to prove who one is.
pub trait Scheme {
    /// Where it looks for credentials.
    fn places(&self) -> &[Place];

    /// What it asks for.
    fn challenge(&self, realm: &Realm) -> Challenge;

    /// Whether its challenges explain errors and scopes as RFC 6750 says.
    fn is_bearer(&self) -> bool {
        false
    }

    /// Whether an unverified credential is meant for this authenticator rather than for another.
    fn affinity(&self, _credential: &[u8]) -> Affinity {
        Affinity::Own
    }

    /// What the request around a credential must show each time, whether the credential is remembered or not.
    fn admit(&self, _presented: Presented<'_>, _request: &Request<'_>) -> Result<(), Reason> {
        Ok(())
    }

    /// Who the caller is, or why the credential does not hold. The answer depends on nothing but the credential, the
    /// time and what the scheme was made of, so that it can be remembered.
    fn authenticate(&self, credential: &[u8], surroundings: Surroundings<'_>) -> Result<Proof, Reason>;

    /// Whether finding a credential wrong costs so much that it is remembered.
    fn failures_are_slow(&self) -> bool {
        false
    }
}

/// A scheme with what the configuration says of every authenticator.
pub struct Authenticator {
    /// Its name in the configuration.
    pub name: String,
    /// What it asks for, with its realm.
    pub challenge: Challenge,
    /// Whether credentials that held go on to the upstream.
    pub forward_credentials: bool,
    /// How it checks.
    pub scheme: Box<dyn Scheme>,
}
