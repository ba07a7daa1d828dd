//! Builds `jwt`.

use super::super::Builder;
use super::claims::ClaimFields;
use super::locations::challenge_scheme;
use crate::authn::bearer::Bearer;
use crate::authn::{Scheme, TokenScheme};
use crate::config::{self, ConfigErrorKind, Csrf};
use crate::http::challenge::Realm;
use crate::http::location::CredentialLocation;
use crate::jose::jwt::Validation;

impl Builder<'_> {
    pub(super) fn jwt(
        &mut self,
        path: &str,
        jwt: &config::Jwt,
        realm: &Realm,
    ) -> Option<(Scheme, Realm, bool)> {
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
        let fields = ClaimFields {
            audiences: jwt.audiences.as_ref(),
            any_audience: jwt.any_audience,
            clock_skew: jwt.clock_skew,
            require_exp: jwt.require_exp,
            max_lifetime: jwt.max_lifetime,
            claims: &jwt.claims,
            subject_claim: &jwt.subject_claim,
            revoked: &jwt.revoked,
        };
        let rules = self.claim_rules(path, &fields);
        let bound = self.bound(path, jwt.bound, jwt.dpop.as_ref());
        let locations = self.locations(
            &format!("{path}.from"),
            jwt.from.as_ref(),
            CredentialLocation::authorization("Bearer"),
        );
        let locations = bound.as_ref().map(|bound| bound.extended(locations)).unwrap_or_default();
        let scope_claims = self.scope_claims(path, jwt.scope_claims.as_deref());
        let scheme = Bearer {
            challenge_scheme: challenge_scheme(&locations).to_owned(),
            locations,
            keys: keys?,
            validation: Validation {
                issuers: jwt.issuer.0.clone(),
                algorithms,
                types: jwt.typ.clone(),
                rules: rules?,
            },
            max_token_bytes: jwt.max_token_bytes,
            scope_claims,
            csrf_disabled: jwt.csrf == Csrf::Off,
            bound: bound?,
        };
        Some((Scheme::Token(TokenScheme::Jwt(Box::new(scheme))), realm, jwt.forward_credentials))
    }
}
