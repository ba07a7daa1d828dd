//! The words of a denial: what was wrong, what was expected, what to do next.
//!
//! All of them are fixed. Of the request nothing is repeated; of the configuration only schemes and scopes.

use super::{Denial, Reason};

/// The body in plain text.
pub fn body(denial: &Denial) -> String {
    let status = denial.reason.status();
    let mut body = format!("{status} {}: {}\n\n", phrase(status), code(denial.reason));
    let explanation = explain(denial.reason);
    body.push_str(explanation.what);
    body.push('\n');
    body.push_str(explanation.next);
    body.push('\n');
    if denial.reason.status() == 401 && !denial.accepted.is_empty() {
        body.push_str(&format!("\nAccepted here: {}\n", denial.accepted.join(", ")));
    }
    if let Some(scope) = denial.scope.as_ref().filter(|_| asks_for_scope(denial.reason)) {
        body.push_str(&format!("Scope needed: {scope}\n"));
    }
    body
}

/// One line, for gRPC.
pub fn summary(denial: &Denial) -> String {
    format!("{}: {}", code(denial.reason), explain(denial.reason).what)
}

/// For a Bearer challenge. RFC 6750 §3 allows visible ASCII without `"` and `\`.
pub fn error_description(reason: Reason) -> &'static str {
    explain(reason).what
}

fn asks_for_scope(reason: Reason) -> bool {
    matches!(reason, Reason::MissingCredentials | Reason::UnsupportedScheme | Reason::InsufficientScope)
}

fn code(reason: Reason) -> String {
    match reason.public_detail() {
        Some(detail) => format!("{} ({detail})", reason.code()),
        None => reason.code().to_owned(),
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        _ => "Service Unavailable",
    }
}

struct Explanation {
    what: &'static str,
    next: &'static str,
}

fn explain(reason: Reason) -> Explanation {
    let (what, next) = match reason {
        Reason::MissingCredentials => (
            "This needs credentials, and none were sent.",
            "Send credentials of a scheme that is accepted here.",
        ),
        Reason::UnsupportedScheme => (
            "Credentials were sent, but of a scheme that is not accepted here.",
            "Send credentials of a scheme that is accepted here.",
        ),
        Reason::AmbiguousCredentials => (
            "More than one set of credentials was sent where one is expected.",
            "Send credentials once, in one place, and look for a proxy on the way that adds its own.",
        ),
        Reason::MalformedCredentials => (
            "The credentials cannot be read: they are incomplete, too long or not in the form that their scheme asks for.",
            "Check how they are made and copied; nothing may be cut off, added or quoted.",
        ),
        Reason::InvalidCredentials => {
            ("The credentials are wrong.", "Check them for typing errors, or ask for new ones.")
        }
        Reason::InvalidToken(_) => return explain_token(reason.public_detail()),
        Reason::StaleNonce => (
            "The credentials are right, but answer a challenge that is too old, or that was answered before.",
            "Answer the challenge that comes with this; clients do so by themselves.",
        ),
        Reason::InsufficientScope => (
            "The credentials are valid, but without a scope that is needed here.",
            "Ask for credentials with the scope that is needed.",
        ),
        Reason::NotAuthorized => (
            "The credentials are valid, but not allowed to do this.",
            "Ask whoever runs this service for access.",
        ),
        Reason::CrossOrigin => (
            "The request carries a cookie, and does not show that it comes from this site's own pages.",
            "Send it from a page of this site, with Sec-Fetch-Site or Origin, or send the credentials in another field.",
        ),
        Reason::NoRule => (
            "Nothing is allowed at this address.",
            "Check the address; whoever runs this service can allow it.",
        ),
        Reason::RuleDenied => {
            ("This is not allowed for anyone.", "Check the address and the method; credentials do not help.")
        }
        Reason::AmbiguousPath => (
            "The path can be read in more than one way, or not at all.",
            "Send it without encoded or double slashes, dot segments, backslashes and path parameters.",
        ),
        Reason::BadAuthority => {
            ("The host name of the request is not valid.", "Send a plain host name, with a port if needed.")
        }
        Reason::Unavailable => (
            "Whether this is allowed cannot be decided at the moment.",
            "Try again later; if it stays so, whoever runs this service finds the cause in its log.",
        ),
    };
    Explanation { what, next }
}

/// By what the client may be told of a token, see [`TokenError::public_code`](crate::jwt::TokenError::public_code).
fn explain_token(detail: Option<&'static str>) -> Explanation {
    const FRESH: &str = "Get a fresh token from its issuer.";
    const OTHER: &str =
        "Get a token that is meant for this service, and check the settings that it is asked for with.";
    let (what, next) = match detail {
        Some("expired") => ("The token has expired.", FRESH),
        Some("not_yet_valid") => {
            ("The token is not valid yet.", "Wait until it is, and check the clocks of issuer and service.")
        }
        Some("unknown_key") => (
            "The token is not signed by an issuer and with a key that are trusted here.",
            "Get a fresh token from an issuer that this service trusts.",
        ),
        Some("algorithm_not_allowed") => {
            ("The token is signed with an algorithm that is not allowed here.", OTHER)
        }
        Some("bad_signature") => (
            "The signature of the token is wrong.",
            "Send the token as its issuer made it, whole and unchanged; if it is, get a fresh one.",
        ),
        Some("wrong_audience") => ("The token is meant for another audience.", OTHER),
        Some("wrong_type") => ("The token is of a type that is not taken here.", OTHER),
        Some("too_long_lived") => ("The token is valid for longer than is allowed here.", OTHER),
        Some("missing_claim") => ("The token lacks a claim that is needed here.", OTHER),
        Some("malformed_claim") => ("A claim of the token is of the wrong type or out of range.", OTHER),
        Some("claim_mismatch") => ("A claim of the token is not as it has to be here.", OTHER),
        Some("revoked") => ("The token has been revoked.", FRESH),
        _ => ("The token is not valid here.", FRESH),
    };
    Explanation { what, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::TokenError;

    const ALL: &[Reason] = &[
        Reason::MissingCredentials,
        Reason::UnsupportedScheme,
        Reason::AmbiguousCredentials,
        Reason::MalformedCredentials,
        Reason::InvalidCredentials,
        Reason::InvalidToken(TokenError::Expired),
        Reason::InvalidToken(TokenError::NotYetValid),
        Reason::InvalidToken(TokenError::WrongIssuer),
        Reason::InvalidToken(TokenError::UnknownKey),
        Reason::InvalidToken(TokenError::AlgorithmNotAllowed),
        Reason::InvalidToken(TokenError::BadSignature),
        Reason::InvalidToken(TokenError::UnsupportedCritical),
        Reason::InvalidToken(TokenError::WrongAudience),
        Reason::InvalidToken(TokenError::WrongType),
        Reason::InvalidToken(TokenError::TooLongLived),
        Reason::InvalidToken(TokenError::Revoked),
        Reason::StaleNonce,
        Reason::InsufficientScope,
        Reason::NotAuthorized,
        Reason::CrossOrigin,
        Reason::NoRule,
        Reason::RuleDenied,
        Reason::AmbiguousPath,
        Reason::BadAuthority,
        Reason::Unavailable,
    ];

    #[test]
    fn descriptions_keep_to_the_characters_that_rfc_6750_allows() {
        for reason in ALL {
            let text = error_description(*reason);
            assert!(
                text.bytes().all(|octet| matches!(octet, b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')),
                "{text}"
            );
        }
    }

    #[test]
    fn every_body_names_its_code_and_what_to_do() {
        for reason in ALL {
            let body = body(&Denial::of(*reason));
            assert!(body.contains(reason.code()), "{body}");
            assert!(body.lines().filter(|line| line.ends_with('.')).count() == 2, "{body}");
        }
    }

    #[test]
    fn before_the_signature_little_is_told() {
        let check = |error: TokenError, expected: &str| {
            let body = body(&Denial::of(Reason::InvalidToken(error)));
            assert_eq!(body.lines().next(), Some(expected));
        };
        check(TokenError::WrongIssuer, "401 Unauthorized: invalid_token (unknown_key)");
        check(TokenError::UnknownKey, "401 Unauthorized: invalid_token (unknown_key)");
        check(TokenError::UnsupportedCritical, "401 Unauthorized: invalid_token");
        check(TokenError::Expired, "401 Unauthorized: invalid_token (expired)");
        check(TokenError::BadSignature, "401 Unauthorized: invalid_token (bad_signature)");
    }
}
