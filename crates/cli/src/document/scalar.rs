//! What a word means to whoever reads the file.

use serde_json::{Number, Value};

use super::{Dialect, Scalar, Style};

impl Scalar {
    /// The JSON value that `dialect` makes of it.
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

/// As `ValueUtil::loadFromYaml` does (seen on 1.40.0): what is not null, a boolean or an integer of 32 bits is a text.
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

/// As `sigs.k8s.io/yaml` does.
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
    let is_made_of = text.bytes().all(|octet| octet.is_ascii_digit() || b"+-.eE".contains(&octet));
    match text.parse().ok().filter(|_| starts_like_one && is_made_of).and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        None => text.into(),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// YAML 1.1: a word in lower case, in upper case, or with a capital.
pub fn plain_boolean(text: &str) -> Option<bool> {
    let rest = text.get(1..)?;
    if !(rest.bytes().all(|octet| octet.is_ascii_lowercase())
        || text.bytes().all(|octet| octet.is_ascii_uppercase()))
    {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// Decimal, `0x…` and, as C writes them, octal `0…`; for Go `0b…` and `0o…` as well.
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
        // The left ones were seen on Envoy 1.40.0.
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
