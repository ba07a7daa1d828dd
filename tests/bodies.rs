//! Bodies and challenges of denied requests, as clients receive them: each body is compared with a file in
//! `tests/cases/bodies`, and each challenge is parsed by an independent parser.
//!
//! `UPDATE=1 cargo test --test bodies` rewrites the files; review the changes before committing them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use std::collections::BTreeSet;
use std::path::PathBuf;

use authgate::http::challenge::{Challenge, Realm};
use authgate::http::request::Request;
use authgate::jose::jwt::TokenError;
use authgate::principal::AuthenticatorId;
use authgate::response::{ChallengeSet, Denial, DenialFormat, Form, Hidden, Reason, Wanted};
use serde_json::Value;

/// Each reason code, and the authenticator whose credentials were presented: that of the first or second challenge set,
/// or none.
const REASONS: [(Reason, Option<usize>); 20] = [
    (Reason::MissingCredentials, None),
    (Reason::UnsupportedScheme, None),
    (Reason::AmbiguousCredentials, None),
    (Reason::MalformedCredentials, Some(1)),
    (Reason::InvalidCredentials, Some(0)),
    (Reason::InvalidToken(TokenError::Expired), Some(1)),
    (Reason::StaleNonce, Some(0)),
    (Reason::InsufficientScope, Some(1)),
    (Reason::InsufficientUserAuthentication, Some(1)),
    (Reason::NotAuthorized, Some(0)),
    (Reason::CrossOrigin, Some(1)),
    (Reason::NoRule, None),
    (Reason::RuleDenied, None),
    (Reason::AmbiguousPath, None),
    (Reason::BadAuthority, None),
    (Reason::AmbiguousMethod, None),
    (Reason::McpHeaders, None),
    (Reason::BadConnection, None),
    (Reason::Throttled { retry_after: 30 }, Some(0)),
    (Reason::Unavailable, None),
];

/// Token errors with a detail of their own, beside `expired`.
const TOKEN_ERRORS: [TokenError; 17] = [
    TokenError::UnsupportedCritical,
    TokenError::WrongIssuer,
    TokenError::UnknownKey,
    TokenError::AlgorithmNotAllowed,
    TokenError::BadSignature,
    TokenError::WrongType,
    TokenError::NotYetValid,
    TokenError::TooLongLived,
    TokenError::WrongAudience,
    TokenError::ClaimMismatch(0),
    TokenError::Revoked,
    TokenError::TooManyScopes,
    TokenError::NotBound,
    TokenError::BadProof,
    TokenError::ProofMismatch,
    TokenError::StaleProof,
    TokenError::ReplayedProof,
];

const FORMS: [(Form, &str); 3] = [(Form::Text, "txt"), (Form::Html, "html"), (Form::Problem, "json")];

/// Characters with a special meaning in JSON, HTML and quoted strings.
const REALM: &str = r#"the "main" \ <realm>"#;
const SCOPE: &str = "read a<b>&'c";
const METADATA: &str = "https://api.example.com/.well-known/oauth-protected-resource/mcp";
const HELP: &str = r#"https://example.com/help?a='b'&c="d""#;

/// A denial by a rule that accepts Basic and then Bearer.
fn denial(reason: Reason, authenticator: Option<usize>) -> Denial {
    let realm = Realm::new(REALM).unwrap();
    let set = |authenticator, scheme, is_bearer| ChallengeSet {
        authenticator: AuthenticatorId::new(authenticator),
        challenges: vec![Challenge::new(scheme, &realm)],
        is_bearer,
    };
    let sets = vec![set(0, "Basic", false), set(1, "Bearer", true)];
    match reason {
        Reason::NoRule
        | Reason::RuleDenied
        | Reason::AmbiguousPath
        | Reason::BadAuthority
        | Reason::AmbiguousMethod
        | Reason::McpHeaders
        | Reason::OriginNotAllowed
        | Reason::BadConnection => Denial::of(reason),
        _ => Denial::by_rule(
            reason,
            authenticator.map(AuthenticatorId::new),
            sets,
            Wanted::scope(SCOPE.to_owned()),
            Some(METADATA.into()),
        ),
    }
}

fn hidden() -> Hidden {
    Hidden { insufficient_scope: true, not_authorized: true, rule_denied: true, no_rule: true }
}

/// Compares the body with the file of this name.
fn check(name: &str, denial: &Denial, format: &DenialFormat) -> Vec<String> {
    let mut faults = Vec::new();
    for (form, extension) in FORMS {
        let body = denial.response(format, form).body;
        let file = format!("tests/cases/bodies/{name}.{extension}");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&file);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &body).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expected != body {
            faults.push(format!("{file}\n--- expected\n{expected}\n--- found\n{body}"));
        }
    }
    faults
}

#[test]
fn each_body_reads_as_its_file_says() {
    let told = DenialFormat::default();
    let with_help = DenialFormat { help: Some(HELP.to_owned()), ..DenialFormat::default() };
    let kept_back = DenialFormat { tells_reasons: false, ..with_help.clone() };
    let mut faults = Vec::new();
    for (reason, authenticator) in REASONS {
        faults.extend(check(reason.code(), &denial(reason, authenticator), &told));
    }
    let missing = denial(Reason::MissingCredentials, None);
    let origin = denial(Reason::OriginNotAllowed, None);
    faults.extend(check("origin_not_allowed", &origin, &told));
    faults.extend(check("with-help", &missing, &with_help));
    faults.extend(check("kept-back", &missing, &kept_back));
    let fields = [(&b"x-request-id"[..], &b"7c9e6679-7425-40de-944b-e07fc1f90ae7"[..])];
    let identified = denial(Reason::MissingCredentials, None);
    let identified = identified.for_request(&Request::new(fields.into_iter(), None));
    faults.extend(check("with-request-id", &identified, &told));
    let not_found = DenialFormat { hidden: hidden(), ..DenialFormat::default() };
    faults.extend(check("not-found", &denial(Reason::NotAuthorized, Some(0)), &not_found));
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/bodies")).unwrap();
    assert_eq!(files.count(), 3 * (REASONS.len() + 5), "files that no test reads");
}

#[test]
fn who_is_throttled_is_told_for_how_long() {
    let denial = denial(Reason::Throttled { retry_after: 30 }, Some(0));
    for tells_reasons in [true, false] {
        let format = DenialFormat { tells_reasons, ..DenialFormat::default() };
        for (form, _) in FORMS.into_iter().chain([(Form::Empty, "")]) {
            let response = denial.response(&format, form);
            let find = |wanted: &str| {
                let mut fields = response.fields.iter().filter(|(name, _)| *name == wanted);
                fields.next().map(|(_, value)| value.to_string())
            };
            assert_eq!(response.status, 429, "{form:?}");
            assert_eq!(find("retry-after").as_deref(), Some("30"), "{form:?}");
            assert_eq!(find("www-authenticate"), None, "{form:?}");
            let is_told = response.body.contains("throttled");
            assert_eq!(is_told, tells_reasons && form != Form::Empty, "{form:?}: {}", response.body);
        }
        assert_eq!(denial.response(&format, Form::Grpc).grpc_status, Some(8));
    }
}

#[test]
fn problem_details_are_what_rfc_9457_says() {
    let format = DenialFormat::default();
    let mut types = BTreeSet::new();
    for (reason, authenticator) in REASONS {
        let denial = denial(reason, authenticator);
        let response = denial.response(&format, Form::Problem);
        let problem: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(problem["status"], response.status, "{reason:?}");
        assert_eq!(problem["code"], reason.code());
        assert_eq!(problem["type"], format!("urn:authgate:reason:{}", reason.code()));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        types.insert(problem["type"].to_string());
    }
    assert_eq!(types.len(), REASONS.len(), "a type twice");
}

#[test]
fn a_hidden_reason_looks_like_any_other() {
    let format = DenialFormat { hidden: hidden(), ..DenialFormat::default() };
    for form in [Form::Text, Form::Html, Form::Problem, Form::Empty, Form::Grpc] {
        let answer_to = |denial: Denial| {
            let response = denial.response(&format, form);
            let fields: Vec<String> =
                response.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            (response.status, fields, response.body, response.grpc_status)
        };
        let answer = |reason, authenticator| answer_to(denial(reason, authenticator));
        let no_rule = answer(Reason::NoRule, None);
        assert_eq!(no_rule.0, 404);
        assert_eq!(no_rule.3, (form == Form::Grpc).then_some(5));
        assert_eq!(answer(Reason::RuleDenied, None), no_rule);
        assert_eq!(answer(Reason::NotAuthorized, Some(0)), no_rule);
        assert_eq!(answer(Reason::InsufficientScope, Some(1)), no_rule);
        for (reason, authenticator) in REASONS {
            let retries = matches!(reason, Reason::Throttled { .. } | Reason::Unavailable);
            let hidden = answer_to(denial(reason, authenticator).hidden());
            assert!(retries || hidden == no_rule, "{reason:?} as {form:?}: {hidden:?}");
        }
        // What is not hidden stays as it is.
        assert_eq!(answer(Reason::MissingCredentials, None).0, 401);
        assert_eq!(answer(Reason::CrossOrigin, None).0, 403);
    }
}

#[test]
fn a_reason_that_is_kept_back_is_nowhere() {
    let format = DenialFormat { tells_reasons: false, ..DenialFormat::default() };
    let told = DenialFormat::default();
    for (reason, authenticator) in REASONS {
        for form in [Form::Text, Form::Html, Form::Problem, Form::Empty, Form::Grpc] {
            let denial = denial(reason, authenticator);
            let response = denial.response(&format, form);
            let challenges = |response: &authgate::response::Response<'_>| {
                response.fields.iter().filter(|(name, _)| *name == "www-authenticate").count()
            };
            assert_eq!(challenges(&response), challenges(&denial.response(&told, form)), "{reason:?}");
            let said = response.fields.iter().map(|(_, value)| value.as_ref());
            let said = said.chain([response.body.as_str()]).collect::<Vec<_>>().join("\n");
            // RFC 6750 defines `insufficient_scope`, and RFC 9470 `insufficient_user_authentication`. A client needs
            // them to request another token.
            let leaks = [reason.code(), "error_description", "expired", "Accepted", "accepted", "detail"];
            let leaks: Vec<_> = leaks.iter().filter(|leak| said.contains(**leak)).collect();
            let known = match reason {
                Reason::InsufficientScope
                | Reason::InsufficientUserAuthentication
                | Reason::InvalidToken(_) => vec![&leaks[0]],
                _ => Vec::new(),
            };
            assert_eq!(leaks.len(), known.len(), "{reason:?} {form:?}: {said}");
        }
    }
}

#[test]
fn another_parser_reads_each_challenge() {
    let token_errors = TOKEN_ERRORS.map(|error| (Reason::InvalidToken(error), Some(1)));
    let mut count = 0;
    for (reason, authenticator) in REASONS.into_iter().chain(token_errors) {
        for tells_reasons in [true, false] {
            let format = DenialFormat { tells_reasons, ..DenialFormat::default() };
            let denial = denial(reason, authenticator);
            let response = denial.response(&format, Form::Text);
            let fields = response.fields.iter().filter(|(name, _)| *name == "www-authenticate");
            let fields: Vec<&str> = fields.map(|(_, value)| value.as_ref()).collect();
            assert!(!fields.is_empty() || response.status != 401, "{reason:?}");
            for field in fields {
                let challenges = http_auth::parse_challenges(field).unwrap_or_else(|e| panic!("{e}"));
                let [challenge] = challenges.as_slice() else { panic!("{field}") };
                let params: Vec<(&str, String)> =
                    challenge.params.iter().map(|(name, value)| (*name, value.to_unescaped())).collect();
                let find = |name: &str| {
                    params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
                };
                assert_eq!(find("realm"), Some(REALM), "{field}");
                let is_presented = challenge.scheme == "Bearer" && authenticator == Some(1);
                let error = match reason {
                    Reason::InvalidToken(error) if is_presented && error.is_of_proof() => {
                        Some("invalid_dpop_proof")
                    }
                    Reason::InvalidToken(_) | Reason::MalformedCredentials if is_presented => {
                        Some("invalid_token")
                    }
                    Reason::InsufficientScope | Reason::InsufficientUserAuthentication => Some(reason.code()),
                    Reason::AmbiguousCredentials => Some("invalid_request"),
                    _ => None,
                };
                assert_eq!(find("error"), error, "{reason:?}: {field}");
                // The other parameters of these describe what is missing.
                let is_described =
                    tells_reasons && error.is_some_and(|error| !error.starts_with("insufficient_"));
                assert_eq!(find("error_description").is_some(), is_described, "{reason:?}: {field}");
                let asks_for_scope = matches!(
                    reason,
                    Reason::MissingCredentials
                        | Reason::UnsupportedScheme
                        | Reason::InsufficientScope
                        | Reason::InsufficientUserAuthentication
                );
                let scope = (asks_for_scope && challenge.scheme == "Bearer").then_some(SCOPE);
                assert_eq!(find("scope"), scope, "{reason:?}: {field}");
                let metadata = (challenge.scheme == "Bearer").then_some(METADATA);
                assert_eq!(find("resource_metadata"), metadata, "{reason:?}: {field}");
                count += 1;
            }
        }
    }
    assert!(count > 40, "only {count} challenges");
}
