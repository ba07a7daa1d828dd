//! Conditions on claims ([RFC 7519 §4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)), for JWTs and
//! introspection responses alike.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::{Claim, TokenError};
use crate::jose::claims::{ClaimMatcher, ClaimSelector, Claims};
use crate::timestamp::NumericDate;

/// Conditions on a set of claims. The issuer is not among them, because it selects the authenticator that vouches for
/// the claims.
#[derive(Clone, Debug)]
pub struct ClaimRules {
    /// Audiences that the token must be meant for.
    pub audiences: Audiences,
    /// Maximum difference of clocks.
    pub clock_skew: Duration,
    /// True if `exp` is required.
    pub require_exp: bool,
    /// Maximum time from `iat` to `exp`. If set, both are required.
    pub max_lifetime: Option<Duration>,
    /// The claim that names the subject.
    pub subject: ClaimSelector,
    /// Claims that contain scopes.
    pub scopes: Vec<ClaimSelector>,
    /// Required claims.
    pub claims: Vec<(ClaimSelector, ClaimMatcher)>,
    /// Revoked tokens.
    pub revoked: Revoked,
}

/// Audiences that a token must be meant for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Audiences {
    /// Any audience; `aud` may be absent.
    Any,
    /// At least one of these audiences.
    OneOf(Vec<String>),
}

/// Tokens that are rejected before they expire.
#[derive(Clone, Default, Debug)]
pub struct Revoked {
    /// Tokens with one of these `jti`. A token without `jti` cannot be revoked this way.
    pub jti: HashSet<String>,
    /// Tokens of these subjects.
    pub subjects: HashSet<String>,
    /// Tokens issued before this date. If set, `iat` is required.
    pub issued_before: Option<NumericDate>,
}

impl ClaimRules {
    /// Rules for these audiences with the defaults of the configuration: 60 s of clock skew, `exp` required, the
    /// subject from `sub`, and scopes from `scope` and `scp`.
    pub fn new(audiences: Audiences) -> ClaimRules {
        ClaimRules {
            audiences,
            clock_skew: Duration::from_secs(60),
            require_exp: true,
            max_lifetime: None,
            subject: ClaimSelector::default(),
            scopes: ClaimSelector::default_scopes(),
            claims: Vec::new(),
            revoked: Revoked::default(),
        }
    }

    /// Checks the claims and returns their subject.
    ///
    /// # Errors
    /// Fails with the first condition that the claims do not meet.
    pub fn check<'c>(&self, claims: &'c Claims, now: NumericDate) -> Result<&'c str, TokenError> {
        self.check_times(claims, now)?;
        self.check_audience(claims)?;
        let subject = self.subject_of(claims)?;
        for (index, (selector, matcher)) in self.claims.iter().enumerate() {
            match selector.find(claims) {
                None => return Err(TokenError::MissingClaim(Claim::Required(index))),
                claim if matcher.matches(claim) => {}
                Some(_) => return Err(TokenError::ClaimMismatch(index)),
            }
        }
        self.check_revoked(claims, subject)?;
        Ok(subject)
    }

    /// End of the validity of the claims: `exp` plus the clock skew. `None` if there is no valid `exp`.
    pub fn valid_until(&self, claims: &Claims) -> Option<NumericDate> {
        Some(NumericDate::from_json(claims.find("exp")?)?.plus(self.clock_skew))
    }

    /// True if `exp` is a date in the past.
    pub(super) fn is_expired(&self, claims: &Claims, now: NumericDate) -> bool {
        self.valid_until(claims).is_some_and(|end| now >= end)
    }

    fn check_times(&self, claims: &Claims, now: NumericDate) -> Result<(), TokenError> {
        let exp = date(claims, "exp", Claim::Exp)?;
        let nbf = date(claims, "nbf", Claim::Nbf)?;
        let iat = date(claims, "iat", Claim::Iat)?;
        match exp {
            Some(_) if self.is_expired(claims, now) => return Err(TokenError::Expired),
            None if self.require_exp || self.max_lifetime.is_some() => {
                return Err(TokenError::MissingClaim(Claim::Exp));
            }
            _ => {}
        }
        let latest = now.plus(self.clock_skew);
        if nbf.is_some_and(|nbf| nbf > latest) || iat.is_some_and(|iat| iat > latest) {
            return Err(TokenError::NotYetValid);
        }
        match (self.max_lifetime, iat, exp) {
            (Some(_), None, _) => Err(TokenError::MissingClaim(Claim::Iat)),
            (Some(max), Some(iat), Some(exp)) if exp.since(iat) > max => Err(TokenError::TooLongLived),
            _ => Ok(()),
        }
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), TokenError> {
        match (&self.audiences, audience(claims)?) {
            (Audiences::Any, _) => Ok(()),
            (Audiences::OneOf(_), None) => Err(TokenError::MissingClaim(Claim::Aud)),
            (Audiences::OneOf(ours), Some(mut names)) => {
                if names.any(|name| ours.iter().any(|audience| audience == name)) {
                    Ok(())
                } else {
                    Err(TokenError::WrongAudience)
                }
            }
        }
    }

    fn subject_of<'c>(&self, claims: &'c Claims) -> Result<&'c str, TokenError> {
        text(claims.find("sub"), Claim::Sub)?;
        match text(self.subject.find(claims), Claim::Subject)? {
            None | Some("") => Err(TokenError::MissingClaim(Claim::Subject)),
            Some(subject) => Ok(subject),
        }
    }

    fn check_revoked(&self, claims: &Claims, subject: &str) -> Result<(), TokenError> {
        let jti = text(claims.find("jti"), Claim::Jti)?;
        if jti.is_some_and(|jti| self.revoked.jti.contains(jti)) || self.revoked.subjects.contains(subject) {
            return Err(TokenError::Revoked);
        }
        match (self.revoked.issued_before, date(claims, "iat", Claim::Iat)?) {
            (Some(_), None) => Err(TokenError::MissingClaim(Claim::Iat)),
            (Some(limit), Some(iat)) if iat < limit => Err(TokenError::Revoked),
            _ => Ok(()),
        }
    }
}

fn date(claims: &Claims, name: &str, claim: Claim) -> Result<Option<NumericDate>, TokenError> {
    match claims.find(name) {
        None => Ok(None),
        Some(value) => NumericDate::from_json(value).map(Some).ok_or(TokenError::MalformedClaim(claim)),
    }
}

fn text(value: Option<&Value>, claim: Claim) -> Result<Option<&str>, TokenError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::MalformedClaim(claim)),
    }
}

/// The names in `aud`, which is a string or an array of strings
/// ([RFC 7519 §4.1.3](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3)). `None` if it is absent.
pub(super) fn audience(claims: &Claims) -> Result<Option<impl Iterator<Item = &str>>, TokenError> {
    let names = match claims.find("aud") {
        None => return Ok(None),
        Some(Value::Array(names)) => names.as_slice(),
        Some(name) => std::slice::from_ref(name),
    };
    if names.iter().all(Value::is_string) {
        Ok(Some(names.iter().filter_map(Value::as_str)))
    } else {
        Err(TokenError::MalformedClaim(Claim::Aud))
    }
}
