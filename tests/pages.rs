//! The pages about providers and recipes: their policies have no faults, and decide about requests as the pages say.
//!
//! - `yaml authgate` is the policy. `yaml clusters` are the clusters that it needs.
//! - `json token` is a token as the provider issues it. The cases in `tests/cases/providers` are tokens derived from it,
//!   with the expected answers. Each row of the table "Usual mistakes" is one of these cases.
//! - `yaml tests` is a file for `authgate test`, for the policy of the page.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use authgate::jose::jwk::Algorithm;
use authgate_testing::mint;
use authgate_testing::pages::{Page, pages, variables};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const HASH: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";
/// Time of all cases: a minute after the `iat` of the tokens on the pages.
const NOW: &str = "2026-01-01T00:01:00Z";

/// The cases of a provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Codes of the warnings of `authgate check` that the page explains.
    #[serde(default)]
    warnings: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// For a mistake, the first cell of its row on the page.
    name: String,
    /// Changes of the policy: JSON Pointer → value.
    #[serde(default)]
    policy: BTreeMap<String, Value>,
    /// Members merged over the header of the page's token; `null` removes one.
    #[serde(default)]
    header: Map<String, Value>,
    /// Members merged over the claims of the page's token; `null` removes one.
    #[serde(default)]
    claims: Map<String, Value>,
    /// A text in place of the token.
    token: Option<String>,
    /// Header that contains the token, instead of `authorization`.
    location: Option<String>,
    #[serde(default = "root_path")]
    path: String,
    /// As in a file for `authgate test`.
    expect: Value,
}

fn root_path() -> String {
    "/".to_owned()
}

#[test]
fn tokens_of_each_provider_are_accepted_and_the_usual_mistakes_are_not() {
    let (mut faults, mut count) = (Vec::new(), 0);
    for page in pages("docs/providers") {
        count += 1;
        faults.extend(check_provider(&page).err().map(|fault| format!("{}: {fault}", page.name)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(count >= 15, "{count} providers");
}

fn check_provider(page: &Page) -> Result<(), String> {
    let stem = Path::new(&page.name).file_stem().unwrap().to_str().unwrap();
    let path = authgate_testing::path(&format!("tests/cases/providers/{stem}.yaml"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let file: File = serde_yaml_ng::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let policy = page.policy().ok_or("no policy")?;
    let folder = folder(stem);
    check(&folder, &page.bootstrap(&policy, Path::new("/etc/envoy/authgate.wasm")), &file.warnings)?;
    clusters_are_verified(page, &policy)?;

    let mistakes = page.table("## Usual mistakes");
    if mistakes.len() < 3 {
        return Err(format!("{} mistakes", mistakes.len()));
    }
    for row in &mistakes {
        let case = file.cases.iter().find(|case| case.name == row[0]);
        let expected = &case.ok_or(format!("no case {:?}", row[0]))?.expect;
        let code =
            expected["detail"].as_str().or(expected["reason"].as_str()).ok_or("a mistake that passes")?;
        if !row[1].contains(&format!("`{code}`")) {
            return Err(format!("{:?}: the page says {}, the case {code}", row[0], row[1]));
        }
    }
    if !file.cases.iter().any(|case| case.expect["status"] == 200) {
        return Err("no token is accepted".to_owned());
    }
    let token = page.only("json token").ok_or("no token")?.value();
    let mut errors = String::new();
    for (number, case) in file.cases.iter().enumerate() {
        let mut policy = policy.clone();
        for (pointer, value) in &case.policy {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            policy.pointer_mut(parent).unwrap()[name] = value.clone();
        }
        policy.as_object_mut().unwrap()["authenticators"]
            .as_object_mut()
            .unwrap()
            .values_mut()
            .for_each(|authenticator| use_test_key(authenticator, &token["header"]));
        let location = case.location.as_deref().unwrap_or("authorization");
        let token = case.token.clone().unwrap_or_else(|| minted(&token, case));
        let value = if location == "authorization" { format!("Bearer {token}") } else { token };
        let test = json!({
            "name": case.name,
            "request": {"path": case.path, "headers": {location: value}},
            "expect": case.expect,
        });
        let tests = json!({"config": format!("policy-{number}.yaml"), "at": NOW, "tests": [test]});
        write(&folder.join(format!("policy-{number}.yaml")), &policy);
        write(&folder.join(format!("tests-{number}.yaml")), &tests);
        let (is_good, output) = run(&folder, &["test", &format!("tests-{number}.yaml"), "--env-file", "env"]);
        if !is_good {
            errors.push_str(&output);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Replaces the keys of a JWT authenticator by the public test key, under the identifier of the page's token.
fn use_test_key(authenticator: &mut Value, header: &Value) {
    let Some(jwt) = authenticator.get_mut("jwt") else { return };
    let algorithm = algorithm(header);
    let key = mint::SigningKey::for_algorithm(algorithm);
    jwt["keys"] =
        json!({"jwks": {"keys": [key.jwk_with(json!({"kid": header["kid"], "alg": algorithm.name()}))]}});
}

fn algorithm(header: &Value) -> Algorithm {
    Algorithm::from_name(header["alg"].as_str().unwrap()).unwrap()
}

fn minted(token: &Value, case: &Case) -> String {
    let header = mint::changed(token["header"].clone(), &case.header);
    let claims = mint::changed(token["payload"].clone(), &case.claims);
    let algorithm = algorithm(&header);
    let key = mint::SigningKey::for_algorithm(algorithm);
    mint::sign_text(&header.to_string(), &claims.to_string(), &key, algorithm)
}

/// A server that can impersonate the provider can sign tokens, so each cluster of a page names it and verifies it.
fn clusters_are_verified(page: &Page, policy: &Value) -> Result<(), String> {
    let clusters = page.only("yaml clusters").ok_or("no clusters")?.value();
    let hosts = ["/issuer", "/keys/remote/uri", "/introspection/endpoint"];
    for cluster in clusters.as_array().unwrap() {
        let tls = &cluster["transport_socket"]["typed_config"];
        let sni = tls["sni"].as_str().ok_or("a cluster without `sni`")?;
        let address =
            cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address");
        if address.unwrap()["address"] != sni || tls["auto_sni_san_validation"] != true {
            return Err(format!("{sni}: the cluster does not verify the name that it connects to"));
        }
        if tls.pointer("/common_tls_context/validation_context/trusted_ca").is_none() {
            return Err(format!("{sni}: no `trusted_ca`"));
        }
        // The cluster is the one that a URL of the policy needs.
        let urls = policy["authenticators"].as_object().unwrap().values().flat_map(|authenticator| {
            hosts.iter().filter_map(move |pointer| {
                let scheme = authenticator.as_object().unwrap().values().next().unwrap();
                scheme.pointer(pointer).or(authenticator.pointer(pointer)).and_then(Value::as_str)
            })
        });
        if !urls.into_iter().any(|url| url.split('/').nth(2) == Some(sni)) {
            return Err(format!("{sni}: no URL of the policy is on this host"));
        }
    }
    Ok(())
}

#[test]
fn recipes_decide_as_their_tests_say() {
    let (mut faults, mut count) = (Vec::new(), 0);
    for page in pages("docs/recipes").into_iter().chain(pages("docs/start")) {
        let Some(policy) = page.policy() else { continue };
        let stem = Path::new(&page.name).file_stem().unwrap().to_str().unwrap();
        let folder = folder(&format!("recipe-{stem}"));
        let warnings: Vec<String> = page
            .blocks
            .iter()
            .filter(|block| block.is("yaml authgate"))
            .flat_map(|block| {
                block
                    .text
                    .lines()
                    .filter_map(|line| line.split_once("# warning: "))
                    .map(|(_, code)| code.to_owned())
            })
            .collect();
        let bootstrap = page.bootstrap(&policy, Path::new("/etc/envoy/authgate.wasm"));
        faults.extend(
            check(&folder, &bootstrap, &warnings).err().map(|fault| format!("{}: {fault}", page.name)),
        );
        let Some(tests) = page.only("yaml tests") else {
            faults.push(format!("{}: no tests", page.name));
            continue;
        };
        count += 1;
        let name = tests.value()["config"].as_str().unwrap().to_owned();
        write(&folder.join(name), &policy);
        fs::write(folder.join("tests.yaml"), &tests.text).unwrap();
        let (is_good, output) = run(&folder, &["test", "tests.yaml", "--all-rules", "--env-file", "env"]);
        if !is_good {
            faults.push(format!("{}: {output}", page.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(count >= 5, "{count} recipes");
}

#[test]
fn manifests_of_the_first_steps_have_no_faults() {
    let folder = folder("manifests");
    let env = format!("STAFF_HTPASSWD=alice:{HASH}\n");
    fs::write(folder.join("env"), env).unwrap();
    let mut count = 0;
    for page in pages("docs/start") {
        for block in page.blocks.iter().filter(|block| block.is("yaml authgate") && block.info.len() == 3) {
            count += 1;
            fs::write(folder.join("authgate.yaml"), &block.text).unwrap();
            let (is_good, output) =
                run(&folder, &["check", "--strict", "--env-file", "env", "authgate.yaml"]);
            assert!(is_good, "{}: {output}", block.place);
        }
    }
    assert!(count >= 2, "{count} manifests");
}

/// Runs `authgate check` on an Envoy configuration. All its warnings must be expected.
fn check(folder: &Path, bootstrap: &Value, expected: &[String]) -> Result<(), String> {
    let policy = bootstrap.pointer("/static_resources/listeners/0").unwrap();
    let values = variables(policy).into_iter().map(|name| {
        let value = match name.as_str() {
            name if name.contains("HTPASSWD") => format!("alice:{HASH}"),
            name if name.contains("SHA256") => "7".repeat(64),
            name if name.contains("HASH") => HASH.to_owned(),
            _ => "A".repeat(64),
        };
        format!("{name}={value}\n")
    });
    fs::write(folder.join("env"), values.collect::<String>()).unwrap();
    write(&folder.join("envoy.yaml"), bootstrap);
    let (_, output) = run(folder, &["check", "envoy.yaml", "--env-file", "env", "-o", "github"]);
    let found: Vec<&str> = output.lines().filter(|line| line.starts_with("::")).collect();
    let is_expected = |line: &&&str| {
        line.starts_with("::warning") && expected.iter().any(|code| line.contains(code.as_str()))
    };
    let unexpected: Vec<&&str> = found.iter().filter(|line| !is_expected(line)).collect();
    let missing: Vec<&String> =
        expected.iter().filter(|code| !found.iter().any(|line| line.contains(code.as_str()))).collect();
    if !unexpected.is_empty() || !missing.is_empty() {
        return Err(format!("authgate check: unexpected {unexpected:?}, missing {missing:?}\n{output}"));
    }
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    let folder = authgate_testing::target().join("tmp/pages").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes JSON, which is YAML.
fn write(path: &Path, value: &Value) {
    fs::write(path, serde_json::to_string_pretty(value).unwrap()).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(authgate_testing::tool()).args(arguments).current_dir(folder).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}
