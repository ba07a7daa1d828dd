//! `introspection`.

use serde::Deserialize;
use serde_json::Value;

use super::bound::{Bound, Dpop};
use super::keyword::keyword;
use super::shape::{List, Named, OneOrMany};
use super::token::{Csrf, Revoked, TokenLocation};
use super::value::{Secret, Span};

/// RFC 7662: tokens that only their issuer can read.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// The URL that is asked.
    pub endpoint: String,
    /// The name of the proxy's cluster behind which it is.
    pub cluster: String,
    /// Who asks.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Secret,
    /// How it is sent.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Whose tokens are taken, exact; absent: whatever the endpoint knows.
    pub issuer: Option<OneOrMany<String>>,
    /// For whom a token must have been made.
    pub audiences: Option<Vec<String>>,
    /// Whether `aud` is not looked at.
    #[serde(default)]
    pub any_audience: bool,
    /// By how much clocks may differ.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// The longest token, in octets.
    #[serde(default = "default_max_token_bytes")]
    pub max_token_bytes: usize,
    /// Claims that the answer must have.
    #[serde(default)]
    pub claims: Named<Value>,
    /// Where the subject stands.
    #[serde(default = "default_subject_claim")]
    pub subject_claim: String,
    /// Where scopes stand.
    pub scope_claims: Option<Vec<String>>,
    /// Where a token is looked for.
    pub from: Option<List<TokenLocation>>,
    /// What proves that a token in a cookie was sent by our own pages.
    #[serde(default)]
    pub csrf: Csrf,
    /// Which tokens must be bound to a key or a certificate.
    #[serde(default)]
    pub bound: Bound,
    /// How proofs of possession are checked.
    pub dpop: Option<Dpop>,
    /// Tokens that are refused whatever the endpoint says.
    #[serde(default)]
    pub revoked: Revoked,
    /// For how long an answer counts that a token holds.
    #[serde(default = "default_cache_ttl")]
    pub cache_ttl: Span,
    /// For how long an answer counts that it does not.
    #[serde(default = "default_negative_ttl")]
    pub negative_ttl: Span,
    /// For how long an answer is waited for.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// How many tokens are asked for at a time.
    #[serde(default = "default_max_concurrent")]
    pub max_concurrent: usize,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Whether the token goes on to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

/// How a client says who it is, RFC 6749 §2.3.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`: in Authorization.
    #[default]
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

fn default_clock_skew() -> Span {
    Span::seconds(60)
}

fn default_max_token_bytes() -> usize {
    16_384
}

fn default_subject_claim() -> String {
    "sub".to_owned()
}

fn default_cache_ttl() -> Span {
    Span::seconds(60)
}

fn default_negative_ttl() -> Span {
    Span::seconds(10)
}

fn default_timeout() -> Span {
    Span::seconds(5)
}

fn default_max_concurrent() -> usize {
    100
}

keyword!(ClientAuth, "basic or post", { "basic" => Basic, "post" => Post });
