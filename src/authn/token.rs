//! Settings that all token schemes share.

use super::locations;
use super::sender_constraint::SenderConstraint;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{Csrf, TokenFields};
use crate::http::authorization::DPOP;
use crate::http::location::CredentialLocation;
use crate::jose::claims::{ClaimMatcher, ClaimSelector};
use crate::jose::jwt::{Audiences, ClaimRules, Revoked};

/// Settings that all token schemes share.
pub struct TokenSettings {
    /// Locations of tokens.
    pub locations: Vec<CredentialLocation>,
    /// Auth-scheme of the challenges.
    pub challenge_scheme: String,
    /// Maximum length of a token, in bytes.
    pub max_token_bytes: usize,
    /// True if a credential in a cookie is accepted on unsafe methods without proof of the request's origin.
    pub csrf_disabled: bool,
    /// Binding of tokens to a key or certificate of their holder.
    pub sender_constraint: SenderConstraint,
}

impl TokenSettings {
    /// Builds the settings from the configuration of an authenticator.
    pub(super) fn build(
        cx: &mut BuildContext<'_>,
        at: &ConfigPath<'_>,
        fields: &TokenFields<'_>,
    ) -> Option<Self> {
        if fields.max_token_bytes == 0 {
            cx.expected(&at.member("max_token_bytes"), "more than 0");
        }
        let sender_constraint = SenderConstraint::build(cx, at, fields.bound, fields.dpop);
        let default = CredentialLocation::authorization("Bearer");
        let locations = locations::build(cx, &at.member("from"), fields.from, default);
        let sender_constraint = sender_constraint?;
        let locations = sender_constraint.extended(locations);
        Some(TokenSettings {
            challenge_scheme: challenge_scheme(&locations).to_owned(),
            locations,
            max_token_bytes: fields.max_token_bytes,
            csrf_disabled: fields.csrf == Csrf::Off,
            sender_constraint,
        })
    }
}

/// Returns the auth-scheme of challenges: the first of the locations except `DPoP`, which has a challenge of its own;
/// by default `Bearer` ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
fn challenge_scheme(locations: &[CredentialLocation]) -> &str {
    let mut schemes = locations.iter().filter_map(CredentialLocation::scheme);
    schemes.find(|scheme| !scheme.eq_ignore_ascii_case(DPOP)).unwrap_or("Bearer")
}

/// Builds the conditions on the claims of tokens from the configuration of an authenticator.
pub(super) fn build_rules(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    fields: &TokenFields<'_>,
) -> Option<ClaimRules> {
    let audiences = match (fields.audiences, fields.any_audience) {
        (Some(audiences), false) => {
            cx.texts(&at.member("audiences"), audiences);
            Audiences::OneOf(audiences.clone())
        }
        (None, true) => Audiences::Any,
        _ => {
            cx.expected(at, "either `audiences: […]` or `any_audience: true`");
            Audiences::OneOf(Vec::new())
        }
    };
    let revoked = fields.revoked;
    let issued_before =
        cx.time(&at.member("revoked").member("issued_before"), revoked.issued_before.as_deref());
    let revoked = Revoked {
        jti: revoked.jti.iter().cloned().collect(),
        subjects: revoked.subjects.iter().cloned().collect(),
        issued_before,
    };
    let claims = build_matchers(cx, &at.member("claims"), &fields.claims.0);
    let subject = cx.checked(&at.member("subject_claim"), ClaimSelector::parse(fields.subject_claim));
    let scopes = fields.scope_claims.map(|names| {
        let at = &at.member("scope_claims");
        let names = names.iter().enumerate();
        names.filter_map(|(index, name)| cx.checked(&at.index(index), ClaimSelector::parse(name))).collect()
    });
    Some(ClaimRules {
        audiences,
        clock_skew: fields.clock_skew.0,
        require_exp: fields.require_exp,
        max_lifetime: fields.max_lifetime.map(|duration| duration.0),
        subject: subject?,
        scopes: scopes.unwrap_or_else(ClaimSelector::default_scopes),
        claims,
        revoked,
    })
}

/// Builds matchers of claims.
pub fn build_matchers(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    claims: &[(String, serde_json::Value)],
) -> Vec<(ClaimSelector, ClaimMatcher)> {
    let mut matchers = Vec::new();
    for (name, value) in claims {
        let at = &at.member(name);
        match (ClaimSelector::parse(name), ClaimMatcher::from_json(value)) {
            (Ok(selector), Ok(matcher)) => matchers.push((selector, matcher)),
            (Err(error), _) => cx.invalid(at, &error),
            (_, Err(error)) => cx.invalid(at, &error),
        }
    }
    matchers
}
