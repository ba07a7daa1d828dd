//! What a test expects of a request's outcome.

use authgate::config::shape::Named;
use serde::Deserialize;
use serde_json::Value;

use super::scalar;
use crate::explain::outcome::Outcome;

/// What is expected; what is not given may be anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Whether the request passes.
    allow: Option<bool>,
    /// The status of the answer; 200 stands for a request that passes.
    status: Option<u16>,
    /// The reason's code.
    reason: Option<String>,
    /// Its detail.
    detail: Option<String>,
    /// In shadow mode: what would become of it, as in `STATUS missing_credentials`, or `allow`.
    shadowed: Option<String>,
    /// The rule's name.
    rule: Option<String>,
    /// Whose identity counts.
    subject: Option<String>,
    /// Whose credentials they were.
    authenticator: Option<String>,
    /// Fields of the answer; a list: all of the name, in their order; null: none.
    #[serde(default)]
    headers: Named<Value>,
    /// Fields of the request as it goes on; null: none of the name.
    #[serde(default)]
    upstream: Named<Value>,
    /// The path as it goes on.
    upstream_path: Option<String>,
}

/// Something that was not as expected.
pub struct Difference {
    pub what: String,
    pub expected: String,
    pub found: String,
}

const NONE: &str = "none";

impl Expectation {
    /// What is not as expected.
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
    texts.ok_or_else(|| format!("expect.{what}: expected a text, a list of them, or null"))
}
