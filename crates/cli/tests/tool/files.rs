//! Files that the tool writes, and hostile input files.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::run::{Run, cases, scratch, tool};

/// An empty directory.
fn fresh(name: &str) -> std::path::PathBuf {
    let folder = scratch(name);
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn converted_configurations_go_into_files_of_their_own() {
    let folder = fresh("converted").join("made");
    let target = folder.to_str().unwrap();
    let inputs = ["jwt_authn.yaml", "istio.yaml"];
    let to_stdout = tool(&[&["convert"], inputs.as_slice()].concat(), "");
    let convert = |more: &[&str]| tool(&[&["convert", "-o", target], inputs.as_slice(), more].concat(), "");
    let run = convert(&[]);
    assert_eq!((run.code, &run.errors), (to_stdout.code, &to_stdout.errors));
    let expected = ["istio.yaml", "jwt_authn-1.yaml", "jwt_authn-2.yaml"];
    assert_eq!(listed(&folder), expected);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let parts: Vec<String> = to_stdout.output.split("---\n").map(str::to_owned).collect();
    assert_eq!(parts, [read("jwt_authn-1.yaml"), read("jwt_authn-2.yaml"), read("istio.yaml")]);
    for (name, line) in expected.iter().zip({
        let mut lines: Vec<&str> = run.output.lines().collect();
        lines.sort();
        lines
    }) {
        assert!(line.starts_with(&format!("{target}/{name}: ")), "{line}");
    }

    // Files are only overwritten with `--force`, and then all of them.
    fs::write(folder.join("istio.yaml"), "mine").unwrap();
    fs::remove_file(folder.join("jwt_authn-1.yaml")).unwrap();
    let run = convert(&[]);
    assert_eq!((run.code, run.output.as_str()), (2, ""), "{}", run.errors);
    assert!(run.errors.contains("istio.yaml: exists; --force overwrites it"), "{}", run.errors);
    assert_eq!((read("istio.yaml").as_str(), listed(&folder).len()), ("mine", 2));
    assert_eq!(convert(&["--force"]).code, to_stdout.code);
    assert_eq!((listed(&folder).len(), read("istio.yaml")), (3, parts[2].clone()));

    // A file in place of the directory.
    let file = folder.join("istio.yaml");
    let run = tool(&["convert", "-o", file.to_str().unwrap(), "istio.yaml"], "");
    assert_eq!((run.code, run.output.as_str()), (2, ""), "{}", run.errors);
    assert_eq!(tool(&["convert", "--force", "istio.yaml"], "").code, 2);
}

fn is_refused(run: &Run, what: &str) {
    assert_eq!((run.code, run.output.as_str()), (2, ""), "{what}: {}", run.errors);
    assert!(
        run.errors.starts_with("authgate: ") || run.errors.starts_with("error: "),
        "{what}: {}",
        run.errors
    );
    assert!(run.errors.len() < 2000 && !run.errors.contains("panicked"), "{what}: {}", run.errors);
}

/// Every command that reads a file rejects a binary, empty, truncated, deeply nested or missing file.
#[test]
fn hostile_files_are_refused_with_a_word() {
    let folder = fresh("hostile");
    let binary: Vec<u8> = (0..4096u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let deep = "[".repeat(200_000);
    let deep_har = format!("{{\"log\": {{\"entries\": {deep}");
    let der = [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30][..], &[0x80; 64]].concat();
    let laughs: String =
        (1..40).map(|at| format!("a{at}: &a{at} [*a{0}, *a{0}, *a{0}, *a{0}]\n", at - 1)).collect();
    let files: [(&str, Vec<u8>); 10] = [
        ("empty", Vec::new()),
        ("binary", binary),
        ("zeros", vec![0; 1 << 16]),
        ("deep", deep.into_bytes()),
        ("deep.har", deep_har.into_bytes()),
        ("der", der),
        ("cycle", b"rules: &a [*a]\n".to_vec()),
        ("laughs", format!("a0: &a0 x\n{laughs}rules: [*a39]\n").into_bytes()),
        ("twice.json", b"{\"kty\": \"oct\", \"kty\": \"oct\", \"k\": \"hunter2\"}".to_vec()),
        ("cut.json", b"{\"keys\": [{\"kty\": \"EC\", \"d\": \"hunter2".to_vec()),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap();
        for arguments in [
            vec!["jwks", path],
            vec!["explain", "-c", "gate.yaml", "--env-file", "env", "--har", path],
            vec!["explain", "-c", "gate.yaml", "--env-file", "env", "--access-log", path],
            vec!["explain", "-c", "remote.yaml", "--jwks", path, "http://h/"],
            vec!["explain", "-c", path, "http://h/"],
            vec!["diff", "gate.yaml", path, "--env-file", "env"],
            vec!["diff", path, "gate.yaml", "--env-file", "env"],
            vec!["test", path],
        ] {
            let run = tool(&arguments, "");
            is_refused(&run, &format!("{arguments:?}"));
            assert!(!run.errors.contains("hunter2"), "{arguments:?}: {}", run.errors);
        }
    }
    for arguments in [vec!["jwks", "."], vec!["jwks", "nowhere"], vec!["diff", "nowhere", "nowhere"]] {
        is_refused(&tool(&arguments, ""), &format!("{arguments:?}"));
    }
}

#[test]
fn a_large_recording_is_read() {
    let folder = fresh("large");
    let path = folder.join("large.har");
    let entry = |at: usize| {
        json!({"startedDateTime": "2026-01-01T00:00:00Z",
            "request": {"method": "GET", "url": format!("https://api.example.com/{at}"), "headers": []},
            "response": {"status": 200, "content": {"text": "x".repeat(20_000)}}})
    };
    let entries: Vec<Value> = (0..2000).map(entry).collect();
    fs::write(&path, json!({"log": {"entries": entries}}).to_string()).unwrap();
    let arguments = ["explain", "-c", "gate.yaml", "--env-file", "env", "--peer", "192.0.2.1", "--har"];
    let run = tool(&[&arguments, [path.to_str().unwrap()].as_slice()].concat(), "");
    assert_eq!(run.code, 1, "{}", run.errors);
    assert!(run.output.contains("\ndenied: 2000; use --entry N for details\n"), "{}", run.output.len());
    // A file larger than the limit is not read completely.
    let file = fs::File::create(&path).unwrap();
    file.set_len(300 << 20).unwrap();
    let run = tool(&[&arguments, [path.to_str().unwrap()].as_slice()].concat(), "");
    is_refused(&run, "300 MiB");
    assert!(run.errors.contains("expected at most 256 MiB"), "{}", run.errors);
    fs::remove_file(&path).unwrap();
}

/// Only the public members of a private key are shown, for each key of the test data.
#[test]
fn no_private_part_is_shown() {
    let keys = cases().join("../../data/keys");
    let jwks: Value =
        serde_json::from_str(&fs::read_to_string(keys.join("private.jwks.json")).unwrap()).unwrap();
    let private = ["d", "p", "q", "dp", "dq", "qi"];
    let members = jwks["keys"].as_array().unwrap().iter().flat_map(|key| key.as_object().unwrap());
    let secrets = members.filter(|(name, _)| private.contains(&name.as_str()));
    let secrets: Vec<String> = secrets.map(|(_, value)| value.as_str().unwrap().to_owned()).collect();
    assert!(secrets.len() >= 8);
    let mut count = 0;
    for entry in fs::read_dir(&keys).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        if !text.contains("PRIVATE KEY") && !text.contains("\"d\"") {
            continue;
        }
        count += 1;
        let path = path.to_str().unwrap();
        for arguments in [
            vec!["jwks", path],
            vec!["jwks", "--alg", "HS256", path],
            vec!["explain", "-c", "remote.yaml", "--jwks", path, "http://h/"],
            vec!["explain", "-c", path, "http://h/"],
            vec!["explain", "-c", "gate.yaml", "--access-log", path],
            vec!["explain", "-c", "gate.yaml", "--har", path],
            vec!["diff", "gate.yaml", path],
            vec!["decode", "--keys", path, "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"],
        ] {
            let run = tool(&arguments, "");
            let shown = format!("{}{}", run.output, run.errors);
            let lines = text.lines().filter(|line| line.len() > 30 && !line.contains('"'));
            let lines = lines.filter(|line| !line.starts_with("-----")).map(str::to_owned);
            for secret in lines.chain(secrets.iter().cloned()) {
                assert!(!shown.contains(&secret), "{arguments:?} shows {secret}");
            }
        }
    }
    assert!(count >= 8, "{count} private keys");
}

/// `jwks` creates the same key from a public key as from its private key, and the key verifies a token of the private
/// key.
#[test]
fn a_made_set_verifies_tokens() {
    let keys = cases().join("../../data/keys");
    let folder = fresh("made-set");
    for (private, public) in [
        ("rsa.pem", "rsa.pub.pem"),
        ("rsa.pem", "rsa.pkcs1.pub.pem"),
        ("rsa.pem", "rsa.crt.pem"),
        ("p256.pem", "p256.pub.pem"),
        ("p256.sec1.pem", "p256.pub.pem"),
        ("p384.pem", "p384.pub.pem"),
        ("p521.pem", "p521.pub.pem"),
        ("secp256k1.pem", "secp256k1.pub.pem"),
        ("ed25519.pem", "ed25519.pub.pem"),
    ] {
        let path = |name: &str| keys.join(name).to_str().unwrap().to_owned();
        let (of_private, of_public) =
            (tool(&["jwks".to_owned(), path(private)], ""), tool(&["jwks".to_owned(), path(public)], ""));
        assert_eq!((of_private.code, of_public.code), (0, 0), "{private}: {}", of_private.errors);
        assert_eq!(of_private.output, of_public.output, "{private} {public}");
        let set: Value = serde_json::from_str(&of_public.output).unwrap();
        let key = &set["keys"][0];
        assert!(key["use"] == "sig" && of_public.errors.contains(key["kid"].as_str().unwrap()));
        let file = folder.join(format!("{public}.json"));
        fs::write(&file, &of_public.output).unwrap();
        let token =
            tool(&["token".to_owned(), "-k".to_owned(), path(&private.replace(".sec1", ""))], "").output;
        for keys in [file.to_str().unwrap().to_owned(), path(public), path(private)] {
            let run = tool(&["decode".to_owned(), "--keys".to_owned(), keys, token.trim().to_owned()], "");
            assert_eq!(run.code, 0, "{private} {public}: {}{}", run.output, run.errors);
        }

        // Keys from PEM have no `kid`, so they verify tokens with any `kid`.
        let minted = ["--kid", "k9", "--iss", "https://idp.example.com", "--aud", "api", "--sub", "bob"];
        let key = path(&private.replace(".sec1", ""));
        let token = tool(&[&["token", "-k", &key], minted.as_slice()].concat(), "").output;
        let bearer = format!("Bearer {}", token.trim());
        let header = format!("Authorization: {bearer}");
        let tests = json!({"tests": [{"name": "t", "request": {"path": "/", "headers": {"authorization": bearer}},
            "expect": {"allow": true, "subject": "bob"}}]});
        for (keys, is_valid) in [(path(public), true), (path(private), true), (path("rsa-other.pem"), false)]
        {
            let given = format!("people={keys}");
            let explain = ["explain", "-c", "remote.yaml", "--jwks", &given, "-H", &header, "http://h/"];
            let run = tool(&explain, "");
            assert_eq!(run.code, i32::from(!is_valid), "{keys}: {}{}", run.output, run.errors);
            let run = tool(&["test", "-c", "remote.yaml", "--jwks", &keys, "-"], &tests.to_string());
            assert_eq!(run.code, i32::from(!is_valid), "{keys}: {}{}", run.output, run.errors);
        }
        let set = file.to_str().unwrap();
        let run = tool(&["explain", "-c", "remote.yaml", "--jwks", set, "-H", &header, "http://h/"], "");
        assert!(run.code == 1 && run.output.contains("unknown_key"), "{}{}", run.output, run.errors);
    }
}
