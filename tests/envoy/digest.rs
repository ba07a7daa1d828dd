//! Digest: responses of a client that can be told to respond incorrectly, and of real clients.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use authgate_testing::digest_client::{Answer, Challenge, md5, sha256};
use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{Case, check, denied, passes};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::{ALICE, BASIC, policy};
use authgate_testing::e2e::programs::{is_there, or_skip, python_with};
use authgate_testing::e2e::proxy::Proxy;

const PASSWORD: &str = "carol \"quoted\" secret: päss";
const SHA256: &str = r#"Digest realm="legacy", qop="auth", algorithm=SHA-256, nonce="…", charset=UTF-8"#;
const STALE: &str =
    r#"Digest realm="legacy", qop="auth", algorithm=SHA-256, nonce="…", charset=UTF-8, stale=true"#;

/// Returns an htdigest file for `carol` with these kinds of digest.
fn htdigest(hashes: &[fn(&str) -> String]) -> String {
    let secret = format!("carol:legacy:{PASSWORD}");
    hashes.iter().map(|hash| format!("carol:legacy:{}\n", hash(&secret))).collect()
}

fn digest(digest: Value) -> Value {
    let mut policy = policy(
        r#"
        authenticators: {legacy: {}, staff: {basic: {users: {alice: $ALICE}}}}
        rules:
          - {match: {prefix: /public}, public: true}
          - {match: {prefix: /either}, require: {any_of: [staff, legacy]}}
          - {match: {prefix: /staff}, require: staff}
          - {require: legacy}
        "#,
    );
    policy["authenticators"]["legacy"] = json!({ "digest": digest });
    policy
}

fn with(name: &'static str, options: Value) -> Listener {
    listener(name, digest(options), get("/staff").basic("alice", ALICE))
}

fn challenge(proxy: &Proxy, listener: &str) -> Challenge {
    let exchange = proxy.send(listener, &get("/"));
    assert_eq!(exchange.status, 401);
    let challenges = exchange.answer.all("www-authenticate");
    challenges.into_iter().find_map(Challenge::parse).expect("a Digest challenge")
}

fn answer(challenge: &Challenge, path: &str, nc: u32) -> Answer {
    Answer::new(challenge, "carol", PASSWORD, "GET", path).with("nc", &format!("{nc:08x}"))
}

fn sent(path: &str, answer: &Answer) -> Request {
    get(path).authorization(answer.field())
}

#[test]
fn each_answer_counts_once() {
    let own = with("own", json!({"htdigest": htdigest(&[sha256])}));
    let proxy = Proxy::start("digest", vec![own]);
    let first = challenge(&proxy, "own");
    let second = challenge(&proxy, "own");
    assert_ne!(first.nonce, second.nonce);
    let right = |challenge: &Challenge, nc: u32| sent("/a?b=c", &answer(challenge, "/a?b=c", nc).signed());
    let good = |hazard: &str, challenge: &Challenge, nc: u32| {
        passes(hazard, right(challenge, nc)).identity("carol", "legacy").upstream_lacks("authorization")
    };
    let stale = |hazard: &str, request: Request| -> Case {
        denied(hazard, request, 401, "stale_nonce").challenge(&[STALE])
    };
    let wrong = |hazard: &str, answer: Answer| {
        denied(hazard, sent("/a", &answer), 401, "invalid_credentials").challenge(&[SHA256])
    };
    let malformed = |hazard: &str, answer: Answer| {
        denied(hazard, sent("/a", &answer), 401, "malformed_credentials").challenge(&[SHA256])
    };
    let fresh = |nc: u32| answer(&second, "/a", nc);
    check(
        &proxy,
        "own",
        [
            denied("nothing", get("/"), 401, "missing_credentials").challenge(&[SHA256]),
            denied("nothing, of two schemes", get("/either"), 401, "missing_credentials")
                .challenge(&[BASIC, SHA256]),
            good("the first answer", &first, 1),
            stale("the first again", right(&first, 1)),
            good("one that overtook others", &first, 4),
            good("the second", &first, 2),
            stale("the second again", right(&first, 2)),
            good("the third", &first, 3),
            stale("the fourth again", right(&first, 4)),
            good("another nonce starts anew", &second, 1),
            wrong("a wrong password", Answer::new(&second, "carol", "no", "GET", "/a").signed()),
            wrong("nobody", Answer::new(&second, "mallory", PASSWORD, "GET", "/a").signed()),
            wrong("another method", fresh(2).for_method("POST").signed()),
            wrong("another target", answer(&second, "/b", 2).signed()),
            wrong("a target with a query", answer(&second, "/a?b", 2).signed()),
            wrong("another realm", fresh(2).with("realm", "restricted").signed()),
            wrong("another count", fresh(2).signed().with("nc", "00000003")),
            wrong("another nonce", fresh(2).signed().with("nonce", &first.nonce)),
            stale("a nonce of nobody", sent("/a", &fresh(2).with("nonce", "dcd98b7102dd2f0e8b11").signed())),
            malformed("auth-int", fresh(2).with("qop", "auth-int").signed()),
            malformed("a session", fresh(2).with("algorithm", "SHA-256-sess").signed()),
            malformed("a hashed name", fresh(2).with("userhash", "true").signed()),
            malformed("an extended name", fresh(2).signed().with("username*", "UTF-8''carol")),
            malformed("no count", fresh(2).signed().without("nc")),
            malformed("no qop", fresh(2).signed().without("qop")),
            denied("bytes", get("/a").authorization(b"Digest \xff=\"\xfe\""), 401, "malformed_credentials")
                .any_challenge(),
            good("what was refused has used nothing", &second, 2),
            passes("another method", {
                let answer = answer(&second, "/a", 3).for_method("PUT").signed();
                request("PUT", "/a").authorization(answer.field())
            })
            .identity("carol", "legacy"),
        ],
    );
    proxy.finish();
}

#[test]
fn nonces_grow_old_and_are_known_where_their_key_is() {
    let htdigest = htdigest(&[sha256, md5]);
    let shared = json!({"htdigest": &htdigest, "nonce_key": {"env": "NONCE_KEY"}});
    let environment = json!({"host_env_keys": ["NONCE_KEY"]});
    let listeners = vec![
        with("one", shared.clone()).environment(environment.clone()),
        with("other", shared).environment(environment.clone()),
        with("stranger", json!({"htdigest": &htdigest, "nonce_key": "another-key-than-the-others"})),
        with("lone", json!({"htdigest": &htdigest})),
        with("short", json!({"htdigest": &htdigest, "nonce_lifetime": "1s"})),
    ];
    let environment = [("NONCE_KEY", "a-key-that-several-workers-have")];
    let proxy = Proxy::start_with("digest-nonces", listeners, &environment);
    let one = challenge(&proxy, "one");
    let right = |challenge: &Challenge, nc: u32| sent("/", &answer(challenge, "/", nc).signed());
    let md5_stale = SHA256.replace("SHA-256", "MD5") + ", stale=true";
    let stale = |hazard: &str, challenge: &Challenge| {
        denied(hazard, right(challenge, 1), 401, "stale_nonce").challenge(&[STALE, &md5_stale])
    };
    let good =
        |hazard: &str, challenge: &Challenge| passes(hazard, right(challenge, 1)).identity("carol", "legacy");
    check(&proxy, "other", [good("with the same key", &one)]);
    check(&proxy, "one", [good("each has a window of its own", &one)]);
    check(&proxy, "stranger", [stale("with another key", &one)]);
    check(&proxy, "lone", [stale("without a key", &one)]);
    let lone = challenge(&proxy, "lone");
    check(&proxy, "short", [stale("without a key, of another", &lone)]);
    check(&proxy, "lone", [good("its own", &lone)]);
    let short = challenge(&proxy, "short");
    thread::sleep(Duration::from_millis(1100));
    check(&proxy, "short", [stale("too old", &short)]);
    let exchange = proxy.send("short", &right(&short, 2));
    let again = exchange.answer.all("www-authenticate").into_iter().find_map(Challenge::parse);
    let again = again.expect("a challenge");
    assert!(again.is_stale);
    check(&proxy, "short", [good("the answer to what came with it", &again)]);
    proxy.finish();
}

/// Returns a listener for each kind of digest that `carol` can have.
fn kinds() -> Vec<Listener> {
    vec![
        with("md5", json!({"htdigest": htdigest(&[md5])})),
        with("sha256", json!({"htdigest": htdigest(&[sha256])})),
        with("both", json!({"htdigest": htdigest(&[md5, sha256])})),
    ]
}

#[test]
fn curl_logs_in() {
    if or_skip("curl", is_there("curl", &["--version"]).then_some(())).is_none() {
        return;
    }
    let proxy = Proxy::start("digest-curl", kinds());
    for name in ["md5", "sha256", "both"] {
        let curl = |user: &str, paths: &[&str]| {
            let urls = paths.iter().map(|path| format!("http://127.0.0.1:{}{path}", proxy.port(name)));
            let mark = format!("x-case: curl-{name}-{}", user.len());
            let mut curl = Command::new("curl");
            curl.args(["-q", "--silent", "--show-error", "--noproxy", "*", "--path-as-is"]);
            curl.args(["--digest", "--user", user, "--header", &mark, "--header", "Host: api.example.com"]);
            curl.args(["--write-out", "%{http_code} "]);
            for url in urls {
                curl.args(["--output", "/dev/null", &url]);
            }
            let output = curl.output().expect("curl runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let right = format!("carol:{PASSWORD}");
        // Over one connection, curl responds to the first challenge again and again, with an increasing `nc`.
        let statuses = curl(&right, &["/a?b=c%20d&e", "/b", "/c", "/a?b=c%20d&e"]);
        assert_eq!(statuses, "200 200 200 200 ", "{name}");
        let upstream = proxy.arrived(&format!("curl-{name}-{}", right.len()));
        assert_eq!(upstream.len(), 4, "{name}");
        for seen in upstream {
            assert_eq!(seen.all("x-auth-user"), ["carol"], "{name}");
            assert!(seen.all("authorization").is_empty(), "{name}");
        }
        assert_eq!(curl("carol:wrong", &["/a"]), "401 ", "{name}");
        assert_eq!(curl("mallory:x", &["/a"]), "401 ", "{name}");
    }
    proxy.finish();
}

#[test]
fn requests_logs_in() {
    const SCRIPT: &str = "
import sys, requests
from requests.auth import HTTPDigestAuth
url, password = sys.argv[1], sys.argv[2]
session = requests.Session()
session.trust_env = False
session.auth = HTTPDigestAuth('carol', password)
right = [session.get(url + path).status_code for path in ('/a?b=c%20d', '/b', '/c')]
session.auth = HTTPDigestAuth('carol', 'wrong')
print(*right, session.post(url + '/a').status_code)
";
    let Some(python) = python_with("requests") else { return };
    let secret = "carol:legacy:plain secret";
    let line = |hash: fn(&str) -> String| format!("carol:legacy:{}\n", hash(secret));
    let listeners = vec![
        with("md5", json!({"htdigest": line(md5)})),
        with("sha256", json!({"htdigest": line(sha256)})),
        with("both", json!({"htdigest": line(md5) + &line(sha256)})),
    ];
    let proxy = Proxy::start("digest-requests", listeners);
    for name in ["md5", "sha256", "both"] {
        let url = format!("http://127.0.0.1:{}", proxy.port(name));
        let output = Command::new(&python).args(["-c", SCRIPT, &url, "plain secret"]).output();
        let output = output.expect("python runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim(), "200 200 200 401", "{name}: {errors}");
    }
    proxy.finish();
}
