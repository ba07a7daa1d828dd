//! The filter on a fake host that misbehaves in ways that a real proxy cannot be made to: refused mutations and
//! properties, responses in another order, ended streams whose context still exists.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use authgate_filter::Action;
use authgate_testing::fake_host;
use fake_host::{Fixture, Operation, Outcome, Stream};
use serde_json::{Value, json};

use Outcome::{Passed, Refused, Waiting};

/// An introspection authenticator, with members replaced.
fn introspection(changes: Value) -> Value {
    let mut introspection = json!({
        "endpoint": "https://idp.example.com/introspect", "cluster": "idp", "any_audience": true,
        "client_id": "gateway", "client_secret": "secret", "timeout": "5s",
        "from": [{"header": "authorization", "scheme": "Bearer"}, {"query": "access_token"}],
    });
    for (name, value) in changes.as_object().unwrap() {
        introspection[name] = value.clone();
    }
    json!({ "introspection": introspection })
}

/// A configuration in which every path except `/public` requires an opaque token.
fn opaque(changes: Value) -> Value {
    json!({
        "authenticators": {"opaque": introspection(changes)},
        "rules": [{"match": {"prefix": "/public"}, "public": true}, {"require": "opaque"}],
    })
}

fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {token}"))]
}

fn send(fixture: &Fixture, token: &str) -> u32 {
    let [(name, value)] = bearer(token);
    fixture.send(1, "/", &[(name, &value)])
}

#[test]
fn each_answer_goes_to_the_token_that_was_asked_about() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    let [ann, bob, eve] = ["token-a", "token-b", "token-e"].map(|token| send(&fixture, token));
    fixture.answer("token-b", Some("bob"));
    assert_eq!([ann, bob, eve].map(|stream| fixture.outcome(stream)), [Waiting, Passed, Waiting]);
    fixture.answer("token-e", None);
    fixture.answer("token-a", Some("ann"));
    assert_eq!([ann, bob, eve].map(|stream| fixture.outcome(stream)), [Passed, Passed, Refused(401)]);
    assert_eq!(fixture.stream(ann).all("x-auth-user"), ["ann"]);
    assert_eq!(fixture.stream(bob).all("x-auth-user"), ["bob"]);
}

/// The fake host panics if anything but properties of such a stream is used.
#[test]
fn a_stream_that_is_over_or_answered_is_left_alone() {
    let expiries: [fn(&mut Stream); 3] = [
        |stream| stream.is_over = true,
        |stream| stream.response_code = Some(408),
        |stream| (stream.is_over, stream.response_code) = (true, Some(100)),
    ];
    for end in expiries {
        for subject in [Some("ann"), None] {
            let fixture = Fixture::new(&[opaque(json!({}))]);
            let (gone, stays) = (send(&fixture, "token-a"), send(&fixture, "token-a"));
            fixture.change(gone, end);
            fixture.answer("token-a", subject);
            assert_eq!(fixture.outcome(gone), Waiting);
            assert_ne!(fixture.outcome(stays), Waiting);
        }
        // First the sweep of a tick, then a deadline that passes in the same tick.
        for seconds in [1.0, 10.0] {
            let fixture = Fixture::new(&[opaque(json!({}))]);
            let gone = send(&fixture, "token-a");
            fixture.change(gone, end);
            fixture.pass(seconds);
            assert_eq!(fixture.outcome(gone), Waiting);
            assert_eq!(fixture.filter().on_request_body(gone), Action::Continue, "it is not forgotten");
        }
    }
}

#[test]
fn a_host_that_cannot_tell_whether_a_stream_is_over_lets_nothing_wait() {
    for property in ["request.duration", "response.code"] {
        let fixture = Fixture::new(&[opaque(json!({}))]);
        fixture.refuse(Operation::Property(property));
        assert_eq!(fixture.outcome(send(&fixture, "token-a")), Refused(503), "{property}");
    }
}

/// Anybody can compute digests under a key that is not random, and choose a credential that finds another's outcome.
#[test]
fn without_randomness_nothing_is_remembered() {
    let asked = |has_randomness: bool| {
        let fixture = Fixture::new(&[]);
        if !has_randomness {
            fixture.refuse(Operation::Random);
        }
        assert!(fixture.configure(1, opaque(json!({}))));
        for _ in 0..3 {
            let stream = send(&fixture, "token-a");
            if fixture.outcome(stream) == Waiting {
                fixture.answer("token-a", Some("ann"));
            }
            assert_eq!(fixture.outcome(stream), Passed);
            fixture.pass(1.0);
        }
        fixture.state(|state| state.calls.len())
    };
    assert_eq!((asked(true), asked(false)), (1, 3));
}

/// Without a header section there is no answer: the proxy gave up.
#[test]
fn a_callout_without_an_answer_decides_nothing() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    let (stream, other) = (send(&fixture, "token-a"), send(&fixture, "token-b"));
    let number = fixture.call("token-a").number;
    fixture.state(|state| state.effective = 1);
    fixture.filter().on_http_call_response(1, number, 0, 0);
    assert_eq!([stream, other].map(|stream| fixture.outcome(stream)), [Refused(503), Waiting]);
    // An answer comes once, and those to calls of nobody are nobody's.
    fixture.filter().on_http_call_response(1, number, 0, 0);
    fixture.filter().on_http_call_response(1, 9999, 0, 0);
    fixture.filter().on_http_call_response(7, fixture.call("token-b").number, 0, 0);
    assert_eq!(fixture.outcome(other), Waiting);
    fixture.answer("token-b", Some("bob"));
    assert_eq!(fixture.outcome(other), Passed);
}

#[test]
fn requests_that_wait_are_counted_over_all_configurations() {
    let fixture = Fixture::new(&[opaque(json!({})), opaque(json!({}))]);
    let waiting = || fixture.metric("authgate_waiting_requests");
    let streams: Vec<u32> = [(1, "token-a"), (1, "token-a"), (1, "token-b"), (2, "token-c")]
        .into_iter()
        .map(|(root, token)| {
            let [(name, value)] = bearer(token);
            fixture.send(root, "/", &[(name, &value)])
        })
        .collect();
    fixture.pass(0.25);
    assert_eq!(waiting(), 4);
    fixture.answer("token-a", Some("ann"));
    fixture.change(streams[2], |stream| stream.is_over = true);
    // The streams that are over are forgotten after the count of a tick.
    fixture.pass(0.25);
    fixture.pass(0.25);
    assert_eq!(waiting(), 1);
    fixture.answer("token-c", None);
    fixture.pass(0.25);
    assert_eq!(waiting(), 0);
}

/// The tick of one root context decides the requests of all: a root context that is replaced ticks no more.
#[test]
fn a_request_reaches_its_deadline_in_the_tick_of_any_root() {
    let fixture = Fixture::new(&[opaque(json!({})), json!({"rules": [{"public": true}]})]);
    let stream = send(&fixture, "token-a");
    fixture.state(|state| (state.now, state.effective) = (10.0, 2));
    fixture.filter().on_tick(2);
    assert_eq!((fixture.outcome(stream), fixture.state(|state| state.effective)), (Refused(503), 2));
}

/// Envoy answers `Expect: 100-continue` itself, before it asks the filter.
#[test]
fn a_request_that_got_an_interim_response_waits_as_any_other() {
    for (code, expected) in [(100, Waiting), (103, Waiting), (199, Waiting)] {
        let fixture = Fixture::new(&[opaque(json!({}))]);
        let [(name, value)] = bearer("token-a");
        let stream = fixture.open(Some("192.0.2.1"), "/", &[(name, &value)]);
        fixture.change(stream, |stream| stream.response_code = Some(code));
        fixture.filter().on_context_create(stream, 1);
        fixture.headers(stream);
        assert_eq!(fixture.outcome(stream), expected, "{code}");
        fixture.pass(0.25);
        fixture.answer("token-a", Some("ann"));
        assert_eq!(fixture.outcome(stream), Passed, "{code}");
    }
}

/// A host that can neither continue the request later nor answer it would drop it, and let its content through.
#[test]
fn a_host_that_puts_no_stream_in_effect_lets_nothing_wait() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    fixture.refuse(Operation::SetEffective);
    let stream = send(&fixture, "token-a");
    assert_eq!(fixture.outcome(stream), Refused(503));
}

/// Otherwise the decision would read and change the headers of whatever is in effect instead.
#[test]
fn a_request_that_is_not_put_in_effect_again_is_left_alone() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    let stream = send(&fixture, "token-a");
    fixture.refuse(Operation::SetEffective);
    fixture.answer("token-a", Some("ann"));
    assert_eq!(fixture.outcome(stream), Waiting);
}

/// Its header section stays paused; content that passed would take it along.
#[test]
fn no_content_of_a_request_passes_that_the_host_does_not_answer() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    let actions = |stream| (fixture.filter().on_request_body(stream), fixture.trailers(stream));
    let held_back = (Action::Pause, Action::Pause);
    let answered_late = send(&fixture, "token-a");
    fixture.refuse(Operation::Reply);
    let refused = fixture.send(1, "/", &[]);
    let unknown = fixture.headers(fixture.open(None, "/", &[]));
    fixture.answer("token-a", None);
    for stream in [refused, unknown, answered_late] {
        assert_eq!((fixture.outcome(stream), actions(stream)), (Waiting, held_back), "{stream}");
    }
    let public = fixture.send(1, "/public", &[]);
    assert_eq!((fixture.outcome(public), actions(public)), (Passed, (Action::Continue, Action::Continue)));
    // However many there are.
    let all: Vec<u32> = (0..2000).map(|_| fixture.send(1, "/", &[])).collect();
    for stream in all.into_iter().chain([refused]) {
        assert_eq!(actions(stream), held_back, "{stream}");
    }
}

#[test]
fn a_refused_edit_lets_nothing_pass() {
    let basic = json!({"authenticators": {"staff": {"basic": {"allow_plaintext": true, "users": {"ann": "{PLAIN}secret"}}}}});
    let with = |rule: Value, shadow: bool| {
        let mut policy = basic.clone();
        policy["rules"] = json!([rule]);
        policy["shadow"] = json!(shadow);
        policy
    };
    let (required, public) = (json!({"require": "staff"}), json!({"public": true}));
    let fields = [("authorization", "Basic YW5uOnNlY3JldA=="), ("x-auth-user", "root")];
    for (rule, shadow, operation, expected) in [
        (&required, false, None, Passed),
        (&required, false, Some(Operation::Remove("authorization")), Refused(503)),
        (&required, false, Some(Operation::Remove("x-auth-user")), Refused(503)),
        (&required, false, Some(Operation::Replace("x-auth-user")), Refused(503)),
        (&required, false, Some(Operation::ReadHeaders), Refused(503)),
        (&public, false, Some(Operation::Remove("authorization")), Passed),
        (&public, false, Some(Operation::Remove("x-auth-user")), Refused(503)),
        (&required, true, Some(Operation::Remove("authorization")), Passed),
        (&required, true, Some(Operation::Remove("x-auth-user")), Refused(503)),
    ] {
        let fixture = Fixture::new(&[with(rule.clone(), shadow)]);
        operation.into_iter().for_each(|operation| fixture.refuse(operation));
        let stream = fixture.send(1, "/", &fields);
        assert_eq!(fixture.outcome(stream), expected, "{rule} {shadow} {operation:?}");
    }
}

#[test]
fn a_trailer_that_cannot_be_removed_stops_the_request() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    let trailers = |stream| {
        fixture.change(stream, |stream| stream.trailers = vec![("x-auth-user".into(), "root".into())]);
        fixture.trailers(stream)
    };
    let stream = fixture.send(1, "/public", &[]);
    assert_eq!((trailers(stream), fixture.stream(stream).trailers.len()), (Action::Continue, 0));
    fixture.refuse(Operation::Remove("x-auth-user"));
    assert_eq!(trailers(stream), Action::Pause);
    fixture.refuse(Operation::ReadHeaders);
    assert_eq!(trailers(fixture.send(1, "/public", &[])), Action::Pause);
}

#[test]
fn a_stream_is_decided_by_its_own_configuration() {
    let rule =
        |rule: Value, header: &str| json!({"rules": [rule], "identity": {"headers": {header: "{subject}"}}});
    let fixture = Fixture::new(&[
        rule(json!({"public": true}), "x-user-one"),
        rule(json!({"deny": true}), "x-user-two"),
    ]);
    for _ in 0..2 {
        assert_eq!(fixture.outcome(fixture.send(1, "/", &[])), Passed);
        assert_eq!(fixture.outcome(fixture.send(2, "/", &[])), Refused(403));
    }
    // A stream that no root context was told of, and a stream of an unknown root context.
    assert_eq!(fixture.outcome(fixture.headers(fixture.open(None, "/", &[]))), Refused(503));
    assert_eq!(fixture.outcome(fixture.send(9, "/", &[])), Refused(503));
    // A root context whose configuration was rejected.
    assert!(!fixture.configure(1, json!({"rules": [{"public": "yes"}]})));
    assert_eq!(fixture.outcome(fixture.send(1, "/", &[])), Refused(503));
    // Trailers lose the names that any configuration removes.
    assert!(fixture.configure(1, rule(json!({"public": true}), "x-user-one")));
    let stream = fixture.send(1, "/", &[]);
    let names = ["x-user-one", "x-user-two", "x-other"];
    fixture.change(stream, |stream| stream.trailers = names.map(|name| (name.into(), "root".into())).into());
    assert_eq!(fixture.trailers(stream), Action::Continue);
    assert_eq!(fixture.stream(stream).trailers, [("x-other".to_owned(), "root".to_owned())]);
}

/// Two endpoints, one after the other, with a single deadline.
fn two_endpoints() -> Fixture {
    let second = json!({"from": [{"header": "x-token"}]});
    Fixture::new(&[json!({
        "authenticators": {"one": introspection(json!({})), "two": introspection(second)},
        "rules": [{"require": {"all_of": ["one", "two"]}}],
    })])
}

fn send_both(fixture: &Fixture) -> u32 {
    let [(name, value)] = bearer("token-1");
    fixture.send(1, "/", &[(name, &value), ("x-token", "token-2")])
}

#[test]
fn a_request_that_was_resumed_may_wait_again() {
    let fixture = two_endpoints();
    let stream = send_both(&fixture);
    fixture.pass(1.0);
    fixture.answer("token-1", Some("ann"));
    assert_eq!(fixture.outcome(stream), Waiting);
    fixture.answer("token-2", Some("ann"));
    assert_eq!(fixture.outcome(stream), Passed);
}

#[test]
fn a_request_waits_until_one_deadline_however_often_it_waits() {
    let fixture = two_endpoints();
    let stream = send_both(&fixture);
    fixture.pass(4.0);
    fixture.answer("token-1", Some("ann"));
    assert_eq!(fixture.outcome(stream), Waiting);
    fixture.pass(0.5);
    assert_eq!(fixture.outcome(stream), Waiting);
    fixture.pass(2.0);
    assert_eq!(fixture.outcome(stream), Refused(503), "the second wait has a deadline of its own");
    assert_eq!(fixture.filter().on_request_body(stream), Action::Continue, "it still waits");
}

#[test]
fn a_request_that_the_host_does_not_resume_is_answered() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    let stream = send(&fixture, "token-a");
    fixture.refuse(Operation::Continue);
    fixture.answer("token-a", Some("ann"));
    assert_eq!(fixture.outcome(stream), Refused(503));
}

#[test]
fn a_callout_that_cannot_be_sent_is_not_waited_for() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    fixture.refuse(Operation::Call);
    let stream = send(&fixture, "token-a");
    fixture.pass(0.25);
    assert_eq!(fixture.outcome(stream), Refused(503));
}

#[test]
fn content_waits_with_its_request() {
    let fixture = Fixture::new(&[opaque(json!({}))]);
    let stream = send(&fixture, "token-a");
    let actions = || (fixture.filter().on_request_body(stream), fixture.trailers(stream));
    assert_eq!(actions(), (Action::Pause, Action::Pause));
    fixture.answer("token-a", Some("ann"));
    assert_eq!(actions(), (Action::Continue, Action::Continue));
}

/// The access log shows the path at the time the client disconnects or the proxy replies.
#[test]
fn a_request_that_waits_shows_no_token_in_its_path() {
    let check = |changes: Value, path: &str, waiting: &str, passed: &str| {
        for subject in [Some("ann"), None] {
            let fixture = Fixture::new(&[opaque(changes.clone())]);
            let stream = fixture.send(1, path, &[]);
            assert_eq!(fixture.outcome(stream), Waiting, "{path}");
            assert_eq!(fixture.stream(stream).all(":path"), [waiting], "{path} while it waits");
            fixture.answer("token-a", subject);
            let found = fixture.stream(stream);
            match subject {
                Some(_) => assert_eq!(found.all(":path"), [passed], "{path} upstream"),
                None => assert_eq!(found.all(":path"), [waiting], "{path} refused"),
            }
            assert_eq!(fixture.outcome(stream), subject.map_or(Refused(401), |_| Passed), "{path}");
        }
    };
    check(json!({}), "/a?access_token=token-a", "/a", "/a");
    check(json!({}), "/a?b=1&access_token=token-a&c=2", "/a?b=1&c=2", "/a?b=1&c=2");
    let forwarded = json!({"forward_credentials": true});
    check(forwarded, "/a?b=1&access_token=token-a", "/a?b=1", "/a?b=1&access_token=token-a");
    // A request whose path cannot be changed does not wait.
    let fixture = Fixture::new(&[opaque(json!({}))]);
    fixture.refuse(Operation::Replace(":path"));
    assert_eq!(fixture.outcome(fixture.send(1, "/?access_token=token-a", &[])), Refused(503));
    // A request whose path cannot be restored does not pass.
    let fixture = Fixture::new(&[opaque(json!({"forward_credentials": true}))]);
    let stream = fixture.send(1, "/?access_token=token-a", &[]);
    fixture.refuse(Operation::Replace(":path"));
    fixture.answer("token-a", Some("ann"));
    assert_eq!(fixture.outcome(stream), Refused(503));
}

#[test]
fn a_token_that_waits_twice_stays_out_of_the_path() {
    let from = |name: &str| json!({"from": [{"query": name}], "forward_credentials": name == "two"});
    let fixture = Fixture::new(&[json!({
        "authenticators": {"one": introspection(from("one")), "two": introspection(from("two"))},
        "rules": [{"require": {"all_of": ["one", "two"]}}],
    })]);
    let stream = fixture.send(1, "/a?one=token-1&two=token-2&b=1", &[]);
    for (token, path) in [("token-1", "/a?b=1"), ("token-2", "/a?two=token-2&b=1")] {
        assert_eq!(fixture.stream(stream).all(":path"), ["/a?b=1"]);
        fixture.answer(token, Some("ann"));
        assert_eq!(fixture.stream(stream).all(":path"), [path]);
    }
    assert_eq!(fixture.outcome(stream), Passed);
}

#[test]
fn one_source_leaves_room_for_others_to_wait() {
    let fixture = Fixture::new(&[opaque(json!({"max_concurrent": 1000}))]);
    let send = |source, n: usize| {
        let [(name, value)] = bearer(&format!("token-{n}"));
        fixture.send_from(Some(source), 1, "/", &[(name, &value)])
    };
    let outcomes: Vec<_> = (0..300).map(|n| fixture.outcome(send("192.0.2.1", n))).collect();
    let waiting = outcomes.iter().filter(|outcome| **outcome == Waiting).count();
    assert!((1..300).contains(&waiting), "{waiting}");
    assert!(outcomes[waiting..].iter().all(|outcome| *outcome == Refused(503)));
    assert_eq!(fixture.outcome(send("192.0.2.2", 1000)), Waiting);
}
