//! The configuration as an operator writes it: a mirror in types, without judgement.
//!
//! [`parse`] finds what is wrong with its form; what it means, and whether it makes sense, is for
//! [`policy`](crate::policy) to say. `docs/configuration.md` is the reference for operators.

mod api_key;
mod basic;
mod bound;
mod denials;
mod digest;
pub mod error;
mod fingerprint;
mod introspection;
mod jwt;
mod keys;
mod keyword;
mod operation;
pub mod reader;
mod rule;
#[cfg(feature = "schema")]
mod schema;
pub mod shape;
pub mod source;
mod token;
pub mod value;

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
pub use rule::{Authorization, Match, Requirement, Rule};
#[cfg(feature = "schema")]
pub use schema::schema;
use shape::{List, Named, OneOrMany};
pub use token::{Csrf, Revoked, TokenLocation};

/// Reads a configuration from the octets that a host hands over; see [`source`] for their form.
pub fn parse(bytes: &[u8]) -> Result<Config, Vec<ConfigError>> {
    from_value(value(bytes)?)
}

/// The JSON value of a configuration that a host hands over.
pub fn value(bytes: &[u8]) -> Result<Value, Vec<ConfigError>> {
    source::parse(bytes).map_err(|kind| vec![ConfigError::new("", kind)])
}

/// Reads a configuration from a JSON value.
pub fn from_value(mut value: Value) -> Result<Config, Vec<ConfigError>> {
    let mut errors = Vec::new();
    if let Value::Object(members) = &mut value {
        // `x-…` is where YAML anchors live, `$schema` what editors read.
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
            // A struct is read up to its first wrong member, so ask each of the large ones.
            let faults = [
                reader::faults_of_member::<Named<Authenticator>>(&value, "authenticators"),
                reader::faults_of_member::<List<Rule>>(&value, "rules"),
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
    /// Default realm of every challenge.
    pub realm: Option<String>,
    /// Named ways to prove who one is.
    #[serde(default)]
    pub authenticators: Named<Authenticator>,
    /// What a request needs; the first rule that matches decides.
    pub rules: List<Rule>,
    /// What the upstream is told.
    #[serde(default)]
    pub identity: Identity,
    /// How refusals look.
    #[serde(default)]
    pub denials: Denials,
    /// What metadata says of this service, RFC 9728.
    pub protected_resource: Option<OneOrMany<Named<Value>>>,
    /// What becomes of CORS preflights.
    #[serde(default)]
    pub cors_preflight: CorsPreflight,
    /// Whether nothing is enforced, where a rule does not say so itself.
    #[serde(default)]
    pub shadow: bool,
    /// What is remembered of verified credentials.
    #[serde(default)]
    pub cache: Cache,
    /// Who is blocked for failing too often; absent: nobody.
    pub throttle: Option<Throttle>,
    /// What slow password hashes may take.
    #[serde(default)]
    pub slow_hashes: SlowHashes,
    /// What signatures may take that are verified in software.
    #[serde(default)]
    pub slow_signatures: SlowSignatures,
    /// What is told to the operator.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// A way to prove who one is: exactly one scheme.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Authenticator {
    /// User names and passwords, RFC 7617.
    Basic(Basic),
    /// JSON Web Tokens, RFC 7519.
    Jwt(Box<Jwt>),
    /// Keys that programs present as they are.
    ApiKey(ApiKeys),
    /// User names and passwords that are not sent, RFC 7616.
    Digest(Digest),
    /// Tokens that only their issuer can read, RFC 7662.
    Introspection(Box<Introspection>),
}

/// What becomes of CORS preflights where a rule requires credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CorsPreflight {
    /// They are treated like every other request.
    #[default]
    Authenticate,
    /// They pass.
    Allow,
}

keyword!(CorsPreflight, "authenticate or allow", { "authenticate" => Authenticate, "allow" => Allow });

/// What the upstream is told.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Field name → template.
    pub headers: Option<Named<String>>,
    /// Inbound names that are taken out as well.
    pub remove: Vec<String>,
}
