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
        Reason::MissingCredentials => "Authentication required",
        Reason::UnsupportedScheme => "Unsupported scheme",
        Reason::AmbiguousCredentials => "Ambiguous credentials",
        Reason::MalformedCredentials => "Malformed credentials",
        Reason::InvalidCredentials => "Invalid credentials",
        Reason::InvalidToken(_) => "Invalid token",
        Reason::StaleNonce => "Stale nonce",
        Reason::InsufficientScope => "Insufficient scope",
        Reason::InsufficientUserAuthentication => "Stronger authentication required",
        Reason::NotAuthorized => "Not authorized",
        Reason::CrossOrigin | Reason::OriginNotAllowed => "Cross-origin request",
        Reason::NoRule => "No access rule",
        Reason::RuleDenied => "Denied by rule",
        Reason::AmbiguousPath => "Ambiguous path",
        Reason::BadAuthority => "Invalid host name",
        Reason::AmbiguousMethod => "Ambiguous method",
        Reason::McpHeaders => "Invalid MCP headers",
        Reason::BadConnection => "Invalid Connection header",
        Reason::Throttled { .. } => "Too many attempts",
        Reason::Unavailable => "Temporarily unavailable",
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
        Reason::MissingCredentials => ("Authentication required.", "Send credentials of an accepted scheme."),
        Reason::UnsupportedScheme => {
            ("The authentication scheme is not accepted.", "Send credentials of an accepted scheme.")
        }
        Reason::AmbiguousCredentials => (
            "The request has more than one set of credentials.",
            "Send credentials once, in one location, and check whether a proxy adds its own.",
        ),
        Reason::MalformedCredentials => (
            "The credentials are malformed: incomplete, too long, or not in the format of their scheme.",
            "Check that the credentials are complete, without added characters or quotes.",
        ),
        Reason::InvalidCredentials => {
            ("The credentials are invalid.", "Check the credentials for typing errors, or request new ones.")
        }
        Reason::StaleNonce => (
            "The credentials are valid, but their nonce has expired or was already used.",
            "Repeat the request with the new challenge; most clients do so automatically.",
        ),
        Reason::InvalidToken(_) => return explain_token(reason.public_detail()),
        Reason::InsufficientScope => {
            ("The credentials lack a required scope.", "Request credentials with the required scope.")
        }
        Reason::InsufficientUserAuthentication => (
            "The token is valid, but its user must authenticate again: more recently, or with a stronger method.",
            "Request a new token with the acr_values and max_age of the challenge (RFC 9470).",
        ),
        Reason::NotAuthorized => (
            "The credentials are valid, but not authorized for this request.",
            "Ask the operator of this service for access.",
        ),
        Reason::CrossOrigin => (
            "The request has a token in a cookie, but no proof that it comes from a page of this site.",
            "Send the request from a page of this site with Sec-Fetch-Site or Origin, or send the token in \
             Authorization.",
        ),
        Reason::OriginNotAllowed => (
            "The request comes from a page of an origin that is not allowed.",
            "Send the request from a page of an allowed origin; the operator of this service can add origins.",
        ),
        Reason::NoRule => {
            ("No access rule covers this URL.", "Check the URL; the operator of this service can add a rule.")
        }
        Reason::RuleDenied => (
            "An access rule denies this request for all callers.",
            "Check the URL and the method; other credentials make no difference.",
        ),
        Reason::AmbiguousPath => (
            "The path is ambiguous or malformed.",
            "Send the path without encoded or double slashes, dot segments, backslashes and path parameters.",
        ),
        Reason::BadAuthority => {
            ("The host name of the request is invalid.", "Send a plain host name, with a port if needed.")
        }
        Reason::AmbiguousMethod => (
            "The method has lower-case letters, and different rules apply to its upper-case form.",
            "Send the method in upper case, for example DELETE.",
        ),
        Reason::McpHeaders => (
            "The MCP headers of the request are missing, repeated or malformed, or of an old MCP revision.",
            "Use a client for MCP revision 2026-07-28 or later, which sends MCP-Protocol-Version, Mcp-Method and, for \
             tools, prompts and resources, Mcp-Name.",
        ),
        Reason::BadConnection => (
            "The Connection header lists a header that contains identity or credentials.",
            "List only connection options such as keep-alive or Upgrade in Connection.",
        ),
        Reason::Throttled { .. } => (
            "Too many attempts failed, so the credentials were not checked.",
            "Wait for the number of seconds in Retry-After, then try again with valid credentials.",
        ),
        Reason::Unavailable => (
            "The access decision is temporarily unavailable.",
            "Try again later; if the problem persists, the operator finds the cause in the log of this service.",
        ),
    };
    Explanation { what, next }
}

/// Explains a public detail code, see [`TokenError::public_code`](crate::jose::jwt::TokenError::public_code).
fn explain_token(detail: Option<&'static str>) -> Explanation {
    const FRESH: &str = "Get a new token from the issuer.";
    const OTHER: &str = "Get a token for this service, and check the settings of the token request.";
    let (what, next) = match detail {
        Some("expired") => ("The token has expired.", FRESH),
        Some("not_yet_valid") => (
            "The token is not valid yet.",
            "Wait until it is valid, and check the clocks of issuer and service.",
        ),
        Some("unknown_key") => (
            "The issuer or the key of the token is not trusted.",
            "Get a new token from an issuer that this service trusts.",
        ),
        Some("algorithm_not_allowed") => ("The signature algorithm of the token is not allowed.", OTHER),
        Some("bad_signature") => (
            "The signature of the token is invalid.",
            "Send the token complete and unchanged, or get a new one from the issuer.",
        ),
        Some("wrong_audience") => ("The token is for another audience.", OTHER),
        Some("wrong_type") => ("The type of the token is not accepted.", OTHER),
        Some("too_long_lived") => ("The lifetime of the token exceeds the allowed maximum.", OTHER),
        Some("missing_claim") => ("The token lacks a required claim.", OTHER),
        Some("malformed_claim") => ("A claim of the token has the wrong type or is out of range.", OTHER),
        Some("claim_mismatch") => ("A claim of the token does not have a required value.", OTHER),
        Some("too_many_scopes") => ("The token has too many scopes.", "Request fewer scopes."),
        Some("revoked") => ("The token has been revoked.", FRESH),
        Some("inactive") => ("The token has expired, has been revoked, or was never issued.", FRESH),
        Some("not_bound") => (
            "The token is not bound to the client, or the request does not prove the binding.",
            "Send a token that is bound to your key as Authorization: DPoP with a proof by that key, or a token that \
             is bound to your certificate over a connection with that certificate.",
        ),
        Some("bad_proof") => (
            "The DPoP proof is malformed, incomplete, or not signed by its key.",
            "Send one DPoP header with one proof as defined in RFC 9449.",
        ),
        Some("proof_mismatch") => (
            "The DPoP proof is for another method, URL or token.",
            "Create a proof for this request and this token; its htu is the URL without query and fragment.",
        ),
        Some("stale_proof") => (
            "The DPoP proof is too old or from the future.",
            "Create a new proof for each request, and check the clock of the client.",
        ),
        Some("replayed_proof") => {
            ("The DPoP proof was already used.", "Create a new proof with a unique jti for each request.")
        }
        _ => ("The token is invalid.", FRESH),
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
