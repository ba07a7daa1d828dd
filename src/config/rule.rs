//! `rules`: access rules.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::shape::{List, Named, OneOrMany};

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
    /// Claims, all of which are required.
    #[serde(default)]
    pub claims: Named<Value>,
}
