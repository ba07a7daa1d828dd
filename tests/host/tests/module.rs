//! The module loads in a host other than Envoy, makes the same decisions, and works or reports a fault without optional
//! capabilities.

use authgate_host::{Has, Instance};

/// The policy of the sample as JSON text, as such a host passes it. `tests/manifests.rs` keeps the two equal.
const SAMPLE: &str = include_str!("../sample.json");
const EVERYTHING: Has = Has { properties: true, metrics: true };
const NOTHING: Has = Has { properties: false, metrics: false };

fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(path).expect("a file of the project")
}

fn start(policy: &str, has: Has) -> Instance {
    Instance::start(policy.as_bytes(), &[], has).expect("a policy that is taken")
}

fn get<'a>(path: &'a str, more: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, &'a [u8])> {
    let mut headers: Vec<(&str, &[u8])> = vec![
        (":method", b"GET"),
        (":scheme", b"http"),
        (":authority", b"api.example.com"),
        (":path", path.as_bytes()),
    ];
    headers.extend(more);
    headers
}

/// `alice:wonderland`.
const ALICE: &[u8] = b"Basic YWxpY2U6d29uZGVybGFuZA==";
const BASIC: &str = r#"Basic realm="restricted", charset="UTF-8""#;

#[test]
fn it_decides_as_in_envoy() {
    for has in [EVERYTHING, NOTHING] {
        let mut instance = Instance::start(SAMPLE.as_bytes(), &[], has).expect("the sample");
        // This host does not verify signatures, so the module does it in software.
        assert!(instance.log().contains("the host verifies: none"), "{}", instance.log());
        let token =
            |name: &str| format!("Bearer {}", read(&format!("envoy/demo/{name}.jwt")).trim()).into_bytes();
        let (reader, admin) = (token("reader"), token("admin"));
        let mut forged = reader.clone();
        forged.extend(b"AAAA");
        type Row<'a> = (&'a str, Option<&'a [u8]>, Result<Option<&'a str>, (u32, &'a str, usize)>);
        let rows: [Row<'_>; 14] = [
            ("/healthz", None, Ok(None)),
            ("/docs/a", None, Ok(None)),
            ("/basic", Some(ALICE), Ok(Some("alice"))),
            ("/jwt", Some(&reader), Ok(Some("demo-reader"))),
            ("/jwt?again", Some(&reader), Ok(Some("demo-reader"))),
            ("/admin/x", Some(&admin), Ok(Some("demo-admin"))),
            ("/basic", None, Err((401, "missing_credentials", 1))),
            ("/basic", Some(b"Basic YWxpY2U6d3Jvbmc="), Err((401, "invalid_credentials", 1))),
            ("/basic", Some(b"Basic \xff\xfe"), Err((401, "malformed_credentials", 1))),
            ("/jwt", Some(&forged), Err((401, "bad_signature", 1))),
            ("/jwt", Some(ALICE), Err((401, "unsupported_scheme", 1))),
            ("/admin", Some(&reader), Err((403, "insufficient_scope", 1))),
            ("/elsewhere", Some(&admin), Err((403, "no_rule", 0))),
            ("/docs/..%2fadmin", None, Err((400, "ambiguous_path", 0))),
        ];
        for (path, authorization, expected) in rows {
            let mut fields: Vec<(&str, &[u8])> = vec![("x-auth-user", b"root")];
            fields.extend(authorization.map(|value| ("authorization", value)));
            let outcome = instance.send(&get(path, &fields));
            match expected {
                Ok(user) => {
                    assert_eq!(outcome.status, None, "{path}: {}", outcome.body);
                    assert_eq!(outcome.upstream("x-auth-user").as_deref(), user, "{path}");
                    assert_eq!(outcome.upstream("authorization"), None, "{path}");
                }
                Err((status, reason, challenges)) => {
                    assert_eq!(outcome.status, Some(status), "{path} {reason}: {}", outcome.body);
                    assert!(outcome.body.contains(reason), "{path}: {}", outcome.body);
                    assert_eq!(outcome.challenges().len(), challenges, "{path}");
                }
            }
        }
        assert_eq!(instance.send(&get("/basic", &[])).challenges(), [BASIC]);
        instance.tick();
        let log = instance.log();
        assert!(!log.contains("wonderland") && !log.contains("panicked"), "{log}");
    }
}

#[test]
fn without_properties_a_rule_by_address_refuses_and_no_other_does() {
    let policy = r#"{"rules": [
        {"match": {"prefix": "/inside", "sources": ["192.0.2.0/24"]}, "public": true},
        {"match": {"prefix": "/outside", "sources": ["198.51.100.0/24"]}, "public": true}
    ]}"#;
    let mut instance = start(policy, EVERYTHING);
    assert_eq!(instance.send(&get("/inside", &[])).status, None);
    assert_eq!(instance.send(&get("/outside", &[])).status, Some(403));
    let mut instance = start(policy, NOTHING);
    let outcome = instance.send(&get("/inside", &[]));
    assert_eq!(outcome.status, Some(503));
    assert!(outcome.body.contains("unavailable"), "{}", outcome.body);
    let mut instance = start(r#"{"rules": [{"public": true}]}"#, NOTHING);
    assert_eq!(instance.send(&get("/inside", &[])).status, None);
}

#[test]
fn metrics_are_counted_where_there_are_any() {
    let policy = r#"{"rules": [{"name": "open", "public": true}]}"#;
    for (has, expected) in [(EVERYTHING, vec![3]), (NOTHING, vec![])] {
        let mut instance = start(policy, has);
        for _ in 0..3 {
            assert_eq!(instance.send(&get("/", &[])).status, None);
        }
        instance.tick();
        let requests: Vec<i64> = instance
            .counted()
            .iter()
            .filter(|(name, _)| name.starts_with("authgate_requests_total"))
            .map(|(_, count)| *count)
            .collect();
        assert_eq!(requests, expected, "{:?}", instance.counted());
        assert_eq!(instance.counted().is_empty(), !has.metrics, "{:?}", instance.counted());
        // Again, after a tick that could not publish any counter.
        assert_eq!(instance.send(&get("/", &[])).status, None);
        instance.tick();
    }
}

#[test]
fn secrets_come_from_the_environment_of_the_vm() {
    let policy = r#"{
        "authenticators": {"staff": {"basic": {"users": {"alice": {"env": "ALICE_HASH"}}}}},
        "rules": [{"require": "staff"}]
    }"#;
    let hash = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";
    let mut instance =
        Instance::start(policy.as_bytes(), &[("ALICE_HASH", hash)], NOTHING).expect("a policy that is taken");
    assert_eq!(
        instance.send(&get("/", &[("authorization", ALICE)])).upstream("x-auth-user").as_deref(),
        Some("alice")
    );
    let refused = Instance::start(policy.as_bytes(), &[], NOTHING).err().expect("a variable that is not set");
    assert!(refused.contains("ALICE_HASH is not set"), "{refused}");
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    let policy = r#"{"rules": [{"require": "staff"}]}"#;
    let refused = Instance::start(policy.as_bytes(), &[], EVERYTHING).err().expect("a refusal");
    assert!(refused.contains("configuration refused: rules[0].require"), "{refused}");
}
