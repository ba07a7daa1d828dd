//! Settings whose effect requests cannot show: the credentials that an authenticator accepts, and settings that do not
//! affect access.

use authgate::config::path::ConfigPath;
use serde_json::{Map, Value};

/// Differences in settings that affect the verification of credentials, which cannot be compared without real
/// credentials.
pub fn undecided(old: &Value, new: &Value) -> Vec<String> {
    let members =
        |value: &Value| value.get("authenticators").and_then(Value::as_object).cloned().unwrap_or_default();
    let (old_all, new_all) = (members(old), members(new));
    let mut paths = Vec::new();
    for (name, old) in &old_all {
        if let Some(new) = new_all.get(name) {
            let (mut old, mut new) = (without_grants(old), without_grants(new));
            // Added and removed users are compared by decisions, unless they may be in an htpasswd file.
            if [&old, &new].iter().all(|value| value.pointer("/basic/htpasswd").is_none()) {
                for list in ["/basic/users", "/api_key/keys"] {
                    keep_common(list, &mut old, &mut new);
                }
            }
            compare(&ConfigPath::Root.member("authenticators").member(name), &old, &new, &mut paths);
        }
    }
    if old.get("throttle") != new.get("throttle") {
        paths.push("throttle".to_owned());
    }
    paths
}

/// Returns true if the rules differ in more than their names, and one of them has a regex: intersections with a regex
/// are only found by example.
pub fn has_changed_regexes(old: &Value, new: &Value) -> bool {
    let rules = |value: &Value| {
        let mut rules = value.get("rules").and_then(Value::as_array).cloned().unwrap_or_default();
        rules.iter_mut().filter_map(Value::as_object_mut).for_each(|rule| drop(rule.remove("name")));
        rules
    };
    let (old, new) = (rules(old), rules(new));
    let has_regex = |rule: &Value| match rule.get("match") {
        Some(Value::Array(matches)) => matches.iter().any(|matched| matched.get("regex").is_some()),
        matched => matched.is_some_and(|matched| matched.get("regex").is_some()),
    };
    old != new && old.iter().chain(&new).any(has_regex)
}

/// The sections that differ and do not affect access.
pub fn not_compared(old: &Value, new: &Value) -> Vec<&'static str> {
    const SECTIONS: &[&str] =
        &["realm", "denials", "protected_resource", "cache", "slow_hashes", "slow_signatures", "telemetry"];
    SECTIONS.iter().copied().filter(|name| old.get(*name) != new.get(*name)).collect()
}

/// The new name of an authenticator, if `name` was removed and an added authenticator has the same settings.
pub fn renamed(name: &str, from: &Value, to: &Value) -> Option<String> {
    let members = |value: &'_ Value| {
        value.get("authenticators").and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (from, to) = (members(from), members(to));
    let settings = from.get(name).filter(|_| !to.contains_key(name))?;
    to.iter()
        .find(|(other, same)| !from.contains_key(*other) && *same == settings)
        .map(|(other, _)| other.clone())
}

/// The settings of an authenticator without the scopes and claims of users and keys, which are compared by decisions.
/// Keys are grouped by owner.
fn without_grants(authenticator: &Value) -> Value {
    let mut value = authenticator.clone();
    let strip = |entry: &mut Value| {
        if let Some(members) = entry.as_object_mut() {
            members.remove("scopes");
            members.remove("claims");
            // A hash alone is equivalent to an object with only the hash.
            if let (1, Some(hash)) = (members.len(), members.get("hash")) {
                *entry = hash.clone();
            }
        }
    };
    if let Some(users) = value.pointer_mut("/basic/users").and_then(Value::as_object_mut) {
        users.values_mut().for_each(strip);
    }
    if let Some(keys) = value.pointer_mut("/api_key/keys") {
        let mut by_holder = Map::new();
        for key in keys.as_array_mut().into_iter().flatten() {
            strip(key);
            let holder = key.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let keys = by_holder.entry(holder).or_insert_with(|| Value::Array(Vec::new()));
            keys.as_array_mut().into_iter().for_each(|keys| keys.push(key.clone()));
        }
        *keys = Value::Object(by_holder);
    }
    value
}

/// Removes the members of each object that the other lacks.
fn keep_common(pointer: &str, old: &mut Value, new: &mut Value) {
    let list = |value: &mut Value| value.pointer_mut(pointer).and_then(Value::as_object_mut).cloned();
    let (Some(one), Some(other)) = (list(old), list(new)) else { return };
    for (value, reference) in [(old, other), (new, one)] {
        if let Some(members) = value.pointer_mut(pointer).and_then(Value::as_object_mut) {
            members.retain(|name, _| reference.contains_key(name));
        }
    }
}

/// Collects the paths at which two values differ, without the values.
fn compare(at: &ConfigPath<'_>, old: &Value, new: &Value, paths: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let null = Value::Null;
                let (one, other) = (old.get(name).unwrap_or(&null), new.get(name).unwrap_or(&null));
                compare(&at.member(name), one, other, paths);
            }
        }
        (old, new) if old == new => {}
        _ => paths.push(at.to_string()),
    }
}
