//! Variables: parts of a request that an authorization compares with the caller.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use smallvec::SmallVec;

use super::rules::{MatchSpec, Target};
use crate::http::codec::percent_decode;
use crate::http::header_name::only_value;
use crate::http::request::Request;

/// A part of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// A variable of the template.
    Path(String),
    /// A variable of the host pattern.
    Host(String),
    /// A header, with its name in lower case.
    Header(String),
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variable::Path(name) => write!(f, "path variable {name}"),
            Variable::Host(name) => write!(f, "host variable {name}"),
            Variable::Header(name) => write!(f, "header {name}"),
        }
    }
}

/// Identifier of a variable: its position in the list of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableId(usize);

/// The variables that the authorizations of a rule use.
#[derive(Default)]
pub struct Variables {
    list: Vec<Variable>,
    /// The matches of the rule, each of which has all path and host variables.
    alternatives: Vec<MatchSpec>,
}

/// Error for a variable that has several values, depending on the interpretation of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguousVariable;

/// Values of the variables of a rule for one request.
#[derive(Debug, Default)]
pub struct VariableValues(SmallVec<[Option<Vec<u8>>; 1]>);

impl Variables {
    /// Creates an empty list for a rule with these matches.
    pub fn new(alternatives: Vec<MatchSpec>) -> Self {
        Variables { list: Vec::new(), alternatives }
    }

    /// Adds a variable, unless the list has it.
    pub fn add(&mut self, variable: Variable) -> VariableId {
        let known = self.list.iter().position(|known| *known == variable);
        VariableId(known.unwrap_or_else(|| {
            self.list.push(variable);
            self.list.len() - 1
        }))
    }

    /// Returns a variable of the list.
    pub fn get(&self, id: VariableId) -> Option<&Variable> {
        self.list.get(id.0)
    }

    /// Returns all variables of the list.
    pub fn iter(&self) -> impl Iterator<Item = (VariableId, &Variable)> {
        self.list.iter().enumerate().map(|(position, variable)| (VariableId(position), variable))
    }

    /// Names of the headers that are compared.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter_map(|variable| match variable {
            Variable::Header(name) => Some(name.as_str()),
            Variable::Path(_) | Variable::Host(_) => None,
        })
    }

    /// True if the rule has a variable with this name in all of its matches.
    pub fn offers(&self, variable: &Variable) -> bool {
        let has = |spec: &MatchSpec| match variable {
            Variable::Path(name) => spec.path().variables().any(|known| known == name),
            Variable::Host(name) => {
                !spec.hosts().is_empty() && spec.hosts().iter().all(|host| host.variable() == Some(name))
            }
            Variable::Header(_) => true,
        };
        !self.alternatives.is_empty() && self.alternatives.iter().all(has)
    }

    /// Returns the values for a request that selects the rule. Absent and empty values are `None`.
    ///
    /// # Errors
    /// Fails if the value of a path variable depends on the interpretation of the path, or on the match that applies.
    pub fn values(
        &self,
        request: &Request<'_>,
        target: &Target<'_>,
    ) -> Result<VariableValues, AmbiguousVariable> {
        let values = self.list.iter().map(|variable| {
            let value = match variable {
                Variable::Path(name) => {
                    self.only_value(target, |spec, interpretation| spec.path().capture(name, interpretation))?
                }
                Variable::Host(name) => {
                    self.only_value(target, |spec, _| spec.capture_host(name, target.host?))?
                }
                Variable::Header(name) => only_value(request, name).ok().flatten().map(<[u8]>::to_vec),
            };
            Ok(value.filter(|value| !value.is_empty()))
        });
        Ok(VariableValues(values.collect::<Result<_, _>>()?))
    }

    /// Returns the decoded value that `capture` finds, the same in all matches and in all interpretations of the path.
    fn only_value<'t>(
        &self,
        target: &'t Target<'t>,
        capture: impl Fn(&MatchSpec, &'t str) -> Option<&'t str>,
    ) -> Result<Option<Vec<u8>>, AmbiguousVariable> {
        let mut only: Option<Vec<u8>> = None;
        self.visit(target, capture, |_, value| match &only {
            None => {
                only = Some(value.into_owned());
                Ok(())
            }
            Some(only) if **only == *value => Ok(()),
            Some(_) => Err(AmbiguousVariable),
        })?;
        Ok(only)
    }

    /// Calls `visit` with each decoded value that `capture` finds, and the interpretation of the path that has it.
    fn visit<'t>(
        &self,
        target: &'t Target<'t>,
        capture: impl Fn(&MatchSpec, &'t str) -> Option<&'t str>,
        mut visit: impl FnMut(&'t str, Cow<'t, [u8]>) -> Result<(), AmbiguousVariable>,
    ) -> Result<(), AmbiguousVariable> {
        // Another match may apply to the method in upper case.
        let upper_case = Target { method: &target.method.to_ascii_uppercase(), ..*target };
        for interpretation in target.interpretations.iter() {
            let applies = |spec: &&MatchSpec| {
                spec.matches(interpretation, target) || spec.matches(interpretation, &upper_case)
            };
            for spec in self.alternatives.iter().filter(applies) {
                let Some(value) = capture(spec, interpretation) else { continue };
                visit(interpretation, percent_decode(value.as_bytes()))?;
            }
        }
        Ok(())
    }

    /// Returns each value of a path variable, with the interpretation of the path that has it, for tools that explain
    /// why a variable is ambiguous.
    pub fn interpretations<'t>(&self, name: &str, target: &'t Target<'t>) -> Vec<(&'t str, Vec<u8>)> {
        let mut values = Vec::new();
        let capture = |spec: &MatchSpec, interpretation: &'t str| spec.path().capture(name, interpretation);
        // `visit` fails only if the closure does.
        let _ = self.visit(target, capture, |interpretation, value| {
            values.push((interpretation, value.into_owned()));
            Ok(())
        });
        values
    }
}

impl VariableValues {
    /// The value of a variable, if it has one.
    pub fn get(&self, id: VariableId) -> Option<&[u8]> {
        self.0.get(id.0)?.as_deref()
    }

    /// True if the variable has a value that equals the text.
    pub fn equals_text(&self, id: VariableId, text: &str) -> bool {
        self.get(id) == Some(text.as_bytes())
    }

    /// True if the variable has a value that equals the claim. An array equals what one of its members equals, and an
    /// integer equals its decimal text.
    pub fn equals_claim(&self, id: VariableId, claim: Option<&Value>) -> bool {
        let equals = |value: &Value| match value {
            Value::String(text) => self.equals_text(id, text),
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                self.equals_text(id, &number.to_string())
            }
            _ => false,
        };
        match claim {
            Some(Value::Array(members)) => members.iter().any(equals),
            Some(claim) => equals(claim),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_equal_values_without_conversion() {
        let check = |value: Option<&str>, claim: Value, expected: bool| {
            let values = VariableValues([value.map(|value| value.as_bytes().to_vec())].into_iter().collect());
            assert_eq!(values.equals_claim(VariableId(0), Some(&claim)), expected, "{value:?} and {claim}");
        };
        check(Some("a"), json!("a"), true);
        check(Some("a"), json!("A"), false);
        check(Some("a"), json!(["b", "a"]), true);
        check(Some("a"), json!([["a"]]), false);
        check(Some("a"), json!({"a": "a"}), false);
        check(Some("42"), json!(42), true);
        check(Some("-42"), json!(-42), true);
        check(Some("18446744073709551615"), json!(u64::MAX), true);
        check(Some("042"), json!(42), false);
        check(Some("+42"), json!(42), false);
        check(Some("42"), json!([41, 42]), true);
        check(Some("1.5"), json!(1.5), false);
        check(Some("42"), json!(42.0), false);
        check(Some("true"), json!(true), false);
        check(Some("null"), json!(null), false);
        check(None, json!(""), false);
        check(None, json!(null), false);
        let values = VariableValues::default();
        assert!(!values.equals_claim(VariableId(0), None) && !values.equals_text(VariableId(0), ""));
    }
}
