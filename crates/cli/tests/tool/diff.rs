//! If two random policies decide a random request differently, `authgate diff` reports a difference.
//!
//! The core decides the requests in this process, with real API keys, so the test depends neither on the requests that
//! the tool tries nor on its assumed principals.

use std::fs;
use std::net::IpAddr;

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{self, Policy};
use authgate::timestamp::NumericDate;
use serde_json::{Value, json};

use super::run::{scratch, tool};

/// A deterministic pseudo-random number generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn some(&mut self, of: &[&str]) -> Vec<String> {
        let mut chosen: Vec<String> =
            of.iter().filter(|_| self.once_in(2)).map(|text| (*text).to_owned()).collect();
        if chosen.is_empty() {
            chosen.push(self.one(of).to_owned());
        }
        chosen
    }
}

const KEYS: [(&str, &str, &[&str]); 4] =
    [("a", "plain", &[]), ("a", "scoped", &["r"]), ("b", "plain", &[]), ("b", "both", &["r", "w"])];

fn key(authenticator: &str, holder: &str) -> String {
    format!("key-of-{authenticator}-{holder}")
}

fn authenticators() -> Value {
    let mut all = json!({});
    for (name, holder, scopes) in KEYS {
        let digest = hmac_sha256::Hash::hash(key(name, holder).as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let authenticator = all.as_object_mut().unwrap().entry(name).or_insert_with(
            || json!({"api_key": {"from": [{"header": format!("x-key-{name}")}], "keys": []}}),
        );
        let keys = authenticator["api_key"]["keys"].as_array_mut().unwrap();
        keys.push(json!({"id": holder, "sha256": digest, "scopes": scopes, "claims": {"team": holder}}));
    }
    all
}

fn random_match(random: &mut Random) -> Value {
    let segments = ["a", "b", "c"];
    let mut path = String::new();
    for _ in 0..random.below(3) {
        path.push_str(&format!("/{}", random.one(&segments)));
    }
    let mut matched = match random.below(8) {
        0 | 5 => json!({"path": if path.is_empty() { "/".to_owned() } else { path }}),
        1 | 6 | 7 => {
            let with_variable = format!("{path}/{{v}}{}", random.one(&["", "/a", "/b", "/{w}", "/{w}/c"]));
            json!({"template": with_variable})
        }
        2 => json!({"template": format!("{path}/{{rest=**}}")}),
        3 => json!({"regex": format!("{path}/(a|b+)/?[a-c]*")}),
        _ => json!({"prefix": if path.is_empty() { "/".to_owned() } else { path }}),
    };
    if random.once_in(3) {
        let name = random.one(&["methods", "except_methods"]);
        matched[name] = json!(random.some(&["GET", "POST", "DELETE"]));
    }
    if random.once_in(4) {
        let hosts = ["h.example", "*.h.example", "*.example", "{t}.example"];
        matched["hosts"] = json!(random.some(&hosts));
    }
    if random.once_in(4) {
        matched["sources"] = json!(random.some(&["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"]));
    }
    if random.once_in(6) {
        matched.as_object_mut().unwrap().retain(|name, _| !name.ends_with("methods"));
        matched["mcp"] = json!({});
        if random.once_in(2) {
            matched["mcp"]["methods"] = json!(random.some(&["tools/call", "tools/list", "ping"]));
        }
        let names = [json!("a"), json!("ab"), json!({"prefix": "a"}), json!({"prefix": "b"})];
        let may_have_names =
            matched["mcp"].get("methods").is_none_or(|methods| methods.to_string().contains("call"));
        if may_have_names && random.once_in(2) {
            matched["mcp"]["names"] = json!([names[random.below(4)], names[random.below(4)]]);
            matched["mcp"]["names"].as_array_mut().unwrap().dedup();
        }
    }
    matched
}

/// A variable that each match of the rule has.
fn random_variable(random: &mut Random, rule: &Value) -> Value {
    let matched = rule.get("match").cloned().unwrap_or_default();
    let template = matched.get("template").and_then(Value::as_str).unwrap_or_default();
    let names = ["v", "w", "rest"].into_iter();
    let mut offered: Vec<Value> = names
        .filter(|name| template.contains(&format!("{{{name}}}")) || template.contains(&format!("{{{name}=")))
        .map(|name| json!({ "path": name }))
        .collect();
    if matched.get("hosts") == Some(&json!(["{t}.example"])) {
        offered.push(json!({"host": "t"}));
    }
    offered.push(json!({"header": random.one(&["x-a", "x-b"])}));
    offered[random.below(offered.len())].clone()
}

fn random_rule(random: &mut Random) -> Value {
    let mut rule = json!({});
    if !random.once_in(6) {
        rule["match"] = random_match(random);
    }
    match random.below(5) {
        0 => rule["public"] = json!(true),
        1 => rule["deny"] = json!(true),
        _ => {
            rule["require"] = match random.below(4) {
                0 => json!("a"),
                1 => json!({"any_of": ["a", "b"]}),
                2 => json!({"any_of": ["b", "a"]}),
                _ => json!({"all_of": ["a", "b"]}),
            };
            match random.below(9) {
                5 => rule["authorize"] = json!({"subject": random_variable(random, &rule)}),
                6 => rule["authorize"] = json!({"claims": {"team": random_variable(random, &rule)}}),
                7 => {
                    let variable = random_variable(random, &rule);
                    rule["authorize"] = json!([{"subject": variable}, {"scopes": random.some(&["r", "w"])}]);
                }
                0 => rule["optional"] = json!(true),
                1 => rule["authorize"] = json!({"scopes": random.some(&["r", "w"])}),
                2 => rule["authorize"] = json!({"any_scope": random.some(&["r", "w"])}),
                3 => {
                    rule["authorize"] = json!({"claims": {"team": random.some(&["plain", "scoped", "both"])}})
                }
                _ => {}
            }
        }
    }
    if random.once_in(6) {
        rule["origins"] = json!(random.some(&["https://a.example", "https://b.example", "null"]));
    }
    rule
}

fn random_policy(random: &mut Random) -> Value {
    let rules: Vec<Value> = (0..1 + random.below(5)).map(|_| random_rule(random)).collect();
    let implied = if random.once_in(3) { json!({"w": ["r"]}) } else { json!({}) };
    json!({"authenticators": authenticators(), "rules": rules, "scope_implies": implied})
}

/// The policy with one change.
fn changed(random: &mut Random, policy: &Value) -> Value {
    let mut policy = policy.clone();
    if random.once_in(12) {
        policy["scope_implies"] = json!({"w": ["r"]});
    }
    let rules = policy["rules"].as_array_mut().unwrap();
    let (at, other) = (random.below(rules.len()), random.below(rules.len()));
    match random.below(10) {
        6 | 7 => rules.swap(at, other),
        8 => {
            let members = rules[at].pointer_mut("/require/any_of").and_then(Value::as_array_mut);
            members.into_iter().for_each(|members| members.reverse());
        }
        9 if rules[at].get("require").is_some() && rules[at].get("authorize").is_none() => {
            rules[at]["optional"] = json!(rules[at]["optional"] != json!(true));
        }
        0 if rules.len() > 1 => drop(rules.remove(at)),
        1 => rules.swap(at, other),
        2 => rules.insert(at, random_rule(random)),
        3 => rules[at] = random_rule(random),
        4 => {
            let matched = random_match(random);
            let has_variable = rules[at].get("authorize").is_some_and(|wanted| {
                ["path", "host"].iter().any(|name| wanted.to_string().contains(&format!("{{\"{name}\"")))
            });
            if !has_variable {
                rules[at]["match"] = matched;
            }
        }
        5 if rules[at].get("origins").is_some() => drop(rules[at].as_object_mut().unwrap().remove("origins")),
        _ => {
            let mut rule = random_rule(random);
            let has_variable = rule["authorize"].to_string().contains("\"path\"")
                || rule["authorize"].to_string().contains("\"host\"");
            if let Some(matched) = rules[at].get("match").filter(|_| !has_variable) {
                rule["match"] = matched.clone();
            }
            rules[at] = rule;
        }
    }
    policy
}

fn build(value: &Value) -> Policy {
    let config = config::from_value(value.clone()).unwrap();
    match policy::build(&config, &|_| None) {
        Ok(built) => built.policy,
        Err(errors) => panic!("{errors:?}"),
    }
}

/// The decision on a request, with the headers that the upstream receives.
fn decision(policy: &Policy, request: &Request<'_>) -> String {
    let mut state = State::new(policy, CredentialCache::new([7; 16], policy.limits));
    let context =
        Context { now: NumericDate::EPOCH, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
    let decision = decide(policy, request, &mut state, context);
    match decision.verdict {
        Verdict::Allow(_) => {
            let mut set: Vec<String> = decision
                .mutations
                .set
                .iter()
                .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)))
                .collect();
            set.sort();
            format!("allowed {}", set.join(" "))
        }
        _ => "denied".to_owned(),
    }
}

/// A request that the two policies decide differently, of `count` random ones.
fn different_request(random: &mut Random, old: &Policy, new: &Policy, count: usize) -> Option<String> {
    for _ in 0..count {
        let segments = ["a", "b", "c", "plain", "both", "bb", ""];
        let path: String = (0..1 + random.below(4)).map(|_| format!("/{}", random.one(&segments))).collect();
        let method = random.one(&["GET", "POST", "POST", "DELETE", "PUT"]);
        let host = random.one(&["h.example", "x.h.example", "plain.example", "other.test"]);
        let peer = random.one(&["10.0.0.1", "10.1.2.3", "192.0.2.9", "2001:db8::9", "2001:db9::1"]);
        let peer: IpAddr = peer.parse().unwrap();
        let chosen: Vec<_> = KEYS.iter().filter(|_| random.once_in(3)).collect();
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, holder, _) in chosen {
            fields.retain(|(known, _)| *known != format!("x-key-{name}"));
            fields.push((format!("x-key-{name}"), key(name, holder)));
        }
        for (name, values) in [
            ("x-a", &["plain", "both"][..]),
            ("x-b", &["plain", "scoped"]),
            ("origin", &["https://a.example", "null", "https://c.example"]),
            ("mcp-method", &["tools/call", "tools/list", "ping", "other"]),
            ("mcp-name", &["a", "ab", "b", "c"]),
            ("mcp-protocol-version", &["2026-07-28"]),
        ] {
            let is_mcp = name.starts_with("mcp");
            if (is_mcp && method == "POST" && !random.once_in(10)) || (!is_mcp && random.once_in(2)) {
                fields.push((name.to_owned(), random.one(values).to_owned()));
            }
        }
        let request = Request {
            method: method.as_bytes(),
            scheme: Some(b"https"),
            authority: Some(host.as_bytes()),
            path: Some(path.as_bytes()),
            fields: fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect(),
            peer: Some(peer),
        };
        let (was, is) = (decision(old, &request), decision(new, &request));
        if was != is {
            return Some(format!("{method} {host}{path} from {peer} with {fields:?}: {was} → {is}"));
        }
    }
    None
}

#[test]
fn differences_that_random_requests_find_are_found() {
    let folder = scratch("diff");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut found, mut alike, mut missed, mut failures) = (0, 0, 0, Vec::new());
    for round in 0..400 {
        let old = random_policy(&mut random);
        let new = if random.once_in(5) { random_policy(&mut random) } else { changed(&mut random, &old) };
        let write = |name: &str, value: &Value| {
            let path = folder.join(name);
            fs::write(&path, value.to_string()).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (old_path, new_path) = (write("old.json", &old), write("new.json", &new));
        let run = tool(&["diff", &old_path, &new_path], "");
        let different = different_request(&mut random, &build(&old), &build(&new), 400);
        match (different, run.code) {
            (Some(_), 1) => found += 1,
            (None, 0) => alike += 1,
            // The tool may find differences that these requests do not show.
            (None, 1) => {}
            // Intersections with regexes are only found by example.
            (different, 2) if old.to_string().contains("regex") || new.to_string().contains("regex") => {
                missed += usize::from(different.is_some());
            }
            (different, code) => failures.push(format!(
                "round {round}: {different:?}, exit code {code}: {}{}\n{}\n{}",
                run.output, run.errors, old["rules"], new["rules"]
            )),
        }
        if round % 10 == 0 {
            let same = tool(&["diff", &old_path, &old_path], "");
            assert_eq!(same.code, 0, "{}{}", same.output, same.errors);
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(found > 150 && alike > 30 && missed <= 2, "{found} found, {alike} alike, {missed} missed");
}
