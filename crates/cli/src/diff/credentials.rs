//! The credentials to try for each pair of rules: none, unknown ones, and those that each authenticator could verify,
//! with the scopes and claims that `authorize` requires and without each of them.

use std::collections::HashSet;

use authgate::config::shape::Named;
use authgate::config::{Authenticator, Authorization, Config};
use authgate::policy::requirement::Requirement;
use authgate::policy::rules::RuleId;
use authgate::policy::{Access, Policy};
use authgate::principal::AuthenticatorId;
use serde_json::{Map, Value, json};

/// Credentials of a request.
#[derive(Clone)]
pub struct Credentials {
    /// A readable name.
    pub label: String,
    /// Authenticator → verified principal, in the form of `as` in a test.
    pub identities: Vec<(String, Value)>,
    /// Set if the request has an `Authorization` header that no authenticator accepts.
    pub has_unknown: bool,
}

/// The subject of invented principals.
pub const SUBJECT: &str = "x";

/// The maximum number of users of one authenticator to try.
const MOST_USERS: usize = 50;

/// The maximum number of sets of authenticators to try.
const MOST_SETS: usize = 32;

/// One policy, and its rule that a request selects.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub config: &'a Config,
    pub policy: &'a Policy,
    pub rule: Option<RuleId>,
}

impl<'a> Side<'a> {
    fn authenticator(&self, name: &str) -> Option<&'a Authenticator> {
        self.config
            .authenticators
            .0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, authenticator)| authenticator)
    }

    /// The sets of authenticators that satisfy the requirement of the rule.
    fn sets(&self) -> Vec<Vec<String>> {
        let rule = self.rule.and_then(|rule| self.policy.rules.get(rule.index()));
        let Some(Access::Protected(protection)) = rule.map(|rule| &rule.access) else { return Vec::new() };
        let name = |id| self.policy.authenticator(id).map(|known| known.name.clone());
        let sets = sets(&protection.requirement).into_iter();
        sets.map(|set| set.into_iter().filter_map(name).collect()).collect()
    }

    fn authorizations(&self) -> &[Authorization] {
        let rule = self.rule.and_then(|rule| self.config.rules.0.get(rule.index()));
        rule.and_then(|rule| rule.authorize.as_ref()).map(|list| list.0.as_slice()).unwrap_or_default()
    }
}

fn sets(requirement: &Requirement) -> Vec<Vec<AuthenticatorId>> {
    let mut found = match requirement {
        Requirement::One(at) => vec![vec![*at]],
        Requirement::AnyOf(parts) => parts.iter().flat_map(sets).collect(),
        Requirement::AllOf(parts) => parts.iter().fold(vec![Vec::new()], |done, part| {
            let more = sets(part);
            let joined =
                done.iter().flat_map(|set| more.iter().map(|other| [set.as_slice(), other].concat()));
            joined.take(MOST_SETS).collect()
        }),
    };
    found.truncate(MOST_SETS);
    found
}

/// A caller that an authenticator verified.
#[derive(Clone, Default)]
struct Caller {
    subject: Option<String>,
    scopes: Vec<String>,
    claims: Vec<(String, Value)>,
}

/// Returns all credentials to try for these rules.
pub fn of(sides: [Side<'_>; 2]) -> Vec<Credentials> {
    let mut all = List::default();
    all.add("no credentials".to_owned(), Vec::new(), false);
    all.add("unknown credentials".to_owned(), Vec::new(), true);
    let mut all_sets: Vec<Vec<String>> = Vec::new();
    for set in sides.iter().flat_map(Side::sets) {
        for name in set.iter().filter(|_| set.len() > 1) {
            all_sets.push(vec![name.clone()]);
        }
        all_sets.push(set);
    }
    let everybody = all_sets.iter().flatten().cloned().fold(Vec::new(), |mut names: Vec<String>, name| {
        if !names.contains(&name) {
            names.push(name);
        }
        names
    });
    all_sets.push(everybody);
    let mut tried = HashSet::new();
    for set in all_sets.into_iter().filter(|set| !set.is_empty() && tried.insert(set.clone())) {
        // Each authenticator in turn has all its callers; the others have a default caller.
        for special in &set {
            for (label, value) in callers(sides, special) {
                let others = set.iter().filter(|name| *name != special);
                let labels: Vec<&str> = others.clone().map(String::as_str).collect();
                let with =
                    if labels.is_empty() { String::new() } else { format!(" and {}", labels.join(" and ")) };
                let identities = set.iter().map(|name| {
                    (
                        name.clone(),
                        if name == special {
                            value.clone()
                        } else {
                            caller_value(sides, name, &Caller::default())
                        },
                    )
                });
                all.add(format!("{label}{with}"), identities.collect(), false);
            }
        }
    }
    all.list
}

#[derive(Default)]
struct List {
    list: Vec<Credentials>,
    known: HashSet<String>,
}

impl List {
    fn add(&mut self, label: String, identities: Vec<(String, Value)>, has_unknown: bool) {
        if self.known.insert(format!("{has_unknown} {}", json!(identities))) {
            self.list.push(Credentials { label, identities, has_unknown });
        }
    }
}

/// The callers that an authenticator could verify, each with a name.
fn callers(sides: [Side<'_>; 2], name: &str) -> Vec<(String, Value)> {
    let mut callers = vec![Caller::default()];
    for authorization in sides.iter().flat_map(|side| side.authorizations()) {
        let is_meant =
            authorization.authenticators.as_ref().is_none_or(|names| names.iter().any(|known| known == name));
        if is_meant {
            callers.extend(variants(authorization, name));
        }
    }
    let claims = sides.iter().flat_map(|side| side.config.identity.headers.iter().flat_map(identity_claims));
    let claims: Vec<(String, Value)> =
        claims.map(|claim| (claim.clone(), json!(format!("of-{claim}")))).collect();
    if !claims.is_empty() {
        callers.push(Caller { claims, ..Caller::default() });
    }
    let mut found: Vec<(String, Value)> =
        callers.iter().map(|caller| (label(name, caller), caller_value(sides, name, caller))).collect();
    found.extend(users(sides, name).into_iter().map(|user| (format!("{name} as {user:?}"), json!(user))));
    found
}

/// The claims in the templates of `identity`.
fn identity_claims(headers: &Named<String>) -> Vec<String> {
    let parts = headers.0.iter().flat_map(|(_, template)| template.split("claim:").skip(1));
    parts.filter_map(|part| part.split('}').next()).map(str::to_owned).collect()
}

/// The users and key owners that have scopes or claims, or that only one of the configurations has.
fn users(sides: [Side<'_>; 2], name: &str) -> Vec<String> {
    let known = sides.map(|side| -> Vec<(&String, bool)> {
        match side.authenticator(name) {
            Some(Authenticator::Basic(basic)) => {
                let users = basic.users.0.iter();
                users.map(|(name, user)| (name, user.scopes.is_empty() && user.claims.is_empty())).collect()
            }
            Some(Authenticator::ApiKey(keys)) => {
                let keys = keys.keys.0.iter();
                keys.map(|key| (&key.id, key.scopes.is_empty() && key.claims.is_empty())).collect()
            }
            _ => Vec::new(),
        }
    });
    let [old, new] = &known;
    let mut users: Vec<String> = Vec::new();
    for (list, other) in [(old, new), (new, old)] {
        for (user, is_plain) in list {
            let is_alike = *is_plain && other.contains(&(user, true));
            if !is_alike && !users.contains(user) && users.len() < MOST_USERS {
                users.push((*user).clone());
            }
        }
    }
    users
}

/// Returns true if the authenticator may have a user of [`users`].
pub fn may_know(config: &Config, name: &str, identities: &Value) -> bool {
    let (Some(user), Some((_, authenticator))) =
        (identities.as_str(), config.authenticators.0.iter().find(|(known, _)| known == name))
    else {
        return true;
    };
    match authenticator {
        // The users of `htpasswd` may be in the environment.
        Authenticator::Basic(basic) => {
            basic.htpasswd.is_some() || basic.users.0.iter().any(|(known, _)| known == user)
        }
        Authenticator::ApiKey(keys) => keys.keys.0.iter().any(|key| key.id == user),
        _ => true,
    }
}

/// A caller that `authorization` allows, and variants without each of its requirements.
fn variants(authorization: &Authorization, name: &str) -> Vec<Caller> {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let (scopes, any_scope) = (list(&authorization.scopes), list(&authorization.any_scope));
    let subjects: Vec<String> = list(&authorization.subjects)
        .into_iter()
        .filter_map(|subject| match subject.split_once('/') {
            Some((of, rest)) if of == name => Some(rest.to_owned()),
            _ if subject.contains('/') && !subject.starts_with(name) => Some(subject),
            Some(_) => None,
            None => Some(subject),
        })
        .collect();
    let claims: Vec<(String, Vec<Value>)> =
        authorization.claims.0.iter().map(|(claim, matcher)| (claim.clone(), values(matcher))).collect();
    let first = |claims: &[(String, Vec<Value>)]| -> Vec<(String, Value)> {
        claims.iter().filter_map(|(claim, values)| Some((claim.clone(), values.first()?.clone()))).collect()
    };
    let full = Caller {
        subject: subjects.first().cloned(),
        scopes: scopes.iter().chain(any_scope.first()).cloned().collect(),
        claims: first(&claims),
    };
    let mut variants = vec![full.clone()];
    for scope in &full.scopes {
        let scopes = full.scopes.iter().filter(|other| *other != scope).cloned().collect();
        variants.push(Caller { scopes, ..full.clone() });
    }
    for scope in any_scope.iter().skip(1) {
        variants.push(Caller { scopes: scopes.iter().chain([scope]).cloned().collect(), ..full.clone() });
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
    variants
}

/// Values to try for a claim matcher; the first one matches.
fn values(matcher: &Value) -> Vec<Value> {
    match matcher {
        Value::Array(elements) => {
            elements.iter().flat_map(|element| values(element).into_iter().take(1)).collect()
        }
        Value::Object(members) => match members.iter().next().map(|(form, value)| (form.as_str(), value)) {
            Some(("prefix", Value::String(text))) => vec![json!(format!("{text}{SUBJECT}")), json!(SUBJECT)],
            Some(("suffix", Value::String(text))) => vec![json!(format!("{SUBJECT}{text}")), json!(SUBJECT)],
            Some(("not", value)) => {
                let other = ["other", "another", "a third"].map(Value::from);
                let excluded = values(value);
                let other = other.into_iter().find(|other| !excluded.contains(other));
                other.into_iter().chain(excluded).collect()
            }
            // `present`, and variables of a path, whose segments are the same text.
            _ => vec![json!(SUBJECT)],
        },
        scalar => vec![scalar.clone(), json!("other")],
    }
}

/// The claims of a caller, with the subject and scope claims of both policies.
fn caller_value(sides: [Side<'_>; 2], name: &str, caller: &Caller) -> Value {
    let mut claims = Value::Object(Map::new());
    for (claim, value) in &caller.claims {
        put(&mut claims, claim, value.clone());
    }
    let subject = json!(caller.subject.as_deref().unwrap_or(SUBJECT));
    put(&mut claims, "sub", subject.clone());
    for authenticator in sides.iter().filter_map(|side| side.authenticator(name)) {
        let (subject_claim, scope_claims) = match authenticator {
            Authenticator::Jwt(jwt) => (jwt.subject_claim.as_str(), &jwt.scope_claims),
            Authenticator::Introspection(asked) => (asked.subject_claim.as_str(), &asked.scope_claims),
            _ => ("sub", &None),
        };
        put(&mut claims, subject_claim, subject.clone());
        let scope_claim =
            scope_claims.as_ref().and_then(|claims| claims.first()).map_or("scope", String::as_str);
        if !caller.scopes.is_empty() {
            put(&mut claims, scope_claim, json!(caller.scopes));
        }
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
    if parts.is_empty() { name.to_owned() } else { format!("{name} {}", parts.join(" ")) }
}
