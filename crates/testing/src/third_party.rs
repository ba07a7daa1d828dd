//! Third-party vectors: their location, the available cases, and the reasons for skipped ones.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Once;

use authgate::json;
use serde_json::{Value, json};

/// A compact JWS, and the expected result of its verification.
pub struct JwsCase {
    pub name: String,
    pub jwks: Value,
    pub token: String,
    pub valid: bool,
}

/// Returns Wycheproof's JWS and key set cases, except the skipped ones; `None` if the vectors are not available.
pub fn jws_cases() -> Option<Vec<JwsCase>> {
    let signatures = wycheproof(
        "wycheproof/json_web_signature_test.json",
        401,
        &[
            (346, "the JWK says PS256, the token PS384"),
            (347, "the JWK says ES521, which is no algorithm"),
            (350, "the JWK says PS256, the token PS384"),
            (351, "the JWK says ES521, which is no algorithm"),
            (367, "called invalid, but identical to 357, which is valid"),
            (370, "called invalid, but identical to 357, which is valid"),
            (372, "called valid, but has a `?` in its header"),
            (373, "called valid, but has a `?` in its payload"),
        ],
    )?;
    let key_sets = wycheproof(
        "wycheproof/json_web_key_test.json",
        26,
        &[
            (1, "a set that mixes shared secrets and public keys: keys are pinned, so this is no confusion"),
            (4, "two keys of one kid: both are tried"),
            (7, "an RSA key with the ROCA weakness, which nothing below us detects"),
        ],
    )?;
    Some(signatures.into_iter().chain(key_sets).collect())
}

fn wycheproof(file: &str, total: usize, skipped: &[(u64, &str)]) -> Option<Vec<JwsCase>> {
    let vectors = read_json(file)?;
    let mut cases = Vec::new();
    let mut skips = BTreeSet::new();
    for group in vectors["testGroups"].as_array().unwrap() {
        let jwks = keys_of(group);
        for case in group["tests"].as_array().unwrap() {
            let id = case["tcId"].as_u64().unwrap();
            if skipped.iter().any(|(skip, _)| *skip == id) {
                assert!(skips.insert(id));
                continue;
            }
            let valid = match case["result"].as_str().unwrap() {
                "valid" => true,
                "invalid" => false,
                result => panic!("{file} case {id}: what is {result}?"),
            };
            let name = format!("{file} case {id}: {}", case["comment"]);
            let token = case["jws"].as_str().unwrap().to_owned();
            cases.push(JwsCase { name, jwks: jwks.clone(), token, valid });
        }
    }
    assert_eq!(skips.len(), skipped.len(), "{file}: a skip that names no case");
    assert_eq!(cases.len(), total - skipped.len(), "{file}: another number of cases");
    Some(cases)
}

/// Returns the keys of a Wycheproof group: the public ones if there are any, otherwise the shared secrets.
fn keys_of(group: &Value) -> Value {
    let keys = group.get("public").or(group.get("private")).unwrap();
    if keys.get("keys").is_some() { keys.clone() } else { json!({ "keys": [keys] }) }
}

/// Returns the content of a file; `None`, with a message, if the vectors are not available. Panics if
/// `AUTHGATE_VECTORS` names a folder without this file.
pub fn read(name: &str) -> Option<Vec<u8>> {
    static SAID: Once = Once::new();
    let folder = match std::env::var_os("AUTHGATE_VECTORS") {
        Some(folder) => PathBuf::from(folder),
        None => crate::root().join("../shared/vectors"),
    };
    if std::env::var_os("AUTHGATE_VECTORS").is_none() && !folder.is_dir() {
        // Written past the output capture of the test harness.
        let line = "third-party vectors: skipped, none here; AUTHGATE_VECTORS names their folder\n";
        SAID.call_once(|| std::io::stderr().write_all(line.as_bytes()).unwrap());
        return None;
    }
    Some(std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
}

pub fn read_json(name: &str) -> Option<Value> {
    read(name).map(|text| json::parse(&text).unwrap())
}
