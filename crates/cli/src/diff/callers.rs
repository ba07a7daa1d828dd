//! The callers that an authenticator could verify: without scopes and claims, with all that `authorize` requires, and
//! without each requirement in turn.

use std::time::Duration;

use authgate::config::shape::Named;
use authgate::config::{Authenticator, Authorization, Variable};
use serde_json::{Map, Value, json};

use super::side::{Side, users, value_of};

/// The subject of invented principals.
const SUBJECT: &str = "x";

/// Texts that seldom equal a part of a request.
const OTHERS: [&str; 4] = ["other", "another", "a third", "a fourth"];

/// The maximum number of implying scopes to try for one scope.
const MOST_IMPLYING: usize = 20;

/// A caller that an authenticator verified.
#[derive(Clone, Default)]
struct Caller {
    subject: Option<String>,
    scopes: Vec<String>,
    claims: Vec<(String, Value)>,
    /// The time since the caller authenticated at the issuer.
    authenticated: Option<Duration>,
}

/// Requirements of both rules that a caller may meet.
struct Wanted {
    /// The values of all variables, each once.
    values: Vec<String>,
    /// A text that equals none of them.
    other: String,
    acr: Vec<String>,
    ages: Vec<Duration>,
}

impl Wanted {
    fn of(sides: [Side<'_>; 2]) -> Wanted {
        let authorizations = || sides.into_iter().flat_map(|side| side.authorizations());
        let mut values: Vec<String> = Vec::new();
        for value in sides.iter().flat_map(|side| side.values).filter_map(|(_, value)| value.as_ref()) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        let other = OTHERS.into_iter().find(|other| !values.iter().any(|value| value == other));
        Wanted {
            values,
            other: other.unwrap_or_default().to_owned(),
            acr: authorizations().flat_map(|wanted| wanted.acr.iter().flatten()).cloned().collect(),
            ages: authorizations().filter_map(|wanted| Some(wanted.max_auth_age.as_ref()?.0)).collect(),
        }
    }
}

/// The callers that an authenticator could verify, each with a name.
pub fn of(sides: [Side<'_>; 2], name: &str) -> Vec<(String, Value)> {
    let wanted = Wanted::of(sides);
    let mut callers = vec![Caller::default()];
    for side in sides {
        for authorization in side.authorizations() {
            let is_meant = authorization
                .authenticators
                .as_ref()
                .is_none_or(|names| names.iter().any(|known| known == name));
            if is_meant {
                callers.extend(variants(sides, side, authorization, name, &wanted));
            }
        }
    }
    let claims = sides.iter().flat_map(|side| side.config.identity.headers.iter().flat_map(identity_claims));
    let claims: Vec<(String, Value)> =
        claims.map(|claim| (claim.clone(), json!(format!("of-{claim}")))).collect();
    if !claims.is_empty() {
        callers.push(Caller { claims, ..Caller::default() });
    }
    // The default subject may be the owner of the object, with or without other requirements.
    if wanted.values.iter().any(|value| value == SUBJECT) {
        let named = |subject: &str| Caller { subject: Some(subject.to_owned()), ..Caller::default() };
        callers.iter_mut().for_each(|caller| {
            caller.subject.get_or_insert_with(|| wanted.other.clone());
        });
        callers.insert(0, named(SUBJECT));
    }
    let mut found: Vec<(String, Value)> =
        callers.iter().map(|caller| (label(name, caller), caller_value(sides, name, caller))).collect();
    found.extend(users(sides, name).into_iter().map(|user| (format!("{name} as {user:?}"), json!(user))));
    found
}

/// A caller without scopes and claims.
pub fn default(sides: [Side<'_>; 2], name: &str) -> Value {
    caller_value(sides, name, &Caller::default())
}

/// The claims in the templates of `identity`.
fn identity_claims(headers: &Named<String>) -> Vec<String> {
    let parts = headers.0.iter().flat_map(|(_, template)| template.split("claim:").skip(1));
    parts.filter_map(|part| part.split('}').next()).map(str::to_owned).collect()
}

/// A caller that `authorization` allows, and variants without each of its requirements.
fn variants(
    sides: [Side<'_>; 2],
    side: Side<'_>,
    authorization: &Authorization,
    name: &str,
    wanted: &Wanted,
) -> Vec<Caller> {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let (scopes, any_scope) = (list(&authorization.scopes), list(&authorization.any_scope));
    let subjects = subjects(side, authorization, name, wanted);
    let claims: Vec<(String, Vec<Value>)> = authorization
        .claims
        .0
        .iter()
        .map(|(claim, matcher)| (claim.clone(), values(side, matcher, wanted)))
        .chain(authorization.acr.as_ref().map(|acr| ("acr".to_owned(), contexts(acr, wanted))))
        .collect();
    let first = |claims: &[(String, Vec<Value>)]| -> Vec<(String, Value)> {
        claims.iter().filter_map(|(claim, values)| Some((claim.clone(), values.first()?.clone()))).collect()
    };
    let full = Caller {
        subject: subjects.first().cloned(),
        scopes: scopes.iter().chain(any_scope.first()).cloned().collect(),
        claims: first(&claims),
        authenticated: authorization.max_auth_age.as_ref().map(|_| Duration::ZERO),
    };
    let mut variants = vec![full.clone()];
    for scope in &full.scopes {
        let others = || full.scopes.iter().filter(|other| *other != scope).cloned();
        variants.push(Caller { scopes: others().collect(), ..full.clone() });
        for implying in sides.iter().flat_map(|side| side.implying(scope)).take(2 * MOST_IMPLYING) {
            let scopes = others().chain([implying.clone()]);
            variants.push(Caller { scopes: scopes.collect(), ..full.clone() });
            variants.push(Caller { scopes: vec![implying], ..full.clone() });
        }
    }
    for scope in any_scope.iter().skip(1) {
        let implying = sides.iter().flat_map(|side| side.implying(scope)).take(2 * MOST_IMPLYING);
        for scope in std::iter::once(scope.clone()).chain(implying) {
            variants.push(Caller { scopes: scopes.iter().cloned().chain([scope]).collect(), ..full.clone() });
        }
    }
    for subject in subjects.iter().skip(1).map(|subject| Some(subject.clone())).chain([None]) {
        variants.push(Caller { subject, ..full.clone() });
    }
    for (claim, values) in &claims {
        let others = full.claims.iter().filter(|(other, _)| other != claim).cloned();
        variants.push(Caller { claims: others.clone().collect(), ..full.clone() });
        for value in values.iter().skip(1) {
            let with = others.clone().chain([(claim.clone(), value.clone())]);
            variants.push(Caller { claims: with.collect(), ..full.clone() });
        }
    }
    if full.authenticated.is_some() {
        let ages = wanted.ages.iter().flat_map(|age| [*age, *age + Duration::from_secs(1)]).map(Some);
        variants.extend(ages.chain([None]).map(|authenticated| Caller { authenticated, ..full.clone() }));
    }
    variants
}

/// The subjects to try; the first one is allowed, if any is.
fn subjects(side: Side<'_>, authorization: &Authorization, name: &str, wanted: &Wanted) -> Vec<String> {
    let listed =
        authorization.subjects.iter().flatten().filter_map(|subject| match subject.split_once('/') {
            Some((of, rest)) if of == name => Some(rest.to_owned()),
            _ if subject.contains('/') && !subject.starts_with(name) => Some(subject.clone()),
            Some(_) => None,
            None => Some(subject.clone()),
        });
    let mut subjects: Vec<String> = listed.collect();
    if let Some(variable) = &authorization.subject {
        let owner = value_of(side.values, variable).map(str::to_owned);
        subjects.retain(|subject| owner.as_ref() != Some(subject));
        subjects.splice(0..0, owner);
        subjects.extend(wanted.values.iter().cloned().chain([wanted.other.clone()]));
    }
    subjects
}

/// Authentication contexts to try; the first one is accepted.
fn contexts(acr: &[String], wanted: &Wanted) -> Vec<Value> {
    acr.iter().chain(&wanted.acr).map(|acr| json!(acr)).chain([json!(wanted.other)]).collect()
}

/// Values to try for a claim; the first one matches, if any does.
fn values(side: Side<'_>, matcher: &Value, wanted: &Wanted) -> Vec<Value> {
    if let Some(variable) = variable(matcher) {
        let equal = value_of(side.values, &variable).map(str::to_owned);
        let values = equal.into_iter().chain(wanted.values.iter().cloned()).chain([wanted.other.clone()]);
        return values.map(Value::from).collect();
    }
    match matcher {
        Value::Array(elements) => {
            elements.iter().flat_map(|element| values(side, element, wanted).into_iter().take(1)).collect()
        }
        Value::Object(members) => match members.iter().next().map(|(form, value)| (form.as_str(), value)) {
            Some(("prefix", Value::String(text))) => vec![json!(format!("{text}{SUBJECT}")), json!(SUBJECT)],
            Some(("suffix", Value::String(text))) => vec![json!(format!("{SUBJECT}{text}")), json!(SUBJECT)],
            Some(("not", value)) => {
                let other = OTHERS.map(Value::from);
                let excluded = values(side, value, wanted);
                let other = other.into_iter().find(|other| !excluded.contains(other));
                other.into_iter().chain(excluded).collect()
            }
            // `present`
            _ => vec![json!(SUBJECT)],
        },
        scalar => vec![scalar.clone(), json!(wanted.other)],
    }
}

/// The variable in a claim matcher such as `{path: id}`.
fn variable(matcher: &Value) -> Option<Variable> {
    serde_json::from_value(matcher.as_object()?.clone().into()).ok()
}

/// The claims of a caller, with the subject and scope claims of both policies.
fn caller_value(sides: [Side<'_>; 2], name: &str, caller: &Caller) -> Value {
    let mut claims = Value::Object(Map::new());
    let authenticators = sides.iter().filter_map(|side| side.authenticator(name));
    let special = authenticators.map(|authenticator| match authenticator {
        Authenticator::Jwt(jwt) => (jwt.subject_claim.as_str(), &jwt.scope_claims),
        Authenticator::Introspection(asked) => (asked.subject_claim.as_str(), &asked.scope_claims),
        _ => ("sub", &None),
    });
    let special: Vec<_> = special.chain([("sub", &None)]).collect();
    for (subject_claim, _) in &special {
        put(&mut claims, subject_claim, json!(caller.subject.as_deref().unwrap_or(SUBJECT)));
    }
    let is_subject =
        |claim: &str| special.iter().any(|(known, _)| known.trim_matches('/') == claim.trim_matches('/'));
    for (claim, value) in &caller.claims {
        if value.is_string() || !is_subject(claim) {
            put(&mut claims, claim, value.clone());
        }
    }
    for (_, scope_claims) in special.iter().filter(|_| !caller.scopes.is_empty()) {
        let scope_claim =
            scope_claims.as_ref().and_then(|claims| claims.first()).map_or("scope", String::as_str);
        put(&mut claims, scope_claim, json!(caller.scopes));
    }
    if let (Some(age), [Side { now, .. }, _]) = (caller.authenticated, sides) {
        put(&mut claims, "auth_time", json!(now.minus(age).seconds()));
    }
    claims
}

/// Sets a claim by its name or a JSON Pointer.
fn put(claims: &mut Value, name: &str, value: Value) {
    let unescape = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let parts: Vec<String> = match name.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(unescape).collect(),
        None => vec![name.to_owned()],
    };
    let mut place = claims;
    for part in parts {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(members) = place.as_object_mut() else { return };
        place = members.entry(part).or_insert(Value::Null);
    }
    *place = value;
}

fn label(name: &str, caller: &Caller) -> String {
    let mut parts = Vec::new();
    parts.extend(caller.subject.as_ref().map(|subject| format!("as {subject:?}")));
    let scopes: Vec<String> = caller.scopes.iter().map(|scope| format!("{scope:?}")).collect();
    match scopes.len() {
        0 => {}
        1 => parts.push(format!("with scope {}", scopes.join(""))),
        _ => parts.push(format!("with scopes {}", scopes.join(" "))),
    }
    let claims: Vec<String> = caller.claims.iter().map(|(claim, value)| format!("{claim}={value}")).collect();
    if !claims.is_empty() {
        parts.push(format!("with {}", claims.join(" ")));
    }
    parts.extend(caller.authenticated.map(|age| format!("authenticated {} s ago", age.as_secs())));
    if parts.is_empty() { name.to_owned() } else { format!("{name} {}", parts.join(" ")) }
}
