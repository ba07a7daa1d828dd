//! The contract that each scheme fulfils: where it looks for credentials, how it challenges, how it checks them.
//!
//! A new scheme is a file beside `basic.rs` and a line in [`policy`](crate::policy) that builds it.

pub mod api_key;
pub mod basic;
pub mod bearer;
pub mod digest;
pub mod same_origin;

use crate::challenge::{Challenge, Realm};
use crate::denial::Reason;
use crate::jwt::SignatureVerifier;
use crate::memory::nonces::Nonces;
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

    /// What it asks for: one challenge, or several to choose from, the strongest first. Never none.
    fn challenges(
        &self,
        realm: &Realm,
        surroundings: Surroundings<'_>,
        nonces: &mut Nonces,
    ) -> Vec<Challenge>;

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
    /// time and what the scheme was made of, so that it can be remembered. A scheme has this or [`one_time`].
    ///
    /// [`one_time`]: Scheme::one_time
    fn authenticate(&self, _credential: &[u8], _surroundings: Surroundings<'_>) -> Result<Proof, Reason> {
        Err(Reason::Unavailable)
    }

    /// The check of a scheme whose credentials are made for one request each, so that none is remembered.
    fn one_time(&self) -> Option<&dyn OneTime> {
        None
    }

    /// Until when those whose credentials the configuration holds can use them, where they cannot for ever.
    fn ends(&self) -> Vec<(&str, NumericDate)> {
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
        surroundings: Surroundings<'_>,
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
