//! Metrics beside the counters of decisions. The filter publishes them. To add one, add a line to [`current`] or
//! [`settled`].
//!
//! Names contain their labels, as the names of [`counters`](crate::counters) do. All labels come from the
//! configuration.

use std::borrow::Cow;
use std::collections::BTreeMap;

use authgate::decision::state::State;
use authgate::policy::Policy;
use authgate::remote::state::RemoteState;
use authgate::timestamp::NumericDate;

/// Value of one metric at one time.
pub struct Reading {
    /// Name, with its labels.
    pub name: Cow<'static, str>,
    /// Aggregation over workers.
    pub kind: Kind,
    /// The total since the start, or the current value.
    pub value: u64,
}

/// Aggregation of a metric over several workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value that never decreases; the values of all workers are added.
    Counter,
    /// A value that can decrease; the values of all workers are added.
    Sum,
    /// The most recent value of any worker.
    Gauge,
}

/// Returns the metrics that change with requests and time. `waiting` is the number of pending requests.
pub fn current(policy: &Policy, state: &State, waiting: usize, now: NumericDate) -> Vec<Reading> {
    let lookups = state.cache.lookups();
    let of_cache = |name, value| Reading { name: Cow::Borrowed(name), kind: Kind::Counter, value };
    let mut readings = vec![
        of_cache("authgate_credential_cache_total.result.hit", lookups.hits),
        of_cache("authgate_credential_cache_total.result.hit_wrong", lookups.wrong_hits),
        of_cache("authgate_credential_cache_total.result.miss", lookups.misses),
        Reading {
            name: Cow::Borrowed("authgate_waiting_requests"),
            kind: Kind::Sum,
            value: waiting as u64, // a worker has far fewer
        },
    ];
    for (authenticator, remote) in policy.authenticators.iter().zip(&state.remote_states) {
        let RemoteState::Keys(keys) = remote else { continue };
        let of_keys = |name: &str, kind, value| {
            let name = Cow::Owned(format!("{name}.authenticator.{}", authenticator.name));
            Reading { name, kind, value }
        };
        let age = keys.age(now).unwrap_or_default().as_secs();
        readings.push(of_keys("authgate_jwks_age_seconds", Kind::Gauge, age));
        readings.push(of_keys("authgate_jwks_fetch_failures_total", Kind::Counter, keys.failures()));
    }
    readings
}

/// Returns the metrics that stay constant until the next configuration. `plugin` is the proxy's name for this
/// configuration, `fingerprint` a number that distinguishes it from others, and `now` the time at which it was
/// accepted.
pub fn settled(policy: &Policy, plugin: &str, fingerprint: u64, now: NumericDate) -> Vec<Reading> {
    let gauge = |name: String, value| Reading { name: Cow::Owned(name), kind: Kind::Gauge, value };
    let plugin = label(plugin);
    let mut readings = vec![
        gauge(format!("authgate_configuration_hash.plugin.{plugin}"), fingerprint),
        gauge(format!("authgate_configured_timestamp_seconds.plugin.{plugin}"), whole_seconds(now)),
        gauge(format!("authgate_version_timestamp_seconds.version.{}", label(VERSION)), whole_seconds(now)),
    ];
    for authenticator in &policy.authenticators {
        let expiries = ends_by_label(authenticator.scheme.expiries());
        readings.extend(first_to_end(expiries, now).into_iter().map(|(id, end)| {
            let name = &authenticator.name;
            let name = format!("authgate_api_key_expiry_timestamp_seconds.authenticator.{name}.key.{id}");
            gauge(name, whole_seconds(end))
        }));
    }
    readings
}

/// Version of the module.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Maximum number of keys of an authenticator that have a metric.
const MAX_KEYS: usize = 100;

/// Returns the earliest expiry for each label: several ids can map to the same label.
fn ends_by_label(expiries: Vec<(&str, NumericDate)>) -> BTreeMap<String, NumericDate> {
    let mut by_label = BTreeMap::new();
    for (id, end) in expiries {
        let known = by_label.entry(label(id)).or_insert(end);
        if end < *known {
            *known = end;
        }
    }
    by_label
}

/// Sorts by expiry: first the keys that expire next, then the expired ones.
fn first_to_end(expiries: BTreeMap<String, NumericDate>, now: NumericDate) -> Vec<(String, NumericDate)> {
    let mut expiries: Vec<_> = expiries.into_iter().collect();
    let rank = |end: NumericDate| (end <= now, end.seconds());
    expiries.sort_by(|(_, one), (_, other)| {
        let (one, other) = (rank(*one), rank(*other));
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    expiries.truncate(MAX_KEYS);
    expiries
}

fn whole_seconds(date: NumericDate) -> u64 {
    date.seconds() as u64 // never negative; the fraction is cut off
}

/// Converts a text to a label: a dot separates labels, and the proxy extracts them as words.
pub fn label(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let label: String = text.chars().map(|c| if is_word(c) { c } else { '_' }).collect();
    if label.is_empty() { "none".to_owned() } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn date(text: &str) -> NumericDate {
        NumericDate::parse_rfc3339(text).unwrap()
    }

    fn settled_with(keys: &Value) -> Vec<(String, u64)> {
        let configuration = json!({
            "authenticators": {"machines": {"api_key": {"keys": keys}}, "none": {"api_key": {"keys": [{"id": "x", "sha256": "1".repeat(64)}]}}},
            "rules": [{"require": {"any_of": ["machines", "none"]}}],
        });
        let configuration = authgate::config::from_value(configuration).unwrap();
        let policy = authgate::policy::build(&configuration, &|_| None).unwrap().policy;
        let readings = settled(&policy, "edge.authgate", 7, date("2026-01-01T00:00:00Z"));
        assert!(readings.iter().all(|reading| reading.kind == Kind::Gauge));
        readings.into_iter().map(|reading| (reading.name.into_owned(), reading.value)).collect()
    }

    /// Builds API keys without digests.
    fn keys(keys: &[Value]) -> Value {
        let keys = keys.iter().enumerate().map(|(at, key)| {
            let mut key = key.clone();
            key["sha256"] = json!(format!("{at:064x}"));
            key
        });
        keys.collect()
    }

    #[test]
    fn a_holder_can_do_without_until_the_last_of_its_keys_ends() {
        let found = settled_with(&keys(&[
            json!({"id": "ci", "not_after": "2026-02-01T00:00:00Z"}),
            json!({"id": "ci", "not_after": "2026-03-01T00:00:00.75Z"}),
            json!({"id": "forever", "not_after": "2026-02-01T00:00:00Z"}),
            json!({"id": "forever"}),
            json!({"id": "two words", "not_after": "2026-05-01T00:00:00Z"}),
            json!({"id": "two.words", "not_after": "2026-04-01T00:00:00Z"}),
            json!({"id": "gone", "not_after": "2025-01-01T00:00:00Z"}),
        ]));
        let key = |id: &str, end: &str| {
            let name = format!("authgate_api_key_expiry_timestamp_seconds.authenticator.machines.key.{id}");
            (name, date(end).seconds() as u64)
        };
        assert_eq!(
            found,
            [
                ("authgate_configuration_hash.plugin.edge_authgate".to_owned(), 7),
                ("authgate_configured_timestamp_seconds.plugin.edge_authgate".to_owned(), 1_767_225_600),
                (
                    format!("authgate_version_timestamp_seconds.version.{}", VERSION.replace('.', "_")),
                    1_767_225_600
                ),
                key("ci", "2026-03-01T00:00:00Z"),
                key("two_words", "2026-04-01T00:00:00Z"),
                key("gone", "2025-01-01T00:00:00Z"),
            ]
        );
    }

    #[test]
    fn keys_without_number_do_not_make_metrics_without_number() {
        let many: Vec<Value> = (0..300)
            .map(|at| {
                let year = if at < 150 { 2020 } else { 2027 };
                json!({"id": format!("k{at}"), "not_after": format!("{year}-01-01T00:{:02}:{:02}Z", at / 60, at % 60)})
            })
            .collect();
        let found = settled_with(&keys(&many));
        let ids: Vec<&str> = found.iter().filter_map(|(name, _)| Some(name.split_once(".key.")?.1)).collect();
        let expected: Vec<String> = (150..250).map(|at| format!("k{at}")).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn a_label_is_one_word() {
        for (text, expected) in
            [("edge", "edge"), ("a.b c/é", "a_b_c__"), ("", "none"), ("A-1_b", "A-1_b"), ("a\nb\"", "a_b_")]
        {
            assert_eq!(label(text), expected);
        }
    }
}
