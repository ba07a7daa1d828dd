//! `rules`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::shape::{List, Named, OneOrMany};

/// What the requests that it matches need.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Whether it is not enforced; absent: what the top says.
    pub shadow: Option<bool>,
}

/// What a request looks like.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
