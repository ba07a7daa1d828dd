//! `rules`: access rules.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::shape::{List, Named, OneOrMany};
use super::value::ConfigDuration;

/// An access rule: the requests that it matches, and what they require.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name in logs, metrics and errors; default: `rule-0`, `rule-1`, ….
    pub name: Option<String>,
    /// Matches requests that meet any of these; default: every request.
    #[serde(rename = "match")]
    pub matches: Option<OneOrMany<Match>>,
    /// Allows requests without credentials.
    pub public: Option<bool>,
    /// Denies requests.
    pub deny: Option<bool>,
    /// Requires these authenticators.
    pub require: Option<Requirement>,
    /// Allows requests that present no credentials, as anonymous.
    #[serde(default)]
    pub optional: bool,
    /// Conditions on the caller, one of which must be met.
    pub authorize: Option<OneOrMany<Authorization>>,
    /// Origins whose pages may send requests; default: all. Requests without `Origin` are not affected.
    pub origins: Option<Vec<String>>,
    /// Decides without enforcing; default: the `shadow` at the top level.
    pub shadow: Option<bool>,
}

/// Conditions on a request, all of which must be met.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The whole path.
    pub path: Option<String>,
    /// A prefix of the path, by whole segments.
    pub prefix: Option<String>,
    /// Segments of the path, some of them variable.
    pub template: Option<String>,
    /// A regular expression for the whole path.
    pub regex: Option<String>,
    /// Methods, one of which is required.
    pub methods: Option<Vec<String>>,
    /// Methods that do not match.
    pub except_methods: Option<Vec<String>>,
    /// Hosts, one of which is required.
    pub hosts: Option<Vec<String>>,
    /// Addresses or blocks of addresses, one of which must contain the client.
    pub sources: Option<Vec<String>>,
    /// MCP calls, by the headers of a POST (MCP revision 2026-07-28).
    pub mcp: Option<Mcp>,
}

/// A condition on an MCP call.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mcp {
    /// Methods, one of which is required; default: any.
    pub methods: Option<Vec<String>>,
    /// Names of tools or prompts, or URIs of resources, one of which is required; default: any.
    pub names: Option<List<McpName>>,
}

/// A name, or `{prefix: TEXT}` for all names that start with the text.
#[derive(Debug)]
pub enum McpName {
    /// This name.
    Exact(String),
    /// All names that start with this text.
    Prefix(String),
}

impl<'de> Deserialize<'de> for McpName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrPrefix;
        impl<'de> Visitor<'de> for NameOrPrefix {
            type Value = McpName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or {prefix: TEXT}")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<McpName, E> {
                Ok(McpName::Exact(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<McpName, A::Error> {
                match members.next_entry::<String, String>()? {
                    Some((_, prefix)) => Ok(McpName::Prefix(prefix)),
                    None => Err(A::Error::missing_field("prefix")),
                }
            }
        }
        deserializer.deserialize_struct("McpName", &["prefix"], NameOrPrefix)
    }
}

/// Authenticators that a rule requires.
#[derive(Debug)]
pub enum Requirement {
    /// Requires one authenticator, by its name.
    One(String),
    /// The first of these that succeeds.
    AnyOf(Vec<Requirement>),
    /// All of these.
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

/// Conditions on an authenticated caller, all of which must be met.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// Authenticators that the conditions apply to; default: all authenticators of the rule.
    pub authenticators: Option<Vec<String>>,
    /// Scopes, all of which are required.
    pub scopes: Option<Vec<String>>,
    /// Scopes, one of which is required.
    pub any_scope: Option<Vec<String>>,
    /// Subjects, one of which is required.
    pub subjects: Option<Vec<String>>,
    /// Part of the request that must equal the subject.
    pub subject: Option<Variable>,
    /// Authentication contexts (`acr`), one of which is required (RFC 9470).
    pub acr: Option<Vec<String>>,
    /// Longest time since the caller authenticated at the issuer (`auth_time`).
    pub max_auth_age: Option<ConfigDuration>,
    /// Claims, all of which are required.
    #[serde(default)]
    pub claims: Named<Value>,
}

/// A part of the request: exactly one of these.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Variable {
    /// Name of a variable of the template.
    Path(String),
    /// Name of a variable of the host pattern.
    Host(String),
    /// Name of a header.
    Header(String),
}
