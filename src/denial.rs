//! Why a request is refused → status, challenges and body: the one mapping.

mod text;

use crate::challenge::Challenge;
use crate::jwt::TokenError;

/// Why a request is refused. Its [`code`](Reason::code) is stable: operators' dashboards and callers' code know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No credentials at all.
    MissingCredentials,
    /// Credentials of a scheme that the rule does not take.
    UnsupportedScheme,
    /// More than one set of credentials where one is expected.
    AmbiguousCredentials,
    /// Credentials that cannot be taken apart, or are too long.
    MalformedCredentials,
    /// Wrong user, password or key.
    InvalidCredentials,
    /// A token that is not valid, and why.
    InvalidToken(TokenError),
    /// The right answer to a challenge that is too old, not of this worker, or answered before.
    StaleNonce,
    /// Authenticated, but without the scopes that are needed.
    InsufficientScope,
    /// Authenticated, but not allowed.
    NotAuthorized,
    /// A token in a cookie, and nothing that shows that the request came from our own pages.
    CrossOrigin,
    /// No rule matches.
    NoRule,
    /// The rule says so.
    RuleDenied,
    /// A path that can be read in ways which different rules match, or that cannot be read.
    AmbiguousPath,
    /// An authority that is not a host with perhaps a port.
    BadAuthority,
    /// What the decision needs cannot be had.
    Unavailable,
}

impl Reason {
    /// The stable code, as in bodies, logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Reason::MissingCredentials => "missing_credentials",
            Reason::UnsupportedScheme => "unsupported_scheme",
            Reason::AmbiguousCredentials => "ambiguous_credentials",
            Reason::MalformedCredentials => "malformed_credentials",
            Reason::InvalidCredentials => "invalid_credentials",
            Reason::InvalidToken(_) => "invalid_token",
            Reason::StaleNonce => "stale_nonce",
            Reason::InsufficientScope => "insufficient_scope",
            Reason::NotAuthorized => "not_authorized",
            Reason::CrossOrigin => "cross_origin",
            Reason::NoRule => "no_rule",
            Reason::RuleDenied => "rule_denied",
            Reason::AmbiguousPath => "ambiguous_path",
            Reason::BadAuthority => "bad_authority",
            Reason::Unavailable => "unavailable",
        }
    }

    /// The full detail, for logs and metrics. The client may be told less.
    pub fn detail_code(self) -> Option<&'static str> {
        match self {
            Reason::InvalidToken(error) => Some(error.code()),
            _ => None,
        }
    }

    /// The detail that the client may be told.
    fn public_detail(self) -> Option<&'static str> {
        match self {
            Reason::InvalidToken(error) => error.public_code(),
            _ => None,
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Reason::MissingCredentials
            | Reason::UnsupportedScheme
            | Reason::MalformedCredentials
            | Reason::InvalidCredentials
            | Reason::InvalidToken(_)
            | Reason::StaleNonce => 401,
            Reason::InsufficientScope
            | Reason::NotAuthorized
            | Reason::CrossOrigin
            | Reason::NoRule
            | Reason::RuleDenied => 403,
            Reason::AmbiguousCredentials | Reason::AmbiguousPath | Reason::BadAuthority => 400,
            Reason::Unavailable => 503,
        }
    }

    /// The gRPC status code (google.rpc.Code) that says the same.
    fn grpc_status(self) -> u8 {
        match self.status() {
            400 => 3,  // INVALID_ARGUMENT
            401 => 16, // UNAUTHENTICATED
            403 => 7,  // PERMISSION_DENIED
            _ => 14,   // UNAVAILABLE
        }
    }

    /// RFC 6750 §3.1: what a Bearer challenge says of credentials that were presented.
    fn bearer_error(self) -> Option<&'static str> {
        match self {
            Reason::MalformedCredentials | Reason::InvalidToken(_) => Some("invalid_token"),
            Reason::AmbiguousCredentials => Some("invalid_request"),
            _ => None,
        }
    }
}

/// A scheme that the rule takes: its bare challenges, and whether it explains errors as RFC 6750 does.
pub struct Offer {
    /// The authenticator that makes the offer.
    pub authenticator: usize,
    /// With the realm and what the scheme always says, the strongest first.
    pub challenges: Vec<Challenge>,
    /// Whether `error` and `scope` belong to its auth-params.
    pub is_bearer: bool,
}

/// A refused request: what its answer is made of.
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// By whose credentials, where there were any.
    pub authenticator: Option<usize>,
    challenges: Vec<Challenge>,
    accepted: Vec<String>,
    scope: Option<String>,
}

impl Denial {
    /// A refusal that has nothing to do with credentials.
    pub fn of(reason: Reason) -> Self {
        Denial { reason, authenticator: None, challenges: Vec::new(), accepted: Vec::new(), scope: None }
    }

    /// A refusal by a rule that takes `offers`, in its order, and asks for `scope`; `authenticator` is the one whose
    /// credentials were presented.
    pub fn by_rule(
        reason: Reason,
        authenticator: Option<usize>,
        offers: Vec<Offer>,
        scope: Option<String>,
    ) -> Self {
        let mut accepted: Vec<String> = Vec::new();
        for challenge in offers.iter().flat_map(|offer| &offer.challenges) {
            let scheme = challenge.scheme();
            if !accepted.iter().any(|known| known == scheme) {
                accepted.push(scheme.to_owned());
            }
        }
        let challenges = challenges(reason, authenticator, offers, scope.as_deref());
        Denial { reason, authenticator, challenges, accepted, scope }
    }

    /// The answer to the client.
    pub fn response(&self) -> Response {
        let mut fields: Vec<(&'static str, String)> =
            self.challenges.iter().map(|challenge| ("www-authenticate", challenge.to_string())).collect();
        fields.push(("cache-control", "no-store".to_owned()));
        if self.reason == Reason::Unavailable {
            fields.push(("retry-after", "5".to_owned()));
        }
        fields.push(("content-type", "text/plain; charset=utf-8".to_owned()));
        Response {
            status: self.reason.status(),
            fields,
            body: text::body(self),
            grpc_status: self.reason.grpc_status(),
            grpc_message: text::summary(self),
        }
    }
}

/// What goes back to the client.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Fields in their order; a name may repeat.
    pub fields: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// For a gRPC call: its status code.
    pub grpc_status: u8,
    /// For a gRPC call: its message.
    pub grpc_message: String,
}

/// Which challenges go out, and what they say. `error` stands only on the scheme that was presented. Identical ones go
/// out once.
fn challenges(
    reason: Reason,
    presented: Option<usize>,
    mut offers: Vec<Offer>,
    scope: Option<&str>,
) -> Vec<Challenge> {
    let mut distinct: Vec<Challenge> = Vec::new();
    let mut add = |challenge: Challenge| {
        if !distinct.contains(&challenge) {
            distinct.push(challenge);
        }
    };
    let with_scope = |challenge: Challenge, offer_is_bearer: bool| match scope {
        Some(scope) if offer_is_bearer => challenge.with("scope", scope),
        _ => challenge,
    };
    let with_error = |challenge: Challenge, offer_is_bearer: bool| match reason.bearer_error() {
        Some(error) if offer_is_bearer => {
            challenge.with("error", error).with("error_description", text::error_description(reason))
        }
        // RFC 7616 §3.3: the client need not ask anybody for the password again.
        _ if reason == Reason::StaleNonce => challenge.with_token("stale", "true"),
        _ => challenge,
    };
    let at = offers.iter().position(|offer| Some(offer.authenticator) == presented);
    match reason {
        Reason::MissingCredentials | Reason::UnsupportedScheme => {
            for Offer { challenges, is_bearer, .. } in offers {
                challenges.into_iter().for_each(|challenge| add(with_scope(challenge, is_bearer)));
            }
        }
        Reason::MalformedCredentials
        | Reason::InvalidCredentials
        | Reason::InvalidToken(_)
        | Reason::StaleNonce => {
            let presented = at.map(|at| offers.remove(at));
            let said = presented.as_ref().filter(|_| !offers.is_empty());
            let said = said.map(|offer| offer.challenges.clone()).unwrap_or_default();
            if let Some(Offer { challenges, is_bearer, .. }) = presented {
                challenges.into_iter().for_each(|challenge| add(with_error(challenge, is_bearer)));
            }
            let others = offers.into_iter().flat_map(|offer| offer.challenges);
            others.filter(|challenge| !said.contains(challenge)).for_each(add);
        }
        Reason::AmbiguousCredentials => {
            let bearers = offers.into_iter().filter(|offer| offer.is_bearer);
            bearers.flat_map(|offer| offer.challenges).for_each(|challenge| add(with_error(challenge, true)));
        }
        Reason::InsufficientScope => {
            let presented = at.map(|at| offers.remove(at)).filter(|offer| offer.is_bearer);
            for challenge in presented.into_iter().flat_map(|offer| offer.challenges) {
                // The scope is the description.
                add(with_scope(challenge.with("error", "insufficient_scope"), true));
            }
        }
        _ => {}
    }
    distinct
}
