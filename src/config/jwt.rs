//! `jwt`: JSON Web Tokens.

use serde::Deserialize;
use serde_json::Value;

use super::bound::{Bound, Dpop};
use super::keys::Keys;
use super::shape::{List, Named, OneOrMany};
use super::token::{Csrf, Revoked, TokenFields, TokenLocation};
use super::value::ConfigDuration;

/// JSON Web Tokens (RFC 7519), sent as bearer tokens (RFC 6750) or in another location.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Accepted issuers, compared exactly.
    pub issuer: OneOrMany<String>,
    /// Accepted audiences.
    pub audiences: Option<Vec<String>>,
    /// Accepts all audiences; `aud` is ignored.
    #[serde(default)]
    pub any_audience: bool,
    /// Keys that verify signatures.
    pub keys: Keys,
    /// Allowed algorithms; default: those of the keys, but RSASSA-PSS only for keys whose `alg` names it.
    pub algorithms: Option<Vec<String>>,
    /// Allowed types (`typ`) of tokens.
    pub typ: Option<Vec<String>>,
    /// Maximum difference of clocks.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: ConfigDuration,
    /// Rejects tokens without `exp`.
    #[serde(default = "yes")]
    pub require_exp: bool,
    /// Maximum time from `iat` to `exp`.
    pub max_lifetime: Option<ConfigDuration>,
    /// Maximum length of a token, in bytes.
    #[serde(default = "default_max_token_bytes")]
    pub max_token_bytes: usize,
    /// Required claims.
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
    /// Tokens that are rejected before they expire.
    #[serde(default)]
    pub revoked: Revoked,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Forwards verified tokens to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

impl Jwt {
    /// Returns the fields that all token schemes share.
    pub fn token_fields(&self) -> TokenFields<'_> {
        TokenFields {
            audiences: self.audiences.as_ref(),
            any_audience: self.any_audience,
            clock_skew: self.clock_skew,
            require_exp: self.require_exp,
            max_lifetime: self.max_lifetime,
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

fn yes() -> bool {
    true
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
