//! Builds `jwt`.

use super::claims::{self, ClaimFields};
use super::locations::{self, challenge_scheme};
use super::{keys, sender_constraint};
use crate::authn::bearer::Bearer;
use crate::authn::{Scheme, TokenScheme};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, Csrf};
use crate::http::challenge::Realm;
use crate::http::location::CredentialLocation;
use crate::jose::jwt::Validation;

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    jwt: &config::Jwt,
    realm: &Realm,
) -> Option<(Scheme, Realm, bool)> {
    let realm = cx.realm(at, jwt.realm.as_ref(), realm);
    cx.texts(&at.member("issuer"), &jwt.issuer.0);
    let keys = keys::build(cx, &at.member("keys"), &jwt.keys, &jwt.issuer.0);
    let algorithms = keys::algorithms(cx, &at.member("algorithms"), jwt.algorithms.as_deref(), keys.as_ref());
    if let Some(types) = &jwt.typ {
        cx.texts(&at.member("typ"), types);
    }
    if jwt.max_token_bytes == 0 {
        cx.expected(&at.member("max_token_bytes"), "more than 0");
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
    let rules = claims::claim_rules(cx, at, &fields);
    let bound = sender_constraint::build(cx, at, jwt.bound, jwt.dpop.as_ref());
    let locations = locations::build(
        cx,
        &at.member("from"),
        jwt.from.as_ref(),
        CredentialLocation::authorization("Bearer"),
    );
    let locations = bound.as_ref().map(|bound| bound.extended(locations)).unwrap_or_default();
    let scope_claims = claims::scope_claims(cx, at, jwt.scope_claims.as_deref());
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
