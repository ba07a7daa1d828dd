//! `jwt`.

use super::super::build::Builder;
use super::places::challenge_scheme;
use crate::challenge::Realm;
use crate::claims::ClaimSelector;
use crate::config::{self, ConfigErrorKind, Csrf};
use crate::jwt::{Audiences, ClaimRules, Revoked, Validation};
use crate::place::Place;
use crate::scheme::Scheme;
use crate::scheme::bearer::Bearer;

impl Builder<'_> {
    pub(super) fn jwt(
        &mut self,
        path: &str,
        jwt: &config::Jwt,
        realm: &Realm,
    ) -> Option<(Box<dyn Scheme>, Realm, bool)> {
        let realm = self.realm(path, jwt.realm.as_ref(), realm);
        self.texts(&format!("{path}.issuer"), &jwt.issuer.0);
        let keys = self.keys(&format!("{path}.keys"), &jwt.keys, &jwt.issuer.0);
        let algorithms =
            self.algorithms(&format!("{path}.algorithms"), jwt.algorithms.as_deref(), keys.as_ref());
        if let Some(types) = &jwt.typ {
            self.texts(&format!("{path}.typ"), types);
        }
        if jwt.max_token_bytes == 0 {
            self.error(format!("{path}.max_token_bytes"), ConfigErrorKind::Expected("more than 0"));
        }
        let rules = self.claim_rules(path, jwt);
        let bound = self.bound(path, jwt.bound, jwt.dpop.as_ref());
        let places = self.places(&format!("{path}.from"), jwt.from.as_ref(), Place::authorization("Bearer"));
        let places = bound.as_ref().map(|bound| bound.extended(places)).unwrap_or_default();
        let default_scopes = ["scope".to_owned(), "scp".to_owned()];
        let scope_claims = jwt.scope_claims.as_deref().unwrap_or(&default_scopes);
        let scope_claims = scope_claims.iter().enumerate().filter_map(|(at, claim)| {
            self.checked(&format!("{path}.scope_claims[{at}]"), ClaimSelector::parse(claim))
        });
        let scope_claims = scope_claims.collect();
        let scheme = Bearer {
            challenge_scheme: challenge_scheme(&places).to_owned(),
            places,
            keys: keys?,
            validation: Validation {
                issuers: jwt.issuer.0.clone(),
                algorithms,
                types: jwt.typ.clone(),
                rules: rules?,
            },
            max_token_bytes: jwt.max_token_bytes,
            scope_claims,
            trusts_cookies: jwt.csrf == Csrf::Off,
            bound: bound?,
        };
        Some((Box::new(scheme), realm, jwt.forward_credentials))
    }

    fn claim_rules(&mut self, path: &str, jwt: &config::Jwt) -> Option<ClaimRules> {
        let audiences = match (&jwt.audiences, jwt.any_audience) {
            (Some(audiences), false) => {
                self.texts(&format!("{path}.audiences"), audiences);
                Audiences::OneOf(audiences.clone())
            }
            (None, true) => Audiences::Any,
            _ => {
                let expected = "either `audiences: […]` or `any_audience: true`";
                self.error(path, ConfigErrorKind::Expected(expected));
                Audiences::OneOf(Vec::new())
            }
        };
        let issued_before =
            self.time(&format!("{path}.revoked.issued_before"), jwt.revoked.issued_before.as_deref());
        let revoked = Revoked {
            jti: jwt.revoked.jti.iter().cloned().collect(),
            subjects: jwt.revoked.subjects.iter().cloned().collect(),
            issued_before,
        };
        let claims = self.claim_matchers(&format!("{path}.claims"), &jwt.claims.0);
        let subject =
            self.checked(&format!("{path}.subject_claim"), ClaimSelector::parse(&jwt.subject_claim));
        Some(ClaimRules {
            audiences,
            clock_skew: jwt.clock_skew.as_seconds(),
            require_exp: jwt.require_exp,
            max_lifetime: jwt.max_lifetime.map(config::value::Span::as_seconds),
            subject: subject?,
            claims,
            revoked,
        })
    }
}
