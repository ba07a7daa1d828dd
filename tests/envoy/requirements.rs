//! Rules that require several credentials: valid and invalid ones together, in both orders.

use authgate_testing::e2e::check::{Case, check, denied, passes};
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::fixture::{ALICE, BASIC, BEARER, INVALID_TOKEN, default_listener};
use authgate_testing::e2e::mint::{expired_token, other_token, token_for};
use authgate_testing::e2e::proxy::Proxy;

/// Returns requests with Basic in Authorization and a token in `x-jwt`, in both orders. `None` omits the header.
fn with(path: &str, password: Option<&str>, token: Option<&str>) -> [Request; 2] {
    let basic = |request: Request| match password {
        Some(password) => request.basic("alice", password),
        None => request,
    };
    let device = |request: Request| match token {
        Some(token) => request.field("x-jwt", token),
        None => request,
    };
    [device(basic(get(path))), basic(device(get(path)))]
}

/// Returns both orders of the headers, for both paths: the second rule lists its members in reverse.
fn four(paths: [&str; 2], password: Option<&str>, token: Option<&str>) -> Vec<(String, Request)> {
    let named =
        |path: &str, order: usize| format!("{path}, {password:?}, a token: {}, {order}", token.is_some());
    paths
        .into_iter()
        .flat_map(|path| {
            let [first, second] = with(path, password, token);
            [(named(path, 0), first), (named(path, 1), second)]
        })
        .collect()
}

fn clean(case: Case) -> Case {
    case.upstream_lacks("authorization").upstream_lacks("x-jwt")
}

#[test]
fn any_of_holds_with_one_and_takes_the_other_out() {
    let proxy = Proxy::start("any-of", vec![default_listener()]);
    let right = token_for("d");
    let expired = expired_token();
    let paths = ["/any", "/yna"];

    for (hazard, request) in four(paths, Some(ALICE), None) {
        check(&proxy, "default", [clean(passes(hazard, request).identity("alice", "staff"))]);
    }
    for (hazard, request) in four(paths, None, Some(&right)) {
        check(&proxy, "default", [clean(passes(hazard, request).identity("d", "device"))]);
    }
    // An invalid credential beside a valid one does not deny the request, and must not reach the service either.
    for (wrong, code) in [(expired.as_str(), "expired"), ("x.y.z", "malformed_credentials")] {
        for (hazard, request) in four(paths, Some(ALICE), Some(wrong)) {
            check(&proxy, "default", [clean(passes(hazard, request).identity("alice", "staff"))]);
        }
        // Both are invalid: the response is about the rule's first authenticator.
        for (path, code) in [("/any", "invalid_credentials"), ("/yna", code)] {
            for request in with(path, Some("guess"), Some(wrong)) {
                check(&proxy, "default", [denied(path, request, 401, code).any_challenge()]);
            }
        }
    }
    for (hazard, request) in four(paths, Some("guess"), Some(&right)) {
        check(&proxy, "default", [clean(passes(hazard, request).identity("d", "device"))]);
    }
    // Both are valid: the principal is that of the rule's first authenticator, whatever the order of the headers.
    for (path, user, by) in [("/any", "alice", "staff"), ("/yna", "d", "device")] {
        for request in with(path, Some(ALICE), Some(&right)) {
            check(&proxy, "default", [clean(passes(path, request).identity(user, by))]);
        }
    }
    check(
        &proxy,
        "default",
        [
            denied("the first presented one's failure", get("/any").field("x-jwt", &expired), 401, "expired")
                .challenge_first(&[INVALID_TOKEN]),
            denied("nothing", get("/any"), 401, "missing_credentials").challenge(&[BASIC, BEARER]),
        ],
    );
    proxy.finish();
}

#[test]
fn all_of_needs_each() {
    let proxy = Proxy::start("all-of", vec![default_listener()]);
    let right = token_for("d");
    let expired = expired_token();
    let paths = ["/all", "/lla"];

    for (path, user, by) in [("/all", "alice", "staff"), ("/lla", "d", "device")] {
        for request in with(path, Some(ALICE), Some(&right)) {
            check(&proxy, "default", [clean(passes(path, request).identity(user, by))]);
        }
    }
    let refused = [
        ("missing_credentials", None, None),
        ("missing_credentials", Some(ALICE), None),
        ("missing_credentials", None, Some(right.as_str())),
        ("invalid_credentials", Some("guess"), Some(right.as_str())),
        ("expired", Some(ALICE), Some(expired.as_str())),
        ("malformed_credentials", Some(ALICE), Some("x.y.z")),
    ];
    for (code, password, token) in refused {
        for (hazard, request) in four(paths, password, token) {
            check(&proxy, "default", [denied(hazard, request, 401, code).any_challenge()]);
        }
    }
    // Both are invalid: the response is about the rule's first authenticator.
    for (path, code) in [("/all", "invalid_credentials"), ("/lla", "expired")] {
        for request in with(path, Some("guess"), Some(&expired)) {
            check(&proxy, "default", [denied(path, request, 401, code).any_challenge()]);
        }
    }
    proxy.finish();
}

#[test]
fn the_two_nest() {
    let proxy = Proxy::start("nested", vec![default_listener()]);
    let (device, other) = (token_for("d"), other_token("o"));
    let [both, _] = with("/nested", Some(ALICE), Some(&device));
    check(
        &proxy,
        "default",
        [
            clean(passes("both of the first branch", both).identity("alice", "staff")),
            clean(passes("the second branch", get("/nested").bearer(&other)).identity("o", "others")),
            clean(
                passes(
                    "the second, beside a half of the first",
                    get("/nested").bearer(&other).field("x-jwt", &device),
                )
                .identity("o", "others"),
            ),
            denied("a half of the first", get("/nested").basic("alice", ALICE), 401, "").any_challenge(),
            denied("the other half", get("/nested").field("x-jwt", &device), 401, "").any_challenge(),
            denied("nothing", get("/nested"), 401, "missing_credentials").challenge(&[BASIC, BEARER]),
        ],
    );
    proxy.finish();
}

#[test]
fn optional_takes_no_garbage_for_nothing() {
    let proxy = Proxy::start("optional", vec![default_listener()]);
    let values: [&[u8]; 11] = [
        b"x",
        b"Basic",
        b"Bearer",
        b"Bearer x",
        b"Basic x",
        b"Digest username=\"x\"",
        b"Basic Og==",
        b",",
        b"\xff",
        b"Negotiate",
        b"Bearer eyJhbGciOiJub25lIn0.e30.",
    ];
    check(
        &proxy,
        "default",
        values.map(|value| {
            let hazard = String::from_utf8_lossy(value).into_owned();
            let mut case = denied(hazard, get("/optional").authorization(value), 401, "").any_challenge();
            if value == b"," {
                // A list of two empty elements.
                case =
                    authgate_testing::e2e::check::refused("a comma", get("/optional").authorization(value));
            }
            case
        }),
    );
    check(
        &proxy,
        "default",
        [
            passes("nothing", get("/optional")).anonymous(),
            passes("a place that no authenticator of the rule reads", get("/optional").field("x-jwt", "x"))
                .anonymous()
                .upstream("x-jwt", "x"),
        ],
    );
    proxy.finish();
}
