//! The configuration as an operator writes it: a mirror in types, without judgement.
//!
//! [`parse`] finds what is wrong with its form; what it means, and whether it makes sense, is for
//! [`policy`](crate::policy) to say. `docs/configuration.md` is the reference for operators.

mod api_key;
mod basic;
mod denials;
mod digest;
pub mod error;
mod keyword;
mod operation;
pub mod reader;
pub mod shape;
pub mod source;
pub mod value;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

pub use api_key::{ApiKey, ApiKeys};
pub use basic::{Basic, User};
pub use denials::{Body, DenialStatus, Denials};
pub use digest::Digest;
pub use error::{ConfigError, ConfigErrorKind};
use keyword::keyword;
pub use operation::{Cache, Telemetry};
use shape::{List, Named, OneOrMany};
use value::{Secret, Span};

/// Reads a configuration from the octets that a host hands over; see [`source`] for their form.
pub fn parse(octets: &[u8]) -> Result<Config, Vec<ConfigError>> {
    let value = source::parse(octets).map_err(|kind| vec![ConfigError::new("", kind)])?;
    from_value(value)
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
    /// What is remembered of verified credentials.
    #[serde(default)]
    pub cache: Cache,
    /// What is told to the operator.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// A way to prove who one is: exactly one scheme.
#[derive(Debug, Deserialize)]
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
}

/// RFC 7519, carried as RFC 6750 says or otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Whose tokens are taken, exact.
    pub issuer: OneOrMany<String>,
    /// For whom a token must have been made.
    pub audiences: Option<Vec<String>>,
    /// Whether `aud` is not looked at.
    #[serde(default)]
    pub any_audience: bool,
    /// What signatures are verified with.
    pub keys: Keys,
    /// Allowed algorithms; absent: what the keys can do.
    pub algorithms: Option<Vec<String>>,
    /// Allowed media types.
    pub typ: Option<Vec<String>>,
    /// By how much clocks may differ.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// Whether a token without `exp` is refused.
    #[serde(default = "yes")]
    pub require_exp: bool,
    /// How far `exp` may lie behind `iat`.
    pub max_lifetime: Option<Span>,
    /// The longest token, in octets.
    #[serde(default = "default_max_token_bytes")]
    pub max_token_bytes: usize,
    /// Claims that a token must have.
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
    /// Tokens that are refused before they expire.
    #[serde(default)]
    pub revoked: Revoked,
    /// Overrides the default realm.
    pub realm: Option<String>,
    /// Whether the token goes on to the upstream.
    #[serde(default)]
    pub forward_credentials: bool,
}

/// Where keys come from: exactly one of these.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// A JWK Set (RFC 7517), as an object or as its JSON text.
    Jwks(Value),
    /// Public keys in PEM.
    Pem(OneOrMany<PemKey>),
    /// Shared secrets.
    Secret(OneOrMany<SecretKey>),
}

/// Shows nothing: a set may hold shared secrets, and somebody's PEM a private key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// A public key in PEM.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PemKey {
    /// The text, from BEGIN to END.
    pub key: String,
    /// The one algorithm that the key is for.
    pub algorithm: String,
    /// The name that tokens give it.
    pub kid: Option<String>,
}

/// A shared secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// The secret.
    pub value: Secret,
    /// The one algorithm that it is for.
    pub algorithm: String,
    /// How it is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// The name that tokens give it.
    pub kid: Option<String>,
}

/// How a text stands for octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As its UTF-8.
    #[default]
    Utf8,
    /// RFC 4648 §4.
    Base64,
    /// RFC 4648 §5, without padding.
    Base64Url,
}

/// What is asked of cookies on unsafe methods, of whatever scheme.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Csrf {
    /// `Sec-Fetch-Site` or `Origin` must say same origin.
    #[default]
    SameOrigin,
    /// Nothing.
    Off,
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

keyword!(Encoding, "utf8, base64 or base64url", { "utf8" => Utf8, "base64" => Base64, "base64url" => Base64Url });
keyword!(CorsPreflight, "authenticate or allow", { "authenticate" => Authenticate, "allow" => Allow });
keyword!(Csrf, "same_origin or off", { "same_origin" => SameOrigin, "off" => Off }, { false => Off });

/// A place in a request where a token or a key may stand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenLocation {
    /// The name of a field.
    pub header: Option<String>,
    /// The auth-scheme that the field's value starts with.
    pub scheme: Option<String>,
    /// The name of a query parameter.
    pub query: Option<String>,
    /// The name of a cookie.
    pub cookie: Option<String>,
}

/// Tokens that are refused before they expire.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Revoked {
    /// By identifier.
    pub jti: Vec<String>,
    /// By subject.
    pub subjects: Vec<String>,
    /// By age, RFC 3339.
    pub issued_before: Option<String>,
}

/// What the requests that it matches need.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Labels logs, metrics and errors; default `rule-0`, `rule-1`, ….
    pub name: Option<String>,
    /// Any of these; absent: every request.
    #[serde(rename = "match")]
    pub matches: Option<OneOrMany<Match>>,
    /// Passes without credentials.
    pub public: Option<bool>,
    /// Is refused.
    pub deny: Option<bool>,
    /// Passes with these credentials.
    pub require: Option<Requirement>,
    /// Whether no credentials at all pass as anonymous.
    #[serde(default)]
    pub optional: bool,
    /// What the authenticated must be allowed.
    pub authorize: Option<OneOrMany<Authorization>>,
}

/// What a request looks like.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The whole path.
    pub path: Option<String>,
    /// Whole segments from the start.
    pub prefix: Option<String>,
    /// Segments, some of them variable.
    pub template: Option<String>,
    /// A regular expression for the whole path.
    pub regex: Option<String>,
    /// Only these methods.
    pub methods: Option<Vec<String>>,
    /// All methods but these.
    pub except_methods: Option<Vec<String>>,
    /// Only these hosts.
    pub hosts: Option<Vec<String>>,
    /// Only from these addresses.
    pub sources: Option<Vec<String>>,
}

/// Which authenticators must hold.
#[derive(Debug)]
pub enum Requirement {
    /// This one.
    One(String),
    /// The first of these that holds.
    AnyOf(Vec<Requirement>),
    /// Each of these.
    AllOf(Vec<Requirement>),
}

impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FIELDS: &[&str] = &["any_of", "all_of"];
        struct NameOrSet;
        impl<'de> Visitor<'de> for NameOrSet {
            type Value = Requirement;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an authenticator, {any_of: […]} or {all_of: […]}")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Requirement, E> {
                Ok(Requirement::One(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Requirement, A::Error> {
                let requirement = match members.next_key::<String>()?.as_deref() {
                    Some("any_of") => Requirement::AnyOf(members.next_value::<List<_>>()?.0),
                    Some("all_of") => Requirement::AllOf(members.next_value::<List<_>>()?.0),
                    _ => return Err(A::Error::custom("expected exactly one of: any_of, all_of")),
                };
                match members.next_key::<String>()? {
                    None => Ok(requirement),
                    Some(_) => Err(A::Error::custom("expected exactly one of: any_of, all_of")),
                }
            }
        }
        deserializer.deserialize_struct("Requirement", FIELDS, NameOrSet)
    }
}

/// What an authenticated caller must be allowed; all that is given must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// For which authenticators this speaks; absent: all of the rule's.
    pub authenticators: Option<Vec<String>>,
    /// All of these scopes.
    pub scopes: Option<Vec<String>>,
    /// One of these scopes.
    pub any_scope: Option<Vec<String>>,
    /// One of these subjects.
    pub subjects: Option<Vec<String>>,
    /// Each of these claims.
    #[serde(default)]
    pub claims: Named<Value>,
}

/// What the upstream is told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Field name → template.
    pub headers: Option<Named<String>>,
    /// Inbound names that are taken out as well.
    pub remove: Vec<String>,
}

fn yes() -> bool {
    true
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
