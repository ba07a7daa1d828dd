//! Identity headers that a client forges must not reach the service, however they are spelled and whatever the route.

use authgate_testing::e2e::check::{Case, check, passes};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::{ALICE, default_listener};
use authgate_testing::e2e::mint::token_for;
use authgate_testing::e2e::proxy::Proxy;

const SPELLINGS: [&str; 9] = [
    "X-Auth-User",
    "x-auth-user",
    "x_auth_user",
    "X_AUTH_USER",
    "x.auth.user",
    "x-auth_user",
    "x_auth.User",
    "X-Auth-By",
    "x_forwarded_user",
];

/// A user, and the authenticator that verified it.
type Identity = (&'static str, &'static str);

/// Each kind of route, with a request that passes and its identity.
fn routes() -> [(&'static str, Request, Option<Identity>); 5] {
    let post = |path| request("POST", path);
    [
        ("public", post("/public"), None),
        ("optional, anonymous", post("/optional"), None),
        ("optional, as alice", post("/optional").basic("alice", ALICE), Some(("alice", "staff"))),
        ("Basic", post("/basic").basic("alice", ALICE), Some(("alice", "staff"))),
        ("JWT", post("/jwt").bearer(&token_for("t")), Some(("t", "partners"))),
    ]
}

fn passing(hazard: String, request: Request, identity: Option<Identity>) -> Case {
    let case = passes(hazard, request).upstream_lacks("x-forwarded-user");
    match identity {
        Some((user, by)) => case.identity(user, by),
        None => case.anonymous(),
    }
}

#[test]
fn forged_identity_in_every_spelling_on_every_route() {
    let proxy = Proxy::start("forged", vec![default_listener()]);
    for (route, request, identity) in routes() {
        check(
            &proxy,
            "default",
            SPELLINGS.map(|name| {
                passing(format!("{route}: {name}"), request.clone().field(name, "root"), identity)
            }),
        );
        let all = SPELLINGS.iter().fold(request.clone(), |request, name| request.field(name, "root"));
        let twice = request.clone().field("x-auth-user", "root").field("X-Auth-User", "admin");
        let odd = request.clone().field("x-auth-user", b"\xff\xfe").field("x_auth_user", "");
        check(
            &proxy,
            "default",
            [
                passing(format!("{route}: all of them"), all, identity),
                passing(format!("{route}: twice"), twice, identity),
                passing(format!("{route}: odd bytes, nothing"), odd, identity),
            ],
        );
    }
    proxy.finish();
}

#[test]
fn forged_identity_in_trailers() {
    let proxy = Proxy::start("trailers", vec![default_listener()]);
    for (route, request, identity) in routes() {
        let cases = SPELLINGS.map(|name| {
            let request = request.clone().chunked("body", &[("x-checksum", "1"), (name, "root")]);
            passing(format!("{route}: {name}"), request, identity).upstream("x-checksum", "1")
        });
        check(&proxy, "default", cases);
    }
    proxy.finish();
}

#[test]
fn a_subject_cannot_write_a_field_of_its_own() {
    let proxy = Proxy::start("subjects", vec![default_listener()]);
    let subjects = [
        ("a b\r\nx-admin: 1%\u{e9}", "a%20b%0D%0Ax-admin:%201%25%C3%A9"),
        ("\0\u{7f}\t", "%00%7F%09"),
        ("a,b;c=\"d\"", "a,b;c=\"d\""),
    ];
    check(
        &proxy,
        "default",
        subjects.map(|(subject, written)| {
            passes(format!("{subject:?}"), get("/jwt").bearer(&token_for(subject)))
                .identity(written, "partners")
                .upstream_lacks("x-admin")
        }),
    );
    proxy.finish();
}

#[test]
fn a_connection_carries_no_identity_to_the_next_request() {
    let proxy = Proxy::start("connection", vec![default_listener()]);
    let mut connection = proxy.connect("default");
    for _ in 0..3 {
        let alice = proxy.send_over(&mut connection, &get("/basic").basic("alice", ALICE));
        assert_eq!((alice.status, alice.upstream[0].all("x-auth-user")), (200, vec!["alice"]));
        let nobody = proxy.send_over(&mut connection, &get("/public"));
        assert_eq!((nobody.status, nobody.upstream[0].all("x-auth-user")), (200, vec![]));
        let refused = proxy.send_over(&mut connection, &get("/basic"));
        assert_eq!((refused.status, refused.upstream.len()), (401, 0));
    }
    proxy.finish();
}
