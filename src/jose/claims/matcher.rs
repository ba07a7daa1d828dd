//! Conditions of a configuration on claims.

use serde_json::{Number, Value};

/// A condition on a claim.
///
/// Written as a value, as a list (one of its values), or as an object with one member: `{present: true}`,
/// `{prefix: …}`, `{suffix: …}`, `{not: …}`.
///
/// - A claim that is absent or null matches nothing, not even `{not: …}`: an unknown value grants nothing.
/// - Values match without conversion (`"1"` is not 1), numbers by value (1 is 1.0).
/// - An array matches if one of its members does. So `{not: admin}` matches an array without `admin`, but not one that
///   has `admin` and other members.
/// - An object matches only `{present: true}` and `{not: …}`.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimMatcher(Kind);

#[derive(Clone, PartialEq, Debug)]
enum Kind {
    Present,
    OneOf(Vec<Scalar>),
    NotOneOf(Vec<Scalar>),
}

#[derive(Clone, PartialEq, Debug)]
enum Scalar {
    Text(String),
    Number(Number),
    Bool(bool),
    Prefix(String),
    Suffix(String),
}

/// Reason why a value is not a matcher.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MatcherError {
    /// Null, or an object that has none of the four forms.
    #[error(
        "expected a string, a number, true or false, a list of them, or one of \
         {{present: true}}, {{prefix: …}}, {{suffix: …}}, {{not: …}}"
    )]
    UnknownForm,
    /// A list that would match nothing, or (in `not`) everything.
    #[error("expected a list with at least one value")]
    EmptyList,
    /// A list in a list. Lists contain values, `{prefix: …}` and `{suffix: …}`.
    #[error("expected a value, {{prefix: …}} or {{suffix: …}} within the list")]
    NestedList,
    /// A `present` other than `true`.
    #[error("expected {{present: true}}; omit the claim to allow any value")]
    PresentNotTrue,
    /// A `prefix` or `suffix` that is not a string, or is empty.
    #[error("expected a string that is not empty")]
    AffixNotText,
    /// A `not` other than a value, a list, `{prefix: …}` or `{suffix: …}`.
    #[error("expected a value, a list of values, {{prefix: …}} or {{suffix: …}} under `not`")]
    NotOfThat,
}

impl ClaimMatcher {
    /// Parses a matcher in the form of the configuration.
    ///
    /// # Errors
    /// Fails if the value has none of the forms of a matcher.
    pub fn from_json(value: &Value) -> Result<ClaimMatcher, MatcherError> {
        Ok(ClaimMatcher(match only_member(value) {
            Some(("present", Value::Bool(true))) => Kind::Present,
            Some(("present", _)) => return Err(MatcherError::PresentNotTrue),
            Some(("not", negated)) => match only_member(negated) {
                Some(("not" | "present", _)) => return Err(MatcherError::NotOfThat),
                _ => Kind::NotOneOf(Scalar::list(negated)?),
            },
            _ => Kind::OneOf(Scalar::list(value)?),
        }))
    }

    /// True if the claim meets the condition. `None` is an absent claim.
    pub fn matches(&self, claim: Option<&Value>) -> bool {
        match (claim, &self.0) {
            (None | Some(Value::Null), _) => false,
            (Some(_), Kind::Present) => true,
            (Some(claim), Kind::OneOf(wanted)) => one_of(wanted, claim),
            (Some(claim), Kind::NotOneOf(refused)) => !one_of(refused, claim),
        }
    }
}

fn only_member(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object()?;
    let (name, value) = members.iter().next()?;
    (members.len() == 1).then_some((name.as_str(), value))
}

fn one_of(wanted: &[Scalar], claim: &Value) -> bool {
    let matches = |value: &Value| wanted.iter().any(|scalar| scalar.matches(value));
    match claim {
        Value::Array(members) => members.iter().any(matches),
        value => matches(value),
    }
}

impl Scalar {
    fn list(value: &Value) -> Result<Vec<Scalar>, MatcherError> {
        match value {
            Value::Array(values) if values.is_empty() => Err(MatcherError::EmptyList),
            Value::Array(values) if values.iter().any(Value::is_array) => Err(MatcherError::NestedList),
            Value::Array(values) => values.iter().map(Scalar::from_json).collect(),
            value => Ok(vec![Scalar::from_json(value)?]),
        }
    }

    fn from_json(value: &Value) -> Result<Scalar, MatcherError> {
        let affix = |text: &Value| match text.as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(MatcherError::AffixNotText),
        };
        match (value, only_member(value)) {
            (Value::String(text), _) => Ok(Scalar::Text(text.clone())),
            (Value::Number(number), _) => Ok(Scalar::Number(number.clone())),
            (Value::Bool(truth), _) => Ok(Scalar::Bool(*truth)),
            (_, Some(("prefix", text))) => affix(text).map(Scalar::Prefix),
            (_, Some(("suffix", text))) => affix(text).map(Scalar::Suffix),
            _ => Err(MatcherError::UnknownForm),
        }
    }

    fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (Scalar::Text(wanted), Value::String(text)) => wanted == text,
            (Scalar::Number(wanted), Value::Number(number)) => same_number(wanted, number),
            (Scalar::Bool(wanted), Value::Bool(truth)) => wanted == truth,
            (Scalar::Prefix(prefix), Value::String(text)) => text.starts_with(prefix.as_str()),
            (Scalar::Suffix(suffix), Value::String(text)) => text.ends_with(suffix.as_str()),
            _ => false,
        }
    }
}

/// Compares integers as integers: as doubles, 2⁵³ and 2⁵³ + 1 would be equal.
fn same_number(a: &Number, b: &Number) -> bool {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.as_f64() == b.as_f64(),
        _ => false,
    }
}

/// The value, if it is integral and below 1e38 in magnitude. Larger numbers are compared as doubles.
fn integer(number: &Number) -> Option<i128> {
    let whole = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    whole.or_else(|| {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() < 1e38).then_some(float as i128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(matcher: Value, claim: Value, expected: bool) {
        let read = ClaimMatcher::from_json(&matcher).unwrap();
        assert_eq!(read.matches(Some(&claim)), expected, "{matcher} on {claim}");
    }

    #[test]
    fn values() {
        check(json!("a"), json!("a"), true);
        check(json!("a"), json!("A"), false);
        check(json!("a"), json!("a "), false);
        check(json!("1"), json!(1), false);
        check(json!("true"), json!(true), false);
        check(json!(true), json!(true), true);
        check(json!(true), json!(1), false);
        check(json!(true), json!(false), false);
        check(json!(1), json!(1.0), true);
        check(json!(1.0), json!(1), true);
        check(json!(-1), json!(-1.0), true);
        check(json!(0.5), json!(0.5), true);
        check(json!(0.5), json!(1), false);
        check(json!(9007199254740993_u64), json!(9007199254740992.0), false);
        check(json!(9007199254740993_u64), json!(9007199254740992_u64), false);
        check(json!(u64::MAX), json!(u64::MAX), true);
        // Adjacent integers with the same nearest double.
        for (a, b) in [(u64::MAX, u64::MAX - 1), (1 << 53, (1 << 53) + 1), (u64::MAX / 2, u64::MAX / 2 + 1)] {
            check(json!(a), json!(b), false);
            check(json!(b), json!(a), false);
            check(json!({"not": a}), json!(b), true);
            check(json!([a]), json!([b]), false);
        }
        check(json!(i64::MIN), json!(i64::MIN), true);
        check(json!(i64::MIN), json!(i64::MIN + 1), false);
        check(json!(i64::MIN), json!(9_223_372_036_854_775_808_u64), false);
        // An integral double equals the integer.
        check(json!(9_007_199_254_740_992.0), json!(9_007_199_254_740_992_u64), true);
        check(json!(9_007_199_254_740_992.0), json!(9_007_199_254_740_993_u64), false);
        check(json!(1e300), json!(1e300), true);
        check(json!(1e300), json!(2e300), false);
        check(json!("a"), json!({"a": "a"}), false);
    }

    #[test]
    fn lists_and_arrays() {
        check(json!(["a", "b"]), json!("b"), true);
        check(json!(["a", 1, true]), json!(1), true);
        check(json!(["a", "b"]), json!("c"), false);
        check(json!(["a", {"prefix": "x-"}]), json!("x-1"), true);
        check(json!("a"), json!(["b", "a"]), true);
        check(json!(["a", "b"]), json!(["c", "b"]), true);
        check(json!("a"), json!(["b", "c"]), false);
        check(json!("a"), json!([]), false);
        check(json!("a"), json!([["a"]]), false);
        check(json!(1), json!([null, "1", 1.0]), true);
    }

    #[test]
    fn affixes() {
        check(json!({"prefix": "ab"}), json!("abc"), true);
        check(json!({"prefix": "ab"}), json!("ab"), true);
        check(json!({"prefix": "ab"}), json!("xab"), false);
        check(json!({"prefix": "1"}), json!(12), false);
        check(json!({"suffix": "@example.com"}), json!("a@example.com"), true);
        check(json!({"suffix": "@example.com"}), json!("a@example.com.evil"), false);
        check(json!({"suffix": "@example.com"}), json!(["x", "a@example.com"]), true);
    }

    #[test]
    fn not() {
        check(json!({"not": "a"}), json!("b"), true);
        check(json!({"not": "a"}), json!("a"), false);
        check(json!({"not": ["a", "b"]}), json!("b"), false);
        check(json!({"not": {"prefix": "svc-"}}), json!("svc-1"), false);
        check(json!({"not": {"suffix": "x"}}), json!("y"), true);
        check(json!({"not": "a"}), json!(["b", "a"]), false);
        check(json!({"not": "a"}), json!(["b", "c"]), true);
        check(json!({"not": "a"}), json!([]), true);
        check(json!({"not": 1}), json!(1.0), false);
    }

    #[test]
    fn present_and_absent() {
        for claim in [json!("a"), json!(""), json!(false), json!(0), json!([]), json!({})] {
            check(json!({"present": true}), claim, true);
        }
        for matcher in [json!({"present": true}), json!({"not": "a"}), json!("a"), json!(["a"])] {
            let read = ClaimMatcher::from_json(&matcher).unwrap();
            assert!(!read.matches(None), "{matcher} on an absent claim");
            assert!(!read.matches(Some(&Value::Null)), "{matcher} on null");
        }
    }

    #[test]
    fn what_is_no_matcher() {
        use MatcherError::*;
        for (matcher, expected) in [
            (json!(null), UnknownForm),
            (json!({}), UnknownForm),
            (json!({"is": "a"}), UnknownForm),
            (json!({"prefix": "a", "suffix": "b"}), UnknownForm),
            (json!(["a", null]), UnknownForm),
            (json!(["a", {"present": true}]), UnknownForm),
            (json!(["a", {"not": "b"}]), UnknownForm),
            (json!([]), EmptyList),
            (json!({"not": []}), EmptyList),
            (json!([["a"]]), NestedList),
            (json!({"present": false}), PresentNotTrue),
            (json!({"present": "true"}), PresentNotTrue),
            (json!({"prefix": ""}), AffixNotText),
            (json!({"suffix": 1}), AffixNotText),
            (json!({"not": {"not": "a"}}), NotOfThat),
            (json!({"not": {"present": true}}), NotOfThat),
            (json!({"not": null}), UnknownForm),
        ] {
            assert_eq!(ClaimMatcher::from_json(&matcher), Err(expected), "{matcher}");
        }
    }
}
