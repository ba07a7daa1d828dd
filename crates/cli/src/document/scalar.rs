//! The meaning of a scalar in each dialect.

use serde_json::{Number, Value};

use super::{Dialect, Scalar, Style};

impl Scalar {
    /// The JSON value of the scalar in `dialect`.
    pub fn value(&self, dialect: Dialect) -> Value {
        let text = self.text.as_str();
        if self.style != Style::Plain || self.tag.as_deref() == Some("!") {
            return text.into();
        }
        match (dialect, self.tag.as_deref()) {
            (Dialect::Json, _) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            (Dialect::Envoy, _) => envoy(text),
            (_, Some("tag:yaml.org,2002:str")) => text.into(),
            (Dialect::Alone | Dialect::Kubernetes, _) => kubernetes(text),
        }
    }
}

/// The value as `ValueUtil::loadFromYaml` of Envoy reads it (seen on 1.40.0): everything except null, booleans and
/// 32-bit integers is a string.
fn envoy(text: &str) -> Value {
    if is_null(text) {
        return Value::Null;
    }
    if let Some(truth) = plain_boolean(text) {
        return truth.into();
    }
    match integer(text, false) {
        Some(number) if i32::try_from(number).is_ok() => number.into(),
        Some(number) => number.to_string().into(),
        None => text.into(),
    }
}

/// The value as `sigs.k8s.io/yaml` reads it.
fn kubernetes(text: &str) -> Value {
    if is_null(text) {
        return Value::Null;
    }
    if let Some(truth) = plain_boolean(text) {
        return truth.into();
    }
    if let Some(number) = integer(&text.replace('_', ""), true) {
        return number.into();
    }
    let starts_like_one =
        text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let is_made_of = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse().ok().filter(|_| starts_like_one && is_made_of).and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        None => text.into(),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The boolean of a YAML 1.1 word, in lower case, in upper case or capitalised.
pub fn plain_boolean(text: &str) -> Option<bool> {
    let rest = text.get(1..)?;
    if !(rest.bytes().all(|byte| byte.is_ascii_lowercase())
        || text.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// Parses a decimal, `0x…` or octal `0…` integer, as in C; with `is_go` also `0b…` and `0o…`.
fn integer(text: &str, is_go: bool) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = digits.get(..2).unwrap_or_default();
    let (radix, digits) = match (prefix, digits.get(2..)) {
        ("0x" | "0X", Some(digits)) => (16, digits),
        ("0b", Some(digits)) if is_go => (2, digits),
        ("0o", Some(digits)) if is_go => (8, digits),
        _ => match digits.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => (8, octal),
            _ => (10, digits),
        },
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok().map(|number| number * sign)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_means_what_its_reader_takes_it_for() {
        let check = |text: &str, for_envoy: Value, for_kubernetes: Value| {
            assert_eq!(envoy(text), for_envoy, "Envoy: {text}");
            assert_eq!(kubernetes(text), for_kubernetes, "Kubernetes: {text}");
        };
        // The values of the first column were seen on Envoy 1.40.0.
        check("1.5", json!("1.5"), json!(1.5));
        check("yes", json!(true), json!(true));
        check("y", json!(true), json!(true));
        check("off", json!(false), json!(false));
        check("Off", json!(false), json!(false));
        check("yES", json!("yES"), json!("yES"));
        check("~", json!(null), json!(null));
        check("", json!(null), json!(null));
        check("0x10", json!(16), json!(16));
        check("010", json!(8), json!(8));
        check("08", json!("08"), json!(8.0));
        check("+5", json!(5), json!(5));
        check("-5", json!(-5), json!(-5));
        check("1_000", json!("1_000"), json!(1000));
        check("0o17", json!("0o17"), json!(15));
        check("2147483647", json!(2_147_483_647), json!(2_147_483_647));
        check("2147483648", json!("2147483648"), json!(2_147_483_648_u32));
        check("1e3", json!("1e3"), json!(1000.0));
        check(".inf", json!(".inf"), json!(".inf"));
        check("2026-01-01T00:00:00Z", json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:00Z"));
        check("60s", json!("60s"), json!("60s"));
        check("-", json!("-"), json!("-"));
    }
}
