use super::*;
use crate::cache::{CredentialCache, Limits};
use crate::jose::jwt::Audiences;
use crate::principal::AuthenticatorId;

fn at(seconds: f64) -> NumericDate {
    NumericDate::from_seconds(seconds).unwrap()
}

fn plan() -> Plan {
    Plan {
        address: Address::parse("https://idp.example.com/introspect?tenant=1").unwrap(),
        cluster: "idp".to_owned(),
        client: Client::post("gateway", "hunter2"),
        timeout: Duration::from_secs(5),
        max_concurrent: 3,
        cache_ttl: Duration::from_secs(60),
        negative_ttl: Duration::from_secs(10),
        issuers: None,
        rules: ClaimRules { require_exp: false, ..ClaimRules::new(Audiences::Any) },
    }
}

fn introspector(plan: Plan) -> Introspector {
    Introspector::new(Rc::new(plan))
}

fn cache_key(token: &str) -> CacheKey {
    CredentialCache::new([7; 16], Limits::default()).cache_key(AuthenticatorId::new(0), 0, token.as_bytes())
}

/// Looks a token up and describes the outcome.
fn look_up(introspector: &mut Introspector, token: &str, now: f64) -> String {
    look_up_from(introspector, token, None, now)
}

/// Looks a token up for a client with this address.
fn look_up_from(introspector: &mut Introspector, token: &str, peer: Option<&str>, now: f64) -> String {
    let peer = || peer.map(|peer| peer.parse().unwrap());
    match introspector.look_up(cache_key(token), token.as_bytes(), peer, at(now)) {
        Outcome::Holds(principal, until) => format!("{} until {}", principal.subject, until.seconds()),
        Outcome::Refused(error) => error.code().to_owned(),
        Outcome::Unknown => "unknown".to_owned(),
        Outcome::Pending(fetch_id) => format!("awaited {}", fetch_id.0),
    }
}

fn answered(introspector: &mut Introspector, call: u64, body: &str, now: f64) {
    let answer = callout::HttpResponse { status: 200, cache_control: None, body: body.as_bytes() };
    introspector.answered(CallId(call), Ok(answer), at(now));
}

/// Describes the effects: `call N`, `settled N`, and reports.
fn effects(introspector: &mut Introspector) -> Vec<String> {
    let effects = introspector.take_effects().into_iter().map(|effect| match effect {
        Effect::Call(call, _) => format!("call {}", call.0),
        Effect::Settled(fetch_id) => format!("settled {}", fetch_id.0),
        Effect::Report(_, text) => text,
    });
    effects.collect()
}

#[test]
fn the_question_is_that_of_rfc_7662() {
    let mut introspector = introspector(plan());
    look_up(&mut introspector, "a+b", 1000.0);
    let Some(Effect::Call(_, callout)) = introspector.take_effects().pop() else { panic!("no call") };
    assert_eq!((callout.method, callout.is_secure, callout.timeout), ("POST", true, Duration::from_secs(5)));
    assert_eq!((callout.cluster.as_str(), callout.authority.as_str()), ("idp", "idp.example.com"));
    assert_eq!(callout.path, "/introspect?tenant=1");
    let expected = "token=a%2Bb&token_type_hint=access_token&client_id=gateway&client_secret=hunter2";
    assert_eq!(String::from_utf8(callout.body).unwrap(), expected);
}

#[test]
fn requests_with_one_token_share_one_call() {
    let mut introspector = introspector(plan());
    for _ in 0..3 {
        assert_eq!(look_up(&mut introspector, "a", 1000.0), "awaited 1");
    }
    assert_eq!(look_up(&mut introspector, "b", 1000.0), "awaited 2");
    assert_eq!(effects(&mut introspector), ["call 1", "call 2"]);
    answered(&mut introspector, 2, r#"{"active":true,"sub":"bob"}"#, 1001.0);
    assert_eq!(effects(&mut introspector), ["settled 2"]);
    for _ in 0..3 {
        assert_eq!(look_up(&mut introspector, "b", 1001.125), "bob until 1061");
    }
    assert_eq!(look_up(&mut introspector, "a", 1001.125), "awaited 1");
    // A call is answered once.
    answered(&mut introspector, 2, r#"{"active":true,"sub":"mallory"}"#, 1001.125);
    assert_eq!(look_up(&mut introspector, "b", 1001.125), "bob until 1061");
    assert_eq!(effects(&mut introspector), [""; 0]);
}

/// Active tokens are cached elsewhere; the introspector keeps them only for the requests that waited.
#[test]
fn what_came_of_it_is_known_until_all_who_waited_are_decided() {
    let mut introspector =
        introspector(Plan { cache_ttl: Duration::ZERO, negative_ttl: Duration::ZERO, ..plan() });
    for (token, body, expected) in [
        ("good", r#"{"active":true,"sub":"ann"}"#, "ann until 1001"),
        ("bad", r#"{"active":false}"#, "inactive"),
        ("odd", "<html>", "unknown"),
    ] {
        let Some(call) =
            look_up(&mut introspector, token, 1000.0).strip_prefix("awaited ").map(str::to_owned)
        else {
            panic!("{token} is known")
        };
        answered(&mut introspector, call.parse().unwrap(), body, 1001.0);
        assert_eq!(look_up(&mut introspector, token, 1001.125), expected);
        assert!(look_up(&mut introspector, token, 1001.75).starts_with("awaited"), "{token}");
    }
    introspector.tick(at(1002.0));
    assert!(introspector.fresh.is_empty());
}

#[test]
fn an_answer_counts_no_longer_than_the_token_lives() {
    for (exp, until) in [("1030", 1030.0), ("1061.5", 1061.0), ("2000", 1061.0), ("990", 990.0)] {
        let mut introspector = introspector(plan());
        look_up(&mut introspector, "a", 1000.0);
        answered(&mut introspector, 1, &format!(r#"{{"active":true,"sub":"ann","exp":{exp}}}"#), 1001.0);
        assert_eq!(look_up(&mut introspector, "a", 1001.0), format!("ann until {until}"), "{exp}");
    }
}

#[test]
fn refusals_are_remembered_for_their_time_and_in_bounds() {
    let mut introspector = introspector(plan());
    look_up(&mut introspector, "a", 1000.0);
    answered(&mut introspector, 1, r#"{"active":false}"#, 1000.0);
    assert_eq!(look_up(&mut introspector, "a", 1009.875), "inactive");
    assert_eq!(look_up(&mut introspector, "a", 1010.0), "awaited 2");
    answered(&mut introspector, 2, r#"{"active":true,"sub":"ann","exp":900}"#, 1010.0);
    assert_eq!(look_up(&mut introspector, "a", 1015.0), "expired");
    for n in 0..3 * MAX_REFUSED {
        look_up(&mut introspector, &format!("flood {n}"), 1015.0);
        let call = introspector.calls;
        answered(&mut introspector, call, r#"{"active":false}"#, 1015.0);
        introspector.tick(at(1015.75));
        introspector.take_effects();
    }
    assert!(introspector.refused.count() <= MAX_REFUSED);
    assert_eq!(look_up(&mut introspector, "flood 12287", 1016.0), "inactive");
    assert!(look_up(&mut introspector, "flood 0", 1016.0).starts_with("awaited"));
}

#[test]
fn no_more_than_so_many_are_asked_for_at_a_time() {
    let mut introspector = introspector(plan());
    for (token, expected) in
        [("a", "awaited 1"), ("b", "awaited 2"), ("c", "awaited 3"), ("d", "unknown"), ("a", "awaited 1")]
    {
        assert_eq!(look_up(&mut introspector, token, 1000.0), expected, "{token}");
    }
    let found = effects(&mut introspector);
    assert_eq!(found.len(), 4);
    assert!(found[3].starts_with("`max_concurrent`"), "{found:?}");
    // The warning is repeated at most every ten seconds.
    assert_eq!(look_up(&mut introspector, "d", 1009.0), "unknown");
    assert_eq!(effects(&mut introspector), [""; 0]);
    assert_eq!(look_up(&mut introspector, "d", 1010.0), "unknown");
    assert_eq!(effects(&mut introspector).len(), 1);
    answered(&mut introspector, 2, r#"{"active":false}"#, 1010.0);
    assert_eq!(look_up(&mut introspector, "d", 1010.0), "awaited 4");
}

/// Looks a token up and answers the call.
fn settle(introspector: &mut Introspector, token: &str, body: &str, now: f64) {
    assert!(look_up(introspector, token, now).starts_with("awaited"), "{token}");
    let call = introspector.calls;
    answered(introspector, call, body, now);
}

#[test]
fn a_part_of_the_calls_is_for_tokens_that_held_before() {
    let mut introspector = introspector(Plan { max_concurrent: 8, ..plan() });
    let good = r#"{"active":true,"sub":"ann"}"#;
    for token in ["ann", "bob", "revoked"] {
        settle(&mut introspector, token, good, 1000.0);
    }
    settle(&mut introspector, "never", r#"{"active":false}"#, 1000.0);
    settle(&mut introspector, "revoked", r#"{"active":false}"#, 1100.0);
    // Invalid tokens from as many sources as possible.
    let now = 1200.0;
    let junk = |introspector: &mut Introspector, n: u32| {
        look_up_from(introspector, &format!("junk {n}"), Some(&format!("192.0.2.{n}")), now)
    };
    for n in 0..6 {
        assert!(junk(&mut introspector, n).starts_with("awaited"), "{n}");
    }
    assert_eq!(junk(&mut introspector, 6), "unknown");
    assert_eq!(look_up(&mut introspector, "never", now), "unknown");
    assert_eq!(look_up(&mut introspector, "revoked", now), "unknown");
    assert!(look_up(&mut introspector, "ann", now).starts_with("awaited"));
    assert!(look_up(&mut introspector, "bob", now).starts_with("awaited"));
    // A token counts as proven for an hour.
    let mut introspector = self::introspector(Plan { max_concurrent: 4, ..plan() });
    settle(&mut introspector, "ann", good, 1000.0);
    for n in 0..3 {
        look_up(&mut introspector, &format!("junk {n}"), 4599.0);
    }
    assert_eq!(look_up(&mut introspector, "ann", 4600.0), "unknown");
    assert!(look_up(&mut introspector, "ann", 4599.75).starts_with("awaited"));
}

#[test]
fn one_source_may_use_half_of_the_calls_for_tokens_that_never_held() {
    let mut introspector = introspector(Plan { max_concurrent: 8, ..plan() });
    settle(&mut introspector, "ann", r#"{"active":true,"sub":"ann"}"#, 1000.0);
    let mut from = |token: &str, peer: &str, expected: &str| {
        let found = look_up_from(&mut introspector, token, Some(peer), 1100.0);
        assert!(found.starts_with(expected), "{token} from {peer}: {found}");
    };
    // A /64 is one source.
    for (n, peer) in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:1::", "2001:db8::ffff"].iter().enumerate() {
        from(&format!("junk {n}"), peer, "awaited");
    }
    from("junk 4", "2001:db8::3", "unknown");
    from("junk 3", "2001:db8::3", "awaited");
    from("ann", "2001:db8::3", "awaited");
    from("junk 5", "2001:db8:0:1::3", "awaited");
    from("junk 6", "192.0.2.1", "awaited");
    from("junk 7", "192.0.2.2", "unknown");
    // An IPv4 address is the same in either form. One source may always use four calls.
    for (max_concurrent, of_one) in [(9, 4), (12, 6), (6, 4), (4, 3)] {
        let mut introspector = self::introspector(Plan { max_concurrent, ..plan() });
        for n in 0..9 {
            let peer = ["192.0.2.1", "::ffff:192.0.2.1"][n % 2];
            let found = look_up_from(&mut introspector, &n.to_string(), Some(peer), 1000.0);
            assert_eq!(found == "unknown", n >= of_one, "{n} of {max_concurrent}: {found}");
        }
    }
}

/// A clock that is set back must not extend the lifetime of responses.
#[test]
fn answers_do_not_count_after_the_clock_was_set_back() {
    let mut introspector = introspector(plan());
    settle(&mut introspector, "ann", r#"{"active":true,"sub":"ann"}"#, 5000.0);
    settle(&mut introspector, "bad", r#"{"active":false}"#, 5000.0);
    assert_eq!(look_up(&mut introspector, "ann", 5000.25), "ann until 5060");
    assert_eq!(look_up(&mut introspector, "bad", 5000.25), "inactive");
    for token in ["ann", "bad"] {
        assert!(look_up(&mut introspector, token, 1000.0).starts_with("awaited"), "{token}");
    }
}

#[test]
fn a_call_that_is_never_answered_does_not_block_the_token() {
    let mut introspector = introspector(plan());
    look_up(&mut introspector, "a", 1000.0);
    look_up(&mut introspector, "b", 1001.0);
    introspector.tick(at(1010.0));
    assert_eq!(look_up(&mut introspector, "a", 1010.0), "awaited 1");
    introspector.tick(at(1010.5));
    assert_eq!(look_up(&mut introspector, "a", 1010.5), "unknown");
    assert_eq!(look_up(&mut introspector, "a", 1011.0), "awaited 3");
    assert_eq!(look_up(&mut introspector, "b", 1011.0), "awaited 2");
}

#[test]
fn failures_are_reported_once_in_a_while_and_so_is_their_end() {
    let mut introspector = introspector(plan());
    let mut ask = |now: f64, outcome: Result<(u16, &str), CalloutError>| {
        look_up(&mut introspector, &now.to_string(), now);
        let call = CallId(introspector.calls);
        let answer = outcome.map(|(status, body)| callout::HttpResponse {
            status,
            cache_control: None,
            body: body.as_bytes(),
        });
        introspector.answered(call, answer, at(now));
        let found = effects(&mut introspector);
        found
            .into_iter()
            .filter(|effect| !effect.starts_with("call") && !effect.starts_with("settled"))
            .collect()
    };
    let nothing: Vec<String> = Vec::new();
    assert_eq!(ask(1000.0, Ok((200, r#"{"active":false}"#))), nothing);
    let found: Vec<String> = ask(1001.0, Ok((500, "hunter2")));
    assert_eq!(
        found,
        [
            "introspection through cluster \"idp\": expected status 200, found 500; requests with unknown tokens \
          get 503"
        ]
    );
    assert_eq!(ask(1002.0, Err(CalloutError::NoAnswer)), nothing);
    assert_eq!(ask(1010.0, Ok((200, "<html>"))), nothing);
    let found = ask(1011.0, Ok((200, r#"{"active":"hunter2"}"#)));
    assert!(found.len() == 1 && !found[0].contains("hunter2"), "{found:?}");
    assert_eq!(ask(1012.0, Ok((200, r#"{"active":false}"#))), ["introspection: the endpoint responds again"]);
    assert_eq!(ask(1013.0, Ok((200, r#"{"active":false}"#))), nothing);
    // Repeated outages are reported at most every ten seconds.
    for n in 0..100 {
        let now = 1013.0 + f64::from(n) / 16.0;
        assert_eq!(ask(now, Err(CalloutError::NoAnswer)), nothing);
        assert_eq!(ask(now + 1.0 / 32.0, Ok((200, r#"{"active":false}"#))), nothing);
    }
    assert_eq!(ask(1021.0, Err(CalloutError::UnknownCluster)).len(), 1);
    assert_eq!(ask(1021.5, Ok((200, r#"{"active":false}"#))).len(), 1);
    assert_eq!(ask(1030.5, Err(CalloutError::UnknownCluster)), nothing);
    assert_eq!(ask(1031.0, Err(CalloutError::UnknownCluster)).len(), 1);
}

#[test]
fn an_answer_is_judged_by_the_rules() {
    let rules = ClaimRules {
        audiences: Audiences::OneOf(vec!["api".to_owned()]),
        require_exp: false,
        ..ClaimRules::new(Audiences::Any)
    };
    let plan = Plan { rules, issuers: Some(vec!["https://idp".to_owned()]), ..plan() };
    let check = |changes: &str, expected: Result<&str, TokenError>| {
        let mut claims =
            serde_json::json!({"active": true, "iss": "https://idp", "aud": "api", "sub": "ann"});
        let changes: serde_json::Map<String, serde_json::Value> = serde_json::from_str(changes).unwrap();
        for (name, value) in changes {
            if value == "absent" {
                claims.as_object_mut().unwrap().remove(&name);
            } else {
                claims[name] = value;
            }
        }
        let judged = plan.judge(Claims::from_json(claims.clone()).unwrap(), at(1000.0));
        assert_eq!(judged.as_ref().map(|p| p.subject.as_str()), expected.as_ref().copied(), "{claims}");
    };
    check("{}", Ok("ann"));
    check(r#"{"iss": "https://evil"}"#, Err(TokenError::WrongIssuer));
    check(r#"{"iss": "absent"}"#, Err(TokenError::WrongIssuer));
    check(r#"{"iss": ["https://idp"]}"#, Err(TokenError::WrongIssuer));
    check(r#"{"aud": "web"}"#, Err(TokenError::WrongAudience));
    check(r#"{"aud": ["web", "api"], "exp": 1001, "nbf": 1000, "iat": 900}"#, Ok("ann"));
    check(r#"{"exp": 900}"#, Err(TokenError::Expired));
    check(r#"{"nbf": 1100}"#, Err(TokenError::NotYetValid));
    check(r#"{"iat": 1100}"#, Err(TokenError::NotYetValid));
    check(r#"{"exp": "2000"}"#, Err(TokenError::MalformedClaim(crate::jose::jwt::Claim::Exp)));
    check(
        r#"{"sub": "absent", "client_id": "x"}"#,
        Err(TokenError::MissingClaim(crate::jose::jwt::Claim::Subject)),
    );
    let scopes = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        serde_json::json!({"scope": names.join(" ")}).to_string()
    };
    check(&scopes(1024), Ok("ann"));
    check(&scopes(1025), Err(TokenError::TooManyScopes));
    check(r#"{"sub": ""}"#, Err(TokenError::MissingClaim(crate::jose::jwt::Claim::Subject)));
    check(r#"{"sub": 7}"#, Err(TokenError::MalformedClaim(crate::jose::jwt::Claim::Sub)));
}
