//! Builds `introspection`.

use std::rc::Rc;

use super::claims::{self, ClaimFields};
use super::locations::{self, challenge_scheme};
use super::sender_constraint;
use crate::authn::introspection::Introspection;
use crate::authn::{Scheme, TokenScheme};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, ClientAuth, Csrf};
use crate::http::challenge::Realm;
use crate::http::location::CredentialLocation;
use crate::remote::introspection::{Client, Plan};
use crate::remote::jwks::Address;

/// Maximum of `max_concurrent`. No more requests can wait at a time.
const MOST_CONCURRENT: usize = crate::remote::pending::MAX_WAITING;

/// Seconds that a request waits beyond the timeout of the call, so that the call ends first and reports the reason.
const MARGIN: f64 = 1.0;

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    introspection: &config::Introspection,
    realm: &Realm,
) -> Option<(Scheme, Realm, bool)> {
    let config = introspection;
    let realm = cx.realm(at, config.realm.as_ref(), realm);
    let address = Address::parse(&config.endpoint).ok();
    if address.is_none() {
        let expected = "an http or https URL without a fragment, as in https://idp.example.com/introspect";
        cx.expected(&at.member("endpoint"), expected);
    }
    cx.cluster(&at.member("cluster"), &config.cluster);
    if config.client_id.is_empty() {
        cx.expected(&at.member("client_id"), "a string that is not empty");
    }
    let secret = cx.secret(&at.member("client_secret"), &config.client_secret);
    if let Some(issuers) = &config.issuer {
        cx.texts(&at.member("issuer"), &issuers.0);
    }
    if config.timeout.as_seconds() <= 0.0 {
        cx.expected(&at.member("timeout"), "more than 0");
    }
    if !(1..=MOST_CONCURRENT).contains(&config.max_concurrent) {
        cx.expected(&at.member("max_concurrent"), "a number from 1 to 1024");
    }
    if config.max_token_bytes == 0 {
        cx.expected(&at.member("max_token_bytes"), "more than 0");
    }
    let fields = ClaimFields {
        audiences: config.audiences.as_ref(),
        any_audience: config.any_audience,
        clock_skew: config.clock_skew,
        // RFC 7662 §2.2: `exp` is optional, since the endpoint reports whether the token is valid.
        require_exp: false,
        max_lifetime: None,
        claims: &config.claims,
        subject_claim: &config.subject_claim,
        revoked: &config.revoked,
    };
    let rules = claims::claim_rules(cx, at, &fields);
    let scope_claims = claims::scope_claims(cx, at, config.scope_claims.as_deref());
    let bound = sender_constraint::build(cx, at, config.bound, config.dpop.as_ref());
    let locations = locations::build(
        cx,
        &at.member("from"),
        config.from.as_ref(),
        CredentialLocation::authorization("Bearer"),
    );
    let locations = bound.as_ref().map(|bound| bound.extended(locations)).unwrap_or_default();
    let secret = secret?;
    let client = match config.client_auth {
        ClientAuth::Basic => Client::basic(&config.client_id, &secret),
        ClientAuth::Post => Client::post(&config.client_id, &secret),
    };
    let timeout = config.timeout.as_seconds();
    let plan = Plan {
        address: address?,
        cluster: config.cluster.clone(),
        client,
        timeout,
        max_concurrent: config.max_concurrent,
        cache_ttl: config.cache_ttl.as_seconds(),
        negative_ttl: config.negative_ttl.as_seconds(),
        issuers: config.issuer.as_ref().map(|issuers| issuers.0.clone()),
        rules: rules?,
        scope_claims,
    };
    let scheme = Introspection {
        challenge_scheme: challenge_scheme(&locations).to_owned(),
        locations,
        plan: Rc::new(plan),
        max_token_bytes: config.max_token_bytes,
        csrf_disabled: config.csrf == Csrf::Off,
        max_wait: timeout + MARGIN,
        bound: bound?,
    };
    Some((Scheme::Token(TokenScheme::Introspection(scheme)), realm, config.forward_credentials))
}
