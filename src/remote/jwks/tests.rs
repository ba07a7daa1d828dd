use serde_json::{Value, json};

use super::*;

const A: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const B: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "b", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A fetcher whose effects are carried out by hand, and the time.
struct Desk {
    source: JwksFetcher,
    now: f64,
    jitter: f64,
    /// Pending calls, as `cluster authority path`.
    calls: Vec<(CallId, String)>,
    settled: Vec<FetchId>,
    reports: Vec<String>,
}

fn plan(origin: Origin) -> Plan {
    Plan {
        origin,
        refresh: Duration::from_secs(600),
        timeout: Duration::from_secs(5),
        max_stale: Duration::from_secs(3600),
        max_wait: Duration::from_secs(5),
    }
}

fn remote() -> Plan {
    plan(Origin::Set { address: Address::parse("https://idp/keys").unwrap(), cluster: "idp".to_owned() })
}

fn discovery(jwks_cluster: Option<&str>) -> Plan {
    plan(Origin::Discovery(Discovery {
        issuer: "https://idp/one".to_owned(),
        address: Address::parse("https://idp/one").unwrap(),
        cluster: "idp".to_owned(),
        jwks_cluster: jwks_cluster.map(str::to_owned),
    }))
}

impl Desk {
    fn new(plan: Plan) -> Self {
        let source = JwksFetcher::new(Rc::new(plan));
        Desk { source, now: 1e9, jitter: 0.0, calls: vec![], settled: vec![], reports: vec![] }
    }

    /// With keys `a`.
    fn filled(plan: Plan) -> Self {
        let mut desk = Desk::new(plan);
        desk.tick(0.0);
        desk.answer(200, A);
        desk.settled.clear();
        desk.reports.clear();
        desk
    }

    fn moment(&self) -> Tick {
        Tick { now: NumericDate::from_seconds(self.now).unwrap(), jitter: self.jitter }
    }

    fn collect(&mut self) {
        for effect in self.source.take_effects() {
            match effect {
                Effect::Call(id, callout) => {
                    assert_eq!((callout.method, callout.max_body), ("GET", MAX_ANSWER));
                    let text = format!("{} {} {}", callout.cluster, callout.authority, callout.path);
                    self.calls.push((id, text));
                }
                Effect::Settled(fetch_id) => self.settled.push(fetch_id),
                Effect::Report(severity, text) => self.reports.push(format!("{severity:?}: {text}")),
            }
        }
    }

    /// Advances the time and ticks. Returns true if a call was made.
    fn tick(&mut self, seconds: f64) -> bool {
        self.now += seconds;
        let before = self.calls.len();
        self.source.tick(self.moment());
        self.collect();
        self.calls.len() > before
    }

    fn answer(&mut self, status: u16, body: &str) {
        self.answer_with(Ok(HttpResponse { status, cache_control: None, body: body.as_bytes() }));
    }

    fn answer_with(&mut self, outcome: Result<HttpResponse<'_>, CalloutError>) {
        let (call, _) = self.calls.remove(0);
        self.source.answered(call, outcome, self.moment());
        self.collect();
    }

    fn asked(&self) -> Vec<&str> {
        self.calls.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Returns the kid of the only key, or the state without keys.
    fn keys(&self) -> String {
        match self.source.keys() {
            Keys::Known(set) => set.keys().iter().filter_map(|key| key.kid()).collect(),
            Keys::Pending(_) => "awaited".to_owned(),
            Keys::Stale => "stale".to_owned(),
        }
    }
}

#[test]
fn the_first_tick_fetches_and_the_set_settles_whoever_waits_for_the_first() {
    let mut desk = Desk::new(remote());
    assert_eq!(desk.keys(), "awaited");
    assert!(desk.tick(0.0));
    assert_eq!(desk.asked(), ["idp idp /keys"]);
    assert!(!desk.tick(4.0), "one call at a time");
    desk.answer(200, A);
    assert_eq!(desk.keys(), "a");
    assert_eq!(desk.settled, [FIRST_SET, FetchId(1)]);
    assert_eq!(desk.reports, ["Info: 1 key(s) fetched"]);
}

#[test]
fn keys_are_refreshed_when_they_are_not_fresh_any_more_or_a_little_before() {
    for (jitter, due) in [(0.0, 600.0), (0.5, 540.0), (1.0, 480.0)] {
        let mut desk = Desk::new(remote());
        desk.jitter = jitter;
        desk.tick(0.0);
        desk.answer(200, A);
        assert!(!desk.tick(due - 0.25), "{jitter}");
        assert!(desk.tick(0.25), "{jitter}");
    }
}

#[test]
fn max_age_brings_the_refresh_forward() {
    for (cache_control, due) in [("max-age=60", 60.0), ("max-age=1", 30.0), ("max-age=9999", 600.0)] {
        let mut desk = Desk::new(remote());
        desk.tick(0.0);
        let cache_control = Some(cache_control.as_bytes());
        desk.answer_with(Ok(HttpResponse { status: 200, cache_control, body: A.as_bytes() }));
        assert!(!desk.tick(due - 0.25));
        assert!(desk.tick(0.25));
    }
}

#[test]
fn a_set_counts_as_changed_when_it_has_changed() {
    let mut desk = Desk::filled(remote());
    let generation = desk.source.generation();
    for (body, changed) in [(A, 0), (B, 1), (B, 1), (A, 2)] {
        assert!(desk.tick(600.0));
        desk.answer(200, body);
        assert_eq!(desk.source.generation() - generation, changed);
    }
    assert_eq!(desk.reports.len(), 2, "{:?}", desk.reports);
}

#[test]
fn failures_are_followed_by_longer_and_longer_pauses() {
    let mut desk = Desk::new(remote());
    desk.tick(0.0);
    for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
        desk.answer_with(Err(CalloutError::NoAnswer));
        assert!(!desk.tick(pause - 0.25), "{pause}");
        assert!(desk.tick(0.25), "{pause}");
    }
    desk.answer(200, A);
    assert!(!desk.tick(599.0));
    assert!(desk.tick(1.0));
    desk.answer(503, "");
    assert!(desk.tick(1.0), "the count starts anew");
    // A short `refresh` limits the pause.
    let mut desk = Desk::filled(Plan { refresh: Duration::from_secs(3), ..remote() });
    desk.tick(3.0);
    for pause in [1.0, 2.0, 3.0, 3.0] {
        desk.answer_with(Err(CalloutError::NoAnswer));
        assert!(!desk.tick(pause - 0.25));
        assert!(desk.tick(0.25));
    }
}

#[test]
fn keys_are_kept_while_refreshes_fail_but_not_for_ever() {
    let mut desk = Desk::filled(remote());
    let generation = desk.source.generation();
    let start = desk.now;
    while desk.now - start < 4200.0 {
        assert_eq!(desk.keys(), "a", "after {} s", desk.now - start);
        if desk.tick(1.0) {
            desk.answer(500, "");
        }
    }
    assert_eq!(desk.keys(), "stale");
    assert_ne!(desk.source.generation(), generation, "results of the old keys do not count");
    assert!(desk.reports.iter().any(|report| report.starts_with("Error: the keys could not be refreshed")));
    // The provider recovers.
    while !desk.tick(1.0) {}
    desk.answer(200, A);
    assert_eq!(desk.keys(), "a");
}

/// A provider that always sends the same set is healthy, for any length of time.
#[test]
fn a_set_that_does_not_change_is_fresh_again_with_each_round() {
    let mut desk = Desk::filled(remote());
    let generation = desk.source.generation();
    let start = desk.now;
    while desk.now - start < 3.0 * 4200.0 {
        if desk.tick(1.0) {
            desk.answer(200, A);
        }
        assert_eq!(desk.keys(), "a", "after {} s", desk.now - start);
    }
    assert_eq!((desk.source.generation(), desk.reports.as_slice()), (generation, &[][..]));
    // `max_stale` counts from the last response.
    let last = desk.now;
    while desk.keys() == "a" {
        if desk.tick(1.0) {
            desk.answer(500, "");
        }
    }
    assert!((3600.0..=4201.0).contains(&(desk.now - last)), "{}", desk.now - last);
}

#[test]
fn the_first_failure_settles_nobody_who_waits_for_the_first_set() {
    let mut desk = Desk::new(remote());
    desk.tick(0.0);
    desk.answer(500, "");
    assert_eq!(desk.settled, [FetchId(1)]);
    assert_eq!(desk.keys(), "awaited");
    desk.tick(1.0);
    desk.answer(200, A);
    assert_eq!(desk.settled, [FetchId(1), FIRST_SET, FetchId(2)]);
}

#[test]
fn a_key_that_is_not_there_is_looked_for_once_in_ten_seconds() {
    let mut desk = Desk::filled(remote());
    let look = |desk: &mut Desk, after: f64| {
        desk.now += after;
        let fetch_id = desk.source.refresh_for_unknown_kid(desk.moment().now);
        desk.collect();
        fetch_id
    };
    let first = look(&mut desk, 100.0).unwrap();
    assert_eq!(look(&mut desk, 1.0), Some(first), "the same round serves all");
    assert_eq!(desk.asked().len(), 1);
    desk.answer(200, A);
    assert_eq!(desk.settled, [first]);
    assert_eq!(look(&mut desk, 8.75), None);
    let second = look(&mut desk, 0.25).unwrap();
    assert_ne!(second, first);
    desk.answer(500, "");
    assert_eq!((desk.settled.last(), desk.keys()), (Some(&second), "a".to_owned()));
    assert_eq!(look(&mut desk, 0.0), None, "a failure does not open the door");
    // A refresh that is already pending is waited for, and counts as a round for the unknown key.
    let mut desk = Desk::filled(remote());
    desk.tick(600.0);
    assert_eq!(look(&mut desk, 0.0), Some(FetchId(2)));
    assert_eq!(desk.asked().len(), 1);
    desk.answer(200, A);
    assert_eq!(look(&mut desk, 9.0), None);
    // A clock that is set back does not prevent another round.
    assert!(look(&mut desk, -5000.0).is_some());
}

#[test]
fn a_call_that_the_host_forgets_is_not_waited_for_for_ever() {
    let mut desk = Desk::new(remote());
    desk.tick(0.0);
    assert!(!desk.tick(10.0));
    assert!(!desk.tick(0.25));
    assert!(desk.tick(1.0));
    // The response is too late to count.
    desk.answer(200, A);
    assert_eq!(desk.keys(), "awaited");
    desk.answer(200, B);
    assert_eq!(desk.keys(), "b");
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_the_refresh() {
    let mut desk = Desk::filled(remote());
    assert!(!desk.tick(-0.0));
    assert!(desk.tick(-86_400.0));
}

#[test]
fn what_is_no_set_is_refused_and_said_without_its_content() {
    let ec = |members: Value| {
        let mut key = json!({"kty": "EC", "crv": "P-256", "kid": "leak",
            "x": "X0yEKFbM9atMGtGsILoN4_bIV5HTxYugZVWdfqCGPoo", "y": "5BlPdtnJKTd5Exauxf2n01eXcUpyuCdzNPm6h0JbdVc"});
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    };
    let set = |keys: Vec<Value>| json!({ "keys": keys }).to_string();
    let good = || serde_json::from_str::<Value>(A).unwrap()["keys"][0].clone();
    let private = "this is a private key; use the public key only";
    for (body, why) in [
        ("<html>leak</html>".to_owned(), "not valid JSON (line 1, column 1)".to_owned()),
        (String::new(), "JSON that ends too early".to_owned()),
        (A.replace("]}", ""), "JSON that ends too early".to_owned()),
        ("leak".to_owned(), "not valid JSON".to_owned()),
        ("[]".to_owned(), "expected a JWK Set".to_owned()),
        (r#"{"error": "leak"}"#.to_owned(), "expected a JWK Set".to_owned()),
        (r#"{"keys": {"leak": 1}}"#.to_owned(), "expected a JWK Set".to_owned()),
        (r#"{"keys": []}"#.to_owned(), "expected at least one key that can verify signatures".to_owned()),
        (A.replacen('{', r#"{"keys": [], "#, 1), "an object with a duplicate member name".to_owned()),
        (set(vec![good(), ec(json!({"d": "bGVhaw"}))]), format!("keys[1]: {private}")),
        (set(vec![ec(json!({"d": "bGVhaw", "use": "enc"})), good()]), format!("keys[0]: {private}")),
        (
            set(vec![good(), json!({"kty": "RSA", "n": "AA", "e": "AQAB", "p": "bGVhaw"})]),
            format!("keys[1]: {private}"),
        ),
        (
            set(vec![json!({"kty": "oct", "k": "bGVhay1sZWFrLWxlYWstbGVhay1sZWFrLWxlYWs"})]),
            "expected at least one key".to_owned(),
        ),
        (set(vec![ec(json!({"use": "enc"}))]), "expected at least one key".to_owned()),
        (set(vec![good(); 257]), "expected at most 256 keys".to_owned()),
    ] {
        for mut desk in [Desk::new(remote()), Desk::filled(remote())] {
            let before = desk.keys();
            desk.tick(600.0);
            desk.answer(200, &body);
            assert_eq!(desk.keys(), before, "{body:.60}");
            let [report] = desk.reports.as_slice() else { panic!("{body:.60}: {:?}", desk.reports) };
            assert!(report.contains(&format!("key set from cluster \"idp\": {why}")), "{report}");
            let and =
                if before == "a" { "; the previous keys stay in use" } else { "; there are no keys yet" };
            assert!(report.ends_with(and), "{report}");
            assert!(!report.contains("leak") && !report.contains("bGVh"), "{report}");
        }
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    let not_200 = |status| Ok(HttpResponse { status, cache_control: None, body: A.as_bytes() });
    for (outcome, why) in [
        (not_200(500), "expected status 200, found 500"),
        (not_200(503), "expected status 200, found 503 (the proxy sends it if no host is reachable)"),
        (not_200(504), "expected status 200, found 504 (the proxy sends it on a timeout)"),
        (not_200(204), "expected status 200, found 204"),
        (not_200(302), "expected status 200, found 302"),
        (Err(CalloutError::NoAnswer), "no response: the connection was reset, or the timeout expired"),
        (Err(CalloutError::TooLong { max: MAX_ANSWER }), "expected at most 262144 bytes"),
        (
            Err(CalloutError::UnknownCluster),
            "unknown cluster; expected the name of one of the proxy's clusters",
        ),
        (Err(CalloutError::NotSent), "the request could not be sent"),
    ] {
        let mut desk = Desk::new(remote());
        desk.tick(0.0);
        desk.answer_with(outcome);
        assert_eq!(desk.keys(), "awaited");
        assert!(
            desk.reports[0].contains(&format!("key set from cluster \"idp\": {why}")),
            "{:?}",
            desk.reports
        );
    }
}

#[test]
fn members_that_are_no_use_are_named_once() {
    let mut desk = Desk::new(remote());
    desk.tick(0.0);
    let mut set: Value = serde_json::from_str(A).unwrap();
    set["keys"].as_array_mut().unwrap().push(json!({"kty": "oct", "k": "bGVhaw"}));
    desk.answer(200, &set.to_string());
    assert_eq!(desk.keys(), "a");
    assert!(
        desk.reports[0].starts_with("Warning: 1 key(s) fetched; ignored: keys[1]: "),
        "{:?}",
        desk.reports
    );
    desk.tick(600.0);
    desk.answer(200, &set.to_string());
    assert_eq!(desk.reports.len(), 1);
}

const METADATA: &str = r#"{"issuer": "https://idp/one", "jwks_uri": "https://idp/one/keys"}"#;

#[test]
fn metadata_lead_to_the_set() {
    let mut desk = Desk::new(discovery(None));
    desk.tick(0.0);
    assert_eq!(desk.asked(), ["idp idp /one/.well-known/openid-configuration"]);
    desk.answer(200, METADATA);
    assert_eq!(desk.asked(), ["idp idp /one/keys"]);
    assert!(desk.settled.is_empty());
    desk.answer(200, A);
    assert_eq!((desk.keys().as_str(), desk.settled.as_slice()), ("a", &[FIRST_SET, FetchId(1)][..]));
    // A change of the set's URL is followed.
    desk.tick(600.0);
    desk.answer(200, &METADATA.replace("/one/keys", "/two"));
    assert_eq!(desk.asked(), ["idp idp /two"]);
    desk.answer(200, B);
    assert_eq!(desk.keys(), "b");
}

#[test]
fn other_metadata_are_asked_for_where_the_first_are_no_help() {
    for first in [404, 500, 200] {
        let mut desk = Desk::new(discovery(Some("cdn")));
        desk.tick(0.0);
        desk.answer(first, "<html>");
        assert_eq!(desk.asked(), ["idp idp /.well-known/oauth-authorization-server/one"]);
        desk.answer(200, &METADATA.replace("//idp/one/keys", "//cdn.example.com/k"));
        assert_eq!(desk.asked(), ["cdn cdn.example.com /k"]);
        desk.answer(200, A);
        assert_eq!(desk.keys(), "a");
    }
}

#[test]
fn metadata_that_lead_nowhere_are_refused_and_both_reasons_said() {
    let mut desk = Desk::new(discovery(None));
    desk.tick(0.0);
    desk.answer(200, &METADATA.replace("https://idp/one\"", "https://leak\""));
    desk.answer(200, &METADATA.replace("//idp/one/keys", "//leak/k"));
    assert!(desk.calls.is_empty());
    assert_eq!(desk.settled, [FetchId(1)]);
    assert_eq!(
        desk.reports,
        [
            "Error: metadata from cluster \"idp\": openid-configuration: `issuer` does not match the configured \
          issuer; oauth-authorization-server: `jwks_uri` has another origin than the issuer, which requires \
          `jwks_cluster`; there are no keys yet"
        ]
    );
    assert!(desk.tick(1.0), "and asked for again");
    // An unknown cluster is not called twice.
    desk.answer_with(Err(CalloutError::UnknownCluster));
    assert!(desk.calls.is_empty());
    assert!(desk.reports[1].contains("`static_resources.clusters`"), "{:?}", desk.reports);
}
