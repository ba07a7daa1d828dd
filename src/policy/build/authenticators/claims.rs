//! Builds the requirements on the claims of a token, for JWTs and introspection responses.

use super::super::authorization;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::shape::Named;
use crate::config::value::Span;
use crate::config::{self};
use crate::jose::claims::ClaimSelector;
use crate::jose::jwt::{Audiences, ClaimRules, Revoked};

/// The fields of a configuration that concern claims.
pub(super) struct ClaimFields<'a> {
    pub audiences: Option<&'a Vec<String>>,
    pub any_audience: bool,
    pub clock_skew: Span,
    pub require_exp: bool,
    pub max_lifetime: Option<Span>,
    pub claims: &'a Named<serde_json::Value>,
    pub subject_claim: &'a str,
    pub revoked: &'a config::Revoked,
}

pub(super) fn claim_rules(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    fields: &ClaimFields<'_>,
) -> Option<ClaimRules> {
    let audiences = match (fields.audiences, fields.any_audience) {
        (Some(audiences), false) => {
            cx.texts(&at.member("audiences"), audiences);
            Audiences::OneOf(audiences.clone())
        }
        (None, true) => Audiences::Any,
        _ => {
            let expected = "either `audiences: […]` or `any_audience: true`";
            cx.expected(at, expected);
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
    let claims = authorization::claim_matchers(cx, &at.member("claims"), &fields.claims.0);
    let subject = cx.checked(&at.member("subject_claim"), ClaimSelector::parse(fields.subject_claim));
    Some(ClaimRules {
        audiences,
        clock_skew: fields.clock_skew.as_seconds(),
        require_exp: fields.require_exp,
        max_lifetime: fields.max_lifetime.map(Span::as_seconds),
        subject: subject?,
        claims,
        revoked,
    })
}

/// Returns the claims that contain scopes; by default `scope` and `scp`.
pub(super) fn scope_claims(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    names: Option<&[String]>,
) -> Vec<ClaimSelector> {
    let default = ["scope".to_owned(), "scp".to_owned()];
    let at = &at.member("scope_claims");
    let names = names.unwrap_or(&default).iter().enumerate();
    names.filter_map(|(index, name)| cx.checked(&at.index(index), ClaimSelector::parse(name))).collect()
}
