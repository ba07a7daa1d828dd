//! Configuration as the operator writes it: types that mirror it, and a parser that checks its form.
//!
//! [`parse`] reports what is wrong with the form; [`policy`](crate::policy) checks the meaning. `docs/configuration.md`
//! is the reference for operators.
//!
//! Each type of a policy is built from its configuration by a function `build`, beside the type or in `policy::build`.
//! Such a function has the [state of the build](context::BuildContext) and the [path](path::ConfigPath) of its
//! configuration.
//!
//! With the feature `schema`, the types and their doc comments become a JSON Schema.

mod api_key;
mod basic;
mod bound;
pub mod context;
mod denials;
mod digest;
#[cfg(feature = "schema")]
pub mod disclosure;
pub mod error;
mod fingerprint;
mod introspection;
mod jwt;
mod keys;
mod keyword;
mod operation;
pub mod path;
pub mod reader;
mod rule;
#[cfg(feature = "schema")]
mod schema;
pub mod shape;
pub mod source;
mod token;
pub mod value;
mod warning;

use serde::Deserialize;
use serde_json::Value;

pub use api_key::{ApiKey, ApiKeys};
pub use basic::{Basic, User};
pub use bound::{Bound, Dpop};
pub use denials::{Body, DenialStatus, Denials};
pub use digest::Digest;
pub use error::{ConfigError, ConfigErrorKind};
pub use fingerprint::fingerprint;
pub use introspection::{ClientAuth, Introspection};
pub use jwt::Jwt;
pub use keys::{Discovery, Encoding, Keys, PemKey, Remote, SecretKey};
use keyword::keyword;
pub use operation::{Cache, FilterStateKey, SlowHashes, SlowSignatures, Telemetry, Throttle, ThrottleBy};
pub use rule::{Authorization, Match, Mcp, McpName, Requirement, Rule, Variable};
#[cfg(feature = "schema")]
pub use schema::schema;
use shape::{List, Named, OneOrMany};
pub use token::{Csrf, Revoked, TokenFields, TokenLocation};
pub use warning::{MOST_NAMED, Warning, WarningKind};

/// Parses a configuration from the bytes that a host passes; see [`source`] for their form.
///
/// # Errors
/// Fails with all errors of form that were found.
pub fn parse(bytes: &[u8]) -> Result<Config, Vec<ConfigError>> {
    from_value(value(bytes)?)
}

/// The JSON value of a configuration that a host passes.
///
/// # Errors
/// Fails if the bytes are neither strict JSON nor an encoded Struct.
pub fn value(bytes: &[u8]) -> Result<Value, Vec<ConfigError>> {
    source::parse(bytes).map_err(|kind| vec![ConfigError::new("", kind)])
}

/// Parses a configuration from a JSON value.
///
/// # Errors
/// Fails with all errors of form that were found.
pub fn from_value(mut value: Value) -> Result<Config, Vec<ConfigError>> {
    let mut errors = Vec::new();
    if let Value::Object(members) = &mut value {
        // `x-…` is for YAML anchors, `$schema` for editors.
        members.retain(|name, _| !name.starts_with("x-") && name != "$schema");
        if members.remove("version").is_some_and(|version| version != 1) {
            errors.push(ConfigError::new("version", ConfigErrorKind::Expected("1, the only version so far")));
        }
    }
    match reader::read(&value) {
        Ok(config) if errors.is_empty() => Ok(config),
        Ok(_) => Err(errors),
        Err(more) => {
            errors.extend(more);
            // Deserializing a struct stops at its first invalid member, so check each of the large ones.
            let faults = [
                reader::faults_of_member::<Named<Authenticator>>(&value, "authenticators"),
                reader::faults_of_member::<List<Rule>>(&value, "rules"),
                reader::faults_of_member::<Named<Vec<String>>>(&value, "scope_implies"),
                reader::faults_of_member::<Identity>(&value, "identity"),
                reader::faults_of_member::<Denials>(&value, "denials"),
                reader::faults_of_member::<OneOrMany<Named<Value>>>(&value, "protected_resource"),
                reader::faults_of_member::<CorsPreflight>(&value, "cors_preflight"),
                reader::faults_of_member::<Cache>(&value, "cache"),
                reader::faults_of_member::<bool>(&value, "shadow"),
                reader::faults_of_member::<Throttle>(&value, "throttle"),
                reader::faults_of_member::<SlowHashes>(&value, "slow_hashes"),
                reader::faults_of_member::<SlowSignatures>(&value, "slow_signatures"),
                reader::faults_of_member::<Telemetry>(&value, "telemetry"),
            ];
            for fault in faults.into_iter().flatten() {
                if !errors.contains(&fault) {
                    errors.push(fault);
                }
            }
            Err(errors)
        }
    }
}

/// The whole configuration.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Default realm of all challenges.
    pub realm: Option<String>,
    /// Authenticators, by name.
    #[serde(default)]
    pub authenticators: Named<Authenticator>,
    /// Rules. The first rule that matches a request decides.
    pub rules: List<Rule>,
    /// Scopes that imply other scopes.
    #[serde(default)]
    pub scope_implies: Named<Vec<String>>,
    /// Identity headers for the upstream.
    #[serde(default)]
    pub identity: Identity,
    /// Responses to denied requests.
    #[serde(default)]
    pub denials: Denials,
    /// Protected resource metadata of the service (RFC 9728).
    pub protected_resource: Option<OneOrMany<Named<Value>>>,
    /// Handling of CORS preflights.
    #[serde(default)]
    pub cors_preflight: CorsPreflight,
    /// Decides without enforcing, unless a rule has its own `shadow`.
    #[serde(default)]
    pub shadow: bool,
    /// Cache of verified credentials.
    #[serde(default)]
    pub cache: Cache,
    /// Blocking of clients that fail too often; off by default.
    pub throttle: Option<Throttle>,
    /// Work budget for slow password hashes.
    #[serde(default)]
    pub slow_hashes: SlowHashes,
    /// Work budget for signatures that are verified in software.
    #[serde(default)]
    pub slow_signatures: SlowSignatures,
    /// Metrics and access log.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// An authenticator: exactly one scheme.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Authenticator {
    /// User names and passwords (RFC 7617).
    Basic(Basic),
    /// JSON Web Tokens (RFC 7519).
    Jwt(Box<Jwt>),
    /// API keys.
    ApiKey(ApiKeys),
    /// Digest access authentication (RFC 7616).
    Digest(Digest),
    /// Token introspection (RFC 7662).
    Introspection(Box<Introspection>),
}

/// Handling of CORS preflights by rules that require credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CorsPreflight {
    /// Treats preflights like other requests.
    #[default]
    Authenticate,
    /// Allows preflights.
    Allow,
}

keyword!(CorsPreflight, "authenticate or allow", { "authenticate" => Authenticate, "allow" => Allow });

/// Identity headers for the upstream.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Templates of header values, by header name.
    pub headers: Option<Named<String>>,
    /// Names of further headers that are removed from requests.
    pub remove: Vec<String>,
}
