//! JWT validation: the order of the checks, each claim, and the information that a client may receive.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)] // a test may panic

use authgate_testing::mint;
use std::collections::HashSet;
use std::time::Duration;

use authgate::jose::claims::{ClaimMatcher, ClaimSelector};
use authgate::jose::jwk::{Algorithm, Algorithms};
use authgate::jose::jwt::{
    Audiences, Claim, ClaimRules, Jwt, Malformed, Part, SoftwareVerifier, TokenError, Validation,
};
use authgate::json::JsonErrorKind;
use authgate::timestamp::NumericDate;
use mint::{SigningKey, set, sign_text};
use serde_json::{Value, json};

const NOW: f64 = 1_800_000_000.0;
const ISSUER: &str = "https://idp.example.com";

fn validation() -> Validation {
    let rules = ClaimRules::new(Audiences::OneOf(vec!["api".to_owned(), "api2".to_owned()]));
    Validation::new(vec![ISSUER.to_owned(), "https://other.example.com".to_owned()], rules)
}

/// Returns accepted claims with these changes; null removes a claim.
fn claims(changes: Value) -> String {
    let mut claims = json!({"iss": ISSUER, "aud": "api", "sub": "alice", "exp": NOW + 600.0});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims.to_string()
}

fn validate(
    validation: &Validation,
    header: &str,
    claims: &str,
    signer: &SigningKey,
) -> Result<String, TokenError> {
    let algorithm = Algorithm::HS256;
    let keys = set(vec![SigningKey::for_algorithm(algorithm).jwk_with(json!({"kid": "ours"}))]);
    let token = sign_text(header, claims, signer, algorithm);
    let jwt = Jwt::parse(token.as_bytes()).expect("a well-formed token");
    let now = NumericDate::from_seconds(NOW).unwrap();
    validation.validate(&jwt, &keys, now, &SoftwareVerifier).map(str::to_owned)
}

fn check(validation: &Validation, claims: &str, expected: Result<&str, TokenError>) {
    let ours = SigningKey::for_algorithm(Algorithm::HS256);
    let found = validate(validation, r#"{"alg":"HS256"}"#, claims, &ours);
    assert_eq!(found.as_deref(), expected.as_ref().map(|subject| *subject), "{claims:.200}");
}

fn check_all<const N: usize>(validation: &Validation, cases: [(Value, Result<&str, TokenError>); N]) {
    for (changes, expected) in cases {
        check(validation, &claims(changes), expected);
    }
}

/// Each token also fails every later check, so the first failing check is visible.
#[test]
fn the_order_of_the_checks() {
    let all = json!({
        "exp": "never", "nbf": "x", "aud": 1, "sub": 1, "iss": ISSUER, "jti": "gone", "plan": "none",
    });
    let with = |changes: Value| {
        let mut all = all.clone();
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        all.to_string()
    };
    let mut validation = validation();
    validation.algorithms = Some(Algorithms::only(Algorithm::HS256));
    validation.rules.max_lifetime = Some(Duration::from_secs(3600));
    validation.rules.claims =
        vec![(ClaimSelector::parse("plan").unwrap(), ClaimMatcher::from_json(&json!("pro")).unwrap())];
    validation.rules.revoked.jti = HashSet::from(["gone".to_owned()]);
    let (ours, theirs) = (SigningKey::for_algorithm(Algorithm::HS256), SigningKey::other(Algorithm::HS256));
    let typed = r#"{"alg":"HS256","typ":"x"}"#;
    let plain = r#"{"alg":"HS256"}"#;
    let fine = json!({"exp": NOW + 600.0, "iat": NOW, "nbf": NOW});
    let also = |changes: Value| {
        let mut fine = fine.clone();
        fine.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        with(fine)
    };
    use TokenError::*;
    for (header, claims, signer, expected) in [
        (
            r#"{"alg":"none","kid":"x","crit":[]}"#,
            with(json!({"iss": "x", "exp": 1})),
            &theirs,
            UnsupportedCritical,
        ),
        (r#"{"alg":"none","kid":"x"}"#, with(json!({"iss": "x", "exp": 1})), &theirs, WrongIssuer),
        (r#"{"alg":"none","kid":"x"}"#, with(json!({"exp": 1})), &theirs, UnknownKey),
        (r#"{"alg":"none","kid":"ours"}"#, with(json!({"exp": 1})), &theirs, AlgorithmNotAllowed),
        (r#"{"alg":"HS512","kid":"ours"}"#, with(json!({"exp": 1})), &theirs, AlgorithmNotAllowed),
        (typed, with(json!({"exp": 1})), &theirs, Expired),
        (typed, with(json!({})), &theirs, BadSignature), // a malformed exp is not an expiry
        (typed, with(json!({})), &ours, WrongType),
        (plain, with(json!({})), &ours, MalformedClaim(Claim::Exp)),
        (plain, with(json!({"exp": NOW + 600.0})), &ours, MalformedClaim(Claim::Nbf)),
        (plain, with(json!({"exp": NOW + 600.0, "nbf": NOW + 61.0})), &ours, NotYetValid),
        (plain, with(json!({"exp": NOW + 600.0, "nbf": NOW})), &ours, MissingClaim(Claim::Iat)),
        (plain, also(json!({"exp": NOW + 3601.0})), &ours, TooLongLived),
        (plain, also(json!({})), &ours, MalformedClaim(Claim::Aud)),
        (plain, also(json!({"aud": "x"})), &ours, WrongAudience),
        (plain, also(json!({"aud": "api"})), &ours, MalformedClaim(Claim::Sub)),
        (plain, also(json!({"aud": "api", "sub": ""})), &ours, MissingClaim(Claim::Subject)),
        (plain, also(json!({"aud": "api", "sub": "alice"})), &ours, ClaimMismatch(0)),
        (plain, also(json!({"aud": "api", "sub": "alice", "plan": "pro"})), &ours, Revoked),
    ] {
        assert_eq!(validate(&validation, header, &claims, signer), Err(expected), "{header} {claims}");
    }
    let claims = also(json!({"aud": "api", "sub": "alice", "plan": "pro", "jti": "x"}));
    assert_eq!(validate(&validation, plain, &claims, &ours), Ok("alice".to_owned()));
}

/// A client that cannot sign learns of these three errors only, and cannot find out which issuers are configured.
#[test]
fn what_a_client_may_be_told() {
    use TokenError::*;
    for (error, code, public) in [
        (UnsupportedCritical, "unsupported_critical", None),
        (WrongIssuer, "wrong_issuer", Some("unknown_key")),
        (UnknownKey, "unknown_key", Some("unknown_key")),
        (AlgorithmNotAllowed, "algorithm_not_allowed", Some("algorithm_not_allowed")),
        (Expired, "expired", Some("expired")),
        (BadSignature, "bad_signature", Some("bad_signature")),
        (WrongType, "wrong_type", Some("wrong_type")),
        (MalformedClaim(Claim::Exp), "malformed_claim", Some("malformed_claim")),
        (NotYetValid, "not_yet_valid", Some("not_yet_valid")),
        (TooLongLived, "too_long_lived", Some("too_long_lived")),
        (WrongAudience, "wrong_audience", Some("wrong_audience")),
        (MissingClaim(Claim::Aud), "missing_claim", Some("missing_claim")),
        (ClaimMismatch(0), "claim_mismatch", Some("claim_mismatch")),
        (Revoked, "revoked", Some("revoked")),
        (TooManyScopes, "too_many_scopes", Some("too_many_scopes")),
    ] {
        assert_eq!((error.code(), error.public_code()), (code, public), "{error:?}");
    }
}

#[test]
fn issuers() {
    let wrong = Err(TokenError::WrongIssuer);
    check_all(
        &validation(),
        [
            (json!({}), Ok("alice")),
            (json!({"iss": "https://other.example.com"}), Ok("alice")),
            (json!({"iss": null}), wrong),
            (json!({"iss": ""}), wrong),
            (json!({"iss": "https://idp.example.com/"}), wrong),
            (json!({"iss": "https://IDP.example.com"}), wrong),
            (json!({"iss": "https://idp.example.com "}), wrong),
            (json!({"iss": [ISSUER]}), wrong),
            (json!({"iss": {"0": ISSUER}}), wrong),
            (json!({"iss": 1}), wrong),
            (json!({"iss": true}), wrong),
        ],
    );
    check(&validation(), &claims(json!({})).replace(&format!("{ISSUER:?}"), "null"), wrong);
    let mut none = validation();
    none.issuers.clear();
    check_all(&none, [(json!({}), wrong), (json!({"iss": null}), wrong), (json!({"iss": ""}), wrong)]);
}

#[test]
fn audiences() {
    let (wrong, malformed) = (Err(TokenError::WrongAudience), Err(TokenError::MalformedClaim(Claim::Aud)));
    check_all(
        &validation(),
        [
            (json!({"aud": "api2"}), Ok("alice")),
            (json!({"aud": ["x", "api"]}), Ok("alice")),
            (json!({"aud": "API"}), wrong),
            (json!({"aud": "apis"}), wrong),
            (json!({"aud": ""}), wrong),
            (json!({"aud": []}), wrong),
            (json!({"aud": ["x"]}), wrong),
            (json!({"aud": "x,api"}), wrong),
            (json!({"aud": "x api"}), wrong),
            (json!({"aud": null}), Err(TokenError::MissingClaim(Claim::Aud))),
            (json!({"aud": 1}), malformed),
            (json!({"aud": true}), malformed),
            (json!({"aud": {"api": "api"}}), malformed),
            (json!({"aud": ["api", 1]}), malformed),
            (json!({"aud": ["api", null]}), malformed),
            (json!({"aud": [["api"]]}), malformed),
        ],
    );
    let mut any = validation();
    any.rules.audiences = Audiences::Any;
    check_all(
        &any,
        [
            (json!({"aud": null}), Ok("alice")),
            (json!({"aud": "x"}), Ok("alice")),
            (json!({"aud": 1}), malformed),
        ],
    );
    let mut nobody = validation();
    nobody.rules.audiences = Audiences::OneOf(vec![]);
    check_all(&nobody, [(json!({}), wrong), (json!({"aud": ""}), wrong), (json!({"aud": []}), wrong)]);
}

#[test]
fn times() {
    use TokenError::*;
    check_all(
        &validation(),
        [
            (json!({"exp": NOW + 0.5}), Ok("alice")),
            (json!({"exp": NOW}), Ok("alice")), // within the clock skew
            (json!({"exp": NOW - 59.5}), Ok("alice")),
            (json!({"exp": NOW - 60.0}), Err(Expired)),
            (json!({"exp": NOW - 60.5}), Err(Expired)),
            (json!({"exp": 0}), Err(Expired)),
            (json!({"exp": 1e308}), Ok("alice")),
            (json!({"exp": u64::MAX}), Ok("alice")),
            (json!({"exp": null}), Err(MissingClaim(Claim::Exp))),
            (json!({"nbf": NOW + 60.0}), Ok("alice")),
            (json!({"nbf": NOW + 60.5}), Err(NotYetValid)),
            (json!({"nbf": 1e300}), Err(NotYetValid)),
            (json!({"nbf": 0}), Ok("alice")),
            (json!({"iat": NOW + 60.0}), Ok("alice")),
            (json!({"iat": NOW + 60.5}), Err(NotYetValid)),
            (json!({"iat": 0.25}), Ok("alice")),
        ],
    );
    let mut exact = validation();
    exact.rules.clock_skew = Duration::ZERO;
    check_all(
        &exact,
        [
            (json!({"exp": NOW + 0.001}), Ok("alice")),
            (json!({"exp": NOW}), Err(Expired)), // "on or after which" (RFC 7519 §4.1.4)
            (json!({"nbf": NOW}), Ok("alice")),
            (json!({"nbf": NOW + 0.001}), Err(NotYetValid)),
        ],
    );
    let mut eternal = validation();
    eternal.rules.require_exp = false;
    check_all(
        &eternal,
        [
            (json!({"exp": null}), Ok("alice")),
            (json!({"exp": NOW - 61.0}), Err(Expired)),
            (json!({"exp": "1"}), Err(MalformedClaim(Claim::Exp))),
        ],
    );
}

#[test]
fn dates_of_every_wrong_type() {
    let mut eternal = validation();
    eternal.rules.require_exp = false;
    for (name, claim) in [("exp", Claim::Exp), ("nbf", Claim::Nbf), ("iat", Claim::Iat)] {
        for value in [
            "null",
            "true",
            "false",
            r#""""#,
            r#""1900000000""#,
            "[]",
            "[1900000000]",
            "{}",
            "-1",
            "-0.5",
            "-1e300",
        ] {
            let claims = claims(json!({name: "HERE"})).replace(r#""HERE""#, value);
            for validation in [&validation(), &eternal] {
                check(validation, &claims, Err(TokenError::MalformedClaim(claim)));
            }
        }
    }
}

#[test]
fn lifetimes() {
    use TokenError::*;
    let mut short = validation();
    short.rules.max_lifetime = Some(Duration::from_secs(3600));
    let (ok, long) = (Ok("alice"), Err(TooLongLived));
    check_all(
        &short,
        [
            (json!({"iat": NOW, "exp": NOW + 3600.0}), ok),
            (json!({"iat": NOW, "exp": NOW + 3600.5}), long),
            (json!({"iat": 0, "exp": NOW + 1.0}), long),
            (json!({"iat": NOW, "exp": 1e308}), long),
            (json!({"exp": NOW + 10.0}), Err(MissingClaim(Claim::Iat))),
            (json!({"iat": NOW, "exp": null}), Err(MissingClaim(Claim::Exp))),
        ],
    );
    short.rules.require_exp = false;
    check_all(&short, [(json!({"iat": NOW, "exp": null}), Err(MissingClaim(Claim::Exp)))]);
}

#[test]
fn subjects() {
    use TokenError::*;
    let missing = Err(MissingClaim(Claim::Subject));
    let malformed = Err(MalformedClaim(Claim::Sub));
    check_all(
        &validation(),
        [
            (json!({"sub": "Ærøskøbing, \u{0}"}), Ok("Ærøskøbing, \u{0}")),
            (json!({"sub": null}), missing),
            (json!({"sub": ""}), missing),
            (json!({"sub": 1}), malformed),
            (json!({"sub": true}), malformed),
            (json!({"sub": ["alice"]}), malformed),
            (json!({"sub": {"name": "alice"}}), malformed),
        ],
    );
    check(&validation(), &claims(json!({})).replace(r#""alice""#, "null"), malformed);
    let mut by_email = validation();
    by_email.rules.subject = ClaimSelector::parse("/profile/email").unwrap();
    check_all(
        &by_email,
        [
            (json!({"profile": {"email": "a@example.com"}}), Ok("a@example.com")),
            (json!({"profile": {"email": "a@example.com"}, "sub": null}), Ok("a@example.com")),
            (json!({"profile": {"email": "a@example.com"}, "sub": 1}), malformed),
            (json!({"profile": {}}), missing),
            (json!({"profile": {"email": ""}}), missing),
            (json!({"profile": {"email": 1}}), Err(MalformedClaim(Claim::Subject))),
            (json!({"profile": {"email": ["a@example.com"]}}), Err(MalformedClaim(Claim::Subject))),
        ],
    );
}

#[test]
fn required_claims() {
    let mut strict = validation();
    let required = |name: &str, matcher: Value| {
        (ClaimSelector::parse(name).unwrap(), ClaimMatcher::from_json(&matcher).unwrap())
    };
    strict.rules.claims =
        vec![required("email_verified", json!(true)), required("/org/role", json!({"not": "guest"}))];
    check_all(
        &strict,
        [
            (json!({"email_verified": true, "org": {"role": "dev"}}), Ok("alice")),
            (json!({"email_verified": "true", "org": {"role": "dev"}}), Err(TokenError::ClaimMismatch(0))),
            (json!({"org": {"role": "dev"}}), Err(TokenError::MissingClaim(Claim::Required(0)))),
            (json!({"email_verified": true, "org": {"role": "guest"}}), Err(TokenError::ClaimMismatch(1))),
            (json!({"email_verified": true, "org": {}}), Err(TokenError::MissingClaim(Claim::Required(1)))),
            (json!({"email_verified": true}), Err(TokenError::MissingClaim(Claim::Required(1)))),
        ],
    );
}

#[test]
fn revocation() {
    use TokenError::*;
    let mut revoking = validation();
    revoking.rules.revoked.jti = HashSet::from(["gone".to_owned()]);
    revoking.rules.revoked.subjects = HashSet::from(["mallory".to_owned()]);
    check_all(
        &revoking,
        [
            (json!({"jti": "x"}), Ok("alice")),
            (json!({"jti": null}), Ok("alice")),
            (json!({"jti": "gone"}), Err(Revoked)),
            (json!({"jti": ["gone"]}), Err(MalformedClaim(Claim::Jti))),
            (json!({"jti": 1}), Err(MalformedClaim(Claim::Jti))),
            (json!({"sub": "mallory"}), Err(Revoked)),
            (json!({"sub": "Mallory"}), Ok("Mallory")),
        ],
    );
    revoking.rules.revoked.issued_before = NumericDate::from_seconds(NOW - 100.0);
    check_all(
        &revoking,
        [
            (json!({"iat": NOW - 100.0}), Ok("alice")),
            (json!({"iat": NOW - 100.5}), Err(Revoked)),
            (json!({}), Err(MissingClaim(Claim::Iat))),
        ],
    );
}

#[test]
fn types() {
    let ours = SigningKey::for_algorithm(Algorithm::HS256);
    let check = |types: Option<&[&str]>, typ: Option<&str>, taken: bool| {
        let mut validation = validation();
        validation.types = types.map(|types| types.iter().map(|typ| (*typ).to_owned()).collect());
        let mut header = json!({"alg": "HS256"});
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        let found = validate(&validation, &header.to_string(), &claims(json!({})), &ours);
        assert_eq!(
            found,
            if taken { Ok("alice".to_owned()) } else { Err(TokenError::WrongType) },
            "{types:?} {typ:?}"
        );
    };
    for typ in [
        None,
        Some("JWT"),
        Some("jwt"),
        Some("at+jwt"),
        Some("AT+JWT"),
        Some("application/at+jwt"),
        Some("Application/JWT"),
    ] {
        check(None, typ, true);
    }
    for typ in [
        "",
        "JOSE",
        "dpop+jwt",
        "logout+jwt",
        "text/jwt",
        "application/",
        "application/application/jwt",
        "JWT ",
        "at+jwt;v=1",
    ] {
        check(None, Some(typ), false);
    }
    check(Some(&["at+jwt"]), Some("application/AT+JWT"), true);
    check(Some(&["application/at+jwt"]), Some("at+jwt"), true);
    check(Some(&["at+jwt"]), Some("JWT"), false);
    check(Some(&["at+jwt"]), None, false);
    check(Some(&[]), None, false);
    check(Some(&["x"]), Some("x"), true);
}

#[test]
fn payloads_that_are_no_claims() {
    let key = SigningKey::for_algorithm(Algorithm::HS256);
    use JsonErrorKind::*;
    for (payload, expected) in [
        ("", Malformed::Json(Part::Payload, Incomplete)),
        ("foo", Malformed::Json(Part::Payload, Syntax)),
        ("[]", Malformed::NotAnObject(Part::Payload)),
        ("null", Malformed::NotAnObject(Part::Payload)),
        ("\"e30\"", Malformed::NotAnObject(Part::Payload)),
        (r#"{"sub":"a","sub":"b"}"#, Malformed::Json(Part::Payload, DuplicateMember)),
        (r#"{"sub":"a","\u0073ub":"b"}"#, Malformed::Json(Part::Payload, DuplicateMember)),
        (r#"{"x":[{"a":{"b":1,"b":1}}]}"#, Malformed::Json(Part::Payload, DuplicateMember)),
        (r#"{"exp":1e400}"#, Malformed::Json(Part::Payload, Syntax)),
        (r#"{"exp":Infinity}"#, Malformed::Json(Part::Payload, Syntax)),
        (r#"{"exp":NaN}"#, Malformed::Json(Part::Payload, Syntax)),
        (r#"{"sub":"a"}{}"#, Malformed::Json(Part::Payload, Syntax)),
        (r#"{"sub":"a"#, Malformed::Json(Part::Payload, Incomplete)),
        (&format!(r#"{{"x":{}"#, "[".repeat(15_000)), Malformed::Json(Part::Payload, TooDeep)),
    ] {
        let token = sign_text(r#"{"alg":"HS256"}"#, payload, &key, Algorithm::HS256);
        assert_eq!(Jwt::parse(token.as_bytes()).err(), Some(expected), "{payload:.60}");
    }
}

#[test]
fn what_a_caller_needs_before_verification() {
    let key = SigningKey::for_algorithm(Algorithm::HS256);
    let token = sign_text(r#"{"alg":"HS256"}"#, &claims(json!({"aud": ["a", "b"]})), &key, Algorithm::HS256);
    let jwt = Jwt::parse(token.as_bytes()).unwrap();
    assert_eq!(jwt.issuer(), Some(ISSUER));
    assert!(jwt.is_meant_for("a") && jwt.is_meant_for("b") && !jwt.is_meant_for("c"));
    let end = validation().rules.valid_until(jwt.claims()).map(NumericDate::seconds);
    assert_eq!(end, Some(NOW + 660.0));
    let token =
        sign_text(r#"{"alg":"HS256"}"#, r#"{"iss":1,"aud":["a",1],"exp":"x"}"#, &key, Algorithm::HS256);
    let jwt = Jwt::parse(token.as_bytes()).unwrap();
    assert_eq!((jwt.issuer(), jwt.is_meant_for("a")), (None, false));
    assert_eq!(validation().rules.valid_until(jwt.claims()), None);
}
