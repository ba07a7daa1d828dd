//! Why a request is refused → status, challenges and body: the one mapping.

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

use crate::http::authorization::DPOP;
use crate::http::challenge::{AuthParam, Challenge};
use crate::jose::jwt::TokenError;
use crate::principal::{AuthenticatorId, Principal};

pub use accept::Form;
use error_body::ErrorBody;
pub use format::{DenialFormat, DenialFormatError, Hidden, is_hidden_by, own_name, own_value};

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
    /// A method with lower-case letters whose upper-case form selects another rule.
    AmbiguousMethod,
    /// A `Connection` field that asks the next hop to remove an identity header or a header that authenticators read.
    BadConnection,
    /// Too many failures before, or no time left for slow hashes: it was not looked at.
    Throttled {
        /// After so many whole seconds it is worth trying again.
        retry_after: u32,
    },
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
            Reason::AmbiguousMethod => "ambiguous_method",
            Reason::BadConnection => "bad_connection",
            Reason::Throttled { .. } => "throttled",
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

    /// The code, and after a slash the full detail where there is one: `invalid_token/expired`.
    pub fn full_code(self) -> Cow<'static, str> {
        match self.detail_code() {
            None => Cow::Borrowed(self.code()),
            Some(detail) => Cow::Owned(format!("{}/{detail}", self.code())),
        }
    }

    /// The detail that the client may be told.
    fn public_detail(self) -> Option<&'static str> {
        match self {
            Reason::InvalidToken(error) => error.public_code(),
            _ => None,
        }
    }

    /// The HTTP status, where it is not hidden.
    fn status(self) -> u16 {
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
            Reason::AmbiguousCredentials
            | Reason::AmbiguousPath
            | Reason::BadAuthority
            | Reason::AmbiguousMethod
            | Reason::BadConnection => 400,
            Reason::Throttled { .. } => 429,
            Reason::Unavailable => 503,
        }
    }

    /// The value of Retry-After (RFC 9110 §10.2.3), in seconds.
    fn retry_after(self) -> Option<Cow<'static, str>> {
        match self {
            Reason::Throttled { retry_after } => Some(Cow::Owned(retry_after.to_string())),
            Reason::Unavailable => Some(Cow::Borrowed("5")),
            _ => None,
        }
    }

    /// RFC 6750 §3.1: what a Bearer challenge says of credentials that were presented.
    fn bearer_error(self) -> Option<&'static str> {
        match self {
            // RFC 9449 §7.1.
            Reason::InvalidToken(error) if error.is_of_proof() => Some("invalid_dpop_proof"),
            Reason::MalformedCredentials | Reason::InvalidToken(_) => Some("invalid_token"),
            Reason::AmbiguousCredentials => Some("invalid_request"),
            _ => None,
        }
    }
}

/// A scheme that the rule takes: its bare challenge, and whether it explains errors as RFC 6750 does.
#[derive(Clone)]
pub struct ChallengeSet {
    /// The authenticator that makes the offer.
    pub authenticator: AuthenticatorId,
    /// With the realm and what the scheme always says; several where it has more than one algorithm, the best first.
    pub challenges: Vec<Challenge>,
    /// Whether `error` and `scope` belong to its auth-params.
    pub is_bearer: bool,
}

/// A refused request: what its answer is made of.
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// By whose credentials, where there were any.
    pub authenticator: Option<AuthenticatorId>,
    /// Who was shown to be the caller, where that was not the matter.
    pub caller: Option<Rc<Principal>>,
    /// Under which auth-scheme they were presented, where there was one.
    auth_scheme: Option<String>,
    /// What the rule takes, in its order.
    challenges_of: Vec<ChallengeSet>,
    scope: Option<String>,
    /// Where the metadata of the protected resource stands.
    metadata: Option<Rc<str>>,
}

impl Denial {
    /// A refusal that has nothing to do with credentials.
    pub fn of(reason: Reason) -> Self {
        Denial::by_rule(reason, None, Vec::new(), None, None)
    }

    /// A refusal by a rule that takes `offers`, in its order, and asks for `scope`; `authenticator` is the one whose
    /// credentials were presented, `metadata` the URL of the resource's metadata (RFC 9728).
    pub fn by_rule(
        reason: Reason,
        authenticator: Option<AuthenticatorId>,
        challenges_of: Vec<ChallengeSet>,
        scope: Option<String>,
        metadata: Option<Rc<str>>,
    ) -> Self {
        Denial { reason, authenticator, caller: None, auth_scheme: None, challenges_of, scope, metadata }
    }

    /// The same for credentials that stood behind this auth-scheme.
    pub fn presented_under(self, auth_scheme: Option<&str>) -> Self {
        Denial { auth_scheme: auth_scheme.map(str::to_owned), ..self }
    }

    /// The answer to the client.
    pub fn response<'a>(&'a self, format: &'a DenialFormat, form: Form) -> Response<'a> {
        let error_body = ErrorBody::of(self, format);
        let mut fields = Vec::with_capacity(8);
        if !format.hides(self.reason) {
            let challenges = self.challenges(format.tells(self.reason));
            fields.extend(
                challenges
                    .iter()
                    .map(|said| ("www-authenticate", Cow::Owned(said.value(self.metadata.as_deref())))),
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

    /// The offer of whoever's credentials were presented.
    fn presented(&self) -> Option<&ChallengeSet> {
        let authenticator = self.authenticator?;
        self.challenges_of.iter().find(|offer| offer.authenticator == authenticator)
    }

    /// The auth-scheme that the error belongs to: of those that the authenticator offers the one that was presented, else
    /// the first. What is wrong with a proof belongs to `DPoP`.
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

    /// The auth-schemes that the rule takes, each once.
    fn accepted(&self) -> Vec<&str> {
        let mut accepted = Vec::with_capacity(self.challenges_of.len());
        for challenge in self.challenges_of.iter().flat_map(|offer| &offer.challenges) {
            if !accepted.contains(&challenge.scheme()) {
                accepted.push(challenge.scheme());
            }
        }
        accepted
    }

    /// Which challenges go out, and what they say. `error` stands only on the scheme that was presented.
    fn challenges<'a>(&'a self, explains: bool) -> Vec<IssuedChallenge<'a>> {
        let (reason, presented) = (self.reason, self.presented());
        let with_scope = |said: IssuedChallenge<'a>| IssuedChallenge { scope: self.scope.as_deref(), ..said };
        let with_error = |said: IssuedChallenge<'a>| {
            let error = reason.bearer_error();
            let description = error.filter(|_| explains).map(|_| messages::explain(reason).what);
            // RFC 7616 §3.3: the client need not ask anybody for the password again.
            IssuedChallenge { error, description, is_stale: reason == Reason::StaleNonce, ..said }
        };
        let explained = self.explained();
        let is_explained = |said: &IssuedChallenge<'_>| explained == Some(said.challenge.scheme());
        let own = || presented.into_iter().flat_map(IssuedChallenge::of);
        let all = self.challenges_of.iter().flat_map(IssuedChallenge::of);
        let mut challenges = Vec::with_capacity(self.challenges_of.len());
        match reason {
            Reason::MissingCredentials | Reason::UnsupportedScheme => challenges.extend(all.map(with_scope)),
            Reason::MalformedCredentials
            | Reason::InvalidCredentials
            | Reason::InvalidToken(_)
            | Reason::StaleNonce => {
                challenges.extend(own().filter(is_explained).map(with_error));
                challenges.extend(own().filter(|said| !is_explained(said)));
                challenges.extend(all.filter(|said| own().all(|own| own != *said)));
            }
            Reason::AmbiguousCredentials => {
                let bearers = self.challenges_of.iter().filter(|offer| offer.is_bearer);
                challenges
                    .extend(bearers.filter_map(|offer| IssuedChallenge::of(offer).next()).map(with_error));
            }
            Reason::InsufficientScope => {
                // The scope is the description.
                let insufficient =
                    |said| IssuedChallenge { error: Some("insufficient_scope"), ..with_scope(said) };
                challenges
                    .extend(own().filter(|said| said.is_bearer && is_explained(said)).map(insufficient));
            }
            _ => {}
        }
        // Identical ones go out once.
        let mut distinct: Vec<IssuedChallenge<'_>> = Vec::with_capacity(challenges.len());
        for challenge in challenges {
            if !distinct.contains(&challenge) {
                distinct.push(challenge);
            }
        }
        distinct
    }
}

/// A challenge that goes out: an offer's own, and what the reason adds.
#[derive(PartialEq)]
struct IssuedChallenge<'a> {
    challenge: &'a Challenge,
    /// Whether the other members, but for the last, belong to its auth-params.
    is_bearer: bool,
    error: Option<&'static str>,
    description: Option<&'static str>,
    scope: Option<&'a str>,
    /// Whether all was right but the nonce.
    is_stale: bool,
}

impl<'a> IssuedChallenge<'a> {
    fn of(offer: &'a ChallengeSet) -> impl Iterator<Item = IssuedChallenge<'a>> {
        let said = |challenge| IssuedChallenge {
            challenge,
            is_bearer: offer.is_bearer,
            error: None,
            description: None,
            scope: None,
            is_stale: false,
        };
        offer.challenges.iter().map(said)
    }

    fn value(&self, metadata: Option<&str>) -> String {
        let params = [
            ("error", self.error),
            ("error_description", self.description),
            ("scope", self.scope),
            ("resource_metadata", metadata),
        ];
        let params = params.into_iter().filter(|_| self.is_bearer);
        let params =
            params.filter_map(|(name, value)| Some(AuthParam { name, value: value?, is_token: false }));
        let stale = AuthParam { name: "stale", value: "true", is_token: true };
        self.challenge.value_with(params.chain(self.is_stale.then_some(stale)))
    }
}

/// What goes back to the client.
pub struct Response<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Fields in their order; a name may repeat.
    pub fields: Vec<(&'a str, Cow<'a, str>)>,
    /// The body; for a gRPC call the message.
    pub body: String,
    /// For a gRPC call: its status code (google.rpc.Code), which says what the HTTP status says.
    pub grpc_status: Option<u8>,
    /// What the proxy's access log gives as the details of the answer; the client does not see it.
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
