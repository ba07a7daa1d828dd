//! Configurations that change while Envoy runs: credentials cached under one configuration do not count under the next.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;

use authgate_testing::e2e::bootstrap::{bootstrap_from_file, listener};
use authgate_testing::e2e::client::{Connection, get};
use authgate_testing::e2e::fixture::{ALICE, BOB, good, policy};
use authgate_testing::e2e::process::{Envoy, directory};
use authgate_testing::e2e::upstream::Upstream;
use authgate_testing::soak::{self, Echo, Policy, Stage};

/// A policy with one user, and the hash of this placeholder.
fn with_hash(hash: &str) -> serde_json::Value {
    policy(&format!(
        "{{authenticators: {{staff: {{basic: {{users: {{alice: {hash}}}}}}}}}, rules: [{{require: staff}}]}}"
    ))
}

/// Returns a listener with this policy as a resource of a listener file.
fn resource(policy: serde_json::Value) -> serde_json::Value {
    listener("gate", policy, good()).to_resource()
}

/// Passes a listener with this policy to Envoy, and waits until Envoy has accepted or rejected it.
pub fn put(envoy: Option<&Envoy>, path: &Path, policy: serde_json::Value, counter: &str) {
    let count = || envoy.map(|envoy| envoy.admin(&format!("/stats?filter=listener_manager.lds.{counter}")));
    let before = count();
    let new = path.with_extension("new");
    fs::write(&new, json!({ "resources": [resource(policy)] }).to_string()).expect("a file of listeners");
    fs::rename(&new, path).expect("a file of listeners");
    if envoy.is_some() {
        (0..500).find(|_| {
            thread::sleep(Duration::from_millis(20));
            count() != before
        });
        assert_ne!(count(), before, "{counter}");
        // The workers apply it a moment later.
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_password_that_was_changed_is_changed_at_once() {
    let directory = directory("reload");
    let listeners = directory.join("listeners.json");
    let upstream = Upstream::start();
    put(None, &listeners, with_hash("$ALICE"), "update_success");
    let envoy = Envoy::start(&directory, &bootstrap_from_file(&listeners, upstream.port), &[]);
    let port = envoy.ports["gate"];
    let status = |password: &str| {
        let mut connection = Connection::open(port).expect("a connection to envoy");
        let answer = connection.send(&get("/").basic("alice", password), "reload").expect("an answer");
        answer.second_word().parse::<u16>().expect("a status")
    };
    // Twice each: the second time from the cache.
    let expect = |what: &str, old: u16, new: u16| {
        for _ in 0..2 {
            assert_eq!((status(ALICE), status(BOB)), (old, new), "{what}");
        }
    };
    expect("the first password", 200, 401);
    put(Some(&envoy), &listeners, with_hash("$BOB"), "update_success");
    expect("the second", 401, 200);
    // A rejected configuration leaves the last one in force.
    put(Some(&envoy), &listeners, with_hash("$NOBODY"), "update_rejected");
    expect("a refused configuration", 401, 200);
    put(Some(&envoy), &listeners, with_hash("$ALICE"), "update_success");
    expect("the first again", 200, 401);
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
}

/// Two workers under mixed load, while valid and invalid configurations alternate every second. `make soak` runs it for
/// longer.
#[test]
fn no_request_is_answered_by_a_policy_that_is_not_in_force() {
    const LASTS: Duration = Duration::from_secs(12);
    let directory = directory("reload-load");
    let listeners = directory.join("listeners.json");
    let service = Echo::start();
    put(None, &listeners, soak::policy(Policy::A), "update_success");
    let bootstrap = bootstrap_from_file(&listeners, service.port);
    let envoy = Envoy::start_with_arguments(2, &directory, &bootstrap, &[], soak::DRAINING);
    let outcome = Stage {
        envoy: &envoy,
        listeners,
        listener: &resource,
        port: envoy.ports["gate"],
        workers: 2,
        connections: 4,
    }
    .run(LASTS, |_| ());
    assert!(outcome.faults.is_empty(), "{}", outcome.faults.join("\n"));
    assert!(outcome.requests > 1000 && outcome.allowed > 300, "only {} requests", outcome.requests);
    assert!(outcome.changes.accepted >= 3 && outcome.changes.refused >= 3, "only {:?}", outcome.changes);
}

#[test]
fn metrics_speak_of_the_configuration_in_force() {
    let directory = directory("reload-metrics");
    let listeners = directory.join("listeners.json");
    let upstream = Upstream::start();
    let key = |id: &str| {
        json!({
            "authenticators": {"machines": {"api_key": {"keys":
                [{"id": id, "sha256": "1".repeat(64), "not_after": "2099-01-01T00:00:00Z"}]}}},
            "rules": [{"require": "machines"}],
        })
    };
    put(None, &listeners, key("first"), "update_success");
    let envoy = Envoy::start(&directory, &bootstrap_from_file(&listeners, upstream.port), &[]);
    let stats = || envoy.admin("/stats?filter=wasmcustom");
    let wait_for = |what: &str| {
        let found = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(20));
            stats().contains(what)
        });
        assert!(found, "{what} is not in\n{}", stats());
    };
    let hash = || {
        let stats = stats();
        let line = stats.lines().find(|line| line.contains("authgate_configuration_hash.plugin.gate: "));
        line.map(str::to_owned)
    };
    wait_for("key.first: 4070908800");
    let before = hash();
    put(Some(&envoy), &listeners, key("second"), "update_success");
    wait_for("key.second: 4070908800");
    assert!(before.is_some() && hash().is_some() && before != hash(), "{before:?}");
    // A rejected configuration leaves no trace.
    let before = hash();
    put(Some(&envoy), &listeners, json!({"rules": [{"require": "nobody"}]}), "update_rejected");
    thread::sleep(Duration::from_millis(1200));
    assert_eq!(before, hash());
    assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
}
