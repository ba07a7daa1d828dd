//! The expected outcome of a request.

use authgate::config::shape::Named;
use serde::Deserialize;
use serde_json::Value;

use super::scalar;
use crate::explain::outcome::Outcome;

/// The expected outcome; fields that are not given are not compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// True if the request is allowed.
    allow: Option<bool>,
    /// The status of the response; 200 for an allowed request.
    status: Option<u16>,
    /// The code of the reason.
    reason: Option<String>,
    /// The detail of the reason.
    detail: Option<String>,
    /// The decision in shadow mode, such as `401 missing_credentials` or `allow`.
    shadowed: Option<String>,
    /// The name of the rule.
    rule: Option<String>,
    /// The subject of the caller.
    subject: Option<String>,
    /// The authenticator that decided.
    authenticator: Option<String>,
    /// Headers of the response; a list: all values of the name, in order; null: none.
    #[serde(default)]
    headers: Named<Value>,
    /// Headers of the upstream request, in the same form.
    #[serde(default)]
    upstream: Named<Value>,
    /// The path of the upstream request.
    upstream_path: Option<String>,
}

/// A difference from the expectation.
pub struct Difference {
    pub what: String,
    pub expected: String,
    pub found: String,
}

const NONE: &str = "none";

impl Expectation {
    /// Returns the differences from an outcome.
    ///
    /// # Errors
    /// If an expected header is not a string, a list of strings, or null.
    pub fn differences(&self, outcome: &Outcome) -> Result<Vec<Difference>, String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: Option<String>, found: Option<String>| {
            if let Some(expected) = expected
                && found.as_ref() != Some(&expected)
            {
                let found = found.unwrap_or_else(|| NONE.to_owned());
                differences.push(Difference { what: what.to_owned(), expected, found });
            }
        };
        let passes = outcome.decision == "allow";
        let status = if passes { Some(200) } else { outcome.response.as_ref().map(|answer| answer.status) };
        compare("allow", self.allow.map(|allow| allow.to_string()), Some(passes.to_string()));
        compare(
            "status",
            self.status.map(|status| status.to_string()),
            status.map(|status| status.to_string()),
        );
        compare("reason", self.reason.clone(), outcome.reason.map(str::to_owned));
        compare("detail", self.detail.clone(), outcome.detail.map(str::to_owned));
        compare("shadowed", self.shadowed.clone(), outcome.shadowed.clone());
        compare("rule", self.rule.clone(), outcome.rule.clone());
        compare("subject", self.subject.clone(), outcome.subject.clone());
        compare("authenticator", self.authenticator.clone(), outcome.authenticator.clone());
        let upstream = outcome.upstream.as_ref();
        compare("upstream_path", self.upstream_path.clone(), upstream.map(|upstream| upstream.path.clone()));
        let answer = outcome.response.as_ref().map(|answer| answer.headers.as_slice()).unwrap_or_default();
        let sent = upstream.map(|upstream| upstream.headers.as_slice()).unwrap_or_default();
        for (group, expected, headers) in
            [("headers", &self.headers, answer), ("upstream", &self.upstream, sent)]
        {
            for (name, value) in &expected.0 {
                let what = format!("{group}.{name}");
                let expected = listed(&what, value)?;
                let found = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
                let found: Vec<String> = found.map(|(_, value)| value.clone()).collect();
                let show = |values: Vec<String>| match values.is_empty() {
                    true => NONE.to_owned(),
                    false => values.join("\n                  "),
                };
                compare(&what, Some(show(expected)), Some(show(found)));
            }
        }
        Ok(differences)
    }
}

fn listed(what: &str, value: &Value) -> Result<Vec<String>, String> {
    let one = std::slice::from_ref(value);
    let values = match value {
        Value::Null => &[],
        Value::Array(values) => values.as_slice(),
        _ => one,
    };
    let texts: Option<Vec<String>> = values.iter().map(scalar).collect();
    texts.ok_or_else(|| format!("expect.{what}: expected a string, a list of strings, or null"))
}
