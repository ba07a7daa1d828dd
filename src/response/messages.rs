//! Texts of denials: the problem and the remedy.
//!
//! All texts are constants; no part of the request is repeated.

use super::Reason;

/// Returns a status and its reason phrase ([RFC 9110 §15](https://www.rfc-editor.org/rfc/rfc9110#section-15)).
pub fn status_line(status: u16) -> &'static str {
    match status {
        400 => "400 Bad Request",
        401 => "401 Unauthorized",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        429 => "429 Too Many Requests",
        _ => "503 Service Unavailable",
    }
}

/// Returns the reason phrase of a status.
pub fn phrase(status: u16) -> &'static str {
    status_line(status).split_once(' ').map_or("", |(_, phrase)| phrase)
}

/// Returns a short title; each reason code has its own.
pub fn title(reason: Reason) -> &'static str {
    match reason {
        Reason::MissingCredentials => "Credentials needed",
        Reason::UnsupportedScheme => "Another scheme needed",
        Reason::AmbiguousCredentials => "More than one set of credentials",
        Reason::MalformedCredentials => "Unreadable credentials",
        Reason::InvalidCredentials => "Wrong credentials",
        Reason::InvalidToken(_) => "Token not valid",
        Reason::StaleNonce => "Answer to an old challenge",
        Reason::InsufficientScope => "Scope missing",
        Reason::NotAuthorized => "Not allowed",
        Reason::CrossOrigin => "Request from another site",
        Reason::NoRule => "Nothing is allowed here",
        Reason::RuleDenied => "Not allowed for anyone",
        Reason::AmbiguousPath => "Ambiguous path",
        Reason::BadAuthority => "Bad host name",
        Reason::AmbiguousMethod => "Ambiguous method",
        Reason::BadConnection => "Bad Connection header",
        Reason::Throttled { .. } => "Too many attempts",
        Reason::Unavailable => "No decision possible",
    }
}

/// The problem and the remedy, one sentence each.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// The problem. It can be an `error_description`
    /// ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)): visible ASCII without `"` and `\`.
    pub what: &'static str,
    /// The remedy.
    pub next: &'static str,
}

/// Returns the public explanation of a reason.
pub fn explain(reason: Reason) -> Explanation {
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
        Reason::StaleNonce => (
            "The credentials are right, but answer a challenge that is too old, or that was answered before.",
            "Answer the challenge that comes with this; clients do so by themselves.",
        ),
        Reason::InvalidToken(_) => return explain_token(reason.public_detail()),
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
            "Send it from a page of this site, with Sec-Fetch-Site or Origin, or send the token in Authorization.",
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
        Reason::AmbiguousMethod => (
            "The method has lower-case letters, and different rules apply to it in upper case.",
            "Send the method in upper case, for example DELETE.",
        ),
        Reason::BadConnection => (
            "The Connection header lists a header that carries identity or credentials.",
            "List only connection options such as keep-alive or Upgrade in Connection.",
        ),
        Reason::Throttled { .. } => (
            "The credentials were not looked at, since too many wrong ones have come.",
            "Wait for as long as Retry-After says, then try again with the right ones.",
        ),
        Reason::Unavailable => (
            "Whether this is allowed cannot be decided at the moment.",
            "Try again later; if it stays so, whoever runs this service finds the cause in its log.",
        ),
    };
    Explanation { what, next }
}

/// Explains a public detail code, see [`TokenError::public_code`](crate::jose::jwt::TokenError::public_code).
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
        Some("too_many_scopes") => ("The token has more scopes than are read here.", "Ask for fewer scopes."),
        Some("revoked") => ("The token has been revoked.", FRESH),
        Some("inactive") => ("The token has expired, has been revoked, or was never issued.", FRESH),
        Some("not_bound") => (
            "The token and the request do not show that it is used by whom it was issued to.",
            "Send a token that is bound to your key as Authorization: DPoP with a proof by that key, and one that is \
             bound to your certificate over a connection with it.",
        ),
        Some("bad_proof") => (
            "The DPoP proof cannot be read, is not signed by its key, or lacks something.",
            "Send one DPoP field with one proof, made as RFC 9449 says.",
        ),
        Some("proof_mismatch") => (
            "The DPoP proof is for another method, address or token.",
            "Make a proof for this request and this token; its htu is the address without query and fragment.",
        ),
        Some("stale_proof") => (
            "The DPoP proof is too old, or from the future.",
            "Make a new proof for each request, and check the clock that it is made by.",
        ),
        Some("replayed_proof") => {
            ("The DPoP proof was used before.", "Make a new proof for each request, with a jti of its own.")
        }
        _ => ("The token is not valid here.", FRESH),
    };
    Explanation { what, next }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ALL;
    use super::*;

    #[test]
    fn descriptions_keep_to_the_characters_that_rfc_6750_allows() {
        for reason in ALL {
            let text = explain(*reason).what;
            assert!(
                text.bytes().all(|byte| matches!(byte, b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')),
                "{text}"
            );
        }
    }

    #[test]
    fn each_code_has_a_title_of_its_own() {
        for one in ALL {
            for other in ALL {
                assert_eq!(one.code() == other.code(), title(*one) == title(*other), "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn sentences_end() {
        for reason in ALL {
            let Explanation { what, next } = explain(*reason);
            assert!(what.ends_with('.') && next.ends_with('.'), "{reason:?}");
        }
    }
}
