//! `introspection`: tokens that only their issuer can read.

use serde::Deserialize;
use serde_json::Value;

use super::bound::{Bound, Dpop};
use super::keyword::keyword;
use super::shape::{List, Named, OneOrMany};
use super::token::{Csrf, Revoked, TokenFields, TokenLocation};
use super::value::{ConfigDuration, Secret};

/// Token introspection (RFC 7662), for tokens that only their issuer can read.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// URL of the introspection endpoint.
    pub endpoint: String,
    /// Cluster of the proxy that serves the endpoint.
    pub cluster: String,
    /// Client identifier for the endpoint.
    pub client_id: String,
    /// Client secret for the endpoint.
    pub client_secret: Secret,
    /// Method of client authentication.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Accepted issuers, compared exactly; default: all issuers that the endpoint knows.
    pub issuer: Option<OneOrMany<String>>,
    /// Accepted audiences.
    pub audiences: Option<Vec<String>>,
    /// Accepts all audiences; `aud` is ignored.
    #[serde(default)]
    pub any_audience: bool,
    /// Maximum difference of clocks.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: ConfigDuration,
    /// Maximum length of a token, in bytes.
    #[serde(default = "default_max_token_bytes")]
    pub max_token_bytes: usize,
    /// Required claims of the response.
    #[serde(default)]
    pub claims: Named<Value>,
    /// Claim with the subject.
    #[serde(default = "default_subject_claim")]
    pub subject_claim: String,
    /// Claims with scopes.
    pub scope_claims: Option<Vec<String>>,
    /// Locations of tokens in a request.
    pub from: Option<List<TokenLocation>>,
    /// CSRF check for tokens in cookies.
    #[serde(default)]
    pub csrf: Csrf,
    /// Tokens that must be bound to a key or a certificate.
    #[serde(default)]
    pub bound: Bound,
    /// Checks of DPoP proofs.
    pub dpop: Option<Dpop>,
    /// Tokens that are rejected regardless of the response.
    #[serde(default)]
    pub revoked: Revoked,
    /// Time for which a response is cached if the token is valid.
    #[serde(default = "default_cache_ttl")]
    pub cache_ttl: ConfigDuration,
    /// Time for which a response is cached if the token is not valid.
    #[serde(default = "default_negative_ttl")]
    pub negative_ttl: ConfigDuration,
    /// Timeout of a request to the endpoint.
    #[serde(default = "default_timeout")]
    pub timeout: ConfigDuration,
    /// Maximum number of tokens that are introspected at a time.
    #[serde(default = "default_max_concurrent")]
    pub max_concurrent: usize,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Forwards verified tokens to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

impl Introspection {
    /// Returns the fields that all token schemes share. `exp` is optional, since the endpoint says if a token is valid
    /// ([RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).
    pub fn token_fields(&self) -> TokenFields<'_> {
        TokenFields {
            audiences: self.audiences.as_ref(),
            any_audience: self.any_audience,
            clock_skew: self.clock_skew,
            require_exp: false,
            max_lifetime: None,
            max_token_bytes: self.max_token_bytes,
            claims: &self.claims,
            subject_claim: &self.subject_claim,
            scope_claims: self.scope_claims.as_deref(),
            from: self.from.as_ref(),
            csrf: self.csrf,
            bound: self.bound,
            dpop: self.dpop.as_ref(),
            revoked: &self.revoked,
        }
    }
}

/// Methods of client authentication ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`: in the `Authorization` header.
    #[default]
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

fn default_clock_skew() -> ConfigDuration {
    ConfigDuration::seconds(60)
}

fn default_max_token_bytes() -> usize {
    16_384
}

fn default_subject_claim() -> String {
    "sub".to_owned()
}

fn default_cache_ttl() -> ConfigDuration {
    ConfigDuration::seconds(60)
}

fn default_negative_ttl() -> ConfigDuration {
    ConfigDuration::seconds(10)
}

fn default_timeout() -> ConfigDuration {
    ConfigDuration::seconds(5)
}

fn default_max_concurrent() -> usize {
    100
}

keyword!(ClientAuth, "basic or post", { "basic" => Basic, "post" => Post });
