//! The conditions of `authorize`, and whether a caller meets each.

use std::time::Duration;

use authgate::config::{self, Config};
use authgate::decision::Decision;
use authgate::policy::authorization::Authorization;
use authgate::policy::variables::VariableValues;
use authgate::policy::{Access, Protection};
use authgate::principal::{Authenticated, AuthenticatorId};
use authgate::timestamp::NumericDate;
use serde::Serialize;
use serde_json::Value;

use crate::time;

/// A caller whose authorization was checked, with the comparisons of each object of `authorize`.
pub struct Authorizing {
    caller: Authenticated,
    /// Each with true if both values are equal.
    comparisons: Vec<Vec<(Comparison, bool)>>,
}

/// A comparison of a variable with the caller.
#[derive(Clone, Serialize)]
struct Comparison {
    /// The variable, such as `path variable id`.
    variable: String,
    /// The value in the request, if there is exactly one.
    value: Option<String>,
    /// The claim; `None` for the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    /// The value of the claim, or the subject; `None` if the caller does not have the claim.
    caller: Option<Value>,
}

/// An object of `authorize`.
#[derive(Serialize)]
pub struct Object {
    /// True if the object applies to callers of this authenticator.
    pub applies: bool,
    pub conditions: Vec<Condition>,
}

/// A condition and its result.
#[derive(Serialize)]
pub struct Condition {
    pub holds: bool,
    pub text: String,
    #[serde(flatten)]
    comparison: Option<Comparison>,
}

/// Tells whether the values of claims may be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ClaimValues {
    Shown,
    Hidden,
}

/// The replacement for a hidden value.
const HIDDEN: &str = "***";

impl Authorizing {
    /// Records the comparisons of a decision.
    pub fn of(protection: &Protection, caller: &Authenticated, values: &VariableValues) -> Self {
        let comparisons = |authorization: &Authorization| {
            let compared = authorization.comparisons(&caller.principal, values);
            let compared = compared.filter_map(|compared| {
                let value = values.get(compared.variable);
                let comparison = Comparison {
                    variable: protection.variables.get(compared.variable)?.to_string(),
                    value: value.map(|value| String::from_utf8_lossy(value).into_owned()),
                    claim: compared.claim.map(|claim| claim.as_str().to_owned()),
                    caller: compared.actual,
                };
                Some((comparison, compared.is_equal))
            });
            compared.collect()
        };
        let comparisons = protection.authorizations.iter().map(comparisons).collect();
        Authorizing { caller: caller.clone(), comparisons }
    }

    /// The authenticator of the caller.
    pub fn authenticator(&self) -> AuthenticatorId {
        self.caller.authenticator
    }

    fn objects(
        &self,
        rule: &config::Rule,
        protection: &Protection,
        claims: ClaimValues,
        now: NumericDate,
    ) -> Vec<Object> {
        let written = rule.authorize.iter().flat_map(|list| &list.0);
        let objects = written.zip(&protection.authorizations).zip(&self.comparisons);
        objects
            .map(|((written, authorization), comparisons)| Object {
                applies: authorization.applies_to(&self.caller),
                conditions: self.conditions(written, authorization, comparisons, claims, now),
            })
            .collect()
    }

    fn conditions(
        &self,
        written: &config::Authorization,
        authorization: &Authorization,
        comparisons: &[(Comparison, bool)],
        claims: ClaimValues,
        now: NumericDate,
    ) -> Vec<Condition> {
        let principal = &self.caller.principal;
        let mut conditions = Vec::new();
        let mut add = |holds, text| conditions.push(Condition { holds, text, comparison: None });
        if let Some(subjects) = &written.subjects {
            let text = format!("the subject {:?} is one of {}", principal.subject, quoted(subjects, ", "));
            add(authorization.lists(&self.caller), text);
        }
        for (claim, holds) in authorization.matched_claims(principal) {
            let value = claims.show(claim.find(&principal.claims));
            add(holds, format!("the claim {} ({value}) matches", claim.as_str()));
        }
        if written.acr.is_some() || written.max_auth_age.is_some() {
            add(authorization.accepts_login(principal, now), self.login(written, claims, now));
        }
        let granted = |name: &str| {
            let mut required = authorization.required_scopes();
            required.find(|required| required.name() == name)?.granted_by(&principal.scopes)
        };
        for name in written.scopes.iter().flatten() {
            let by = granted(name);
            add(by.is_some(), format!("the caller has the scope {name:?}{}", implied(name, by)));
        }
        if let Some(names) = &written.any_scope {
            let by = names.iter().find_map(|name| Some((name, granted(name)?)));
            let found = by.map(|(name, by)| format!(": {name:?}{}", implied(name, Some(by))));
            let text = format!(
                "the caller has one of the scopes {}{}",
                quoted(names, ", "),
                found.unwrap_or_default()
            );
            add(by.is_some(), text);
        }
        conditions
            .extend(comparisons.iter().map(|(comparison, is_equal)| comparison.condition(*is_equal, claims)));
        conditions
    }

    /// The required login, and that of the caller.
    fn login(&self, written: &config::Authorization, claims: ClaimValues, now: NumericDate) -> String {
        let found = |name| self.caller.principal.claims.find(name);
        let mut parts = Vec::new();
        if let Some(acr) = &written.acr {
            parts.push(format!("acr ({}) is one of {}", claims.show(found("acr")), quoted(acr, ", ")));
        }
        if let Some(age) = &written.max_auth_age {
            let time = found("auth_time").and_then(Value::as_f64).filter(|_| claims == ClaimValues::Shown);
            let shown = match time {
                Some(time) => format!("{}, {}", time::rfc3339(time), time::distance(now.seconds(), time)),
                None => claims.show(found("auth_time")),
            };
            parts.push(format!("auth_time ({shown}) is at most {} ago", duration(age.0)));
        }
        parts.join(", and ")
    }
}

/// The objects of `authorize` in the rule that decided, with their results; none if no caller was authenticated.
pub fn objects(
    config: &Config,
    decision: &Decision<'_>,
    authorizing: Option<&Authorizing>,
    claims: ClaimValues,
    now: NumericDate,
) -> Vec<Object> {
    let found = authorizing.zip(decision.rule).and_then(|(authorizing, rule)| {
        let Access::Protected(protection) = &rule.access else { return None };
        Some(authorizing.objects(config.rules.0.get(rule.number)?, protection, claims, now))
    });
    found.unwrap_or_default()
}

/// One line for each condition.
pub fn lines(objects: &[Object]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, object) in objects.iter().enumerate().filter(|(_, object)| object.applies) {
        let place = if objects.len() == 1 { String::new() } else { format!("authorize[{at}]: ") };
        lines.extend(object.conditions.iter().map(|condition| {
            let mark = if condition.holds { "✓" } else { "✗" };
            format!("{mark} {place}{}", condition.text)
        }));
    }
    lines
}

impl ClaimValues {
    fn show(self, value: Option<&Value>) -> String {
        match (value, self) {
            (None, _) => "absent".to_owned(),
            (Some(_), ClaimValues::Hidden) => HIDDEN.to_owned(),
            (Some(value), ClaimValues::Shown) => value.to_string(),
        }
    }
}

impl Comparison {
    fn condition(&self, holds: bool, claims: ClaimValues) -> Condition {
        let variable = match &self.value {
            Some(value) => format!("{} {value:?}", self.variable),
            None if self.variable.starts_with("header") => {
                format!("{} (not sent exactly once, or empty)", self.variable)
            }
            None => format!("{} (empty)", self.variable),
        };
        let mut shown = self.clone();
        let other = match &self.claim {
            // The subject is not hidden: it is in the outcome too.
            None => format!("the subject {}", ClaimValues::Shown.show(self.caller.as_ref())),
            Some(claim) => {
                if claims == ClaimValues::Hidden && shown.caller.is_some() {
                    shown.caller = Some(HIDDEN.into());
                }
                format!("the claim {claim} ({})", claims.show(self.caller.as_ref()))
            }
        };
        let text = format!("{variable} equals {other}");
        Condition { holds, text, comparison: Some(shown) }
    }
}

/// The scope that implies the required one, if it is another.
fn implied(name: &str, by: Option<&str>) -> String {
    by.filter(|by| *by != name).map(|by| format!(", implied by {by:?}")).unwrap_or_default()
}

fn quoted(texts: &[String], separator: &str) -> String {
    texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(separator)
}

/// A duration in whole seconds, as in a configuration.
fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// A sentence on what `authorize` requires of the login, for a caller that has to log in again.
pub fn required_login(rule: &config::Rule) -> String {
    let objects = rule.authorize.iter().flat_map(|list| &list.0);
    let objects = objects.filter(|object| object.acr.is_some() || object.max_auth_age.is_some());
    let required = objects.map(|object| {
        let acr = object.acr.as_ref().map(|acr| format!("acr {}", quoted(acr, " or ")));
        let age = object.max_auth_age.as_ref().map(|age| format!("a login at most {} ago", duration(age.0)));
        acr.into_iter().chain(age).collect::<Vec<_>>().join(" and ")
    });
    format!("`authorize` requires {}", required.collect::<Vec<_>>().join(", or "))
}
