//! The only mapping from the reason of a denial to status, challenges and body.

mod accept;
mod error_body;
mod format;
mod html;
mod messages;
mod problem;
pub mod protected_resource;
mod text;

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use crate::http::authorization::DPOP;
use crate::http::challenge::{AuthParam, Challenge};
use crate::http::request::Request;
use crate::http::request_id::RequestId;
use crate::jose::jwt::TokenError;
use crate::principal::{AuthenticatorId, Principal};

pub use accept::Form;
use error_body::ErrorBody;
pub use format::{DenialFormat, DenialFormatError, Hidden, is_hidden_by, own_name, own_value};

/// Reason of a denial. Its [`code`](Reason::code) is stable, since dashboards and clients depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request has no credentials.
    MissingCredentials,
    /// The request has credentials, but of a scheme that the rule does not accept.
    UnsupportedScheme,
    /// The request has more than one set of credentials where one is expected.
    AmbiguousCredentials,
    /// The credentials cannot be parsed, or are too long.
    MalformedCredentials,
    /// The user, password or key is wrong.
    InvalidCredentials,
    /// The token is invalid.
    InvalidToken(TokenError),
    /// The response to a challenge is correct, but its nonce is too old, was issued by another worker, or was used
    /// before.
    StaleNonce,
    /// The caller is authenticated, but lacks a required scope.
    InsufficientScope,
    /// The caller is authenticated, but not recently enough, or not in an accepted way
    /// ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)).
    InsufficientUserAuthentication,
    /// The caller is authenticated, but not authorized.
    NotAuthorized,
    /// The token is in a cookie, and the request does not prove that it is same-origin.
    CrossOrigin,
    /// The rule allows requests from pages of certain origins only.
    OriginNotAllowed,
    /// No rule matches.
    NoRule,
    /// The rule denies all requests.
    RuleDenied,
    /// The path has interpretations that match different rules, or cannot be parsed.
    AmbiguousPath,
    /// The authority is not a host with an optional port.
    BadAuthority,
    /// The method has lower-case letters, and its upper-case form selects another rule.
    AmbiguousMethod,
    /// The rule is for MCP calls, and the request is a POST without valid MCP headers.
    McpHeaders,
    /// The `Connection` header asks the next hop to remove an identity header or a header that authenticators read.
    BadConnection,
    /// The credentials were not checked: too many failures before, or no time left for slow checks.
    Throttled {
        /// Seconds after which the client may try again.
        retry_after: u32,
    },
    /// The decision needs data that is not available.
    Unavailable,
}

impl Reason {
    /// Returns the stable code used in bodies, logs and metrics.
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
            Reason::InsufficientUserAuthentication => "insufficient_user_authentication",
            Reason::NotAuthorized => "not_authorized",
            Reason::CrossOrigin | Reason::OriginNotAllowed => "cross_origin",
            Reason::NoRule => "no_rule",
            Reason::RuleDenied => "rule_denied",
            Reason::AmbiguousPath => "ambiguous_path",
            Reason::BadAuthority => "bad_authority",
            Reason::AmbiguousMethod => "ambiguous_method",
            Reason::McpHeaders => "mcp_headers",
            Reason::BadConnection => "bad_connection",
            Reason::Throttled { .. } => "throttled",
            Reason::Unavailable => "unavailable",
        }
    }

    /// Returns the full detail code for logs and metrics. The client may see a less specific one.
    pub fn detail_code(self) -> Option<&'static str> {
        match self {
            Reason::InvalidToken(error) => Some(error.code()),
            _ => None,
        }
    }

    /// Returns the code, followed by a slash and the full detail code if there is one: `invalid_token/expired`.
    pub fn full_code(self) -> Cow<'static, str> {
        match self.detail_code() {
            None => Cow::Borrowed(self.code()),
            Some(detail) => Cow::Owned(format!("{}/{detail}", self.code())),
        }
    }

    /// Returns the detail code that the client may see.
    fn public_detail(self) -> Option<&'static str> {
        match self {
            Reason::InvalidToken(error) => error.public_code(),
            _ => None,
        }
    }

    /// Returns the HTTP status for a reason that is not hidden.
    fn status(self) -> u16 {
        match self {
            Reason::MissingCredentials
            | Reason::UnsupportedScheme
            | Reason::MalformedCredentials
            | Reason::InvalidCredentials
            | Reason::InvalidToken(_)
            | Reason::StaleNonce
            | Reason::InsufficientUserAuthentication => 401,
            Reason::InsufficientScope
            | Reason::NotAuthorized
            | Reason::CrossOrigin
            | Reason::OriginNotAllowed
            | Reason::NoRule
            | Reason::RuleDenied => 403,
            Reason::AmbiguousCredentials
            | Reason::AmbiguousPath
            | Reason::BadAuthority
            | Reason::AmbiguousMethod
            | Reason::McpHeaders
            | Reason::BadConnection => 400,
            Reason::Throttled { .. } => 429,
            Reason::Unavailable => 503,
        }
    }

    /// Returns the value of `Retry-After` ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)),
    /// in seconds.
    fn retry_after(self) -> Option<Cow<'static, str>> {
        match self {
            Reason::Throttled { retry_after } => Some(Cow::Owned(retry_after.to_string())),
            Reason::Unavailable => Some(Cow::Borrowed("5")),
            _ => None,
        }
    }

    /// Returns the `error` of a Bearer challenge
    /// ([RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    fn bearer_error(self) -> Option<&'static str> {
        match self {
            // RFC 9449 §7.1.
            Reason::InvalidToken(error) if error.is_of_proof() => Some("invalid_dpop_proof"),
            Reason::MalformedCredentials | Reason::InvalidToken(_) => Some("invalid_token"),
            Reason::AmbiguousCredentials => Some("invalid_request"),
            Reason::InsufficientScope => Some("insufficient_scope"),
            Reason::InsufficientUserAuthentication => Some("insufficient_user_authentication"),
            _ => None,
        }
    }
}

/// Challenges of one scheme that the rule accepts, without errors.
#[derive(Clone)]
pub struct ChallengeSet {
    /// The authenticator that issues the challenges.
    pub authenticator: AuthenticatorId,
    /// The challenges, with realm and fixed parameters. A scheme with several algorithms has several, the best first.
    pub challenges: Vec<Challenge>,
    /// True if `error` and `scope` are auth-params of the challenges, as in RFC 6750.
    pub is_bearer: bool,
}

/// Requirements on another token, for challenges to clients that can get one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Scopes, with spaces between them.
    pub scope: Option<String>,
    /// Authentication contexts, with spaces between them
    /// ([RFC 9470 §3](https://www.rfc-editor.org/rfc/rfc9470#section-3)).
    pub acr_values: Option<String>,
    /// The longest time since the caller authenticated at the issuer.
    pub max_age: Option<Duration>,
}

impl Wanted {
    /// A token with this scope.
    pub fn scope(scope: String) -> Self {
        Wanted { scope: Some(scope), ..Wanted::default() }
    }
}

/// A denied request, with the data for its response.
pub struct Denial {
    /// Reason of the denial.
    pub reason: Reason,
    /// Authenticator of the presented credentials, if any.
    pub authenticator: Option<AuthenticatorId>,
    /// The authenticated caller, if authentication succeeded.
    pub caller: Option<Rc<Principal>>,
    /// Auth-scheme of the presented credentials, if any.
    auth_scheme: Option<String>,
    /// Challenges of the schemes that the rule accepts, in its order.
    challenge_sets: Vec<ChallengeSet>,
    wanted: Wanted,
    /// URL of the metadata of the protected resource.
    metadata: Option<Rc<str>>,
    /// True if the reply is 404, as if the resource did not exist, for any reason.
    is_hidden: bool,
    /// Identifier of the request, for the reply and the log.
    pub request_id: Option<RequestId>,
}

impl Denial {
    /// Creates a denial that is unrelated to credentials.
    pub fn of(reason: Reason) -> Self {
        Denial::by_rule(reason, None, Vec::new(), Wanted::default(), None)
    }

    /// Creates a denial by a rule. `authenticator` is that of the presented credentials, `challenge_sets` are the
    /// challenges of the rule in its order, `wanted` is what another token needs, and `metadata` is the URL of the
    /// resource's metadata ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)).
    pub fn by_rule(
        reason: Reason,
        authenticator: Option<AuthenticatorId>,
        challenge_sets: Vec<ChallengeSet>,
        wanted: Wanted,
        metadata: Option<Rc<str>>,
    ) -> Self {
        let (caller, auth_scheme, is_hidden, request_id) = (None, None, false, None);
        Denial {
            reason,
            authenticator,
            caller,
            auth_scheme,
            challenge_sets,
            wanted,
            metadata,
            is_hidden,
            request_id,
        }
    }

    /// Sets the auth-scheme of the presented credentials.
    pub fn presented_under(self, auth_scheme: Option<&str>) -> Self {
        Denial { auth_scheme: auth_scheme.map(str::to_owned), ..self }
    }

    /// The same, with the identifier of the request.
    pub fn for_request(self, request: &Request<'_>) -> Self {
        Denial { request_id: RequestId::of(request), ..self }
    }

    /// The same, answered with the 404 of [`Hidden`] reasons.
    pub fn hidden(self) -> Self {
        Denial { is_hidden: true, ..self }
    }

    fn is_hidden_by(&self, format: &DenialFormat) -> bool {
        self.is_hidden || format.hides(self.reason)
    }

    /// The answer to the client.
    pub fn response<'a>(&'a self, format: &'a DenialFormat, form: Form) -> Response<'a> {
        let error_body = ErrorBody::of(self, format);
        let mut fields = Vec::with_capacity(8);
        if !self.is_hidden_by(format) {
            let challenges = self.challenges(format.tells_reasons);
            fields.extend(
                challenges
                    .iter()
                    .map(|issued| ("www-authenticate", Cow::Owned(issued.value(self.metadata.as_deref())))),
            );
        }
        let (content_type, body) = match form {
            Form::Text => (Some(text::CONTENT_TYPE), text::body(&error_body)),
            Form::Html => (Some(html::CONTENT_TYPE), html::body(&error_body)),
            Form::Problem => (Some(problem::CONTENT_TYPE), problem::body(&error_body)),
            Form::Empty => (None, String::new()),
            Form::Grpc => (None, text::summary(&error_body)),
        };
        fields.push(("cache-control", Cow::Borrowed("no-store")));
        if format.form.is_none() {
            fields.push(("vary", Cow::Borrowed("Accept")));
        }
        if form != Form::Grpc {
            fields.extend(self.reason.retry_after().map(|seconds| ("retry-after", seconds)));
            fields.extend(content_type.map(|content_type| ("content-type", Cow::Borrowed(content_type))));
        }
        if form == Form::Html {
            fields.push(("content-security-policy", Cow::Borrowed(html::SECURITY_POLICY)));
        }
        let own = format.fields.iter().map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str())));
        fields.extend(own);
        let grpc_status = (form == Form::Grpc).then(|| grpc_status(error_body.status));
        let details = format!("authgate:{}", self.reason.full_code());
        Response { status: error_body.status, fields, body, grpc_status, details }
    }

    /// Returns the challenges of the authenticator whose credentials were presented.
    fn presented(&self) -> Option<&ChallengeSet> {
        let authenticator = self.authenticator?;
        self.challenge_sets.iter().find(|set| set.authenticator == authenticator)
    }

    /// Returns the auth-scheme whose challenge carries the error: the presented one if the authenticator challenges
    /// with it, else the authenticator's first. Errors of proofs belong to `DPoP`.
    fn explained(&self) -> Option<&str> {
        let presented = match self.reason {
            Reason::InvalidToken(error) if error.is_of_proof() => Some(DPOP),
            _ => self.auth_scheme.as_deref(),
        };
        let mut offered = self.presented()?.challenges.iter().map(Challenge::scheme);
        let first = offered.next()?;
        let is_presented =
            |scheme: &&str| presented.is_some_and(|presented| presented.eq_ignore_ascii_case(scheme));
        Some(Some(first).into_iter().chain(offered).find(is_presented).unwrap_or(first))
    }

    /// Returns the auth-schemes that the rule accepts, each once.
    fn accepted(&self) -> Vec<&str> {
        let mut accepted = Vec::with_capacity(self.challenge_sets.len());
        for challenge in self.challenge_sets.iter().flat_map(|set| &set.challenges) {
            if !accepted.contains(&challenge.scheme()) {
                accepted.push(challenge.scheme());
            }
        }
        accepted
    }

    /// Returns the challenges of the response. Only the presented scheme has an `error`.
    fn challenges<'a>(&'a self, explains: bool) -> Vec<IssuedChallenge<'a>> {
        let (reason, presented) = (self.reason, self.presented());
        let with_scope =
            |issued: IssuedChallenge<'a>| IssuedChallenge { scope: self.wanted.scope.as_deref(), ..issued };
        let with_error = |issued: IssuedChallenge<'a>| {
            let error = reason.bearer_error();
            let description = error.filter(|_| explains).map(|_| messages::explain(reason).what);
            // RFC 7616 §3.3: the client can retry without another password prompt.
            IssuedChallenge { error, description, is_stale: reason == Reason::StaleNonce, ..issued }
        };
        let explained = self.explained();
        let is_explained = |issued: &IssuedChallenge<'_>| explained == Some(issued.challenge.scheme());
        let own = || presented.into_iter().flat_map(IssuedChallenge::of);
        let all = self.challenge_sets.iter().flat_map(IssuedChallenge::of);
        let mut challenges = Vec::with_capacity(self.challenge_sets.len());
        match reason {
            Reason::MissingCredentials | Reason::UnsupportedScheme => challenges.extend(all.map(with_scope)),
            Reason::MalformedCredentials
            | Reason::InvalidCredentials
            | Reason::InvalidToken(_)
            | Reason::StaleNonce => {
                challenges.extend(own().filter(is_explained).map(with_error));
                challenges.extend(own().filter(|issued| !is_explained(issued)));
                challenges.extend(all.filter(|issued| own().all(|own| own != *issued)));
            }
            Reason::AmbiguousCredentials => {
                let bearers = self.challenge_sets.iter().filter(|set| set.is_bearer);
                challenges.extend(bearers.filter_map(|set| IssuedChallenge::of(set).next()).map(with_error));
            }
            Reason::InsufficientScope => {
                // The scope serves as the description.
                let insufficient =
                    |issued| IssuedChallenge { error: reason.bearer_error(), ..with_scope(issued) };
                challenges.extend(
                    own().filter(|issued| issued.is_bearer && is_explained(issued)).map(insufficient),
                );
            }
            Reason::InsufficientUserAuthentication => {
                // Every 401 has a challenge, even if the caller came by another scheme.
                let step_up = |issued| IssuedChallenge {
                    error: reason.bearer_error(),
                    step_up: Some(&self.wanted),
                    ..with_scope(issued)
                };
                challenges
                    .extend(own().filter(|issued| issued.is_bearer && is_explained(issued)).map(step_up));
                if challenges.is_empty() {
                    challenges.extend(all.filter(|issued| issued.is_bearer).map(step_up));
                }
            }
            _ => {}
        }
        // Identical challenges are sent once.
        let mut distinct: Vec<IssuedChallenge<'_>> = Vec::with_capacity(challenges.len());
        for challenge in challenges {
            if !distinct.contains(&challenge) {
                distinct.push(challenge);
            }
        }
        distinct
    }
}

/// A challenge of the response: one of a [`ChallengeSet`], with the additions for the reason.
#[derive(PartialEq)]
struct IssuedChallenge<'a> {
    challenge: &'a Challenge,
    /// True if `error`, `error_description` and `scope` are auth-params of the challenge.
    is_bearer: bool,
    error: Option<&'static str>,
    description: Option<&'static str>,
    scope: Option<&'a str>,
    /// Requirements on the login of the caller, for a challenge to log in again.
    step_up: Option<&'a Wanted>,
    /// True if only the nonce is invalid.
    is_stale: bool,
}

impl<'a> IssuedChallenge<'a> {
    fn of(set: &'a ChallengeSet) -> impl Iterator<Item = IssuedChallenge<'a>> {
        let issued = |challenge| IssuedChallenge {
            challenge,
            is_bearer: set.is_bearer,
            error: None,
            description: None,
            scope: None,
            step_up: None,
            is_stale: false,
        };
        set.challenges.iter().map(issued)
    }

    fn value(&self, metadata: Option<&str>) -> String {
        let acr_values = self.step_up.and_then(|wanted| wanted.acr_values.as_deref());
        let max_age = self.step_up.and_then(|wanted| wanted.max_age).map(|age| age.as_secs().to_string());
        let params = [
            ("error", self.error),
            ("error_description", self.description),
            ("scope", self.scope),
            ("acr_values", acr_values),
            ("max_age", max_age.as_deref()),
            ("resource_metadata", metadata),
        ];
        let params = params.into_iter().filter(|_| self.is_bearer);
        let params =
            params.filter_map(|(name, value)| Some(AuthParam { name, value: value?, is_token: false }));
        let stale = AuthParam { name: "stale", value: "true", is_token: true };
        self.challenge.value_with(params.chain(self.is_stale.then_some(stale)))
    }
}

/// Response to the client.
pub struct Response<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Headers in order; a name may repeat.
    pub fields: Vec<(&'a str, Cow<'a, str>)>,
    /// The body, or the message of a gRPC response.
    pub body: String,
    /// The status code (google.rpc.Code) of a gRPC response, equivalent to the HTTP status.
    pub grpc_status: Option<u8>,
    /// The response details in the proxy's access log, not visible to the client.
    pub details: String,
}

fn grpc_status(status: u16) -> u8 {
    match status {
        400 => 3,  // INVALID_ARGUMENT
        401 => 16, // UNAUTHENTICATED
        403 => 7,  // PERMISSION_DENIED
        404 => 5,  // NOT_FOUND
        429 => 8,  // RESOURCE_EXHAUSTED
        _ => 14,   // UNAVAILABLE
    }
}

#[cfg(test)]
mod tests;
