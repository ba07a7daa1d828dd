//! The core accepts the hashes, keys and tokens that the tool creates, and no secret is shown.

use authgate::jose::jwk::{Algorithm, KeySet, KeySetOrigin, VerifyingKey};
use authgate::jose::jwt::{Jwt, SoftwareVerifier};
use authgate::password::{PasswordHash, Plaintext, parse_htpasswd};
use serde_json::{Value, json};

use super::run::{scratch, tool};
use authgate_testing::mint;

#[test]
fn a_hash_verifies_its_password_and_no_other() {
    for kind in ["bcrypt", "argon2id", "sha512-crypt"] {
        for password in ["hunter2", "pass word", "büro", ""] {
            let run = tool(&["hash", "--kind", kind, "alice"], &format!("{password}\r\n"));
            if password.is_empty() {
                assert_eq!(run.code, 2, "{kind}");
                continue;
            }
            assert!(!format!("{}{}", run.output, run.errors).contains(password), "{kind}");
            let entries = parse_htpasswd(&run.output, Plaintext::Refuse).unwrap();
            let [entry] = entries.as_slice() else { panic!("{}", run.output) };
            assert_eq!(entry.user, "alice");
            assert!(entry.hash.verify(password.as_bytes()).unwrap(), "{kind}");
            assert!(!entry.hash.verify(b"guess").unwrap(), "{kind}");
            assert!(!entry.hash.is_weak());
        }
    }
    let bare = tool(&["hash"], "hunter2");
    assert!(PasswordHash::parse(bare.output.trim(), Plaintext::Refuse).unwrap().verify(b"hunter2").unwrap());
}

#[test]
fn a_password_that_a_hash_would_cut_or_that_nobody_could_send_is_refused() {
    let refused = |arguments: &[&str], password: &str| {
        let run = tool(&[&["hash"], arguments].concat(), password);
        assert_eq!((run.code, run.output.as_str()), (2, ""), "{arguments:?}");
        assert!(password.is_empty() || !run.errors.contains(password), "{}", run.errors);
    };
    refused(&[], &"p".repeat(73));
    refused(&["--kind", "argon2id"], &"p".repeat(1025));
    refused(&["a:b"], "hunter2");
    refused(&["--cost", "13"], "hunter2");
    assert_eq!(tool(&["hash", "--cost", "5"], &"p".repeat(72)).code, 0);
}

#[test]
fn a_key_is_the_one_that_its_entry_knows() {
    let run = tool(&["key", "ci", "--scope", "deploy", "--prefix", "ag_", "-o", "json"], "");
    let made: Value = serde_json::from_str(&run.output).unwrap();
    let (key, entry) = (made["key"].as_str().unwrap(), &made["entry"]);
    assert_eq!((&entry["id"], &entry["scopes"]), (&json!("ci"), &json!(["deploy"])));
    assert_eq!(key.len(), 46);
    let file = scratch("key").join("gate.json");
    let configuration = json!({"authenticators": {"m": {"api_key": {"keys": [entry]}}},
        "rules": [{"require": "m", "authorize": {"scopes": ["deploy"]}}]});
    std::fs::write(&file, configuration.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let ask = |key: &str| tool(&["explain", "-c", file, "-H", &format!("x-api-key: {key}"), "http://h/"], "");
    let right = ask(key);
    assert_eq!(right.code, 0, "{}", right.output);
    assert!(!right.output.contains(key));
    assert_eq!(ask(&key.replace("ag_", "ag-")).code, 1);
    let another = tool(&["key", "ci", "-o", "json"], "");
    assert!(!another.output.contains(key));
}

/// Signs with each kind of key, from PEM and from a JWK, in each of its algorithms.
#[test]
fn a_token_is_verified_by_the_core() {
    let folder = scratch("token");
    let data = authgate_testing::path("tests/data/keys");
    let secret = folder.join("secret.jwk");
    let k = mint::encode(mint::SECRET);
    std::fs::write(&secret, json!({"kty": "oct", "k": k, "kid": "k1"}).to_string()).unwrap();
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].as_slice();
    for (file, names) in [
        (format!("{data}/rsa.pem"), rsa),
        (format!("{data}/p256.pem"), &["ES256"]),
        (format!("{data}/p384.pem"), &["ES384"]),
        (format!("{data}/p521.pem"), &["ES512"]),
        (format!("{data}/secp256k1.pem"), &["ES256K"]),
        (format!("{data}/ed25519.pem"), &["EdDSA"]),
        (secret.to_str().unwrap().to_owned(), &["HS256", "HS384", "HS512"]),
    ] {
        for name in names {
            let algorithm = Algorithm::from_name(name).unwrap();
            let run = tool(&["token", "-k", &file, "--alg", name, "--sub", "s", "--claim", "n=[1]"], "");
            assert_eq!(run.code, 0, "{name}: {}", run.errors);
            assert!(run.errors.contains("for tests"), "{}", run.errors);
            let token = run.output.trim();
            let jwt = Jwt::parse(token.as_bytes()).unwrap();
            assert_eq!(jwt.claims().find("n"), Some(&json!([1])));
            let keys =
                mint::set(vec![mint::SigningKey::for_algorithm(algorithm).jwk_with(json!({"alg": name}))]);
            jwt.jws()
                .verify(&keys, None, &SoftwareVerifier)
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));

            let public = folder.join(format!("{name}.json"));
            let jwk = mint::SigningKey::for_algorithm(algorithm).jwk();
            std::fs::write(&public, jwk.to_string()).unwrap();
            let decoded = tool(&["decode", "--keys", public.to_str().unwrap(), token], "");
            assert_eq!(decoded.code, 0, "{name}: {}", decoded.output);
            assert!(decoded.output.starts_with("The signature is verified"), "{}", decoded.output);
            let other = mint::SigningKey::other(algorithm).jwk();
            std::fs::write(&public, other.to_string()).unwrap();
            let decoded = tool(&["decode", "--keys", public.to_str().unwrap(), token], "");
            assert_eq!(decoded.code, 1, "{name}");
            assert!(decoded.output.starts_with("THE SIGNATURE IS INVALID"), "{}", decoded.output);
        }
    }
    let wrong = tool(&["token", "-k", &format!("{data}/p256.pem"), "--alg", "RS256"], "");
    assert_eq!((wrong.code, wrong.output.as_str()), (2, ""));
}

/// Private JWKs with the numbers of the PEM files have the same effect.
#[test]
fn a_private_jwk_signs_as_its_pem_does() {
    let folder = scratch("jwk");
    for (name, jwk) in private_jwks() {
        let file = folder.join(format!("{name}.jwk"));
        std::fs::write(&file, jwk.to_string()).unwrap();
        let run = tool(&["token", "-k", file.to_str().unwrap(), "--sub", "s"], "");
        assert_eq!(run.code, 0, "{name}: {}", run.errors);
        let jwt = Jwt::parse(run.output.trim().as_bytes()).unwrap();
        let mut public = jwk.clone();
        public
            .as_object_mut()
            .unwrap()
            .retain(|name, _| ["kty", "crv", "n", "e", "x", "y"].contains(&name.as_str()));
        assert!(VerifyingKey::from_jwk(&public).is_ok(), "{name}");
        let (keys, _) = KeySet::from_jwks(&json!({"keys": [public]}), KeySetOrigin::Inline).unwrap();
        jwt.jws().verify(&keys, None, &SoftwareVerifier).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
}

/// Private JWKs of the keys in `tests/data/keys`, see its `README.md`.
fn private_jwks() -> Vec<(&'static str, Value)> {
    let text = include_str!("../../../../tests/data/keys/private.jwks.json");
    let set: Value = serde_json::from_str(text).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    ["EC", "RSA", "OKP"].into_iter().zip(keys.iter().cloned()).collect()
}

#[test]
fn completions_and_man_pages_name_every_command() {
    let commands = ["check", "explain", "test", "hash", "key", "token", "decode", "schema"];
    for shell in ["bash", "zsh", "fish"] {
        let run = tool(&["completions", shell], "");
        assert!(commands.iter().all(|command| run.output.contains(command)), "{shell}");
    }
    let folder = scratch("man");
    assert_eq!(tool(&["man", folder.to_str().unwrap()], "").code, 0);
    for command in commands {
        let page = std::fs::read_to_string(folder.join(format!("authgate-{command}.1"))).unwrap();
        assert!(page.contains("Exit codes") || page.contains("SYNOPSIS"), "{command}");
    }
}
