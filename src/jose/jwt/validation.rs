//! Conditions for the acceptance of a token ([RFC 7519 §7.2](https://www.rfc-editor.org/rfc/rfc7519#section-7.2),
//! [RFC 8725](https://www.rfc-editor.org/rfc/rfc8725),
//! [RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)).

use super::{Algorithms, Audiences, ClaimRules, Header, Jwt, SignatureVerifier, TokenError};
use crate::jose::jwk::KeySet;
use crate::timestamp::NumericDate;

/// Conditions that a token must meet to be accepted.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Accepted issuers, compared exactly.
    pub issuers: Vec<String>,
    /// Allowed algorithms. `None` allows those of the keys; see
    /// [`VerifyingKey::algorithms_in`](crate::jose::jwk::VerifyingKey::algorithms_in).
    pub algorithms: Option<Algorithms>,
    /// Allowed types, compared case-insensitively and without `application/`. `None` allows tokens without a type,
    /// `JWT` and `at+jwt`.
    pub types: Option<Vec<String>>,
    /// Conditions on the claims.
    pub rules: ClaimRules,
}

impl Validation {
    /// Accepts tokens of these issuers that meet these rules, with the default algorithms and types.
    pub fn new(issuers: Vec<String>, rules: ClaimRules) -> Validation {
        Validation { issuers, algorithms: None, types: None, rules }
    }

    /// Validates a token and returns its subject.
    ///
    /// Checks without cryptography come first: issuer, key, algorithm, and an `exp` in the past. The signature follows,
    /// then all other claims. [`TokenError::public_code`] hides what an unsigned token could otherwise discover.
    ///
    /// # Errors
    /// Fails with the first condition that the token does not meet.
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

    /// Checks that fetching keys for the token is worthwhile: the checks of [`Validation::validate`] that need no keys.
    ///
    /// # Errors
    /// Fails if the token would be rejected whatever the keys.
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

    /// True if the unverified token names one of the issuers.
    pub fn knows_issuer(&self, jwt: &Jwt<'_>) -> bool {
        jwt.issuer().is_some_and(|issuer| self.issuers.iter().any(|known| known == issuer))
    }

    /// The issuer of the token and the configured ones, as a sentence, if they differ. A token can name anything, so its
    /// issuer is cut and escaped.
    pub fn issuer_mismatch(&self, jwt: &Jwt<'_>) -> Option<String> {
        const MAX_SHOWN: usize = 200;
        if self.knows_issuer(jwt) {
            return None;
        }
        let configured: Vec<String> = self.issuers.iter().map(|issuer| format!("{issuer:?}")).collect();
        let configured = configured.join(" or ");
        Some(match jwt.issuer() {
            None => format!("no issuer in the token; {configured} is configured"),
            Some(issuer) => {
                let shown: String = issuer.chars().take(MAX_SHOWN).collect();
                let cut = if shown.len() < issuer.len() { "…" } else { "" };
                format!("issuer {shown:?}{cut} does not match configured {configured}")
            }
        })
    }

    /// True if the unverified token names one of the audiences.
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

/// Compares media types case-insensitively; `application/` may be omitted
/// ([RFC 7515 §4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)).
fn same_type(a: &str, b: &str) -> bool {
    short(a).eq_ignore_ascii_case(short(b))
}

fn short(typ: &str) -> &str {
    match typ.split_once('/') {
        Some((top, rest)) if top.eq_ignore_ascii_case("application") => rest,
        _ => typ,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn both_issuers_are_named() {
        let rules = ClaimRules::new(Audiences::Any);
        let issuers = ["https://t.auth0.com/", "https://b"].map(str::to_owned);
        let validation = Validation::new(issuers.to_vec(), rules);
        let check = |claims: Value, expected: Option<&str>| {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let token = format!("{}.{}.AAAA", part(&json!({"alg": "ES256"})), part(&claims));
            let jwt = Jwt::parse(token.as_bytes()).unwrap();
            assert_eq!(validation.issuer_mismatch(&jwt).as_deref(), expected, "{claims}");
        };
        let configured = "configured \"https://t.auth0.com/\" or \"https://b\"";
        check(json!({"iss": "https://b"}), None);
        check(
            json!({"iss": "https://t.auth0.com"}),
            Some(&format!("issuer \"https://t.auth0.com\" does not match {configured}")),
        );
        check(
            json!({}),
            Some("no issuer in the token; \"https://t.auth0.com/\" or \"https://b\" is configured"),
        );
        // Of a hostile one neither control characters nor all of its length reach a log.
        check(
            json!({"iss": "a\n\u{1b}\""}),
            Some(&format!("issuer \"a\\n\\u{{1b}}\\\"\" does not match {configured}")),
        );
        check(
            json!({"iss": "é".repeat(5000)}),
            Some(&format!("issuer \"{}\"… does not match {configured}", "é".repeat(200))),
        );
    }
}
