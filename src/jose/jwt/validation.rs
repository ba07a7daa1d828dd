//! What makes a token acceptable (RFC 7519 §7.2, RFC 8725, RFC 9068 §4).

use super::{Algorithms, Audiences, ClaimRules, Header, Jwt, SignatureVerifier, TokenError};
use crate::jose::jwk::KeySet;
use crate::timestamp::NumericDate;

/// What a token must be to be accepted.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Who may have issued it, compared exactly.
    pub issuers: Vec<String>,
    /// The algorithms that are allowed. `None`: those of the keys, see
    /// [`VerifyingKey::algorithms_in`](crate::jose::jwk::VerifyingKey::algorithms_in).
    pub algorithms: Option<Algorithms>,
    /// The types that are allowed, compared without case and without `application/`. None: absent, `JWT` and `at+jwt`.
    pub types: Option<Vec<String>>,
    /// What its claims must say.
    pub rules: ClaimRules,
}

impl Validation {
    /// Accepts what these issuers sign and these rules allow, with the default algorithms and types.
    pub fn new(issuers: Vec<String>, rules: ClaimRules) -> Validation {
        Validation { issuers, algorithms: None, types: None, rules }
    }

    /// Checks a token and names its subject.
    ///
    /// What costs nothing comes first: issuer, key, algorithm, an `exp` that is past; then the signature; then all
    /// other claims. [`TokenError::public_code`] keeps to itself what an unsigned token could otherwise find out.
    pub fn validate<'j>(
        &self,
        jwt: &'j Jwt<'_>,
        keys: &KeySet,
        now: NumericDate,
        verifier: &dyn SignatureVerifier,
    ) -> Result<&'j str, TokenError> {
        self.check_origin(jwt)?;
        let candidates = jwt.jws().candidates(keys, self.algorithms)?;
        if self.rules.is_expired(jwt.claims(), now) {
            return Err(TokenError::Expired);
        }
        candidates.verify(jwt.jws(), verifier)?;
        if !self.takes_type(jwt.jws().header()) {
            return Err(TokenError::WrongType);
        }
        self.rules.check(jwt.claims(), now)
    }

    /// Whether there is any point in asking for keys: what [`Validation::validate`] would say before it needs them.
    pub fn precheck(&self, jwt: &Jwt<'_>, now: NumericDate) -> Result<(), TokenError> {
        self.check_origin(jwt)?;
        if self.rules.is_expired(jwt.claims(), now) { Err(TokenError::Expired) } else { Ok(()) }
    }

    fn check_origin(&self, jwt: &Jwt<'_>) -> Result<(), TokenError> {
        if !jwt.jws().header().is_understood() {
            return Err(TokenError::UnsupportedCritical);
        }
        if self.knows_issuer(jwt) { Ok(()) } else { Err(TokenError::WrongIssuer) }
    }

    /// Whether the token, unverified, says that it is from one of the issuers.
    pub fn knows_issuer(&self, jwt: &Jwt<'_>) -> bool {
        jwt.issuer().is_some_and(|issuer| self.issuers.iter().any(|known| known == issuer))
    }

    /// Whether the token, unverified, says that it is meant for one of the audiences.
    pub fn knows_audience(&self, jwt: &Jwt<'_>) -> bool {
        match &self.rules.audiences {
            Audiences::Any => true,
            Audiences::OneOf(ours) => ours.iter().any(|audience| jwt.is_meant_for(audience)),
        }
    }

    fn takes_type(&self, header: &Header) -> bool {
        match (&self.types, header.typ()) {
            (None, None) => true,
            (Some(_), None) => false,
            (None, Some(typ)) => ["JWT", "at+jwt"].iter().any(|known| same_type(known, typ)),
            (Some(types), Some(typ)) => types.iter().any(|known| same_type(known, typ)),
        }
    }
}

/// Media types are compared without case, and `application/` may be left out (RFC 7515 §4.1.9).
fn same_type(a: &str, b: &str) -> bool {
    short(a).eq_ignore_ascii_case(short(b))
}

fn short(typ: &str) -> &str {
    match typ.split_once('/') {
        Some((top, rest)) if top.eq_ignore_ascii_case("application") => rest,
        _ => typ,
    }
}
